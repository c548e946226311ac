"""kill -9 of the server under a program that makes jobs in bulk over jobs.client: none gets lost or is made twice."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from heroredis.testing import ServerProcess
from jobs.client import Client

QUIET = ["--no-ui", "--no-webdav", "--no-job-index"]
AT_ONCE = 20


def torture(folder: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    server = ServerProcess(folder, QUIET).start()
    socket = f"unix://{server.unix_path}"
    acknowledged: list[list[int]] = []
    problems: list[BaseException] = []
    enough = threading.Event()
    progress = threading.Semaphore(0)

    def pause(seconds: float) -> None:
        enough.wait(min(seconds, 0.05))

    def create() -> None:
        try:
            with Client(socket, attempts=200, sleep=pause) as client:
                while not enough.is_set():
                    call = len(acknowledged)
                    params = [b"%d-%d" % (call, number) for number in range(AT_ONCE)]
                    acknowledged.append(client.create_jobs("t", params, tags=["x"]))
                    progress.release()
        except BaseException as error:
            problems.append(error)
            progress.release()

    creator = threading.Thread(target=create)
    creator.start()
    try:
        for _ in range(kills):
            for _ in range(rng.randint(1, 30)):
                assert progress.acquire(timeout=60)
            server.kill()
            server.start()
        assert progress.acquire(timeout=60)
        enough.set()
        creator.join(60)
        assert problems == []
        check(socket, acknowledged, rng)
    finally:
        enough.set()
        server.stop()


def check(socket: str, acknowledged: list[list[int]], rng: random.Random) -> None:
    with Client(socket) as client:
        ids = [job_id for made in acknowledged for job_id in made]
        assert client.stats("t")["new"] == len(ids) == len(set(ids))
        for call in rng.sample(range(len(acknowledged)), min(20, len(acknowledged))):
            found = [client.get_job(job_id) for job_id in acknowledged[call]]
            assert [job and job["params"] for job in found] == [b"%d-%d" % (call, n) for n in range(AT_ONCE)]


def test_a_killed_server_makes_no_batch_twice_and_loses_none(tmp_path: Path) -> None:
    torture(tmp_path, 3, 1)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
def test_a_killed_server_for_long(tmp_path: Path, seed: int) -> None:
    torture(tmp_path, 30, seed)
