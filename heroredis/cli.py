"""The command line: `heroredis [serve] [options]`. Prints what listens where, then `ready`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from heroredis import __version__, as_redis, logs
from heroredis.config.conf import RedisConf
from heroredis.config.lines import ConfError
from heroredis.factory import ServerFactory, StartError, new_loop
from heroredis.form import is_compiled
from heroredis.leaving import leave
from heroredis.settings import Config, SettingsError, dotted, load, unknown_variables, walk
from heroredis.tuning import settle

logger = logging.getLogger("heroredis")
EXIT_CONFIG: Final = 2
EXIT_START: Final = 1
EXIT_DISK: Final = 74


def parser() -> argparse.ArgumentParser:
    """Flags are made from the options of the settings."""
    made = argparse.ArgumentParser(
        prog="heroredis",
        description="A Redis server, a durable job system, a web UI and a WebDAV share in one process.",
        epilog="To work with the jobs of a running server: heroredis job, topic, schedule, top, completion; each has "
        "its own --help.")
    made.add_argument("--version", action="version", version=f"heroredis {__version__}")
    made.add_argument("command", nargs="?", default="serve", choices=["serve"], help="what to do (default: serve)")
    made.add_argument("--config", metavar="FILE", help="TOML file with options; see docs/config.md")
    made.add_argument("--redis-conf", metavar="FILE", help="start as redis-server does, from a redis.conf (- for "
                      "standard input) and options --name value behind it; see docs/redis-conf.md")
    made.add_argument("--ready-file", metavar="PATH", help="write the addresses there as JSON when all are ready")
    for section, name, fact in walk():
        flag = fact.metadata["flag"]
        if not flag:
            continue
        target = dotted(section, name)
        if flag.startswith("--no-"):
            made.add_argument(flag, dest=target, action="store_const", const="false",
                              help=f"switch off {fact.metadata['help']}")
        else:
            made.add_argument(flag, dest=target, metavar=flag.lstrip("-").split("-")[-1].upper(),
                              help=f"{fact.metadata['help']} (default: {fact.default})")
    return made


def read_config(arguments: argparse.Namespace) -> Config:
    """File, environment and command line, in that rising order. Raises SettingsError."""
    flags = {dotted(section, name): fact.metadata["flag"] for section, name, fact in walk() if fact.metadata["flag"]}
    given = vars(arguments)
    overrides = {name: (flag, given[name]) for name, flag in flags.items() if given.get(name) is not None}
    return load(arguments.config, overrides=overrides)


def ready_facts(factory: ServerFactory) -> dict[str, Any]:
    """What --ready-file holds."""
    facts: dict[str, Any] = {"pid": os.getpid()}
    for listening in factory.listening:
        if listening.url.startswith("redis://"):
            host, _, port = listening.url.removeprefix("redis://").rpartition(":")
            facts["redis"] = {"host": host.strip("[]"), "port": int(port), "unix": facts.get("redis", {}).get("unix")}
        elif listening.url.startswith("rediss://"):
            facts.setdefault("redis", {})["tls_port"] = int(listening.url.rpartition(":")[2])
        elif listening.url.startswith("unix://"):
            facts.setdefault("redis", {})["unix"] = listening.url.removeprefix("unix://")
        else:
            facts[listening.service] = {"url": listening.url}
    return facts


class Running:
    """One run of the server from the command line."""

    def __init__(self, config: Config, ready_file: str | None, conf: RedisConf | None = None) -> None:
        self.exit_status = 0
        self._config: Final = config
        self._conf: Final = conf
        self._ready_file: Final = ready_file
        self._stopped: Final = asyncio.Event()

    async def run(self) -> int:
        factory = ServerFactory(self._config, conf=self._conf)
        factory.on_disk_failure = self._disk_failed
        loop = asyncio.get_running_loop()
        try:
            await factory.start()
        except (StartError, SettingsError) as error:
            self._tell_failure(str(error))
            return EXIT_START
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, factory.reload)
        factory.server.on_shutdown = self._stopped.set
        self._announce(factory)
        factory.server.parameters.when_changed("loglevel", lambda: self._follow_loglevel(factory))
        try:
            await self._stopped.wait()
        finally:
            await factory.stop()
            if self._conf is not None:
                as_redis.remove_pidfile(self._conf)
            if self._ready_file:
                with contextlib.suppress(OSError):
                    os.unlink(self._ready_file)
        return self.exit_status

    def _disk_failed(self, error: BaseException) -> None:
        self.exit_status = EXIT_DISK
        self._stopped.set()

    def _tell_failure(self, reason: str) -> None:
        if self._conf is not None and "port is in use" in reason:
            logger.warning("Failed listening on port %d (TCP), aborting.", self._conf.parameters.integer("port"))
        print(f"heroredis: {reason}", file=sys.stderr)

    def _follow_loglevel(self, factory: ServerFactory) -> str:
        logs.set_level(logs.REDIS_LEVELS[factory.server.parameters.get("loglevel")])
        return ""

    def _announce(self, factory: ServerFactory) -> None:
        settle()
        if self._conf is not None:
            self._write_ready_file(factory)
            as_redis.log_ready(factory.server, self._conf)
            return
        if not is_compiled():
            print("running interpreted; `make setup` with a C compiler makes the hot path several times faster")
        for listening in factory.listening:
            print(f"{listening.service:8} {listening.url}")
        self._write_ready_file(factory)
        print("ready", flush=True)

    def _write_ready_file(self, factory: ServerFactory) -> None:
        if self._ready_file:
            temporary = Path(self._ready_file + ".tmp")
            temporary.write_text(json.dumps(ready_facts(factory)), encoding="utf-8")
            os.replace(temporary, self._ready_file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if as_redis.is_asked_for(words):
        return _main_as_redis(words)
    given = parser().parse_args(arguments)
    try:
        config = read_config(given)
    except SettingsError as error:
        print(f"heroredis: {error}", file=sys.stderr)
        return EXIT_CONFIG
    logs.configure(config.log_level, config.log_format)
    for name in unknown_variables(os.environ):
        print(f"heroredis: the environment variable {name} is no option and is ignored", file=sys.stderr)
    # The handlers' own folders follow the data folder.
    os.environ["HEROREDIS_DATA_DIR"] = str(Path(config.data_dir).resolve())
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_run(config, given.ready_file))


def _main_as_redis(words: Sequence[str]) -> int:
    try:
        made = as_redis.prepare(words)
        logs.configure_redis(made.conf.parameters.get("loglevel"), os.fsdecode(made.conf.parameters.get("logfile")))
    except (ConfError, SettingsError) as error:
        print(f"\n{error}", file=sys.stderr)
        return EXIT_START
    except OSError as error:
        print(f"heroredis: Can't open the log file: {error.strerror}", file=sys.stderr)
        return EXIT_START
    as_redis.log_start(made.conf)
    os.environ["HEROREDIS_DATA_DIR"] = made.config.data_dir
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_run(made.config, made.ready_file, made.conf))


async def _run(config: Config, ready_file: str | None, conf: RedisConf | None = None) -> int:
    return await leave(await Running(config, ready_file, conf).run())
