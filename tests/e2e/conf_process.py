"""A server started from a redis.conf, as redis-server is started: ours or the real one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from tests.differential.harness import Wire

ROOT: Final = Path(__file__).parents[2]
TIMEOUT_S: Final = 60
READY: Final = "Ready to accept connections"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "heroredis", "serve", "--redis-conf", *arguments]


def real(*arguments: str) -> list[str]:
    return [shutil.which("redis-server") or "redis-server", *arguments]


class ConfProcess:
    """Started when made; its standard output is the log, up to the line that says it is ready."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self.lines: Final[list[str]] = []
        self._process: Final = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path})
        for line in self._output():
            self.lines.append(line.rstrip())
            if READY in line:
                return
        self.status = self._process.wait(TIMEOUT_S)
        self.errors = self._process.stderr.read() if self._process.stderr is not None else ""

    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def hang_up(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(TIMEOUT_S)
        if not self._output().closed:
            self.lines += [line.rstrip() for line in self._output()]
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return status

    def __enter__(self) -> ConfProcess:
        assert self.is_running, self.lines
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


def connect(port: int, password: str = "", resp: int = 2) -> Wire:
    wire = Wire(("127.0.0.1", port))
    if password:
        assert wire.call("AUTH", password) == b"OK"
    if resp == 3:
        wire.call("HELLO", 3)
    return wire
