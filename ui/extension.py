"""The web UI as a service beside Redis: listens, answers, and stops within its grace.

Reaches jobs only through the job service it is handed.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from heroredis.extension import Listening
from ui.app import make_app
from ui.auth import Gate
from ui.security import Guard, bracketed

if TYPE_CHECKING:
    from heroredis.extension import Clock, JobService
    from ui.live import LiveHub

MAX_LINE: Final = 8190
BACKLOG: Final = 128


class UiService:
    """One HTTP listener with the pages and the JSON API."""

    name = "ui"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        password: str,
        jobs: JobService | None,
        server: object | None,
        clock: Clock,
        allowed_hosts: tuple[str, ...] = (),
    ) -> None:
        self._host = host
        self._port = port
        self._jobs = jobs
        self._server = server
        self._allowed_hosts = allowed_hosts
        self._guard = Guard(Gate(password, clock))
        self._runner: web.AppRunner | None = None
        self._hub: LiveHub | None = None

    async def start(self) -> list[Listening]:
        """Listen. A taken port or a wrong address raises OSError, and nothing is left open."""
        app, self._hub = make_app(self._jobs, self._guard)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            keepalive_timeout=60.0,
        )
        await runner.setup()
        try:
            listener = self._bind()
            try:
                await web.SockSite(runner, listener, backlog=BACKLOG).start()
            except BaseException:
                listener.close()
                raise
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        port = int(listener.getsockname()[1])
        self._guard.allow((self._host, *self._allowed_hosts), port)
        return [Listening(service=self.name, url=f"http://{bracketed(self._host)}:{port}/")]

    async def stop(self, grace_s: float) -> None:
        """Stop listening, end the live streams, give running requests the grace, then close."""
        runner, self._runner = self._runner, None
        if self._hub is not None:
            self._hub.close()
        if runner is not None:
            for site in list(runner.sites):
                await site.stop()
            if runner.server is not None:
                runner.server.pre_shutdown()
                await runner.shutdown()
                await runner.server.shutdown(grace_s)
            await runner.cleanup()

    def reload(self) -> None:
        """Nothing here can change while it runs."""

    def _bind(self) -> socket.socket:
        family, kind, proto, _, address = socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if not self._guard.gate.closed and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
            raise PermissionError(f"the UI does not listen on {self._host} without a password")
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
        return listener
