"""What cheroot leaves open: doubled framing headers, what it prints, and the reason why an address is not free."""

from __future__ import annotations

import logging
from typing import Any, Final

from cheroot import wsgi
from cheroot.server import DropUnderscoreHeaderReader, HTTPConnection, HTTPRequest

logger = logging.getLogger("dav")
ONCE: Final = frozenset({b"Host", b"Content-Length", b"Transfer-Encoding", b"Authorization", b"Destination"})


class _OneHead(DropUnderscoreHeaderReader):
    """Reads the head of one request."""

    def __init__(self) -> None:
        self._seen: Final[set[bytes]] = set()

    def _transform_key(self, key_name: bytes) -> bytes:
        if key_name != key_name.strip():
            raise ValueError("white space beside a header name")
        key = key_name.title()
        if key in ONCE and key in self._seen:
            raise ValueError("a header that may come once came twice")
        self._seen.add(key)
        return key

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class _Heads:
    """cheroot holds one reader for all requests; this one keeps them apart."""

    def __call__(self, stream: Any, headers: dict[bytes, bytes] | None = None) -> Any:
        return _OneHead()(stream, headers)


class _Request(HTTPRequest):
    header_reader = _Heads()


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class QuietServer(wsgi.Server):
    """Prints nothing, takes no header twice that frames or routes a request."""

    ConnectionClass = _Connection
    bind_error: OSError | None = None

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        logger.debug("%s", msg)

    def bind(self, *address: Any) -> Any:
        try:
            return super().bind(*address)
        except OSError as error:
            self.bind_error = error
            raise

    def prepare(self) -> None:
        """As cheroot's, but the OSError carries its errno."""
        try:
            super().prepare()
        except OSError as error:
            raise self.bind_error or error from None
