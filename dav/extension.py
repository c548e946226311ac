"""The WebDAV listener as a service beside Redis: cheroot in threads, bridged to the server's loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any, Final

from dav.app import application
from dav.auth import Login
from dav.bridge import JobFiles
from dav.guard import Guard
from dav.wire import QuietServer
from heroredis.extension import JobService, Listening

THREADS: Final = 64
HEADER_LIMIT: Final = 65536
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
SWITCH_INTERVAL_S: Final = 0.0005


class DavService:
    """`user` and `password` are the share's login; an empty password means none. `allowed_hosts` are further names."""

    name = "webdav"

    def __init__(self, *, host: str, port: int, user: str, password: str, files_root: Path, jobs: JobService | None,
                 allowed_hosts: tuple[str, ...] = ()) -> None:
        self._host: Final = host
        self._port: Final = port
        self._user: Final = user
        self._password: Final = password
        self._files_root: Final = files_root
        self._jobs: Final = jobs
        self._allowed: Final = LOOPBACK | {self._name_of(host)} | {name.lower() for name in allowed_hosts}
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @staticmethod
    def _name_of(host: str) -> str:
        return f"[{host}]" if ":" in host else host

    async def start(self) -> list[Listening]:
        """Bind and serve. OSError when the address is taken."""
        jobs = None if self._jobs is None else JobFiles(self._jobs, asyncio.get_running_loop())
        guarded = Guard(application(self._files_root, jobs), login=Login(self._user, self._password),
                        hosts=lambda: self._allowed)
        server = QuietServer((self._host, self._port), guarded, numthreads=THREADS, timeout=30, shutdown_timeout=1,
                             request_queue_size=128, server_name="heroredis")
        server.max_request_header_size = HEADER_LIMIT
        server.prepare()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._server = server
        self._thread = threading.Thread(target=server.serve, name="webdav", daemon=True)
        self._thread.start()
        return [Listening("webdav", f"http://{self._name_of(self._host)}:{server.bind_addr[1]}/")]

    async def stop(self, grace_s: float) -> None:
        """Stop accepting; requests that run get a second."""
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
            self._server = None
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 5)
            self._thread = None

    def reload(self) -> None:
        """Nothing of it can change while running."""
