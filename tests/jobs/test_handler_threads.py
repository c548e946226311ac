"""Threads of plain handlers: how many there are, what becomes of those that never return."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, Future

import pytest

from jobs.handlers import Handlers
from jobs.job import Job
from jobs.threads import HandlerThreads
from tests.jobs.test_workers import working


def test_no_more_threads_than_asked_for_and_none_that_is_not_needed() -> None:
    threads = HandlerThreads(2)
    names = {threads.submit(lambda: threading.current_thread().name).result(10) for _ in range(3)}
    gate, both = threading.Event(), threading.Barrier(3)
    held = [threads.submit(lambda: (both.wait(10), gate.wait(10), threading.current_thread().name)) for _ in range(2)]
    third = threads.submit(lambda: threading.current_thread().name)
    both.wait(10)
    assert not third.done()
    gate.set()
    names |= {work.result(10)[2] for work in held} | {third.result(10)}
    assert names == {"job-thread-1", "job-thread-2"}
    threads.close()


def test_what_a_function_raises_is_handed_on() -> None:
    def leave() -> None:
        raise SystemExit(3)

    threads = HandlerThreads(1)
    with pytest.raises(SystemExit):
        threads.submit(leave).result(10)
    assert threads.submit(lambda: "on it goes").result(10) == "on it goes"
    threads.close()


def test_a_function_that_was_cancelled_before_its_turn_never_runs() -> None:
    threads, gate = HandlerThreads(1), threading.Event()
    first, second = threads.submit(gate.wait, 10), threads.submit(lambda: pytest.fail("it ran"))
    assert second.cancel()
    gate.set()
    assert first.result(10)
    with pytest.raises(CancelledError):
        second.result(10)
    assert threads.submit(lambda: 1).result(10) == 1
    threads.close()


def test_another_thread_takes_the_place_of_one_that_was_given_up_until_it_returns() -> None:
    threads, gate = HandlerThreads(1), threading.Event()
    begun = threading.Event()

    def stuck() -> threading.Thread:
        begun.set()
        gate.wait(10)
        return threading.current_thread()

    lost: Future[threading.Thread] = threads.submit(stuck)
    waiting = threads.submit(threading.current_thread)
    begun.wait(10)
    assert threads.give_up(lost)
    other = waiting.result(10)
    gate.set()
    lost.result(10).join(10)  # it has ended, the other one stays
    assert threads.submit(threading.current_thread).result(10) is other
    assert not threads.give_up(waiting)
    threads.close()
    other.join(10)
    assert not other.is_alive()


def test_fewer_threads_when_they_are_resized() -> None:
    threads = HandlerThreads(2)
    both = threading.Barrier(2)
    made = [threads.submit(lambda: (both.wait(10), threading.current_thread())[1]) for _ in range(2)]
    alive = [work.result(10) for work in made]
    threads.resize(1)
    for _ in range(4):
        threads.submit(lambda: None).result(10)
    threads.close()
    for thread in alive:
        thread.join(10)
        assert thread.daemon


async def test_jobs_whose_functions_never_return_keep_no_other_job_from_its_thread() -> None:
    handlers, gate = Handlers(), threading.Event()

    @handlers.on("stuck", timeout=0.01)
    def stuck(job: Job) -> None:
        gate.wait(30)

    @handlers.on("quick", timeout=20)
    def quick(job: Job) -> str:
        return "ok"

    try:
        async with working(handlers, workers=2) as manager:
            ends = []
            for topic in ("stuck", "stuck", "stuck", "quick"):
                job = await manager.create_job(topic)
                async with asyncio.timeout(10):
                    ended = await manager.wait(job.job_id)
                assert ended is not None
                ends.append((ended.state, ended.reason))
            assert ends == [("error", "timeout")] * 3 + [("done", "")]
    finally:
        gate.set()


async def test_stop_iteration_ends_its_job_as_any_other_error_does() -> None:
    handlers = Handlers()

    @handlers.on("t")
    def function(job: Job) -> object:
        return next(iter(()))

    async with working(handlers, workers=1) as manager:
        for _ in range(2):
            job = await manager.create_job("t")
            async with asyncio.timeout(10):
                ended = await manager.wait(job.job_id)
            assert ended is not None
            assert ended.error == b"RuntimeError: the function raised StopIteration"
            assert b"in function" in (ended.traceback or b"")
