"""The test double that ships with the product: it behaves as the server does, in no time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from heroredis.extension import JobNotFound
from jobs import Discard, Handlers, Job, Snooze
from jobs.client import Client, ClientError
from jobs.middleware import Create, Middleware, NewJobs, Run
from jobs.testing import JobBench
from tests.jobs.world import World

handlers = Handlers()


@handlers.on("greet")
async def greet(job: Job) -> str:
    return f"Hello, {job.text}"


@handlers.on("flaky", retries=2, backoff="list:1000,60000")
async def flaky(job: Job) -> str:
    if job.attempts < 3:
        raise ConnectionError("not yet")
    return "at last"


@handlers.on("later")
def later(job: Job) -> None:
    if job.text == "discard":
        raise Discard("never")
    raise Snooze(60)


async def test_jobs_are_asserted_and_run() -> None:
    bench = JobBench(handlers)
    await bench.manager.create_job("greet", "Ada")
    await bench.manager.create_job("unhandled", {"a": 1})
    [waiting] = bench.assert_enqueued("greet", "Ada", count=1)
    bench.assert_enqueued("unhandled", {"a": 1})
    bench.refute_enqueued("greet", "Grace")
    [job] = await bench.drain()
    assert (job.job_id, job.state, job.result) == (waiting.job_id, "done", b"Hello, Ada")
    bench.refute_enqueued("greet")
    assert [one.topic for one in bench.enqueued()] == ["unhandled"]
    assert await bench.run_one() is None


async def test_what_is_not_as_wanted_is_told() -> None:
    bench = JobBench(handlers)
    with pytest.raises(AssertionError, match=r"0 jobs of greet .* wanted: at least one; enqueued is: nothing"):
        bench.assert_enqueued("greet")
    await bench.manager.create_job("greet", "Ada")
    with pytest.raises(AssertionError, match=r"1 jobs of greet .* wanted: 2"):
        bench.assert_enqueued("greet", count=2)
    with pytest.raises(AssertionError, match="b'Ada'"):
        bench.refute_enqueued("greet")


async def test_what_is_enqueued_is_described_by_what_matters() -> None:
    bench = JobBench(handlers)
    await bench.manager.create_job("greet", {"to": "Ada", "lang": {"main": "en"}, "n": 1}, tags=["vip", "eu"],
                                   priority=5, delay=60)
    await bench.manager.create_job("greet", "no object")
    for wanted in ({"containing": {"to": "Ada"}}, {"containing": {"n": 1, "lang": {"main": "en"}}}, {"tags": ["eu"]},
                   {"priority": 5}, {"delay": 60}, {"containing": {}, "tags": ["vip", "eu"], "priority": 5}):
        [found] = bench.assert_enqueued("greet", **wanted)
        assert found.job_id == 1
    for other in ({"containing": {"to": "Bob"}}, {"containing": {"cc": None}}, {"tags": ["us"]}, {"priority": 6},
                  {"delay": 59.999}):
        bench.refute_enqueued("greet", **other)
        with pytest.raises(AssertionError, match=r"enqueued is: greet .* in 60 s tags vip,eu, greet b'no object'"):
            bench.assert_enqueued("greet", **other)
    bench.assert_enqueued("greet", delay=0, count=1)
    bench.assert_enqueued("greet", count=2)


async def test_one_handler_is_performed_by_itself() -> None:
    bench = JobBench(handlers)
    await bench.manager.create_job("greet", "waits")
    job = await bench.perform("greet", "Ada", tags=["vip"])
    assert (job.state, job.result, job.tags) == ("done", b"Hello, Ada", ("vip",))
    assert [one.params for one in bench.enqueued()] == [b"waits"]
    failed = await bench.perform("flaky")
    assert (failed.state, failed.reason, failed.error) == ("new", "retry", b"ConnectionError: not yet")
    with pytest.raises(LookupError, match=r"topic nobody has no handler; there are flaky, greet, later"):
        await bench.perform("nobody")


async def test_a_failure_may_fail_the_test() -> None:
    bench = JobBench(handlers)
    with pytest.raises(AssertionError, match=r"(?s)job 1 of flaky with params b'x' failed \(retry\): ConnectionError: "
                       r"not yet\nTraceback .*raise ConnectionError"):
        await bench.perform("flaky", "x", raising=True)
    with pytest.raises(AssertionError, match="not yet"):
        await bench.advance(1, raising=True)
    assert [job.state for job in await bench.advance(60, raising=True)] == ["done"]
    await bench.manager.create_job("later", "discard")
    assert [job.reason for job in await bench.drain(raising=True)] == ["discarded"]


async def test_retries_happen_in_virtual_time() -> None:
    bench = JobBench(handlers)
    job = await bench.manager.create_job("flaky")
    begin = bench.clock.now_ms()
    assert [ran.reason for ran in await bench.drain()] == ["retry"]
    assert await bench.advance(0.999) == []
    assert [ran.attempts for ran in await bench.advance(0.001)] == [2]
    [done] = await bench.advance(3600)
    assert (done.job_id, done.result, done.started_at - begin) == (job.job_id, b"at last", 61_000)
    assert bench.clock.now_ms() - begin == 3_601_000


async def test_delays_and_outcomes() -> None:
    bench = JobBench(handlers)
    await bench.manager.create_job("greet", "Ada", delay=10)
    await bench.manager.create_job("later", "snooze")
    assert [job.reason for job in await bench.drain()] == ["snoozed"]
    assert [job.topic for job in await bench.advance(10)] == ["greet"]
    assert [job.topic for job in await bench.advance(120)] == ["later", "later"]
    discarded = await bench.manager.create_job("later", "discard")
    await bench.drain()
    found = await bench.manager.get_job(discarded.job_id)
    assert found is not None
    assert (found.state, found.reason) == ("error", "discarded")


async def test_time_may_pass_without_running_anything() -> None:
    bench = JobBench(handlers)
    await bench.manager.create_job("greet", "Ada", delay=10)
    assert await bench.advance(20, run=False) == []
    assert bench.manager.queue.length("greet") == 1


async def test_a_restart_puts_running_jobs_back() -> None:
    bench = JobBench(handlers)
    job = await bench.manager.create_job("greet", "Ada")
    assert bench.manager.claim("greet", "w", owner=5) is not None
    bench.restart()
    assert [(one.job_id, one.reason) for one in bench.enqueued()] == [(job.job_id, "returned")]
    assert [one.result for one in await bench.drain()] == [b"Hello, Ada"]


async def test_jobs_that_create_each_other_for_ever_are_noticed() -> None:
    own = Handlers()
    bench = JobBench(own)

    @own.on("again")
    async def again(job: Job) -> None:
        await bench.manager.create_job("again")

    await bench.manager.create_job("again")
    with pytest.raises(RuntimeError, match="create each other"):
        await bench.drain(limit=20)


async def test_middleware_is_around_creating_and_running_there_too() -> None:
    seen: list[str] = []

    class Noted(Middleware):
        def create(self, new: NewJobs, go_on: Create) -> Sequence[Job]:
            seen.append(f"create {new.topic}")
            return go_on(new)

        async def run(self, job: Job, go_on: Run) -> Any:
            seen.append(f"run {job.topic}")
            return await go_on(job)

    wrapped = Handlers()
    wrapped.include(handlers)
    wrapped.middleware(Noted())
    bench = JobBench(wrapped)
    for _ in range(2):
        await bench.manager.create_job("greet", "Ada")
        await bench.drain()
        bench.restart()
    assert seen == ["create greet", "run greet"] * 2


async def test_who_waits_for_a_job_hears_of_its_end() -> None:
    bench = JobBench(handlers)
    job = await bench.manager.create_job("greet", "Ada")
    waiting = asyncio.ensure_future(bench.manager.wait(job.job_id, 10))
    await asyncio.sleep(0)
    await bench.drain()
    ended = await waiting
    assert ended is not None
    assert ended.result == b"Hello, Ada"


async def test_who_waits_for_a_job_that_is_deleted_is_told_so() -> None:
    bench = JobBench(handlers)
    job = await bench.manager.create_job("greet", "Ada")
    waiting = asyncio.ensure_future(bench.manager.wait(job.job_id))
    await asyncio.sleep(0)
    await bench.manager.delete_job(job.job_id)
    with pytest.raises(JobNotFound, match="no job with id 1"):
        await waiting
    assert bench.manager._ends == {}


async def test_who_waits_waits_for_the_disk() -> None:
    world = World(held=True)
    world.new()
    world.store.release()
    world.manager.finish(1, b"r", "w")
    assert world.state(1) == ("done", "")
    assert await world.manager.wait(1, timeout=0) is None
    world.store.release()
    ended = await world.manager.wait(1, timeout=0)
    assert ended is not None
    assert ended.result == b"r"


def order(client: Client, number: int) -> int:
    """A program that makes its jobs through a client."""
    return client.create_job("greet", {"name": str(number)}, idempotency=f"order-{number}", tags=["shop"])


async def test_a_program_with_a_client_is_tested_without_a_server() -> None:
    bench = JobBench(handlers)
    with bench.client("shop") as client:
        assert order(client, 7) == order(client, 7)
        bench.assert_enqueued("greet", {"name": "7"}, count=1, tags=["shop"])
        [job] = await bench.drain(raising=True)
        ended = client.wait(job.job_id)
        assert ended is not None
        assert (ended["state"], ended["result"]) == ("done", job.result)
        assert client.get_history(job.job_id)[-1]["by"] == "shop"
        assert [found["id"] for found in client.list_jobs(query="tag:shop")[1]] == [job.job_id]
        assert client.bulk("delete", "tag:shop")["changed"] == 1


async def test_a_client_of_a_bench_outlives_its_restart_and_gives_back_what_it_holds() -> None:
    bench = JobBench()
    async with bench.async_client() as client:
        job_id = await client.create_job("by-hand")
        assert [job["id"] for job in await client.fetch(["by-hand"])] == [job_id]
        bench.restart()
        assert [job["id"] for job in await client.fetch(["by-hand"])] == [job_id]
        assert bench.enqueued() == []
    assert [job.reason for job in bench.enqueued()] == ["returned"]


async def test_what_the_client_of_a_bench_cannot_do_is_said() -> None:
    with JobBench().client() as client:
        with pytest.raises(ClientError, match="unknown command 'SET'; the clients of a JobBench have the JOB commands"):
            client.execute("SET", "a", 1)
        with pytest.raises(ClientError, match=r"wrong number of arguments for 'job\.get' command"):
            client.execute("JOB.GET")
        with pytest.raises(ClientError, match=r"unknown command 'JOB\.SCHEDULE'"):
            client.execute("JOB.SCHEDULE")
        with pytest.raises(ClientError, match="backoff 'soon' cannot be read"):
            client.create_job("t", backoff="soon")
