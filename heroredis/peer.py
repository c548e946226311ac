"""Another Redis server as MIGRATE speaks to it: requests are sent together, one line is read for each."""

from __future__ import annotations

import socket
from typing import Final

LONGEST_LINE: Final = 1 << 16
MOST_PORTS: Final = 1 << 16


class PeerError(Exception):
    """The other server cannot be reached, or did not take or answer in time. Its text: connecting, writing, reading."""


class Peer:
    """A connection for one MIGRATE. Everything that takes longer than the timeout raises PeerError."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._buffer = b""
        try:
            found = socket.getaddrinfo(host, port % MOST_PORTS, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise PeerError("connecting") from None
        family, kind, protocol, _, address = found[0]
        self._socket: Final = socket.socket(family, kind, protocol)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(address)
        except TimeoutError:
            self.close()
            raise PeerError("connecting") from None
        except OSError:
            self.close()
            raise PeerError("writing") from None

    def send(self, requests: list[list[bytes]]) -> None:
        parts = []
        for request in requests:
            parts.append(b"*%d\r\n" % len(request))
            for word in request:
                parts += (b"$%d\r\n" % len(word), word, b"\r\n")
        try:
            self._socket.sendall(b"".join(parts))
        except OSError:
            raise PeerError("writing") from None

    def line(self) -> bytes:
        """The next reply, which is to be a status or an error: its line, with the mark at its beginning."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                raise PeerError("reading")
            try:
                more = self._socket.recv(LONGEST_LINE)
            except OSError:
                raise PeerError("reading") from None
            if not more:
                raise PeerError("reading")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def close(self) -> None:
        self._socket.close()
