"""Threads of plain handlers: how many there are, what becomes of those that never return."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from jobs.handlers import Handlers
from jobs.job import Job
from jobs.threads import DROPPED, HandlerThreads, Work
from tests.jobs.test_workers import working


def begin(threads: HandlerThreads, function: Callable[..., Any], *arguments: object) -> tuple[Work, Future[Any]]:
    """A function in a thread, and a future that a test can wait for."""
    future: Future[Any] = Future()

    def tell(work: Work) -> None:
        if work.error is None:
            future.set_result(work.result)
        else:
            future.set_exception(work.error)

    return threads.submit(function, arguments, tell), future


def result(threads: HandlerThreads, function: Callable[..., Any], *arguments: object) -> Any:
    return begin(threads, function, *arguments)[1].result(10)


def test_no_more_threads_than_asked_for_and_none_that_is_not_needed() -> None:
    threads = HandlerThreads(2)
    names = {result(threads, lambda: threading.current_thread().name) for _ in range(3)}
    gate, both = threading.Event(), threading.Barrier(3)
    held = [begin(threads, lambda: (both.wait(10), gate.wait(10), threading.current_thread().name))[1]
            for _ in range(2)]
    third = begin(threads, lambda: threading.current_thread().name)[1]
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
        result(threads, leave)
    assert result(threads, lambda: "on it goes") == "on it goes"
    threads.close()


def test_a_function_that_was_given_up_before_its_turn_never_runs() -> None:
    threads, gate = HandlerThreads(1), threading.Event()
    first = begin(threads, gate.wait, 10)[1]
    second, told = begin(threads, lambda: pytest.fail("it ran"))
    assert not threads.give_up(second)
    gate.set()
    assert first.result(10)
    assert result(threads, lambda: 1) == 1
    assert (second.state, told.done()) == (DROPPED, False)
    threads.close()


def test_another_thread_takes_the_place_of_one_that_was_given_up_until_it_returns() -> None:
    threads, gate = HandlerThreads(1), threading.Event()
    begun = threading.Event()

    def stuck() -> threading.Thread:
        begun.set()
        gate.wait(10)
        return threading.current_thread()

    lost, lost_end = begin(threads, stuck)
    waiting, waiting_end = begin(threads, threading.current_thread)
    begun.wait(10)
    assert threads.give_up(lost)
    assert not threads.give_up(lost)
    other = waiting_end.result(10)
    gate.set()
    lost_end.result(10).join(10)  # it has ended, the other one stays
    assert result(threads, threading.current_thread) is other
    assert not threads.give_up(waiting)
    threads.close()
    other.join(10)
    assert not other.is_alive()


def test_functions_that_take_their_time_run_side_by_side_every_time() -> None:
    threads = HandlerThreads(4)
    for _ in range(100):  # each round needs all four at once, however they were called
        meet = threading.Barrier(4)
        ends = [begin(threads, meet.wait, 10)[1] for _ in range(4)]
        assert sorted(end.result(10) for end in ends) == [0, 1, 2, 3]
    threads.close()


def test_what_waits_is_run_although_threads_leave() -> None:
    threads = HandlerThreads(3)
    gate = threading.Event()
    held = [begin(threads, gate.wait, 10)[1] for _ in range(3)]
    waiting = [begin(threads, int, number)[1] for number in range(5)]
    threads.resize(1)
    gate.set()
    assert [end.result(10) for end in held + waiting] == [True] * 3 + list(range(5))
    threads.close()


def test_fewer_threads_when_they_are_resized() -> None:
    threads = HandlerThreads(2)
    both = threading.Barrier(2)
    made = [begin(threads, lambda: (both.wait(10), threading.current_thread())[1])[1] for _ in range(2)]
    alive = [work.result(10) for work in made]
    threads.resize(1)
    for _ in range(4):
        result(threads, lambda: None)
    threads.close()
    for thread in alive:
        thread.join(10)
        assert thread.daemon


async def test_many_ends_at_once_come_to_who_awaits_them() -> None:
    threads = HandlerThreads(4)

    def odd(number: int) -> int:
        if number % 2:
            raise ValueError(str(number))
        return number

    lost: list[int] = []
    found = await asyncio.gather(*(threads.call(odd, (number,), lambda: lost.append(1)) for number in range(200)),
                                 return_exceptions=True)
    assert [str(one) for one in found] == [str(number) for number in range(200)]
    assert [type(one) for one in found[:2]] == [int, ValueError]
    assert lost == []
    threads.close()


async def test_who_is_cancelled_is_told_whether_the_function_goes_on() -> None:
    threads, gate, begun = HandlerThreads(1), threading.Event(), threading.Event()
    lost: list[str] = []
    running = asyncio.ensure_future(threads.call(lambda: (begun.set(), gate.wait(10)), (), lambda: lost.append("ran")))
    waiting = asyncio.ensure_future(threads.call(lambda: pytest.fail("it ran"), (), lambda: lost.append("waited")))
    await asyncio.to_thread(begun.wait, 10)
    for task in (waiting, running):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert lost == ["ran"]
    assert await threads.call(lambda: "another thread", (), lambda: None) == "another thread"
    gate.set()
    threads.close()


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
