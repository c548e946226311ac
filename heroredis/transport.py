"""Sockets of the Redis listener: each connection feeds a Session and sends what it writes.

A TCP port and a Unix socket; either may be switched off. Knows no commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any, Final, cast

from heroredis.execute import Session
from heroredis.extension import Listening
from heroredis.session.core import Core

READ_AHEAD: Final = 1024 * 1024
BACKLOG: Final = 511
PROBE_S: Final = 0.5
logger = logging.getLogger("heroredis")
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

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        core = self._core
        if len(core.clients) >= core.parameters.integer("maxclients"):
            core.stats.rejected_connections += 1
            transport.write(b"-ERR max number of clients reached\r\n")
            transport.close()
            return
        client = core.new_client(*_addresses(transport), transport.close)
        client.abort = transport.abort
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
        self._core.stats.bytes_in += len(data)
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
            self._core.stats.bytes_out += len(data)
            transport.write(data)

    def pause_writing(self) -> None:
        """The peer does not read: stop running its commands."""
        if self._session is not None:
            self._session.stalled = True

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

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _addresses(transport: asyncio.Transport) -> tuple[str, str]:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        path = str(transport.get_extra_info("sockname") or "")
        return f"{path}:0", f"{path}:0"
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return _shown(transport.get_extra_info("peername")), _shown(transport.get_extra_info("sockname"))


def _shown(address: object) -> str:
    if isinstance(address, tuple):
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return "?:0"


class RedisListener:
    """The Service by which Redis clients come in."""

    name = "redis"

    def __init__(self, core: Core, *, host: str, port: int, unix_path: str, auth_timeout_s: float = 10.0) -> None:
        self.core: Final = core
        self.auth_timeout_s: Final = auth_timeout_s
        self.connections: Final[set[Connection]] = set()
        self.port = port
        self._host: Final = host
        self._unix_path: Final = unix_path
        self._unix_identity: tuple[int, int] | None = None
        self._servers: list[Any] = []

    async def start(self) -> list[Listening]:
        """Bind; OSError with the address in its text when it is taken. A stale socket file is replaced."""
        loop = asyncio.get_running_loop()
        listening = []
        try:
            server: Any = await loop.create_server(
                cast("Any", lambda: Connection(self)), self._host, self.port, backlog=BACKLOG)
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]
            shown = f"[{self._host}]" if ":" in self._host else self._host
            listening.append(Listening("redis", f"redis://{shown}:{self.port}"))
            self.core.listeners.append((self._host, self.port))
            if self._unix_path:
                await self._listen_unix(loop)
                listening.append(Listening("redis", f"unix://{self._unix_path}"))
        except OSError:
            await self.stop(0)
            raise
        return listening

    async def _listen_unix(self, loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.to_thread(_clear_stale, self._unix_path)
        old = os.umask(0o177)
        try:
            server: Any = await loop.create_unix_server(
                cast("Any", lambda: Connection(self)), self._unix_path, backlog=BACKLOG)
        finally:
            os.umask(old)
        self._servers.append(server)
        facts = os.stat(self._unix_path)
        self._unix_identity = (facts.st_dev, facts.st_ino)

    async def stop(self, grace_s: float) -> None:
        """Accept no more, end the connections, remove the socket file if it is still ours."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0)
        self._servers.clear()
        if self._unix_identity is not None:
            with contextlib.suppress(OSError):
                facts = os.stat(self._unix_path)
                if (facts.st_dev, facts.st_ino) == self._unix_identity:
                    os.unlink(self._unix_path)
            self._unix_identity = None

    def reload(self) -> None:
        """Nothing of it can change while running."""


def _clear_stale(path: str) -> None:
    """Remove a socket file behind which nobody listens; OSError when somebody does or it is no socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not Path(path).parent.is_dir():
            raise FileNotFoundError(2, "the folder of the Unix socket does not exist", path) from None
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(17, "there is a file that is no socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError:
            pass
    raise OSError(98, "another server listens on this Unix socket", path)
