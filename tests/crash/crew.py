"""Worker programs that are killed and started again, and the torment itself."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from heroredis.testing import ServerProcess
from jobs import requests
from jobs.client import Client
from tests.crash.judge import Account, Judge, Witness, must

ROOT: Final = Path(__file__).parents[2]
HANDLERS: Final = Path(__file__).parent / "witness_handlers.py"
PATIENCE_S: Final = 120.0
LOOK_MS: Final = 20


class Crew:
    """Some worker programs; one that was killed is started again."""

    def __init__(self, commands: Sequence[Sequence[str]], witness: Witness, log: Path) -> None:
        self._commands: Final = commands
        self._environment: Final = {**os.environ, "WITNESS": str(witness.path), "PYTHONPATH": str(ROOT)}
        self._log: Final = log
        self._processes: Final[list[subprocess.Popen[bytes] | None]] = [None] * len(commands)

    def revive(self) -> None:
        for number, command in enumerate(self._commands):
            process = self._processes[number]
            if process is None or process.poll() is not None:
                with open(self._log, "ab") as log:
                    self._processes[number] = subprocess.Popen([sys.executable, *command], env=self._environment,
                                                               stdout=log, stderr=log)

    def __enter__(self) -> Crew:
        self.revive()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for process in self._processes:
            if process is not None:
                process.kill()
                process.wait()


class Torment:
    """Kills who waits for it, and now and then who has just begun a job."""

    def __init__(self, witness: Witness, rng: random.Random, every: tuple[int, int]) -> None:
        self.kills = 0
        self._witness: Final = witness
        self._rng: Final = rng
        self._every: Final = every
        self._until = rng.randint(*every)
        self._mourned: Final[set[int]] = set()

    def look(self) -> None:
        for line in self._witness.read():
            self._until -= line.kind == "start"
            if line.pid in self._mourned:
                continue
            if line.kind == "wait":
                self._kill(line.pid)
            elif self._until <= 0:
                self._until = self._rng.randint(*self._every)
                self._kill(line.pid)

    def _kill(self, pid: int) -> None:
        self._mourned.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills += 1


def create(client: Client, account: Account, topic: str, count: int, deaths: int, rng: random.Random) -> None:
    """So many jobs of a topic, of which some kill their worker once."""
    params = [b"die"] * deaths + [b"%d" % number for number in range(count - deaths)]
    rng.shuffle(params)
    for job_id, one in zip(client.pipeline([requests.create(topic, one, retries=50, backoff="fixed:1",
                                                            idempotency=f"{topic}-{at}-{rng.random()}")
                                            for at, one in enumerate(params)]), params, strict=True):
        account.made(job_id, one)


def follow(client: Client, account: Account, torment: Torment, crew: Crew | None, cursor: int, ends: int = 0) -> int:
    """Until every job has ended, or so many; the ends are taken into the account as the feed tells them, in its order
    also over a restart. The next cursor."""
    deadline = time.monotonic() + PATIENCE_S
    while len(account.ended) < (ends or len(account.created)):
        following, events = client.execute("JOB.EVENTS", cursor, "COUNT", 1000, "BLOCK", LOOK_MS)
        cursor = int(following)
        for event in events:
            if event[b"event"] in (b"completed", b"failed", b"poisoned"):
                account.end(event[b"id"], event[b"state"].decode())
        torment.look()
        if crew is not None:
            crew.revive()
        must(time.monotonic() < deadline,
             f"jobs never ended: {sorted(account.created.keys() - account.ended.keys())[:10]}")
    return cursor


def torture_workers(server: ServerProcess, witness: Witness, topic: str, crew: Crew | None, *, count: int, deaths: int,
                    seed: int, every: tuple[int, int], server_deaths: int = 0) -> int:
    """Jobs made, workers killed until all have ended, now and then the server too, and at last; the judge has the last
    word. How many workers died."""
    with server:  # whatever the verdict is, it does not outlive the test
        return _torture(server, witness, topic, crew, count, deaths, seed, every, server_deaths)


def _torture(server: ServerProcess, witness: Witness, topic: str, crew: Crew | None, count: int, deaths: int,
             seed: int, every: tuple[int, int], server_deaths: int) -> int:
    rng, account = random.Random(seed), Account()
    judge = Judge(server.data_dir, account, witness)
    torment = Torment(witness, rng, every)
    url = f"redis://127.0.0.1:{server.port}"
    with Client(url) as client:
        create(client, account, topic, count, deaths, rng)
    cursor = 0
    with crew or contextlib.nullcontext():
        for death in range(1, server_deaths + 1):
            with Client(url) as client:
                cursor = follow(client, account, torment, crew, cursor, count * death // (server_deaths + 1))
                server.kill()
                judge.server_killed_at = time.monotonic_ns()
            judge.store()
            server.start()  # where it was: the workers elsewhere find it again
        with Client(url) as client:
            follow(client, account, torment, crew, cursor)
            judge.running(client, {}, [topic])
    server.kill()
    newest = judge.store()
    assert {newest[job_id].state for job_id in account.created} <= {"done", "error"}
    assert all(job.reason == "poison" for job in newest.values() if job.state == "error")
    assert torment.kills + 2 * server_deaths >= deaths  # a server that is killed takes processes with it
    return torment.kills
