"""Sockets of the Redis listener: each connection feeds a Session and sends what it writes.

Where it listens is settled in doors.py. Knows no commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import Final

from heroredis.doors import Doors
from heroredis.execute import Session
from heroredis.extension import Listening
from heroredis.session.client import Client
from heroredis.session.core import Core

READ_AHEAD: Final = 1024 * 1024
logger = logging.getLogger("heroredis")
PROTECTED: Final = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. Only clients on the same machine are let in. To let others in, set a password (CONFIG SET "
    b"requirepass from the same machine, or requirepass in the configuration); or, if nobody else can reach this "
    b"address, send CONFIG SET protected-mode no from the same machine.\r\n")
HTTP_WORDS: Final = (b"POST ", b"Host:", b"GET /", b"PUT /", b"HEAD /", b"OPTIONS ")


class Connection:
    """The protocol object of one socket (it has the methods of asyncio.Protocol)."""

    def __init__(self, listener: RedisListener) -> None:
        self._listener: Final = listener
        self._core: Final = listener.core
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._paused = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def client(self) -> Client | None:
        """Who is connected; None when it was not let in, or is gone."""
        return None if self._session is None else self._session.client

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        core = self._core
        if len(core.clients) >= core.parameters.integer("maxclients"):
            core.stats.rejected_connections += 1
            transport.write(b"-ERR max number of clients reached\r\n")
            transport.close()
            return
        _tune(transport, core.parameters.integer("tcp-keepalive"))
        client = core.new_client(*_addresses(transport), transport.close)
        if core.is_guarded(client):
            core.stats.rejected_connections += 1
            transport.write(PROTECTED)
            transport.close()
            return
        client.abort = transport.abort
        client.end_output = self._end_output
        client.pending_output = transport.get_write_buffer_size
        sock = transport.get_extra_info("socket")
        client.fd = sock.fileno() if sock is not None else -1
        core.clients[client.client_id] = client
        self._session = Session(core, client, self._write)
        self._listener.connections.add(self)
        if not client.authenticated and core.loop is not None:
            self._deadline = core.loop.call_later(self._listener.auth_timeout_s, self._not_authenticated)

    def _not_authenticated(self) -> None:
        session = self._session
        if session is not None and not session.client.authenticated and self._transport is not None:
            self._core.stats.security_events += 1
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session is None or session.closed:
            return
        stats = self._core.stats
        stats.bytes_in += len(data)
        stats.reads += 1
        if session.is_fresh and data.startswith(HTTP_WORDS):
            self._refuse_http()
            return
        session.received(data)
        if session.is_behind:
            self._pause_when_full(session)

    def _refuse_http(self) -> None:
        """A browser was talked into speaking to Redis: not one of its lines may be run."""
        self._core.stats.security_events += 1
        logger.warning("security: an HTTP request came to the Redis port; the connection was closed")
        self.close()

    def _pause_when_full(self, session: Session) -> None:
        """While requests wait, read ahead a little only."""
        if not self._paused and session.reader.buffered() > READ_AHEAD and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
            session.on_progress = self._resume

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is not None:
            stats = self._core.stats
            stats.bytes_out += len(data)
            stats.writes += 1
            transport.write(data)

    def pause_writing(self) -> None:
        """The peer does not read: stop running its commands."""
        if self._session is not None:
            self._session.stalled = True
            self._session.look_at_output()

    def resume_writing(self) -> None:
        session = self._session
        if session is not None:
            session.stalled = False
            session.schedule()

    def eof_received(self) -> bool:
        """The peer has closed its side; it still gets the replies to what it sent."""
        session = self._session
        if session is None:
            return False
        session.input_ended()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._listener.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._session is not None:
            self._session.ended()
            self._session = None

    def _end_output(self) -> None:
        """Let the peer see the end now, not in the next turn: what it sends in between would reset the connection.

        TLS says its own farewell, and what is still to be sent comes first; then the end comes with close().
        """
        transport = self._transport
        client = self.client
        if transport is None or client is None or transport.is_closing() or transport.get_write_buffer_size():
            return
        if transport.get_extra_info("sslcontext") is None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(client.fd)) as twin:
                twin.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _tune(transport: asyncio.Transport, keepalive_s: int) -> None:
    """Small answers leave at once; a peer that is gone is noticed after three unanswered questions."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if keepalive_s:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive_s)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, keepalive_s // 3))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _addresses(transport: asyncio.Transport) -> tuple[str, str]:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        path = str(transport.get_extra_info("sockname") or "")
        if not path:
            return "internal", "internal"  # a socket pair of our own
        return f"{path}:0", f"{path}:0"
    return _shown(transport.get_extra_info("peername")), _shown(transport.get_extra_info("sockname"))


def _shown(address: object) -> str:
    if isinstance(address, tuple):
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return "?:0"


class RedisListener:
    """The Service by which Redis clients come in. `host` may be several addresses; a port of None opens none."""

    name = "redis"

    def __init__(self, core: Core, *, host: str, port: int | None, unix_path: str, tls_port: int = 0,
                 auth_timeout_s: float = 10.0) -> None:
        self.core: Final = core
        self.auth_timeout_s: Final = auth_timeout_s
        self.connections: Final[set[Connection]] = set()
        self.port = port
        self.doors: Final = Doors(core, lambda: Connection(self))
        self._host: Final = host
        self._tls_port: Final = tls_port
        self._unix_path: Final = unix_path

    async def start(self) -> list[Listening]:
        """Bind; OSError with the address in its text when it is taken. A stale socket file is replaced."""
        doors = self.doors
        await doors.open(self._host, self.port, self._tls_port, self._unix_path)
        listening = []
        shown = self._host.split()[0].removeprefix("-").replace("*", "0.0.0.0") if self._host else ""
        shown = f"[{shown}]" if ":" in shown else shown
        if self.port is not None:
            self.port = doors.tcp.port()
            listening.append(Listening("redis", f"redis://{shown}:{self.port}"))
        if self._tls_port:
            listening.append(Listening("redis", f"rediss://{shown}:{doors.tls.port()}"))
        if self._unix_path:
            listening.append(Listening("redis", f"unix://{self._unix_path}"))
        return listening

    async def stop(self, grace_s: float) -> None:
        """Accept no more, end the connections, remove the socket file if it is still ours."""
        self.doors.close()
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0)

    def reload(self) -> None:
        """SIGHUP: certificates are read again."""
        self.doors.reload()
