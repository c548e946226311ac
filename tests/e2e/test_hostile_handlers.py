"""Handlers that raise what ends programs: their jobs fail, and nobody else does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heroredis.testing import ServerProcess
from jobs.client import Client

ROOT = Path(__file__).parents[2]
HANDLERS = '''
import asyncio, sys
from jobs import Handlers, Job
handlers = Handlers()

class Exits(Exception):
    def __str__(self):
        sys.exit(9)

def backoff(attempt, error):
    sys.exit(9)

ODD = {"exits": Exits, "exit": SystemExit, "interrupt": KeyboardInterrupt, "close": GeneratorExit,
       "stop": StopIteration, "cancel": asyncio.CancelledError}

@handlers.on("coroutine", backoff=backoff)
async def coroutine(job: Job) -> None:
    raise ODD[job.text]()

@handlers.on("plain", backoff=backoff)
def plain(job: Job) -> None:
    raise ODD[job.text]()
'''
ODD = ["exits", "exit", "interrupt", "close", "stop", "cancel"]


def errors(client: Client, topic: str) -> list[bytes]:
    """What is said of a job for each kind of error."""
    jobs = [client.wait(client.create_job(topic, kind), 30) for kind in ODD]
    assert [job["state"] for job in jobs if job is not None] == ["error"] * len(ODD)
    return [job["error"].partition(b":")[0] for job in jobs if job is not None]


ITSELF = b"the handler cancelled itself"
SAID = [b"Exits", b"SystemExit", b"KeyboardInterrupt", b"GeneratorExit", b"RuntimeError", ITSELF]
SAID_BY_THREADS = [b"Exits", b"SystemExit", b"RuntimeError", b"RuntimeError", b"RuntimeError", ITSELF]


@pytest.mark.parametrize("where", ["server", "worker"])
def test_whatever_a_handler_raises_ends_its_job_and_nothing_else(
        where: str, start_server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(HANDLERS)
    options = ["--handlers", str(file)] if where == "server" else []
    server = start_server("--no-ui", "--no-webdav", *options)
    pid, worker = server.pid, None
    if where == "worker":
        url = f"unix://{server.unix_path}"
        worker = subprocess.Popen([sys.executable, "-m", "heroredis", "worker", url, str(file)], cwd=ROOT)
    try:
        with Client(f"unix://{server.unix_path}") as client:
            assert errors(client, "coroutine") == SAID
            assert errors(client, "plain") == SAID_BY_THREADS
            assert client.execute("INFO", "server").count(b"process_id:%d\r\n" % pid) == 1
        assert worker is None or worker.poll() is None
    finally:
        if worker is not None:
            worker.terminate()
            worker.wait(30)


STUBBORN = '''
import asyncio
from jobs import Handlers, Job, Run
handlers = Handlers()

@handlers.on("stubborn")
async def stubborn(job: Job, run: Run) -> None:
    run.log("begun")
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
'''


@pytest.mark.parametrize("where", ["server", "worker"])
def test_what_does_not_let_itself_be_cancelled_holds_up_no_end(
        where: str, start_server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    file = tmp_path / "stubborn.py"
    file.write_text(STUBBORN)
    options = ["--handlers", str(file)] if where == "server" else []
    server = start_server("--no-ui", "--no-webdav", *options, HEROREDIS_JOBS_GRACE="0s")
    url, worker = f"unix://{server.unix_path}", None
    if where == "worker":
        command = [sys.executable, "-m", "heroredis", "worker", url, str(file), "--grace", "0"]
        worker = subprocess.Popen(command, cwd=ROOT)
    with Client(url) as client:
        job_id, cursor, began = client.create_job("stubborn"), b"0", False
        while not began:
            cursor, events = client.execute("JOB.EVENTS", cursor, "BLOCK", 30_000)
            began = any(event[b"event"] == b"log" for event in events)
        if worker is not None:
            worker.terminate()
            assert worker.wait(30) == 0
    assert server.stop() == 0
    server = server.start()
    with Client(url) as client:
        [*_, returned, _, _] = client.get_history(job_id)
    assert (returned["state"], returned["reason"], returned["attempts"]) == ("new", "returned", 0)
