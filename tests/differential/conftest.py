"""One redis-server and one server of ours per test worker, both empty before every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heroredis.parameters import Parameters
from tests.conftest import need
from tests.differential.harness import OurServer, RealServer, Wire


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    need("redis-server")
    server = RealServer(tmp_path_factory.mktemp("real"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    parameters = Parameters(enable_debug_command=b"yes")
    server = OurServer(tmp_path_factory.mktemp("ours"), parameters).start()
    yield server
    server.stop()


@pytest.fixture
def both(real_server: RealServer, our_server: OurServer) -> tuple[str, str]:
    """The addresses of the real server and of ours, both emptied."""
    for path in (real_server.path, our_server.path):
        with Wire(path) as wire:
            wire.call("FLUSHALL")
            wire.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
            wire.call("DEBUG", "PAUSE-CRON", "0")  # random DEBUG commands may have left it on
    return real_server.path, our_server.path
