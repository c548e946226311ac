"""Workers elsewhere under bad conditions: results that the server will not have, a server that refuses for a while, the
end of a worker, fetches that nobody waits for; and middleware around handlers in other processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from heroredis import Config, Handlers, Job, ServerFactory
from jobs import requests
from jobs.async_client import AsyncClient
from jobs.process_pool import ProcessOptions
from jobs.process_worker import load
from jobs.remote_worker import RemoteWorker, main
from jobs.reporting import Reporter, fetched
from jobs.requests import Request
from jobs.wire import ClientError, NotConnected, OutcomeUnknown
from tests.jobs.wrapped_handlers import handlers as wrapped


def settings(folder: Path) -> Config:
    config = Config(data_dir=str(folder / "data"), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = str(folder / "s")
    config.jobs.max_result = 1000
    return config


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[ServerFactory]:
    async with ServerFactory(settings(tmp_path)) as running:
        yield running


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what happens elsewhere tells nobody here
            await asyncio.sleep(0.005)


async def ended(factory: ServerFactory, job: Job) -> Job:
    found = await factory.job_manager.wait(job.job_id, 20)
    assert found is not None
    return found


async def test_a_result_that_the_server_refuses_fails_its_job(factory: ServerFactory, tmp_path: Path) -> None:
    handlers = Handlers()

    @handlers.on("large", retries=3)
    async def large(job: Job) -> str:
        return "x" * 1001

    @handlers.on("surrogate")
    async def surrogate(job: Job) -> None:
        raise ValueError("caf\udce9")

    worker = RemoteWorker(f"unix://{tmp_path}/s", handlers)
    task = asyncio.create_task(worker.run())
    manager = factory.job_manager
    first = await ended(factory, await manager.create_job("large"))
    second = await ended(factory, await manager.create_job("surrogate"))
    worker.stop()
    await task
    assert (first.state, first.reason, second.error) == ("error", "dead", b"ValueError: caf?")
    assert first.error is not None
    assert first.error.startswith(b"REFUSED the result has 1001 bytes")


async def test_a_worker_that_is_refused_tries_again(factory: ServerFactory, tmp_path: Path,
                                                    caplog: pytest.LogCaptureFixture) -> None:
    handlers = Handlers()

    @handlers.on("t")
    async def quick(job: Job) -> str:
        return "ok"

    job = await factory.job_manager.create_job("t")
    async with AsyncClient(f"unix://{tmp_path}/s") as operator:
        await operator.execute("ACL", "SETUSER", "w", "on", ">pw", "+@all")
        worker = RemoteWorker(f"unix://w:pw@{tmp_path}/s", handlers)
        task = asyncio.create_task(worker.run())
        await until(lambda: "NOPERM" in caplog.text)
        await operator.execute("ACL", "SETUSER", "w", "~*")
        assert (await ended(factory, job)).result == b"ok"
        worker.stop()
        await task


async def test_a_server_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    class Away(AsyncClient):
        """Two requests are lost, then one is refused while the server reads its data."""

        left: ClassVar = [NotConnected("away"), OutcomeUnknown("broken"), ClientError("LOADING", "wait")]

        async def call(self, request: Request[Any]) -> Any:
            if self.left:
                raise self.left.pop()
            return []

    client = Away("unix:///nowhere")
    reporter = Reporter(client)
    with caplog.at_level("INFO", "heroredis.worker"):
        assert await reporter.report(requests.get(1)) is None
        assert await fetched(client, reporter.outage, ["t"], 1, 0, 0, "w") == []
        assert [record.getMessage() for record in caplog.records] == [
            "LOADING wait; trying until the server is back", "the server is back"]
        client.left.append(NotConnected("away"))
        assert await fetched(client, reporter.outage, ["t"], 1, 0, 0, "w") == []
    assert [record.getMessage() for record in caplog.records][2:] == [
        "away; trying until the server is back", "the server is back"]


async def test_what_a_leaving_worker_gives_back_counts_neither_as_attempt_nor_as_loss(factory: ServerFactory,
                                                                                      tmp_path: Path) -> None:
    handlers = Handlers()

    @handlers.on("t")
    async def endless(job: Job) -> None:
        await asyncio.Event().wait()

    manager = factory.job_manager
    job = await manager.create_job("t")
    for lease in (0, 600, 0, 0):  # more often than a job may lose its worker
        worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, lease=lease)
        task = asyncio.create_task(worker.run(grace_s=0))
        await until(lambda worker=worker: bool(worker.running))  # type: ignore[misc]
        worker.stop()
        await task
        back = await manager.get_job(job.job_id)
        assert back is not None
        assert (back.state, back.reason, back.attempts, back.losses) == ("new", "returned", 0, 0)


@pytest.mark.parametrize("isolation", ["", "process"])
async def test_the_retries_of_a_handler_elsewhere_count(factory: ServerFactory, tmp_path: Path, isolation: str) -> None:
    file = tmp_path / "tried.py"
    file.write_text(f"""
import os
from jobs import Handlers, Job
handlers = Handlers()

@handlers.on("tried", retries=2, backoff="fixed:1", isolation={isolation!r})
def tried(job: Job) -> int:
    if job.attempts == 2 and {isolation!r}:
        os._exit(1)
    if job.attempts < 3:
        raise ValueError("not yet")
    return job.attempts
""")
    worker = RemoteWorker(f"unix://{tmp_path}/s", load(str(file)), name="far", processes=ProcessOptions(1, str(file)))
    task = asyncio.create_task(worker.run())
    manager = factory.job_manager
    job = await ended(factory, await manager.create_job("tried"))
    once = await ended(factory, await manager.create_job("tried", retries=0))
    worker.stop()
    await task
    assert (job.state, job.result, job.by) == ("done", b"3", "far")
    assert (once.state, once.attempts) == ("error", 1)


async def test_a_coroutine_that_swallows_its_cancelling_or_blocks_the_loop(
        factory: ServerFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handlers, may_end = Handlers(), asyncio.Event()

    @handlers.on("late", timeout=0.01)
    @handlers.on("cancelled")
    async def stubborn(job: Job) -> None:
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await may_end.wait()

    @handlers.on("blocking")
    async def blocking(job: Job) -> str:
        while "has blocked the loop" not in caplog.text:
            pass
        return "named"

    worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, heartbeat=0.05, patience=0)
    task = asyncio.create_task(worker.run(0))
    manager = factory.job_manager
    late = await ended(factory, await manager.create_job("late"))
    job = await manager.create_job("cancelled")
    await until(lambda: bool(worker.running))
    await manager.cancel_job(job.job_id)
    await until(lambda: not worker.running)
    assert (late.reason, late.error) == ("timeout", b"ran longer than 0.01 s")
    assert (await ended(factory, await manager.create_job("blocking"))).result == b"named"
    assert caplog.text.count("does not let itself be cancelled") == 2
    assert "the handler of topic blocking has blocked the loop" in caplog.text
    may_end.set()
    worker.stop()
    await task


async def test_a_fetch_that_nobody_waits_for_gives_its_jobs_back(factory: ServerFactory, tmp_path: Path) -> None:
    manager = factory.job_manager
    async with AsyncClient(f"unix://{tmp_path}/s") as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.fetch(["t"], wait=60), 0.05)
        job = await manager.create_job("t")
        await until(lambda: len(manager.history(job.job_id, 9)) == 3)
        assert [(one.state, one.reason, one.attempts) for one in manager.history(job.job_id, 9)] == [
            ("new", "returned", 0), ("active", "", 1), ("new", "", 0)]
        [fetched] = await client.fetch(["t"], wait=5)
        assert fetched["id"] == job.job_id


async def test_middleware_is_around_handlers_of_a_remote_worker(factory: ServerFactory, tmp_path: Path) -> None:
    worker = RemoteWorker(f"unix://{tmp_path}/s", wrapped)
    task = asyncio.create_task(worker.run())
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    for topic, before in (("coroutine", "run("), ("plain", "run(thread(")):
        job = await ended(factory, await factory.job_manager.create_job(topic, meta={"traceparent": trace}))
        assert job.result is not None
        assert job.result.decode().startswith(f"{before}00-{'a' * 32}-")
    await goes_on(factory, tmp_path, f"00-{'a' * 32}-{'b' * 16}-00")
    worker.stop()
    await task


async def goes_on(factory: ServerFactory, tmp_path: Path, trace: str) -> None:
    """A job that a handler creates through a client belongs to the trace of its own job."""
    manager = factory.job_manager
    job = await ended(factory, await manager.create_job("onward", f"unix://{tmp_path}/s", meta={"traceparent": trace}))
    assert job.result is not None, job.error
    made = await manager.get_job(int(re.sub(rb"\D", b"", job.result)))
    assert made is not None
    meta = json.loads(made.meta)
    assert (meta["mine"], meta["traceparent"][:36], meta["traceparent"][-2:]) == (1, trace[:36], trace[-2:])
    assert meta["traceparent"][36:52] != trace[36:52]


async def test_middleware_is_around_handlers_in_worker_processes(tmp_path: Path) -> None:
    async with ServerFactory(settings(tmp_path), handlers=wrapped) as factory:
        for topic, before in (("coroutine", "run("), ("plain", "run(thread(")):
            job = await ended(factory, await factory.job_manager.create_job(topic))
            trace = json.loads(job.meta)["traceparent"]
            assert job.result is not None
            assert job.result.decode().startswith(f"{before}{trace[:35]}")
        await goes_on(factory, tmp_path, f"00-{'c' * 32}-{'d' * 16}-01")


@pytest.mark.parametrize(("options", "said"), [
    (("--lease", "-5"), "0 or more seconds of lease"), (("--lease", "nan"), "0 or more seconds of lease"),
    (("--grace", "-1"), "0 or more seconds of lease and grace"), (("-c", "0"), "a concurrency of at least 1"),
    (("--topic", "other"), "there is no handler for the topic 'other'"), ((), "in which there are handlers"),
])
def test_a_worker_that_cannot_work_says_why(tmp_path: Path, options: tuple[str, ...], said: str,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text("from heroredis import Handlers\nhandlers = Handlers()\n" + (
        "@handlers.on('t')\ndef run(job): ...\n" if options else ""))
    assert main(["unix:///nowhere", str(tmp_path / "mine.py"), *options]) == 2
    assert said in capsys.readouterr().err


async def test_a_workers_lines_about_a_job_carry_its_facts(factory: ServerFactory, tmp_path: Path,
                                                           caplog: pytest.LogCaptureFixture) -> None:
    handlers = Handlers()

    @handlers.on("t")
    async def failing(job: Job) -> None:
        raise ValueError("no")

    worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, name="far")
    with caplog.at_level("INFO"):
        task = asyncio.create_task(worker.run())
        job = await factory.job_manager.create_job("t")
        await ended(factory, job)
        worker.stop()
        await task
    [line] = [vars(record) for record in caplog.records if "failed: ValueError: no" in record.getMessage()]
    assert (line["name"], line["job_id"], line["topic"], line["worker"]) == ("heroredis.worker", job.job_id, "t", "far")


def test_a_workers_lines_may_be_for_machines(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from heroredis import Handlers\nhandlers = Handlers()\n"
                                      "@handlers.on('t')\ndef run(job): ...\n")
    command = [sys.executable, "-m", "heroredis", "worker", f"unix://{tmp_path}/none", str(tmp_path / "mine.py"),
               "--log-format", "json", "--name", "far"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        process.terminate()
    assert (line["level"], line["message"]) == ("info", f"far works for unix://{tmp_path}/none on t")


@pytest.mark.parametrize("url", ["redis://u:secret@box:99999", "redis://u:secret@box:x", "http://u:secret@box"])
def test_an_address_that_is_none_is_named_without_its_password(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url, "mine.py"]) == 2
    said = capsys.readouterr().err
    assert "//…@box" in said
    assert "is no address" in said
    assert "secret" not in said
