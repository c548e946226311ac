"""What a Python program may give by mistake: it is refused, or kept so that it can be read again. No job is lost by it,
and no worker."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.attempt import Attempt
from jobs.errors import BadOption
from jobs.handlers import Handlers, result_bytes
from jobs.job import Job, params_bytes
from jobs.memory_store import MemoryStore
from jobs.ourdb_store import OurDBStore
from jobs.outcomes import RetryAt, Snooze
from jobs.requests import Request
from jobs.retry import check_backoff
from jobs.run import Run
from jobs.testing import JobBench
from ourdb import OurDB
from tests.jobs.test_workers import working

NOT_KEPT = (BadOption, TypeError)
"""Interpreted code refuses it by its check, compiled code by its types."""


@pytest.mark.parametrize("options", [
    {"priority": 5.5}, {"priority": True}, {"priority": "5"}, {"retries": 2.5}, {"tags": [b"x"]}, {"tags": [5]},
    {"tags": ["\ud800"]}, {"tags": "abc"}, {"delay": math.nan}, {"delay": math.inf}, {"delay": "soon"},
    {"run_at": math.nan}, {"timeout": math.inf}, {"expire": math.nan}, {"unique": 5}, {"unique": "\ud800"},
    {"unique": "k", "unique_ttl": math.nan}, {"idempotency": 7}, {"backoff": "exp:²"}, {"backoff": "exp:" + "9" * 5000},
    {"backoff": "list:" + "1," * 4096 + "1"}, {"meta": {"a": math.nan}},
])
async def test_an_option_that_no_record_can_hold_is_refused(options: dict[str, Any]) -> None:
    bench = JobBench()
    with pytest.raises((*NOT_KEPT, ValueError)):
        await bench.manager.create_job("t", "x", **options)
    assert bench.enqueued() == []
    assert (await bench.manager.create_job("t", "x")).job_id == 1


@pytest.mark.parametrize("options", [
    {"every": math.nan}, {"every": 1, "priority": 5.5}, {"every": 1, "retries": 1.5}, {"every": 1, "tags": [b"x"]},
    {"every": 1, "start": 1e15},
    {"cron": "* * * * *", "start": 1e15}, {"every": 1, "timeout": math.inf},
    {"every": 1, "start": math.nan}, {"every": 1, "meta": {"a": math.inf}},
])
async def test_a_schedule_that_could_not_be_read_again_is_refused(options: dict[str, Any]) -> None:
    manager = JobBench().manager
    with pytest.raises((*NOT_KEPT, ValueError)):
        await manager.set_schedule("s", "t", "x", **options)
    assert manager.schedules.all() == []


async def test_an_edit_and_a_progress_that_no_record_can_hold_are_refused() -> None:
    bench = JobBench()
    job = await bench.manager.create_job("t", "x")
    with pytest.raises(NOT_KEPT):
        await bench.manager.edit_job(job.job_id, priority=5.5)  # type: ignore[arg-type]
    claimed = bench.manager.claim("t", "w")
    assert claimed is not None
    with pytest.raises(NOT_KEPT):
        bench.manager.progress(job.job_id, 33.3, "", "w")  # type: ignore[arg-type]


async def test_what_a_handler_reports_is_kept_as_whole_number_and_text(tmp_path: Path) -> None:
    handlers = Handlers()

    @handlers.on("async")
    async def asynchronous(job: Job, run: Run) -> str:
        run.progress(100 / 3, None)  # type: ignore[arg-type]
        run.log("caf\udce9")
        run.log(5)  # type: ignore[arg-type]
        run.log(b"raw \xff")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="NaN"):
            run.progress(math.nan)
        return "ok"

    @handlers.on("thread")
    def thread(job: Job, run: Run) -> str:
        run.progress(99.9, "caf\udce9")
        return "ok"

    async with working(handlers, open_store=lambda: OurDBStore(OurDB(tmp_path / "db"))) as manager:
        trails = []
        for topic in ("async", "thread"):
            job = await manager.create_job(topic, "")
            done = await manager.wait(job.job_id, 10)
            assert done is not None
            assert done.result == b"ok"
            trails.append([(note.percent, note.line) for note in manager.trail(job.job_id)])
    assert trails == [[(33, "None"), (-1, "caf?"), (-1, "5"), (-1, "raw \ufffd")], [(99, "caf?")]]


def test_a_worker_elsewhere_reports_the_same() -> None:
    attempt = Attempt(Job(job_id=7, topic="t", token="k"))
    sent: list[Request[Any]] = []
    attempt.report = sent.append
    attempt.progress(33.3, "caf\udce9")
    attempt.log("caf\udce9")
    assert [request.words[:4] for request in sent] == [[b"JOB.PROGRESS", b"7", b"33", b"caf?"],
                                                      [b"JOB.LOG", b"7", b"caf?", b"TOKEN"]]


async def test_times_beyond_all_measure_end_no_worker() -> None:
    handlers = Handlers()

    @handlers.on("snooze")
    async def snooze(job: Job) -> None:
        raise Snooze(1e300)

    @handlers.on("at", retries=1)
    async def at(job: Job) -> None:
        raise RetryAt(1e300)

    @handlers.on("past", retries=1)
    async def past(job: Job) -> None:
        raise RetryAt(-1e300)

    @handlers.on("backoff", retries=1, backoff=lambda attempt, error: 1e300)
    async def backoff(job: Job) -> None:
        raise ValueError

    bench = JobBench(handlers)
    for topic in handlers.topics():
        await bench.manager.create_job(topic)
        after = await bench.run_one(topic)
        assert after is not None
        assert (topic, after.state, after.run_at - bench.clock.now_ms() > 1 << 49) == (topic, "new", topic != "past")
    job = await bench.manager.create_job("by hand")
    assert bench.manager.claim("by hand", "w") is not None
    bench.manager.snooze(job.job_id, 1 << 200, "w")
    assert bench.manager.history(job.job_id, 1)[0].run_at < 1 << 51


def test_a_time_that_is_none_is_the_handlers_own_failure() -> None:
    for seconds in (math.nan, math.inf):
        with pytest.raises(BadOption):
            Snooze(seconds)
        with pytest.raises(BadOption):
            RetryAt(seconds)


@dataclass
class Measure:
    value: float | None


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [1, -math.inf]}, Measure(math.nan), [None, math.nan]])
def test_what_json_would_silently_make_null_is_refused(value: object) -> None:
    for encode in (result_bytes, params_bytes):
        with pytest.raises(ValueError, match="NaN"):
            encode(value)


def test_null_itself_is_a_value() -> None:
    assert (params_bytes(None), result_bytes({"a": None, "b": "null"})) == (b"null", b'{"a":null,"b":"null"}')
    assert result_bytes(Measure(None)) == b'{"value":null}'


@pytest.mark.parametrize("options", [{"retries": 1.5}, {"timeout": math.nan}, {"timeout": math.inf}])
def test_a_handler_with_such_options_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Handlers().on("t", **options)(lambda job: None)


def test_a_backoff_is_text() -> None:
    with pytest.raises(BadOption):
        check_backoff(5)  # type: ignore[arg-type]


async def test_only_the_attempts_own_time_counts_as_timeout() -> None:
    handlers = Handlers()

    @handlers.on("inner", timeout=60)
    async def inner(job: Job) -> None:
        await asyncio.wait_for(asyncio.Event().wait(), 0.001)

    @handlers.on("socket", timeout=60)
    def socket(job: Job) -> None:
        raise TimeoutError

    @handlers.on("late", timeout=0.001)
    async def late(job: Job) -> None:
        await asyncio.Event().wait()

    async with working(handlers) as manager:
        seen = {}
        for topic in handlers.topics():
            job = await manager.create_job(topic)
            ended = await manager.wait(job.job_id, 10)
            assert ended is not None
            seen[topic] = (ended.reason, ended.error)
    assert seen == {"inner": ("dead", b"TimeoutError"), "socket": ("dead", b"TimeoutError"),
                    "late": ("timeout", b"ran longer than 0.001 s")}


async def test_a_worker_that_fails_is_replaced_and_its_job_fails(caplog: pytest.LogCaptureFixture) -> None:
    handlers = Handlers()

    @handlers.on("t")
    async def handler(job: Job) -> str:
        return "ok"

    class Broken(MemoryStore):
        bugs = [RuntimeError("a bug")]

        def append(self, job: Job) -> None:
            if job.state == "done" and self.bugs:
                raise self.bugs.pop()
            super().append(job)

    async with working(handlers, workers=1, open_store=Broken) as manager:
        first, second = await manager.create_job("t"), await manager.create_job("t")
        with caplog.at_level(logging.ERROR):
            ends = [await manager.wait(job.job_id, 10) for job in (first, second)]
    assert [(end.state, end.error) for end in ends if end] == [("error", b"RuntimeError: a bug"), ("done", None)]
    assert "worker-1 failed, and is replaced" in caplog.text


def test_functions_that_could_never_be_called_are_refused_when_they_are_registered() -> None:
    async def keyword(job: Job, *, run: Run) -> None: ...

    async def asynchronous(job: Job) -> AsyncIterator[int]:
        yield 1

    def generator(job: Job) -> Iterator[int]:
        yield 1

    async def fine(job: Job, *, extra: int = 1) -> None: ...

    handlers = Handlers()
    for function, text in ((keyword, "'run' of a handler is keyword-only"), (asynchronous, "is a generator"),
                           (generator, "is a generator")):
        with pytest.raises(ValueError, match=text):
            handlers.on("t")(function)
    handlers.on("t")(fine)
