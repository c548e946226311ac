"""For tests of programs that use heroredis: a server process of one's own, on free ports and in its own folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

START_TIMEOUT_S: Final = 60


class ServerProcess:
    """A real server in a process of its own. `port` and `unix_path` are where Redis clients connect. `program` is what
    Python runs: a program of one's own that takes the same arguments and says `ready`, or the server itself."""

    def __init__(self, folder: Path, arguments: Sequence[str] = (), *, port: int = 0,
                 environment: dict[str, str] | None = None, program: Sequence[str] = ("-m", "heroredis")) -> None:
        folder = folder.resolve()
        self.folder: Final = folder
        self.data_dir: Final = folder / "data"
        self.unix_path: Final = str(folder / "redis.sock")
        self.log_path: Final = folder / "server.log"
        self.arguments: Final = list(arguments)
        self.port = port
        self.lines: list[str] = []
        self._environment: Final = environment or {}
        self._program: Final = list(program)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> ServerProcess:
        """Start it and return when it is ready. RuntimeError with its log when it ends before."""
        package_root = Path(__file__).resolve().parent.parent
        command = [sys.executable, *self._program, "--port", str(self.port), "--unix-socket", self.unix_path,
                   "--ui-port", "0", "--webdav-port", "0", "--data-dir", str(self.data_dir), *self.arguments]
        path = os.pathsep.join([str(package_root), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, "PYTHONPATH": path, **self._environment})
        self._wait_until_ready(self._process)
        return self

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        self.lines = []
        if process.stdout is None:
            raise RuntimeError("the output of the server is not captured")
        for line in process.stdout:
            self.lines.append(line.strip())
            if line.startswith("redis ") and "redis://" in line:
                self.port = int(line.strip().rpartition(":")[2])
            if line.strip() == "ready":
                return
        status = process.wait(START_TIMEOUT_S)
        raise RuntimeError(f"the server ended with status {status}: {self.log_path.read_text(errors='replace')}")

    def url(self, service: str) -> str:
        """Where "ui" or "webdav" listens."""
        for line in self.lines:
            name, _, url = line.partition(" ")
            if name == service:
                return url.strip()
        raise KeyError(service)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    def kill(self) -> None:
        """kill -9, as a crash does it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(number)
        status = process.wait(START_TIMEOUT_S)
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return status

    def __enter__(self) -> ServerProcess:
        return self.start() if self._process is None else self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()
