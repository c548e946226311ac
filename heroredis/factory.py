"""ServerFactory: starts and stops every enabled service from one Config, and undoes a start that fails.

Nothing is imported that is switched off. With cli and __main__ the only part that knows all packages.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from heroredis.clock import Clock
from heroredis.config.conf import RedisConf
from heroredis.config.lines import ConfError
from heroredis.durations import parse_duration_ms
from heroredis.extension import JobService, Listening, Service
from heroredis.folder import DataFolder, FolderError
from heroredis.loading import LoadError, load_handlers
from heroredis.parameters import Parameters
from heroredis.persistence.files import open_folder
from heroredis.persistence.recovery import RecoveryError
from heroredis.server import Server
from heroredis.session.client import Client
from heroredis.settings import Config
from heroredis.sockets import is_wide
from heroredis.tls import TlsError

if TYPE_CHECKING:
    from jobs.extension import JobsExtension
    from jobs.handlers import Handlers
    from jobs.manager import JobManager
    from jobs.store import JobStore

logger = logging.getLogger("heroredis")
LOG_LEVELS: Final = {"debug": b"debug", "info": b"notice", "warning": b"warning", "error": b"warning"}
"""Our levels in Redis's words."""


class StartError(Exception):
    """The server cannot start; the text names the option, the value and the fix. Nothing is left running."""


class ServerFactory:
    """One server with its services. `async with` starts and stops it. `open_store` opens another JobStore than OurDB in
    the folder that is meant for it."""

    def __init__(self, config: Config | None = None, *, handlers: Handlers | None = None,
                 clock: Clock | None = None, conf: RedisConf | None = None,
                 open_store: Callable[[Path], JobStore] | None = None) -> None:
        self.config: Final = config or Config()
        self.listening: Final[list[Listening]] = []
        self.on_disk_failure: Callable[[BaseException], None] | None = None
        self._given_handlers: Final = handlers
        self._clock: Final = clock
        self._conf: Final = conf
        self._open_store: Final = open_store
        self._server: Server | None = None
        self._jobs: JobsExtension | None = None
        self._folder: DataFolder | None = None
        self._services: Final[list[Service]] = []

    @property
    def server(self) -> Server:
        if self._server is None:
            raise RuntimeError("the server is not started; await factory.start() first")
        return self._server

    @property
    def job_manager(self) -> JobManager:
        """The job manager; RuntimeError when jobs are switched off or nothing is started."""
        if self._jobs is None:
            raise RuntimeError("jobs are switched off or the server is not started")
        return self._jobs.manager

    async def __aenter__(self) -> ServerFactory:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything that is enabled. Raises SettingsError or StartError, and then nothing runs."""
        if self._server is not None:
            raise RuntimeError("the server is started already")
        config = self.config
        config.check()
        try:
            self._take_folder()
            server = Server(self._clock, _parameters(config) if self._conf is None else self._conf.parameters)
            self._server = server
            server.bind(asyncio.get_running_loop())
            folder = Path(config.data_dir)
            server.persistence.use(
                open_folder(folder / server.parameters.get("appenddirname").decode()), open_folder(folder))
            server.commits.on_failure = self._disk_failed
            if config.enable_jobs:
                self._add_jobs(server)
            await self._load_and_listen(server)
            await self._start_services(server)
        except BaseException:
            await self.stop()
            raise

    async def _load_and_listen(self, server: Server) -> None:
        """Redis clients may come while keys are loaded, and are told so; where nothing is to load they come after."""
        try:
            if self._conf is not None:
                self._declare_users(self._conf, server)
            early = server.persistence.size_to_load() > 0
            if early:
                server.persistence.begin_loading()
                await self._start_redis(server)
            await server.start()
            if self._conf is not None:
                self._conf.rename_commands(server.registry)
            if not early:
                await self._start_redis(server)
        except ConfError as error:
            raise StartError(str(error)) from None
        except RecoveryError as error:
            raise StartError(f"data_dir = {self.config.data_dir!r}: ordinary keys cannot be loaded: {error}") from None

    def _declare_users(self, conf: RedisConf, server: Server) -> None:
        conf.declare_users(server.users)
        bind = conf.parameters.get("bind").decode("utf-8", "surrogateescape")
        if is_wide(bind) and server.users.open_to_all:
            raise StartError(f"bind {bind}: this address is open to other machines and no password is set; write a "
                             "requirepass line, or bind 127.0.0.1")

    def _take_folder(self) -> None:
        folder = DataFolder(Path(self.config.data_dir))
        try:
            folder.take()
        except FolderError as error:
            raise StartError(f"data_dir = {self.config.data_dir!r}: {error}") from None
        self._folder = folder

    def _add_jobs(self, server: Server) -> None:
        from jobs.extension import JobsExtension
        from jobs.handlers import Handlers
        from jobs.limits import Limits
        from jobs.process_pool import ProcessOptions
        from jobs.retention import read_rules
        from ourdb import OurDBError

        config = self.config
        handlers = self._given_handlers
        if handlers is None and config.jobs.handlers:
            try:
                loaded = load_handlers(config.jobs.handlers)
            except LoadError as error:
                raise StartError(f"jobs.handlers = {config.jobs.handlers!r}: {error}") from None
            if not isinstance(loaded, Handlers):
                raise StartError(f"jobs.handlers = {config.jobs.handlers!r}: the object is no Handlers; make it with "
                                 "heroredis.Handlers()")
            handlers = loaded
        try:
            retention = read_rules(config.jobs.retention)
        except ValueError as error:
            raise StartError(f"jobs.retention = {config.jobs.retention!r}: {error}") from None
        open_store = self._open_store
        self._jobs = JobsExtension(
            open_store=None if open_store is None else lambda: open_store(config.jobs_path()),
            path=config.jobs_path(), durability=config.durability, workers=config.jobs.worker_count,
            poll_interval_s=parse_duration_ms(config.jobs.queue_poll_interval) / 1000,
            handlers=handlers or Handlers(), stuck_ms=parse_duration_ms(config.jobs.stuck_after),
            limits=Limits(config.jobs.max_params, config.jobs.max_result, config.jobs.poison_after),
            index_path=Path(config.data_dir) / "jobsindex" if config.jobs.index else None,
            metrics_path=Path(config.data_dir) / "jobsindex" / "metrics.json",
            handover_path=Path(config.data_dir) / "jobsindex" / "handover", retention=retention,
            processes=ProcessOptions(
                config.jobs.process_count, config.jobs.handlers if self._given_handlers is None else "",
                config.jobs.process_max_jobs, config.jobs.process_max_memory, config.jobs.process_memory_limit),
        )
        server.adopt = _adopt_into(server)
        try:
            server.add_extension(self._jobs)
        except (OurDBError, OSError) as error:
            self._jobs = None
            raise StartError(f"jobs.ourdb_path = {str(config.jobs_path())!r}: {error}") from None

    async def _start_redis(self, server: Server) -> None:
        config = self.config
        if config.enable_redis:
            from heroredis.transport import RedisListener

            parameters = server.parameters
            port: int | None = config.redis.tcp_port
            if self._conf is not None:
                port = parameters.integer("port") or None
            await self._start("redis.tcp_port", port, RedisListener(
                server, host=os.fsdecode(parameters.get("bind")), port=port, tls_port=parameters.integer("tls-port"),
                unix_path=os.fsdecode(parameters.get("unixsocket"))))

    async def _start_services(self, server: Server) -> None:
        config = self.config
        jobs: JobService | None = None if self._jobs is None else self._jobs.manager
        if config.enable_ui:
            from ui.extension import UiService

            await self._start("ui.port", config.ui.port, UiService(
                host=config.ui.bind, port=config.ui.port, password=config.ui.password, jobs=jobs, server=server,
                clock=server.clock, allowed_hosts=config.ui.allowed_hosts))
        if config.enable_webdav:
            from dav.extension import DavService

            await self._start("webdav.port", config.webdav.port, DavService(
                host=config.webdav.bind, port=config.webdav.port, user=config.webdav.user,
                password=config.webdav.password, files_root=Path(config.data_dir) / "files", jobs=jobs,
                allowed_hosts=config.webdav.allowed_hosts))

    async def _start(self, option: str, value: object, service: Service) -> None:
        try:
            self.listening.extend(await service.start())
        except TlsError as error:
            raise StartError(f"TLS: {error}") from None
        except OSError as error:
            what = error.filename or error.strerror or str(error)
            if error.errno == errno.EADDRINUSE and not error.filename:
                what = "the port is in use; stop the other server or choose another port"
            elif error.filename:
                option, value = "redis.unix_socket_path", error.filename
                what = error.strerror or "it cannot be used"
            raise StartError(f"{option} = {value!r}: {what}") from None
        self._services.append(service)

    def _disk_failed(self, error: BaseException) -> None:
        if self._jobs is not None and self._jobs.goes_on_after(error):
            return
        logger.critical("the disk failed: %s", error)
        if self.on_disk_failure is not None:
            self.on_disk_failure(error)

    def reload(self) -> None:
        """What SIGHUP does: hand it on to every service and extension."""
        for service in self._services:
            service.reload()
        if self._server is not None:
            for extension in self._server.extensions:
                extension.reload()

    async def stop(self) -> None:
        """Accept nothing new, give running handlers their grace time, put the rest back in line, sync everything."""
        grace = parse_duration_ms(self.config.jobs.grace) / 1000
        for extension in self._server.extensions if self._server is not None else ():
            extension.stopping()
        while self._services:
            service = self._services.pop()
            try:
                await service.stop(grace)
            except OSError as error:
                logger.error("%s did not stop cleanly: %s", service.name, error)
        self.listening.clear()
        if self._server is not None:
            server, self._server = self._server, None
            self._jobs = None
            await server.stop(grace)
        if self._folder is not None:
            self._folder.release()
            self._folder = None


def _parameters(config: Config) -> Parameters:
    return Parameters(
        databases=str(config.redis.databases).encode(), port=str(config.redis.tcp_port).encode(),
        bind=config.redis.bind.encode(), unixsocket=config.redis.unix_socket_path.encode(),
        requirepass=config.redis.password.encode(), dir=str(Path(config.data_dir).resolve()).encode(),
        appendonly=b"yes" if config.redis.appendonly else b"no", appendfsync=config.redis.appendfsync.encode(),
        unixsocketperm=config.redis.unix_socket_permissions.encode(), tls_port=str(config.redis.tls_port).encode(),
        tls_cert_file=os.fsencode(config.redis.tls_cert_file), tls_key_file=os.fsencode(config.redis.tls_key_file),
        tls_ca_cert_file=os.fsencode(config.redis.tls_ca_cert_file),
        tls_auth_clients=config.redis.tls_auth_clients.encode(), loglevel=LOG_LEVELS[config.log_level],
    )


def _adopt_into(server: Server) -> Callable[[socket.socket, bytes], Awaitable[Client]]:
    async def adopt(end: socket.socket, name: bytes) -> Client:
        from heroredis.inner import InnerDoor

        return await InnerDoor(server).adopt(end, name)

    return adopt


def new_loop() -> asyncio.AbstractEventLoop:
    """A uvloop loop where it is installed, else asyncio's own."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()
