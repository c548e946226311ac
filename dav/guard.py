"""In front of wsgidav: host names, login, and requests that no good client sends. WSGI, knows no tree but its roots."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from dav.auth import Login

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="heroredis", charset="UTF-8"')
XML_LIMIT: Final = 1024 * 1024
ROOTS: Final = frozenset({"", "files", "jobs"})
PAGE_MARK: Final = b"/wsgidav/"


class Refusal(Exception):
    """The answer to a request that goes no further."""

    def __init__(self, status: str, text: str, headers: list[tuple[str, str]] | None = None) -> None:
        super().__init__(text)
        self.status: Final = status
        self.text: Final = text
        self.headers: Final = headers or []


class Guard:
    """Lets through what `hosts` and `login` allow and what is well formed."""

    def __init__(self, application: Application, *, login: Login, hosts: Callable[[], frozenset[str]]) -> None:
        self._application: Final = application
        self._login: Final = login
        self._hosts: Final = hosts

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._check_host(environ)
            self._check_path(environ)
            self._check_destination(environ)
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
        _check_name(decoded)
        if environ.get("REQUEST_METHOD") in ("DELETE", "MOVE", "COPY") and _is_root(decoded):
            raise Refusal("403 Forbidden", "this folder stays where it is")

    def _check_destination(self, environ: dict[str, Any]) -> None:
        """COPY and MOVE onto a root would empty it first."""
        given = environ.get("HTTP_DESTINATION")
        if given is None:
            return
        try:
            path = urlsplit(unquote(str(given), errors="strict"), allow_fragments=False).path
        except ValueError:
            raise Refusal("400 Bad Request", "the Destination is no URL") from None
        _check_name(path)
        if _is_root(path):
            raise Refusal("403 Forbidden", "this folder cannot be replaced")

    def _check_body(self, environ: dict[str, Any]) -> None:
        method = environ.get("REQUEST_METHOD")
        length = environ.get("CONTENT_LENGTH") or environ.get("HTTP_CONTENT_LENGTH")
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if length and chunked:
            raise Refusal("400 Bad Request", "Content-Length and Transfer-Encoding exclude each other")
        if length and not (str(length).isascii() and str(length).isdigit() and len(str(length)) < 19):
            raise Refusal("400 Bad Request", "Content-Length is no number")
        if method == "PUT" and not length and not chunked:
            raise Refusal("411 Length Required", "PUT needs a Content-Length")
        if method != "PUT" and chunked:
            raise Refusal("411 Length Required", "only PUT may leave the length open")
        if method != "PUT" and length and int(length) > XML_LIMIT:
            raise Refusal("413 Content Too Large", "the XML body is larger than 1 MiB")

    def _check_login(self, environ: dict[str, Any]) -> None:
        address = str(environ.get("REMOTE_ADDR", ""))
        if self._login.is_slowed(address):
            raise Refusal("429 Too Many Requests", "too many failed logins, wait a minute", [("Retry-After", "60")])
        if not self._login.admits(address, str(environ.get("HTTP_AUTHORIZATION", ""))):
            raise Refusal("401 Unauthorized", "log in with the user and password of the share", [CHALLENGE])


def _check_name(path: str) -> None:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise Refusal("400 Bad Request", "the path holds control characters")
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise Refusal("400 Bad Request", "the path has a segment of dots")


def _is_root(path: str) -> bool:
    return "/".join(part for part in path.split("/") if part) in ROOTS


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
