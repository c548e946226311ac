"""One connection to a server, for the command line: blocking, RESP3, no server code behind it."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import hiredis

from jobs.wire import without_password

SOCKET: Final = "/tmp/redis.sock"
PORT: Final = 6379
REFUSED: Final = 1
NOT_FOUND: Final = 3
"""Exit statuses of the command line for what a server refuses."""
CONNECT_S: Final = 5.0
_NOTHING: Final = object()


class CannotConnect(Exception):
    """There is no server, or it is gone."""


class Refusal(Exception):
    """The server answered an error; `code` is its first word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code: Final = text.partition(" ")[0]
        self.status: Final = NOT_FOUND if self.code == "NOJOB" or text.startswith("ERR no schedule ") else REFUSED


def default_url(environ: Mapping[str, str]) -> str:
    """HEROREDIS_URL, else the usual Unix socket where there is one, else the usual port."""
    given = environ.get("HEROREDIS_URL", "")
    if given:
        return given
    return f"unix://{SOCKET}" if os.path.exists(SOCKET) else f"redis://127.0.0.1:{PORT}"


class Place:
    """Where and as whom to connect. ValueError for a URL that names no such thing."""

    def __init__(self, url: str) -> None:
        if "://" not in url:
            url = f"unix://{url}" if url.startswith("/") else f"redis://{url}"
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("redis", "rediss", "unix") or port == -1:
            raise ValueError(f"{without_password(url)!r} is no address: give redis://[user:password@]host[:port], "
                             "rediss://… for TLS, or unix://[user:password@]/path")
        self.is_tls: Final = parts.scheme == "rediss"
        self.is_unix: Final = parts.scheme == "unix"
        self.path: Final = unquote(parts.path)
        self.host: Final = parts.hostname or "127.0.0.1"
        self.port: Final = port or PORT
        self.password: Final = unquote(parts.password or "")
        self.user: Final = unquote(parts.username or "default")
        if self.is_unix and not self.path:
            raise ValueError(f"{without_password(url)!r} names no socket: give unix:///path/to/redis.sock")

    def __str__(self) -> str:
        return self.path if self.is_unix else f"{self.host}:{self.port}"


class Link:
    """Raises CannotConnect and Refusal."""

    def __init__(self, place: Place) -> None:
        self.place: Final = place
        self._open()

    def _open(self) -> None:
        place = self.place
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        try:
            self._socket = self._connected()
        except OSError as error:
            raise CannotConnect(f"no server at {place}: {error.strerror or error}") from None
        auth = ("AUTH", place.user, place.password) if place.password else ()
        try:
            self.call("HELLO", "3", *auth, "SETNAME", _name())
        except Refusal as refusal:
            self._socket.close()
            raise _turned_away(place, refusal) from None

    def open_again(self) -> None:
        """A new connection in the place of one that is lost."""
        self.__exit__()
        self._open()

    def _connected(self) -> socket.socket:
        if not self.place.is_unix:
            made = socket.create_connection((self.place.host, self.place.port), CONNECT_S)
            if not self.place.is_tls:
                return made
            return ssl.create_default_context().wrap_socket(made, server_hostname=self.place.host)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(CONNECT_S)
        try:
            made.connect(self.place.path)
        except OSError:
            made.close()
            raise
        return made

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *unused: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def call(self, *words: object) -> Any:
        """The answer of a command; it may take as long as it takes."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        try:
            self._socket.settimeout(None)
            self._socket.sendall(b"*%d\r\n" % len(parts)
                                 + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
            return self._answer()
        except OSError as error:
            raise CannotConnect(f"the connection to {self.place} is lost: {error.strerror or error}") from None
        except hiredis.HiredisError as error:
            raise CannotConnect(f"{self.place} does not speak Redis: {error}") from None

    def _answer(self) -> Any:
        while (answer := self._reader.gets()) is _NOTHING:
            data = self._socket.recv(65536)
            if not data:
                raise CannotConnect(f"{self.place} closed the connection")
            self._reader.feed(data)
        if isinstance(answer, hiredis.ReplyError):
            raise Refusal(str(answer))
        return answer


def _turned_away(place: Place, refusal: Refusal) -> Exception:
    """What is wrong, where it is who we are."""
    if refusal.code == "NOAUTH":
        return CannotConnect(f"the server at {place} asks for a password: give --url or HEROREDIS_URL as "
                             "redis://:PASSWORD@host:port or unix://:PASSWORD@/path, USER before the colon")
    if refusal.code == "WRONGPASS":
        return CannotConnect(f"the server at {place} does not accept this password for the user {place.user!r}")
    return refusal


def _name() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return "cli-" + re.sub(r"[^!-~]", "_", user)
