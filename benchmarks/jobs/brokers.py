"""What stands between a producer and a worker: a fresh redis-server, beanstalkd, SQLite file or heroredis for every
trial, each in a folder of its own on the same disk."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.jobs.peers import DURABLE
from heroredis.testing import ServerProcess

START_TIMEOUT_S: Final = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def broker(kind: str, setting: str, folder: Path) -> Iterator[str]:
    """The address under which a program finds it."""
    if kind == "sqlite":
        yield str(folder / "queue.db")
    elif kind == "heroredis":
        with ServerProcess(folder, ["--no-ui", "--no-webdav"]) as server:
            yield f"redis://127.0.0.1:{server.port}"
    else:
        port = free_port()
        command = redis_command(port, setting) if kind == "redis" else beanstalkd_command(port, setting, folder)
        with _running(command, port, folder):
            yield f"redis://127.0.0.1:{port}/0" if kind == "redis" else f"127.0.0.1:{port}"


def redis_command(port: int, setting: str) -> list[str]:
    kept = ["--appendonly", "yes", "--appendfsync", "always"] if setting == DURABLE else ["--appendonly", "no"]
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", *kept]


def beanstalkd_command(port: int, setting: str, folder: Path) -> list[str]:
    kept = ["-b", str(folder), "-f0"] if setting == DURABLE else []
    return ["beanstalkd", "-l", "127.0.0.1", "-p", str(port), *kept]


@contextlib.contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    with open(folder / "broker.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_for(process, port, folder)
        yield
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} did not start: {(folder / 'broker.log').read_text(errors='replace')}")
