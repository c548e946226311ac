"""The command line: `heroredis [serve] [options]`. Prints what listens where, then `ready`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from heroredis import __version__, logs
from heroredis.factory import ServerFactory, StartError, new_loop
from heroredis.form import is_compiled
from heroredis.settings import Config, SettingsError, dotted, load, unknown_variables, walk
from heroredis.tuning import settle

EXIT_CONFIG: Final = 2
EXIT_START: Final = 1
EXIT_DISK: Final = 74


def parser() -> argparse.ArgumentParser:
    """Flags are made from the options of the settings."""
    made = argparse.ArgumentParser(
        prog="heroredis",
        description="A Redis server, a durable job system, a web UI and a WebDAV share in one process.")
    made.add_argument("--version", action="version", version=f"heroredis {__version__}")
    made.add_argument("command", nargs="?", default="serve", choices=["serve"], help="what to do (default: serve)")
    made.add_argument("--config", metavar="FILE", help="TOML file with options; see docs/config.md")
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
        elif listening.url.startswith("unix://"):
            facts.setdefault("redis", {})["unix"] = listening.url.removeprefix("unix://")
        else:
            facts[listening.service] = {"url": listening.url}
    return facts


class Running:
    """One run of the server from the command line."""

    def __init__(self, config: Config, ready_file: str | None) -> None:
        self.exit_status = 0
        self._config: Final = config
        self._ready_file: Final = ready_file
        self._stopped: Final = asyncio.Event()

    async def run(self) -> int:
        factory = ServerFactory(self._config)
        factory.on_disk_failure = self._disk_failed
        loop = asyncio.get_running_loop()
        try:
            await factory.start()
        except (StartError, SettingsError) as error:
            print(f"heroredis: {error}", file=sys.stderr)
            return EXIT_START
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, factory.reload)
        factory.server.on_shutdown = self._stopped.set
        self._announce(factory)
        try:
            await self._stopped.wait()
        finally:
            await factory.stop()
            if self._ready_file:
                with contextlib.suppress(OSError):
                    os.unlink(self._ready_file)
        return self.exit_status

    def _disk_failed(self, error: BaseException) -> None:
        self.exit_status = EXIT_DISK
        self._stopped.set()

    def _announce(self, factory: ServerFactory) -> None:
        settle()
        if not is_compiled():
            print("running interpreted; `make setup` with a C compiler makes the hot path several times faster")
        for listening in factory.listening:
            print(f"{listening.service:8} {listening.url}")
        if self._ready_file:
            temporary = Path(self._ready_file + ".tmp")
            temporary.write_text(json.dumps(ready_facts(factory)), encoding="utf-8")
            os.replace(temporary, self._ready_file)
        print("ready", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
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


async def _run(config: Config, ready_file: str | None) -> int:
    return await Running(config, ready_file).run()
