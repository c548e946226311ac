"""Servers of our own and the real tools beside them. A missing tool skips loudly, and fails where CI=true."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from heroredis.testing import ServerProcess

settings.register_profile("patient", deadline=None)  # how long a case takes depends on what else the machine does
settings.load_profile("patient")


def need(tool: str) -> str:
    """The path of a tool; without it the test is skipped, or fails where CI=true."""
    found = shutil.which(tool)
    if found is None:
        reason = f"{tool} is not installed; `make setup` as root installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers with further command-line arguments; they end with the test."""
    started: list[ServerProcess] = []

    def start(*arguments: str, **environment: str) -> ServerProcess:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        server = ServerProcess(folder, arguments, environment=environment)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def heroredis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server with Redis and jobs for all tests of a worker that use keys of their own."""
    with ServerProcess(tmp_path_factory.mktemp("heroredis"), ["--no-ui", "--no-webdav"]) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cli() -> str:
    return need("redis-cli")


@pytest.fixture(scope="session")
def redis_benchmark() -> str:
    return need("redis-benchmark")


def npm_folder(package: str, version: str, scratch: Path) -> Path:
    """A folder in which npm has installed a package; kept for the next run."""
    need("node")
    npm = need("npm")
    cache = Path(__file__).parent.parent / ".cache" / package
    if not (cache / "node_modules" / package).is_dir():
        done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(scratch),
                               f"{package}@{version}"], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            reason = f"npm could not install {package}: {done.stderr[-300:]}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        cache.parent.mkdir(exist_ok=True)
        if not cache.exists():
            shutil.move(str(scratch), str(cache))
        else:
            return scratch
    return cache


@pytest.fixture(scope="session")
def ioredis_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which npm has installed ioredis."""
    return npm_folder("ioredis", "5", tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="session")
def node_redis_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which npm has installed node-redis."""
    return npm_folder("redis", "5", tmp_path_factory.mktemp("npm"))
