"""Jobs that handlers make, wherever these run: there before the end of the attempt, and never in its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heroredis import Config, ServerFactory
from jobs import BadOption, Handlers, Job, Run
from jobs.memory_store import MemoryStore
from jobs.process_pool import ProcessOptions
from jobs.process_worker import load
from jobs.remote_worker import RemoteWorker
from jobs.run import EmbeddedRun, Reports
from jobs.testing import JobBench
from tests.jobs.desk import Desk

PROGRAM = """
from jobs import Handlers, Job, Run
handlers = Handlers()

def make(job: Job, run: Run) -> str:
    for size in (1, 2):
        run.create_job("by-hand", {"size": size}, unique=f"size-{size}", priority=7, tags=["made"], delay=60)
    run.create_job("by-hand", unique="size-2")
    return "made"

async def make_on_the_loop(job: Job, run: Run) -> str:
    return make(job, run)

handlers.on("coroutine")(make_on_the_loop)
handlers.on("plain")(make)
handlers.on("process", isolation="process")(make)
"""


@pytest.fixture(params=["embedded", "elsewhere"])
async def factory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ServerFactory]:
    """A server that runs the handlers itself, or one that leaves them to a remote worker."""
    file = tmp_path / "makers.py"
    file.write_text(PROGRAM)
    config = Config(data_dir=str(tmp_path / "data"), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = str(tmp_path / "s")
    config.jobs.process_count = 1
    handlers = load(str(file))
    if request.param == "embedded":
        config.jobs.handlers = str(file)
        async with ServerFactory(config) as running:
            yield running
        return
    async with ServerFactory(config) as running:
        worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, processes=ProcessOptions(1, str(file)))
        task = asyncio.create_task(worker.run())
        yield running
        worker.stop()
        await task


@pytest.mark.parametrize("topic", ["coroutine", "plain", "process"])
async def test_a_handler_makes_further_jobs(factory: ServerFactory, topic: str) -> None:
    manager = factory.job_manager
    job = await manager.create_job(topic)
    ended = await manager.wait(job.job_id, 20)
    assert ended is not None
    assert (ended.state, ended.result) == ("done", b"made")
    _, found = manager.list_jobs("by-hand")
    assert [(one.params, one.priority, one.tags, one.run_at > one.created_at, one.job_id > job.job_id)
            for one in found] == [(b'{"size":2}', 7, ("made",), True, True), (b'{"size":1}', 7, ("made",), True, True)]


async def test_a_job_is_written_before_the_end_of_the_one_that_made_it(tmp_path: Path) -> None:
    handlers = Handlers()

    @handlers.on("short")
    def short(job: Job, run: Run) -> None:
        run.create_job("by-hand", job.params)

    config = Config(data_dir=str(tmp_path), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = ""
    config.jobs.worker_count = 20
    async with ServerFactory(config, handlers=handlers) as factory:
        manager = factory.job_manager
        for job in await manager.create_jobs("short", [b"%d" % number for number in range(300)]):
            await manager.wait(job.job_id, 20)
        page = await manager.events_after(0, 10_000)
    written = [(event.event, event.topic, event.job.params) for event in page.events if event.job is not None]
    for number in range(300):
        params = b"%d" % number
        assert written.index(("created", "by-hand", params)) < written.index(("completed", "short", params))


async def test_a_job_that_a_full_disk_does_not_keep_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(MemoryStore(held=True))
    manager = desk.manager
    reports = Reports(manager.progress, manager.log, manager.create)
    EmbeddedRun(Job(job_id=7), "w", reports, asyncio.get_running_loop()).create_job("t", "p")
    desk.fill_up()
    assert manager.stats("t").new == 0
    assert "job 7 made a job of topic t that was not kept: the disk is full" in caplog.text


async def test_what_is_wrong_is_told_to_the_handler_and_a_refusal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    handlers = Handlers()
    seen: list[type] = []

    @handlers.on("make")
    async def make(run: Run) -> None:
        for wrong in ({"retry": 3}, {"tags": "x"}, {"delay": float("nan")}):
            with pytest.raises((TypeError, BadOption)) as told:
                run.create_job("t", b"", **wrong)  # type: ignore[arg-type]
            seen.append(told.type)
        with pytest.raises(TypeError, match="nothing that JSON can hold"):
            run.create_job("t", object())
        run.create_job("t", "p", unique="k")
        run.create_job("t", "p", unique="k")

    bench = JobBench(handlers)
    await bench.perform("make", raising=True)
    bench.assert_enqueued("t", "p", count=1)
    assert seen == [TypeError, BadOption, BadOption]
    assert "cannot make a job of topic t: REFUSED unique key 'k' of topic t is held by job 2" in caplog.text
