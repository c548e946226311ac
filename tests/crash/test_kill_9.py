"""kill -9 at random moments under load: what was acknowledged is there, no id twice, every history whole.

Four chains of 25 rounds, each over one data folder. Seeds are fixed; the moment of the kill is counted in answers.
"""

from __future__ import annotations

import random
import socket
from itertools import pairwise
from pathlib import Path
from typing import Final

import hiredis
import pytest

from heroredis.testing import ServerProcess
from jobs.job import Job, decode
from jobs.states import ACTIVE, NEW, follows
from ourdb import OurDB

ROOT: Final = Path(__file__).parents[2]
ROUNDS: Final = 25
WINDOW: Final = 40


class Load:
    """A pipelining client that remembers what was acknowledged."""

    def __init__(self, server: ServerProcess, rng: random.Random, acknowledged: dict[int, bytes],
                 completed: set[int]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 20)
        self._reader = hiredis.Reader()
        self._rng = rng
        self._acknowledged = acknowledged
        self._completed = completed
        self._asked: list[tuple[str, object]] = []
        self._mine: list[int] = []

    def run(self, answers: int, serial: int) -> None:
        """Keep requests in flight until so many answers have come; then leave them hanging for the kill."""
        for number in range(answers + WINDOW):
            self._ask(b"%d-%d" % (serial, number))
            if number >= WINDOW:
                self._take()

    def close(self) -> None:
        self._socket.close()

    def _ask(self, unique: bytes) -> None:
        choice = self._rng.random()
        if choice < 0.55:
            self._send("create", unique, b"JOB.CREATE", self._rng.choice([b"echo", b"later"]), unique)
        elif choice < 0.7:
            self._send("mcreate", unique, b"JOB.MCREATE", b"later", unique + b"-a", unique + b"-b")
        elif choice < 0.85 or not self._mine:
            self._send("fetch", None, b"JOB.FETCH", b"3", b"0", b"later")
        else:
            job_id = self._mine.pop()
            self._send("complete", job_id, b"JOB.COMPLETE", b"%d" % job_id, b"r")

    def _send(self, kind: str, fact: object, *words: bytes) -> None:
        self._asked.append((kind, fact))
        self._socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))

    def _take(self) -> None:
        answer = self._reader.gets()
        while answer is False:
            self._reader.feed(self._socket.recv(65536))
            answer = self._reader.gets()
        kind, fact = self._asked.pop(0)
        assert not isinstance(answer, hiredis.ReplyError), answer
        if kind == "create" and isinstance(fact, bytes):
            self._remember(answer, fact)
        elif kind == "mcreate" and isinstance(fact, bytes):
            self._remember(answer[0], fact + b"-a")
            self._remember(answer[1], fact + b"-b")
        elif kind == "fetch":
            self._mine += [job[1] for job in answer or []]
        elif isinstance(fact, int):
            self._completed.add(fact)

    def _remember(self, job_id: int, params: bytes) -> None:
        assert job_id not in self._acknowledged, f"id {job_id} was given twice"
        self._acknowledged[job_id] = params


def check_history(job_id: int, versions: list[Job]) -> None:
    """Versions count up without gaps along allowed changes, and times never run backwards."""
    assert [job.version for job in versions] == list(range(1, len(versions) + 1)), job_id
    assert versions[0].state == NEW
    for before, after in pairwise(versions):
        assert follows(before.state, after.state), f"job {job_id}: {before.state} -> {after.state}"
        assert before.at <= after.at
        assert after.params == before.params


def check_store(folder: Path, acknowledged: dict[int, bytes], completed: set[int]) -> set[int]:
    """Read the store itself, without the server; the ids that are not ended."""
    unfinished = set()
    with OurDB(folder / "jobsdb") as db:
        assert [fault for fault in db.faults if "torn tail" not in fault.reason] == []
        for job_id in db.ids():
            versions = [decode(version.data or b"") for version in reversed(db.get_history(job_id, 1000))]
            check_history(job_id, versions)
            if versions[-1].state in (NEW, ACTIVE):
                unfinished.add(job_id)
            if job_id in completed:
                assert versions[-1].state == "done", f"the completion of job {job_id} was acknowledged"
        for job_id, params in acknowledged.items():
            assert decode(db.get(job_id)).params == params
    return unfinished


def check_running(server: ServerProcess, unfinished: set[int]) -> None:
    """After the restart every unfinished job of the topic without handler stands in its line, once."""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(b"LRANGE heroqueue:later 0 -1\r\n")
        reader = hiredis.Reader()
        line = reader.gets()
        while line is False:
            reader.feed(connection.recv(65536))
            line = reader.gets()
    waiting = [int(element) for element in line]
    assert len(waiting) == len(set(waiting))
    assert set(waiting) <= unfinished


@pytest.mark.parametrize("seed", [11, 22, 33, 44])
def test_nothing_acknowledged_is_lost(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    acknowledged: dict[int, bytes] = {}
    completed: set[int] = set()
    arguments = ["--no-ui", "--no-webdav", "--handlers", str(ROOT / "examples" / "handlers.py")]
    for round_number in range(ROUNDS):
        before = max(acknowledged, default=0)
        server = ServerProcess(tmp_path, arguments).start()
        load = Load(server, rng, acknowledged, completed)
        load.run(rng.randint(1, 250), round_number)
        server.kill()
        load.close()
        assert min((job_id for job_id in acknowledged if job_id > before), default=before + 1) > before
        unfinished = check_store(tmp_path / "data", acknowledged, completed)
        if round_number % 5 == 4:
            with ServerProcess(tmp_path, arguments) as again:
                check_running(again, unfinished)
    assert len(acknowledged) > ROUNDS
