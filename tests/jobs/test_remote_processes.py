"""Worker processes of a worker elsewhere: the same handlers, the same ends as in the server's own processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from heroredis import Config, ServerFactory
from jobs.async_client import AsyncClient
from jobs.deputy import Deputy, RemoteJobs
from jobs.job import Job
from jobs.process_pool import ProcessOptions
from jobs.remote_worker import RemoteWorker
from jobs.reporting import Reporter
from jobs.requests import Request
from jobs.wire import pack
from tests.jobs.isolated_handlers import handlers

WAIT_S = 30
Start = Callable[..., Awaitable[RemoteWorker]]


def settings(folder: Path) -> Config:
    config = Config(data_dir=str(folder / "data"), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = str(folder / "s")
    return config


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[ServerFactory]:
    async with ServerFactory(settings(tmp_path)) as running:
        yield running


@pytest.fixture
async def start(factory: ServerFactory, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts workers that end with the test."""
    running: list[tuple[RemoteWorker, asyncio.Task[None]]] = []

    async def begin(lease: float = 0, **options: int) -> RemoteWorker:
        worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, lease=lease, name="far", heartbeat=0.1,
                              processes=ProcessOptions(**{"count": 1, **options}))
        running.append((worker, asyncio.create_task(worker.run(0))))
        return worker

    yield begin
    for worker, task in running:
        worker.stop()
        await task


async def end_of(factory: ServerFactory, topic: str, params: object = b"") -> tuple[str, str, str]:
    """State, reason and error (or result) of a job that has run."""
    ended = await ended_job(factory, topic, params)
    return ended.state, ended.reason, ((ended.error or ended.result) or b"").decode("utf-8", "replace")


async def ended_job(factory: ServerFactory, topic: str, params: object = b"") -> Job:
    manager = factory.job_manager
    ended = await manager.wait((await manager.create_job(topic, params)).job_id, WAIT_S)
    assert ended is not None, f"a job of {topic} did not end"
    return ended


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - another process brings it about, nothing here can tell
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("lease", [0, 60])
async def test_whatever_a_handler_does_its_job_gets_an_end_that_says_so(factory: ServerFactory, start: Start,
                                                                        lease: float) -> None:
    worker = await start(lease)
    pid = await ended_job(factory, "pid")
    assert (pid.state, pid.worker) == ("done", "far-process-1")
    assert worker.processes is not None
    assert int(pid.result or 0) in worker.processes.pids()
    assert await end_of(factory, "coroutine", b"abc") == ("done", "", "ABC")
    crashed = await ended_job(factory, "abort")
    assert (crashed.reason, crashed.error) == ("crashed", b"the worker process ended by signal 6 (SIGABRT)")
    assert b"the last words before the end" in (crashed.traceback or b"")
    for topic, text in (("segfault", "signal 11 (SIGSEGV)"), ("os-exit", "exit status 7")):
        assert await end_of(factory, topic, b"7") == ("error", "crashed", f"the worker process ended by {text}")
    assert await end_of(factory, "sys-exit") == ("error", "dead", "SystemExit: 3")
    for topic in ("for-ever", "hold-in-c"):
        assert await end_of(factory, topic) == ("error", "timeout", "ran longer than 0.3 s")
    assert await end_of(factory, "shout") == ("done", "", "said")
    assert await end_of(factory, "hostile") == ("error", "dead", "Hostile: (its message cannot be shown)")
    assert "at most" in (await end_of(factory, "odd-result", "huge"))[2]
    assert await end_of(factory, "steered", "discard") == ("error", "discarded", "not wanted")
    assert (await end_of(factory, "pid"))[0] == "done"


async def test_progress_and_snoozing_reach_the_server(factory: ServerFactory, start: Start) -> None:
    await start()
    manager = factory.job_manager
    job = await manager.create_job("steered", "snooze")
    await until(lambda: getattr(manager.find(job.job_id), "reason", "") == "snoozed")
    assert [note.line for note in manager.trail(job.job_id)] == ["half", "a line"]


async def test_what_an_attempt_has_used_is_told(factory: ServerFactory, start: Start) -> None:
    await start()
    grown, spun = await ended_job(factory, "grow"), await ended_job(factory, "spin")
    assert grown.more.max_rss > 100 << 20
    assert (spun.reason, spun.more.cpu_us > 0) == ("timeout", True)  # how much depends on who else is at work


async def test_a_result_that_the_server_refuses_fails_its_job(tmp_path: Path) -> None:
    config = settings(tmp_path)
    config.jobs.max_result = 1
    async with ServerFactory(config) as factory:
        worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, processes=ProcessOptions(1))
        task = asyncio.create_task(worker.run(0))
        state, reason, error = await end_of(factory, "pid")
        worker.stop()
        await task
    assert (state, reason) == ("error", "dead")
    assert error.startswith("REFUSED the result has")


async def test_processes_are_replaced_and_limited(factory: ServerFactory, start: Start) -> None:
    await start(recycle_jobs=2, memory_limit=1 << 30)
    jobs = await factory.job_manager.create_jobs("pid", [b""] * 6)
    ended = [await factory.job_manager.wait(job.job_id, WAIT_S) for job in jobs]
    pids = [job.result for job in ended if job is not None]
    assert max(pids.count(pid) for pid in pids) <= 2
    assert [(job.attempts, job.losses) for job in ended if job is not None] == [(1, 0)] * 6
    assert (await end_of(factory, "leak"))[2].startswith("MemoryError")


@pytest.mark.parametrize("lease", [0.3, 0])
async def test_a_cancelled_job_ends_its_process(factory: ServerFactory, start: Start, tmp_path: Path,
                                                lease: float) -> None:
    await start(lease)
    before, begun = (await end_of(factory, "pid"))[2], tmp_path / "begun"
    job = await factory.job_manager.create_job("touch-and-wait", str(begun))
    await until(begun.exists)
    assert (await factory.job_manager.cancel_job(job.job_id)).reason == "cancelled"
    assert (await end_of(factory, "pid"))[2] != before


async def test_a_job_that_ends_one_process_after_the_other_is_set_aside(factory: ServerFactory, start: Start) -> None:
    await start()
    manager = factory.job_manager
    job = await manager.create_job("os-exit", b"7", retries=25, backoff="fixed:0")
    ended = await manager.wait(job.job_id, WAIT_S)
    assert ended is not None
    assert (ended.reason, ended.attempts) == ("poison", 3)
    assert (ended.error or b"").startswith(b"its workers were lost 3 times, the last was far-process-1")


@pytest.mark.parametrize("lease", [0, 600])
async def test_a_leaving_worker_gives_back_what_its_processes_have_not_finished(factory: ServerFactory, start: Start,
                                                                                tmp_path: Path, lease: float) -> None:
    worker, begun = await start(lease), tmp_path / "begun"
    manager = factory.job_manager
    job = await manager.create_job("touch-and-wait", str(begun))
    await until(begun.exists)
    worker.stop()
    await until(lambda: getattr(manager.find(job.job_id), "reason", "") == "returned")
    found = manager.live[job.job_id]
    assert (found.state, found.attempts, found.losses) == ("new", 0, 0)


async def test_a_leaving_worker_lets_a_running_job_end(factory: ServerFactory, tmp_path: Path) -> None:
    worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, processes=ProcessOptions(1))
    task = asyncio.create_task(worker.run(WAIT_S))
    begun, may_end = tmp_path / "begun", tmp_path / "end"
    job = await factory.job_manager.create_job("until", f"{begun}|{may_end}")
    await until(begun.exists)
    worker.stop()
    may_end.touch()
    await task
    ended = factory.job_manager.find(job.job_id)
    assert ended is not None
    assert (ended.state, ended.attempts) == ("done", 1)
    assert worker.processes is not None
    assert worker.processes.pids() == []


async def test_a_broken_connection_ends_what_it_has_held(factory: ServerFactory, start: Start, tmp_path: Path) -> None:
    await start()
    before, begun = (await end_of(factory, "pid"))[2], tmp_path / "begun"
    manager = factory.job_manager
    job = await manager.create_job("touch-and-wait", str(begun))
    await until(begun.exists)
    begun.unlink()
    for client in list(factory.server.clients.values()):
        client.close()
    await until(begun.exists)  # it runs again, in another process
    assert [(one.state, one.reason) for one in reversed(manager.history(job.job_id, 9))] == [
        ("new", ""), ("active", ""), ("new", "returned"), ("active", "")]
    await manager.cancel_job(job.job_id)
    assert (await end_of(factory, "pid"))[2] != before


async def test_a_quiet_worker_takes_no_jobs(factory: ServerFactory, start: Start) -> None:
    worker = await start()
    manager = factory.job_manager
    await until(lambda: any(client.is_blocked for client in factory.server.clients.values()))  # it waits for a job
    worker.quiet()
    job = await manager.create_job("pid")
    await until(lambda: len(manager.history(job.job_id, 9)) == 3)
    assert [one.reason for one in manager.history(job.job_id, 9)] == ["returned", "", ""]
    worker.work()
    ended = await manager.wait(job.job_id, WAIT_S)
    assert ended is not None
    assert (ended.state, ended.attempts) == ("done", 1)


async def test_killed_processes_are_replaced(factory: ServerFactory, start: Start, tmp_path: Path) -> None:
    worker, begun = await start(), tmp_path / "begun"
    job = await factory.job_manager.create_job("touch-and-wait", str(begun))
    await until(begun.exists)
    assert worker.processes is not None
    [pid] = worker.processes.pids()
    os.kill(pid, signal.SIGKILL)
    ended = await factory.job_manager.wait(job.job_id, WAIT_S)
    assert ended is not None
    assert (ended.reason, ended.error) == ("crashed", b"the worker process ended by signal 9 (SIGKILL)")
    worker.resize(1)
    await until(lambda: worker.processes is not None and len(worker.processes.pids()) == 2)
    assert int((await end_of(factory, "pid"))[2]) in worker.processes.pids()


class Server(AsyncClient):
    """Answers reports when it is told to, and has no jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.answers, self.heard = asyncio.Event(), list[str]()

    async def call(self, request: Request[Any]) -> Any:
        await self.answers.wait()
        self.heard.append("report")

    async def fetch(self, *arguments: object, **options: object) -> list[dict[str, Any]]:
        self.heard.append("fetch")
        return await asyncio.Future()

    async def close(self) -> None:
        self.heard.append("close")


def served_by(server: Server) -> RemoteJobs:
    takes = asyncio.Event()
    takes.set()
    return RemoteJobs(Reporter(server), lambda name: server, 60, takes)


async def test_no_job_is_fetched_while_a_report_is_unanswered() -> None:
    server, (ours, theirs) = Server(), socket.socketpair()
    channel = await served_by(server).adopt(ours, "process-1")
    with theirs:
        theirs.sendall(pack([b"JOB.COMPLETE", b"7", b"r"]) + pack([b"JOB.FETCH", b"16", b"0", b"t", b"WORKER", b"w"]))
        await until(lambda: isinstance(channel, Deputy) and channel.reports)
        server.answers.set()
        await until(lambda: len(server.heard) == 2)
    assert server.heard == ["report", "fetch"]


async def test_an_end_that_was_told_reaches_the_server_though_its_process_is_gone() -> None:
    server, (ours, theirs) = Server(), socket.socketpair()
    jobs, closed = served_by(server), asyncio.Event()
    channel = await jobs.adopt(ours, "process-1")

    def is_known(channel_id: int) -> bool:
        closed.set()
        return True

    jobs.on_closed = is_known
    with theirs:
        theirs.sendall(pack([b"JOB.COMPLETE", b"7", b"r"]))
        await until(lambda: isinstance(channel, Deputy) and channel.reports)
    await closed.wait()
    jobs.left(channel.client_id)
    server.answers.set()
    await jobs.close(WAIT_S)
    assert server.heard == ["report", "close"]


async def test_a_process_that_could_not_be_started_leaves_no_connection() -> None:
    server, (ours, theirs) = Server(), socket.socketpair()
    jobs = served_by(server)
    jobs.on_closed = lambda channel_id: False
    await jobs.adopt(ours, "process-1")
    theirs.close()
    await until(lambda: server.heard)
    assert server.heard == ["close"]
