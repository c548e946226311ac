"""Embedded workers: what a handler may say about its attempt, being stopped, reports, and the two alarms."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from heroredis.clock import Clock, ManualClock
from heroredis.server import Server
from jobs.extension import JobsExtension
from jobs.handlers import Handlers
from jobs.job import Job
from jobs.limits import Limits
from jobs.manager import JobManager
from jobs.memory_store import MemoryStore
from jobs.outcomes import Discard, RetryAt, Snooze
from jobs.run import Run
from jobs.store import JobStore
from jobs.watchdog import Watchdog
from tests.jobs.world import World


@asynccontextmanager
async def working(handlers: Handlers, limits: Limits | None = None, clock: Clock | None = None,
                  workers: int = 2, open_store: Callable[[], JobStore] = MemoryStore,
                  patience_s: float = 5) -> AsyncIterator[JobManager]:
    """A manager over memory with embedded workers, on a clock that stands still."""
    server = Server(clock or ManualClock(1_000_000))
    jobs = JobsExtension(path=Path("unused"), durability="always", workers=workers, poll_interval_s=60,
                         handlers=handlers, open_store=open_store, limits=limits)
    server.bind(asyncio.get_running_loop())
    server.add_extension(jobs)
    jobs.pool.patience_s = patience_s
    await server.start()
    try:
        yield jobs.manager
    finally:
        await server.stop(1)


async def until(manager: JobManager, job_id: int, wanted: Callable[[Job], bool]) -> Job:
    """The version of a job that is as wanted."""
    found: asyncio.Future[Job] = asyncio.get_running_loop().create_future()

    def heard(job: Job) -> None:
        if job.job_id == job_id and wanted(job) and not found.done():
            found.set_result(job)

    stop = manager.subscribe(heard)
    now = manager.find(job_id)
    if now is not None:
        heard(now)
    async with asyncio.timeout(10):
        job = await found
    stop()
    return job


async def test_what_a_handler_raises_decides_over_its_job() -> None:
    handlers = Handlers()

    @handlers.on("snooze", retries=1)
    async def snooze(job: Job) -> None:
        raise Snooze(5)

    @handlers.on("discard", retries=5)
    def discard(job: Job) -> None:
        raise Discard("not wanted")

    @handlers.on("at", retries=5)
    async def at(job: Job) -> None:
        raise RetryAt(1_010, "later")

    @handlers.on("own", retries=2, backoff=lambda attempt, error: attempt + len(str(error)))
    async def own(job: Job) -> None:
        raise ValueError("four")

    @handlers.on("broken", retries=2, backoff=lambda attempt, error: 1 / 0)
    async def broken(job: Job) -> None:
        raise ValueError("no")

    async with working(handlers) as manager:
        made = {topic: (await manager.create_job(topic, "")).job_id for topic in handlers.topics()}
        seen = {topic: await until(manager, made[topic], lambda job: job.version == 3) for topic in made}
    assert {topic: (job.state, job.reason, job.run_at, job.attempts) for topic, job in seen.items()} == {
        "snooze": ("new", "snoozed", 1_005_000, 0), "discard": ("error", "discarded", 0, 1),
        "at": ("new", "retry", 1_010_000, 1), "own": ("new", "retry", 1_005_000, 1),
        "broken": ("new", "retry", seen["broken"].run_at, 1)}
    assert (seen["discard"].error, seen["at"].error) == (b"not wanted", b"later")
    assert 800 <= seen["broken"].run_at - 1_000_000 <= 1200


async def test_a_running_coroutine_is_cancelled_and_its_worker_goes_on() -> None:
    handlers = Handlers()
    begun, ended = asyncio.Event(), []

    @handlers.on("endless", retries=3)
    async def endless(job: Job) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(job.job_id)

    @handlers.on("stubborn")
    async def stubborn(job: Job) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done all the same"
        return ""

    @handlers.on("quick")
    async def quick(job: Job) -> str:
        return "ok"

    async with working(handlers) as manager:
        for topic in ("endless", "stubborn", "endless"):
            begun.clear()
            job = await manager.create_job(topic)
            await begun.wait()
            await manager.cancel_job(job.job_id, by="hand")
            after = await manager.get_job(job.job_id)
            assert after is not None
            assert (after.state, after.reason, after.by) == ("error", "cancelled", "hand")
        for _ in range(4):
            job = await manager.create_job("quick")
            done = await manager.wait(job.job_id, 10)
            assert done is not None
            assert done.result == b"ok"
    assert ended == [1, 3]


async def test_a_thread_is_told_and_its_result_is_refused() -> None:
    handlers = Handlers()
    begun, cancelled, over, told = threading.Event(), threading.Event(), threading.Event(), []

    @handlers.on("thread")
    def thread(job: Job, run: Run) -> str:
        begun.set()
        cancelled.wait(10)
        told.append(run.is_cancelled)
        over.set()
        return "late"

    async with working(handlers) as manager:
        job = await manager.create_job("thread")
        await asyncio.to_thread(begun.wait, 10)
        await manager.cancel_job(job.job_id)
        cancelled.set()
        await asyncio.to_thread(over.wait, 10)
        after = await manager.get_job(job.job_id)
    assert after is not None
    assert (after.state, after.result, told) == ("error", None, [True])


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_handler_reports_progress_and_logs(in_thread: bool) -> None:
    handlers = Handlers()

    def work(job: Job, run: Run) -> None:
        run.progress(30, "on it")
        run.log("one")
        run.log("two")
        run.progress(101)

    async def work_async(job: Job, run: Run) -> None:
        work(job, run)

    handlers.on("t", timeout=9)(work if in_thread else work_async)
    async with working(handlers) as manager:
        job = await manager.create_job("t")
        done = await manager.wait(job.job_id, 10)
        assert done is not None
        assert (done.state, done.more.progress) == ("done", 30)
        assert [note.line for note in manager.trail(job.job_id)] == ["on it", "one", "two"]


async def test_a_result_that_is_too_large_fails_the_job_at_once() -> None:
    handlers = Handlers()

    @handlers.on("t", retries=5)
    async def large(job: Job) -> bytes:
        return b"x" * 11

    async with working(handlers, Limits(result=10)) as manager:
        job = await manager.create_job("t")
        done = await manager.wait(job.job_id, 10)
    assert done is not None
    assert (done.state, done.error[:29] if done.error else b"") == ("error", b"the result has 11 bytes, at m")


async def test_every_failed_attempt_is_kept_with_its_traceback() -> None:
    handlers = Handlers()

    @handlers.on("t", retries=2, backoff="fixed:0")
    async def failing(job: Job) -> None:
        raise ValueError(f"attempt {job.attempts}")

    async with working(handlers) as manager:
        job = await manager.create_job("t")
        done = await manager.wait(job.job_id, 10)
        assert done is not None
        assert (done.state, done.reason) == ("error", "dead")
        errors = manager.attempt_errors(job.job_id)
    assert [one.error for one in errors] == [b"ValueError: attempt %d" % number for number in (1, 2, 3)]
    assert all(b"raise ValueError" in (one.traceback or b"") for one in errors)


class Ticking(Clock):
    """Each look at the monotonic clock takes a millisecond."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks / 1000


async def test_workers_leave_the_loop_to_others_after_their_share() -> None:
    handlers = Handlers()
    done = [0]

    @handlers.on("t")
    async def quick(job: Job) -> None:
        done[0] += 1

    async with working(handlers, clock=Ticking(), workers=50) as manager:
        await manager.create_jobs("t", [b""] * 2000)
        steps, before = [], 0
        while done[0] < 2000:
            await asyncio.sleep(0)
            steps.append(done[0] - before)
            before = done[0]
    assert max(steps) <= 5 * 8 + 50
    assert len(steps) < 500


async def test_all_workers_come_where_handlers_wait() -> None:
    handlers = Handlers()
    together, gate = asyncio.Event(), asyncio.Event()
    running = [0]

    @handlers.on("t")
    async def slow(job: Job) -> None:
        running[0] += 1
        if running[0] == 20:
            together.set()
        await gate.wait()

    async with working(handlers, clock=Ticking(), workers=20) as manager:
        await manager.create_jobs("t", [b""] * 25)
        async with asyncio.timeout(10):
            await together.wait()
        gate.set()
        for job_id in range(1, 26):
            assert await manager.wait(job_id, 10)


async def test_bad_params_burn_no_attempt() -> None:
    handlers = Handlers()

    @handlers.on("t", retries=5)
    async def typed(numbers: list[int]) -> None:
        raise AssertionError("must not run")

    async with working(handlers) as manager:
        job = await manager.create_job("t", "{}")
        done = await manager.wait(job.job_id, 10)
    assert done is not None
    assert (done.state, done.reason, done.attempts) == ("error", "invalid", 0)


def test_a_handler_that_holds_the_loop_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]

    async def holding() -> None:
        """Never run: only its code counts."""

    async def other() -> None:
        """Not a handler."""

    def frame(thread: int) -> object:
        return blocked

    class Frame:
        def __init__(self, code: object, back: object) -> None:
            self.f_code, self.f_back, self.f_lineno = code, back, 7

    blocked = Frame(sys._getframe().f_code, Frame(holding.__code__, Frame(other.__code__, None)))
    dog = Watchdog({holding.__code__: "slow"}, lambda: [("w", Job(job_id=9, topic="slow"))], 0, lambda: now[0],
                   frame)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "heroredis.jobs"):
        dog.look()
        assert dog.blocked == 0
        now[0] = 0.6
        dog.look()
        dog.look()
        assert dog.blocked == 1
        dog.beat()
        dog.look()
        now[0] = 1.2
        dog.look()
        assert dog.blocked == 2
    assert "the handler of topic slow has blocked the loop for 0.6 s (job 9, at " in caplog.text


def test_a_handler_that_runs_far_too_long_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    running = [("w1", Job(job_id=3, topic="t", started_at=1000, timeout_ms=500, version=2))]
    dog = Watchdog({}, lambda: running, 10_000)
    with caplog.at_level(logging.WARNING, "heroredis.jobs"):
        for now_ms, expected in ((11_499, 0), (11_500, 1), (12_000, 1)):
            dog.check_stuck(now_ms)
            assert dog.stuck == expected
        running.clear()
        dog.check_stuck(12_000)
        running.append(("w1", Job(job_id=3, topic="t", started_at=1000, version=4)))
        dog.check_stuck(12_000)
    assert dog.stuck == 2
    assert "job 3 of topic t has run for 10 s on w1 and may be stuck; JOB.CANCEL 3 ends it" in caplog.text


def test_jobs_that_run_elsewhere_are_reported_too_with_their_facts(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    by_connection, by_lease, waiting = world.new(), world.new(), world.new()
    world.claim(owner=7, worker="far")
    world.claim(lease_ms=60_000, worker="leased")
    dog = Watchdog({}, list, 10_000, elsewhere=world.manager.held)
    world.clock.advance(10_000)
    with caplog.at_level(logging.WARNING, "heroredis.jobs"):
        for _ in range(2):
            dog.check_stuck(world.clock.now_ms())
    said = [(vars(record)["job_id"], vars(record)["topic"], vars(record)["worker"]) for record in caplog.records]
    assert said == [(by_connection.job_id, "t", "far"), (by_lease.job_id, "t", "leased")]
    assert world.state(waiting.job_id) == ("new", "")


@pytest.mark.parametrize(("topic", "own_ms", "alarm_ms"), [
    ("slow", 0, 31_000), ("slow", 5_000, 6_000), ("plain", 0, 1_000), ("far", 0, 61_000), ("unknown", 0, 1_000)])
def test_the_alarm_leaves_a_handler_its_timeout(topic: str, own_ms: int, alarm_ms: int) -> None:
    handlers = Handlers()
    handlers.on("slow", timeout=30)(lambda job: None)
    handlers.on("far", timeout=60, isolation="process")(lambda job: None)
    handlers.on("plain")(lambda job: None)
    server = Server(ManualClock(1_000_000))
    jobs = JobsExtension(path=Path("unused"), durability="always", workers=1, poll_interval_s=1, handlers=handlers,
                         stuck_ms=1_000, open_store=MemoryStore)
    server.add_extension(jobs)
    job = Job(job_id=1, topic=topic, started_at=1, timeout_ms=own_ms)
    jobs.pool.workers[0].job = job
    for now_ms, expected in ((alarm_ms, 0), (alarm_ms + 1, 1)):
        jobs.pool.watchdog.check_stuck(now_ms)
        assert jobs.pool.watchdog.stuck_now == expected
    assert ("jobs_stuck", "Attempts that run far too long", 1) in jobs.manager.gauges()


async def test_a_coroutine_that_swallows_its_cancelling_keeps_neither_its_job_nor_a_place(
        caplog: pytest.LogCaptureFixture) -> None:
    handlers = Handlers()
    may_end = asyncio.Event()

    async def stubborn() -> str:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        return "at last"

    @handlers.on("late", timeout=0.001)
    async def late(job: Job) -> str:
        return await stubborn()

    @handlers.on("cancelled")
    async def cancelled(job: Job) -> str:
        return await stubborn()

    @handlers.on("quick")
    async def quick(job: Job) -> str:
        return job.worker

    async with working(handlers, workers=2, patience_s=0) as manager:
        jobs = [await manager.create_job(topic) for topic in ("late", "cancelled")]
        for job in jobs:
            await until(manager, job.job_id, lambda job: job.started_at > 0)
        await manager.cancel_job(jobs[1].job_id)
        ended = await manager.wait(jobs[0].job_id, 10)
        assert ended is not None
        assert (ended.state, ended.reason, ended.error) == ("error", "timeout", b"ran longer than 0.001 s")
        quick = [await manager.wait(job.job_id, 10) for job in await manager.create_jobs("quick", [b""] * 2)]
        assert {job.result for job in quick if job is not None} <= {b"worker-3", b"worker-4"}
        may_end.set()
        async with asyncio.timeout(10):
            while len(manager.embedded()) > 2:  # noqa: ASYNC110 - a worker that ends tells nobody
                await asyncio.sleep(0)
        assert [job.state for job in manager.history(jobs[0].job_id, 9)] == ["error", "active", "new"]
    assert caplog.text.count("does not let itself be cancelled") == 2
    assert caplog.text.count("came too late") == 2
