"""A server with the share on, and a topic with one ended and one waiting job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from heroredis.testing import ServerProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    handlers = str(ROOT / "examples" / "handlers.py")
    with ServerProcess(tmp_path_factory.mktemp("share"), ["--no-ui", "--handlers", handlers]) as server:
        with redis.Redis(port=server.port) as client:
            client.execute_command("JOB.CREATE", "echo", "hi")
            client.execute_command("JOB.WAIT", 1, 10_000)
            client.execute_command("JOB.CREATE", "waiting/for?", "someone")
        yield server


@pytest.fixture
def private_share(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A share with a login."""
    return start_server("--no-ui", "--no-jobs", HEROREDIS_WEBDAV_PASSWORD="s3cret", HEROREDIS_WEBDAV_USER="ada")
