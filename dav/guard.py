"""In front of wsgidav: login, host names, and requests that no good client sends. WSGI, knows no tree."""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
REALM: Final = 'Basic realm="heroredis", charset="UTF-8"'
XML_METHODS: Final = frozenset({"PROPFIND", "PROPPATCH", "LOCK", "REPORT", "SEARCH"})
XML_LIMIT: Final = 1024 * 1024
FAILURES: Final = 5
WINDOW_S: Final = 60.0
PAGE_MARK: Final = b"/wsgidav/"


class Refusal(Exception):
    """The answer to a request that goes no further."""

    def __init__(self, status: str, text: str, headers: list[tuple[str, str]] | None = None) -> None:
        super().__init__(text)
        self.status: Final = status
        self.text: Final = text
        self.headers: Final = headers or []


class Guard:
    """`monotonic` is the clock by which failed logins are counted."""

    def __init__(self, application: Application, *, user: str, password: str, hosts: Callable[[], frozenset[str]],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._application: Final = application
        self._expected: Final = f"{user}:{password}".encode() if password else b""
        self._hosts: Final = hosts
        self._monotonic: Final = monotonic
        self._failures: Final[dict[str, list[float]]] = {}
        self._mutex: Final = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._check_host(environ)
            self._check_path(environ)
            self._check_body(environ)
            self._check_login(environ)
        except Refusal as refusal:
            body = refusal.text.encode()
            start_response(refusal.status, [
                ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))),
                ("Connection", "close"), *refusal.headers])
            return [body]
        return shortened(self._application, environ, start_response)

    def _check_host(self, environ: dict[str, Any]) -> None:
        host = str(environ.get("HTTP_HOST", "")).lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        allowed = self._hosts()
        if host not in allowed and name not in allowed:
            raise Refusal("421 Misdirected Request", "this share does not answer to that host name")

    def _check_path(self, environ: dict[str, Any]) -> None:
        path = str(environ.get("PATH_INFO", ""))
        try:
            decoded = path.encode("latin-1").decode("utf-8")
        except UnicodeError:
            raise Refusal("400 Bad Request", "the path is no UTF-8") from None
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in decoded):
            raise Refusal("400 Bad Request", "the path holds control characters")
        if ".." in decoded.split("/"):
            raise Refusal("400 Bad Request", "the path leads upwards")
        if environ.get("REQUEST_METHOD") == "DELETE" and decoded.rstrip("/") in ("", "/files", "/jobs"):
            raise Refusal("403 Forbidden", "this folder cannot be deleted")

    def _check_body(self, environ: dict[str, Any]) -> None:
        method = environ.get("REQUEST_METHOD")
        length = environ.get("CONTENT_LENGTH") or environ.get("HTTP_CONTENT_LENGTH")
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if length and chunked:
            raise Refusal("400 Bad Request", "Content-Length and Transfer-Encoding exclude each other")
        if length and not str(length).isdigit():
            raise Refusal("400 Bad Request", "Content-Length is no number")
        if method == "PUT" and not length and not chunked:
            raise Refusal("411 Length Required", "PUT needs a Content-Length")
        if method in XML_METHODS and length and int(length) > XML_LIMIT:
            raise Refusal("413 Content Too Large", "the XML body is larger than 1 MiB")

    def _check_login(self, environ: dict[str, Any]) -> None:
        if not self._expected:
            return
        address = str(environ.get("REMOTE_ADDR", ""))
        now = self._monotonic()
        with self._mutex:
            recent = [at for at in self._failures.get(address, ()) if now - at < WINDOW_S]
            if len(recent) >= FAILURES:
                raise Refusal("429 Too Many Requests", "too many failed logins, wait a minute", [("Retry-After", "60")])
        given = _credentials(str(environ.get("HTTP_AUTHORIZATION", "")))
        if given is not None and hmac.compare_digest(given, self._expected):
            with self._mutex:
                self._failures.pop(address, None)
            return
        if given is not None:
            with self._mutex:
                self._failures[address] = [*recent, now]
                if len(self._failures) > 10_000:
                    self._failures.pop(next(iter(self._failures)))
        raise Refusal("401 Unauthorized", "log in with the user and password of the share",
                      [("WWW-Authenticate", REALM)])


def shortened(application: Application, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Run it; its own status pages, which tell its version, become one line of text."""
    begun: list[Any] = []

    def capture(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        begun[:] = [status, headers, exc_info]

    parts = iter(application(environ, capture))
    first = next(parts, b"")
    status, headers, exc_info = begun
    if first.startswith(b"<!DOCTYPE HTML") and PAGE_MARK in first:
        first = status.encode("latin-1") + b"\n"
        replaced = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(first))}
        headers = [(name, replaced.get(name.lower(), value)) for name, value in headers]
    if exc_info is None:
        start_response(status, headers)
    else:
        start_response(status, headers, exc_info)
    return chain([first], parts)


def _credentials(header: str) -> bytes | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
