"""The doors of the Redis listener: TCP, TLS and Unix sockets, opened, changed by CONFIG SET, and closed.

A change makes its new sockets or its new certificate at once, so that it can be refused; the loop takes them over in
its next turns. Connections that exist go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from heroredis.session.core import Core
from heroredis.sockets import is_wide, listen_tcp, listen_unix
from heroredis.tls import FILES, TlsError, context_of

logger = logging.getLogger("heroredis")
PORT_IN_USE: Final = "Unable to listen on this port. Check server logs."
BAD_ADDRESS: Final = "Failed to bind to specified addresses."
BAD_TLS: Final = "Unable to update TLS configuration. Check server logs."
OPEN_WITHOUT_PASSWORD: Final = ("these addresses are open to other machines and no password is set; set requirepass "
                                "first, or bind 127.0.0.1")


class Door:
    """Listening sockets of one kind. The server of the loop listens on copies of them, so that it can be exchanged."""

    def __init__(self, make: Callable[[], object]) -> None:
        self.sockets: list[socket.socket] = []
        self.context: ssl.SSLContext | None = None
        self.backlog = 511
        self._make: Final = make
        self._servers: list[Any] = []
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._wanted = 0

    async def serve(self) -> None:
        """Accept on the present sockets, with the present certificate, and no more on earlier ones."""
        self._wanted += 1
        turn = self._wanted
        loop = asyncio.get_running_loop()
        made: list[Any] = []
        make: Any = self._make
        for one in list(self.sockets):
            copy = one.dup()
            copy.setblocking(False)
            if one.family == socket.AF_UNIX:
                made.append(await loop.create_unix_server(make, sock=copy, backlog=self.backlog))
            else:
                made.append(await loop.create_server(make, sock=copy, ssl=self.context, backlog=self.backlog))
        if turn != self._wanted:  # changed again meanwhile
            for server in made:
                server.close()
            return
        old, self._servers = self._servers, made
        for server in old:
            server.close()

    def serve_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self.serve())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        self._wanted += 1
        for server in self._servers:
            server.close()
        for one in self.sockets:
            one.close()
        self._servers, self.sockets = [], []

    def port(self) -> int:
        return int(self.sockets[0].getsockname()[1]) if self.sockets else 0


class Doors:
    """All doors of one listener, following the parameters."""

    def __init__(self, core: Core, make: Callable[[], object]) -> None:
        self._core: Final = core
        self._parameters: Final = core.parameters
        self.tcp: Final = Door(make)
        self.tls: Final = Door(make)
        self.unix: Final = Door(make)
        self._addresses = ""
        self._unix_path = ""
        self._unix_identity: tuple[int, int] | None = None

    async def open(self, addresses: str, port: int | None, tls_port: int, unix_path: str) -> None:
        """Open what is wanted; a port of None opens no TCP door, 0 takes any free port. OSError or TlsError."""
        self._addresses = addresses
        for door in (self.tcp, self.tls, self.unix):
            door.backlog = self._backlog()
        try:
            if port is not None:
                self.tcp.sockets = listen_tcp(addresses, port, self._backlog())
                await self.tcp.serve()
            if tls_port:
                self.tls.context = context_of(self._parameters)
                self.tls.sockets = listen_tcp(addresses, tls_port, self._backlog())
                await self.tls.serve()
            if unix_path:
                await self._open_unix(unix_path)
        except (OSError, TlsError):
            self.close()
            raise
        self._parameters.put("port", b"%d" % self.tcp.port())
        self._core.listeners.append((addresses, self.tcp.port() or self.tls.port()))
        self._parameters.when_changed("port", self._follow_port)
        self._parameters.when_changed("tls-port", self._follow_tls_port)
        self._parameters.when_changed("bind", self._follow_bind)
        self._parameters.when_changed(FILES, self._follow_tls)

    async def _open_unix(self, path: str) -> None:
        permissions = self._parameters.integer("unixsocketperm")
        self.unix.sockets = [await asyncio.to_thread(listen_unix, path, permissions, self._backlog())]
        await self.unix.serve()
        facts = os.stat(path)
        self._unix_path, self._unix_identity = path, (facts.st_dev, facts.st_ino)

    def _backlog(self) -> int:
        return self._parameters.integer("tcp-backlog")

    def close(self) -> None:
        """Accept no more; remove the socket file if it is still ours."""
        for door in (self.tcp, self.tls, self.unix):
            door.close()
        if self._unix_identity is not None:
            with contextlib.suppress(OSError):
                facts = os.stat(self._unix_path)
                if (facts.st_dev, facts.st_ino) == self._unix_identity:
                    os.unlink(self._unix_path)
            self._unix_identity = None

    def reload(self) -> None:
        """The certificate files are read again; when they are no good the old ones stay in use."""
        if self.tls.sockets:
            self._follow_tls()

    # What CONFIG SET changes

    def _follow_port(self) -> str:
        return self._move(self.tcp, self._parameters.integer("port"))

    def _follow_tls_port(self) -> str:
        port = self._parameters.integer("tls-port")
        if port and not self.tls.sockets:
            reason = self._take_context()
            if reason:
                return reason
        return self._move(self.tls, port)

    def _move(self, door: Door, port: int) -> str:
        if port == door.port():
            return ""
        try:
            made = listen_tcp(self._addresses, port, self._backlog()) if port else []
        except OSError as error:
            logger.warning("port %d: %s", port, error)
            return PORT_IN_USE
        for one in door.sockets:
            one.close()
        door.sockets = made
        self._core.listeners[:] = [(self._addresses, self.tcp.port() or self.tls.port())]
        self._serve_soon(door)
        return ""

    def _serve_soon(self, door: Door) -> None:
        if self._core.loop is not None:
            door.serve_soon(self._core.loop)

    def _follow_bind(self) -> str:
        """The old sockets have to go first: an address may be part of another."""
        wanted = self._parameters.get("bind").decode("utf-8", "surrogateescape")
        if wanted == self._addresses:
            return ""
        if is_wide(wanted) and self._core.users.open_to_all:
            return OPEN_WITHOUT_PASSWORD
        before, self._addresses = self._addresses, wanted
        for door in (self.tcp, self.tls):
            port = door.port()
            if not port:
                continue
            door.close()
            try:
                door.sockets = listen_tcp(wanted, port, self._backlog())
            except OSError as error:
                logger.warning("bind %s: %s", wanted, error)
                self._addresses = before
                door.sockets = listen_tcp(before, port, self._backlog())
                self._serve_soon(door)
                return BAD_ADDRESS
            self._serve_soon(door)
        return ""

    def _follow_tls(self) -> str:
        if not self._parameters.integer("tls-port"):
            return ""
        reason = self._take_context()
        if not reason and self.tls.sockets:
            self._serve_soon(self.tls)
        return reason

    def _take_context(self) -> str:
        try:
            self.tls.context = context_of(self._parameters)
        except TlsError as error:
            logger.warning("TLS: %s", error)
            return BAD_TLS
        return ""
