"""The torture is worth something only if it finds what is wrong: six deliberate bugs, each caught by name, and the same
torture without one, which finds nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest

from heroredis.testing import ServerProcess
from jobs.client import Client
from jobs.job import Job
from tests.crash.deliberate import BUGS
from tests.crash.judge import Account, Judge, damage
from tests.crash.load import Load

ROUNDS: Final = 3
ANSWERS: Final = 150
VERDICTS: Final = {
    "ack before fsync": "was acknowledged and is not there",
    "no CRC": "is damaged, and was served",
    "id reuse": "was given twice|is served with other params|has ended and is in line",
    "last record dropped at rotation": "the store is damaged|was acknowledged and is not there|NOJOB no job",
    "completed job queued again": "again after its end was acknowledged|has ended and is in line|gaps",
    "lost lease": "is active, and neither in line nor worked on",
}


class Chain:
    """Rounds of load, power failure, restart and judgement over one data folder; between two of them one record is
    damaged, or while they last a compaction is always running."""

    def __init__(self, folder: Path, bug: str, seed: int, sync_ms: int = 5, *, is_compacted: bool = False) -> None:
        self._folder: Final = folder
        self._arguments: Final = ["--no-ui", "--no-webdav", "--no-job-index", "--bug", bug, "--sync-ms", str(sync_ms),
                                  *(["--compact"] if is_compacted else [])]
        self._is_compacted: Final = is_compacted
        self._rng: Final = random.Random(seed)
        self._account: Final = Account()
        self._judge: Final = Judge(folder / "data", self._account)
        self._newest: dict[int, Job] = {}

    def _server(self) -> ServerProcess:
        return ServerProcess(self._folder, self._arguments, program=["-m", "tests.crash.torture_server"])

    def round(self, number: int) -> None:
        server = self._server().start()
        load = Load(server, self._rng, self._account)
        try:
            if number:
                with Client(f"redis://127.0.0.1:{server.port}") as client:
                    self._judge.running(client, self._newest, ["later"])
            load.run(ANSWERS, number)
        finally:
            server.kill()
            load.close()
        self._newest = self._judge.store()
        if not self._is_compacted:
            self._damage_one()

    def _damage_one(self) -> None:
        """Of the jobs that nobody has touched one from the middle: behind it the log must go on."""
        untouched = [job_id for job_id, job in self._newest.items() if job.topic == "echo"]
        job_id = untouched[len(untouched) // 2]
        self._judge.damaged.add(job_id)
        damage(self._folder / "data", self._account.created.get(job_id, self._newest[job_id].params))


def test_a_sound_server_passes(tmp_path: Path) -> None:
    chain = Chain(tmp_path, "", 1)
    for number in range(ROUNDS + 1):
        chain.round(number)


def test_a_sound_server_passes_while_it_is_compacted(tmp_path: Path) -> None:
    chain = Chain(tmp_path, "", 3, is_compacted=True)
    for number in range(ROUNDS + 1):
        chain.round(number)


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_is_caught(tmp_path: Path, bug: str) -> None:
    chain = Chain(tmp_path, bug, 2, 100 if bug == "ack before fsync" else 5)
    with pytest.raises(AssertionError, match=VERDICTS[bug]):
        for number in range(ROUNDS):
            chain.round(number)


def test_the_bugs_are_those_that_are_promised() -> None:
    assert set(BUGS) == set(VERDICTS)
