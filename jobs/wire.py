"""What a program and a server say to each other about jobs: addresses, requests, replies, errors. Imports no server.

RESP3, read by hiredis. Times on the wire are Unix milliseconds; `jobs.requests` turns them into seconds.
"""

from __future__ import annotations

import re
import ssl
from typing import Final
from urllib.parse import unquote, urlsplit

import hiredis

from jobs.json_value import json_bytes

DEFAULT_PORT: Final = 6379
NOT_ENOUGH: Final = object()


class ClientError(Exception):
    """The server refused a request: `code` is the first word of its error (ERR, NOJOB, BADSTATE, STALE, REFUSED)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code: Final = code
        self.text: Final = text


def is_loading(answer: object) -> bool:
    """Whether the server is still reading its data: nothing was done, and a later try may succeed."""
    return isinstance(answer, ClientError) and answer.code == "LOADING"


class NotConnected(ConnectionError):
    """The server cannot be reached; nothing was sent."""


class OutcomeUnknown(ConnectionError):
    """The connection broke after a request was sent and before its answer came: it may have been carried out."""


class Address:
    """Where a server is, and who we are there."""

    def __init__(self, host: str = "127.0.0.1", port: int = DEFAULT_PORT, path: str = "", user: str = "",
                 password: str = "", tls: bool = False) -> None:
        self.host: Final = host
        self.port: Final = port
        self.path: Final = path
        self.user: Final = user
        self.password: Final = password
        self.tls: Final = tls

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"{'rediss' if self.tls else 'redis'}://{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context() if self.tls else None


def without_password(url: str) -> str:
    """As it may be shown, also when its password holds what it should have escaped."""
    return re.sub(r"//(?!/).*@", "//…@", url)


def parse_url(url: str) -> Address:
    """`redis://[[user]:password@]host[:port]`, `rediss://...` (TLS), `unix:///path`; else ValueError."""
    parts = urlsplit(url)
    shown = without_password(url)
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError:  # which would name a part of a password that has a slash
        raise ValueError(f"{shown!r} is no address: the port is no number from 0 to 65535, or the password holds a "
                         "slash that is not written %2F; give redis://host:port") from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError(f"{shown!r} names no socket; give unix:///path/to/redis.sock")
        return Address(path=parts.path, user=user, password=password)
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError(f"{shown!r} is no address; give redis://host:port, rediss://host:port or unix:///path")
    return Address(parts.hostname or "127.0.0.1", port, "", user, password,
                   parts.scheme == "rediss")


def reply_error(message: str) -> ClientError:
    code, _, text = message.partition(" ")
    return ClientError(code, text)


def new_reader() -> hiredis.Reader:
    return hiredis.Reader(replyError=reply_error, protocolError=ConnectionError, notEnoughData=NOT_ENOUGH)


def pack(words: list[bytes]) -> bytes:
    """A request as it is sent."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts += (b"$%d\r\n" % len(word), word, b"\r\n")
    return b"".join(parts)


def greeting(address: Address, name: str) -> list[bytes]:
    """HELLO with all that the server has to know."""
    words = [b"HELLO", b"3"]
    if address.password:
        words += [b"AUTH", (address.user or "default").encode(), address.password.encode()]
    if name:
        words += [b"SETNAME", name.encode()]
    return words


def as_bytes(value: object) -> bytes:
    """Bytes and text as they are, anything else as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return json_bytes(value)


def as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
