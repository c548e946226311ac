"""kill -9 at random moments under load: what was acknowledged is there, no id twice, every history whole.

Four chains of 25 rounds, each over one data folder; in every other one a compaction is always running. Seeds are fixed;
the moment of the kill is counted in answers.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest

from heroredis.testing import ServerProcess
from jobs.client import Client
from tests.crash.judge import Account, Judge
from tests.crash.load import Load

ROOT: Final = Path(__file__).parents[2]
ROUNDS: Final = 25


@pytest.mark.parametrize("seed", [11, 22, 33, 44])
def test_nothing_acknowledged_is_lost(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    account = Account()
    judge = Judge(tmp_path / "data", account)
    arguments = ["--no-ui", "--no-webdav", "--handlers", str(ROOT / "examples" / "handlers.py")]
    for round_number in range(ROUNDS):
        before = max(account.created, default=0)
        server = (ServerProcess(tmp_path, [*arguments, "--real", "--compact"],
                                program=["-m", "tests.crash.torture_server"])
                  if round_number % 2 else ServerProcess(tmp_path, arguments)).start()
        load = Load(server, rng, account)
        try:
            load.run(rng.randint(1, 250), round_number)
        finally:
            server.kill()
            load.close()
        assert min((job_id for job_id in account.created if job_id > before), default=before + 1) > before
        newest = judge.store()
        if round_number % 5 == 4:
            with ServerProcess(tmp_path, arguments) as again, Client(f"redis://127.0.0.1:{again.port}") as client:
                judge.running(client, newest, ["later"])
    assert min(len(account.created), 2 * len(account.deleted), 2 * account.retried.total()) > ROUNDS
