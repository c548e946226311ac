"""Searching through the manager and over the wire: pages, the moment, doing something to all that fit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis

from heroredis.extension import Client, Context, Reply, Wait
from heroredis.testing import ServerProcess
from jobs.errors import BadOption
from jobs.index_feed import Portion, StoreFeed, feed_of
from jobs.indexer import Indexer
from jobs.later import Answers
from jobs.query_parser import QueryError
from tests.jobs.world import World


@pytest.fixture(params=["scanned", "indexed"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    world = World()
    indexer = Indexer(tmp_path / "index", feed_of(world.store), 0.01)
    if request.param == "indexed":
        world.manager.search.indexer = indexer
        indexer.start()
    yield world
    indexer.stop()


def fill(world: World) -> None:
    """Ids 1 to 30: every third is done, the next failed, the next waits."""
    for number in range(1, 31):
        job = world.new("odd" if number % 2 else "even", tags=("five",) if number % 5 == 0 else ())
        if number % 3 != 2:
            world.manager.start(job, "w")
            world.queue.remove(job)
        if number % 3 == 0:
            world.manager.finish(number, b"all well", "w")
        elif number % 3 == 1:
            world.manager.fail(number, b"Broken pipe", "w", final=True)
        world.clock.advance(1000)


async def everything(world: World, query: str, count: int) -> list[int]:
    found, cursor = [], 0
    while True:
        cursor, jobs = await world.manager.search_jobs(query, cursor, count)
        assert len(jobs) <= count
        found += [job.job_id for job in jobs]
        if not cursor:
            return found


async def test_pages_go_from_the_newest_to_the_oldest(world: World) -> None:
    fill(world)
    assert await everything(world, "state:error", 3) == [28, 25, 22, 19, 16, 13, 10, 7, 4, 1]
    assert await everything(world, '"broken PIPE" topic:odd', 2) == [25, 19, 13, 7, 1]
    assert await everything(world, "tag:five not state:done", 50) == [25, 20, 10, 5]
    assert await everything(world, "id:4..6", 50) == [6, 5, 4]
    assert await everything(world, "", 7) == list(range(30, 0, -1))
    assert await everything(world, "created>=-10s", 7) == list(range(30, 20, -1))
    assert await world.manager.count_jobs("state:new or state:done") == 20
    with pytest.raises(QueryError):
        await world.manager.search_jobs("stat:new")


async def test_a_page_is_stable_while_jobs_come_and_change(world: World) -> None:
    fill(world)
    cursor, first = await world.manager.search_jobs("state:new", 0, 4)
    assert [job.job_id for job in first] == [29, 26, 23, 20]
    world.new()
    world.manager.cancel(17, "me")
    _, second = await world.manager.search_jobs("state:new", cursor, 4)
    assert [job.job_id for job in second] == [14, 11, 8, 5]


async def test_bulk_does_it_to_all_that_fit(world: World) -> None:
    fill(world)
    manager = world.manager
    assert (await manager.bulk("retry", "topic:odd", dry_run=True)).matched == 5
    assert manager.stats().error == 10
    done = await manager.bulk("retry", "topic:odd", by="ada")
    assert (done.matched, done.changed, done.first_refusal) == (5, 5, "")
    assert (manager.stats().error, world.now(25).state, world.now(25).by) == (5, "new", "ada")
    assert (await manager.bulk("cancel", "state:new topic:even", by="ada")).changed == 5
    assert (world.now(2).reason, world.now(2).by) == ("cancelled", "ada")
    assert (await manager.bulk("delete", "state:done", by="ada")).changed == 10
    assert (manager.find(3), manager.stats().done) == (None, 0)
    assert manager.history(3, 9)[0].by == "ada"
    with pytest.raises(BadOption, match="no bulk action"):
        await manager.bulk("explode", "")


async def test_bulk_goes_over_many_pages(world: World) -> None:
    for _ in range(1001):
        world.new("many")
    assert (await world.manager.bulk("cancel", "topic:many")).changed == 1001
    assert world.manager.stats("many").new == 0


async def test_the_jobs_as_of_a_moment(world: World) -> None:
    job = world.new()
    world.clock.advance(1000)
    moments = [world.clock.now_ms()]
    world.claim()
    world.clock.advance(1000)
    moments.append(world.clock.now_ms() - 1)
    world.manager.finish(job.job_id, b"", "w")
    world.clock.advance(1000)
    moments.append(world.clock.now_ms() - 1)
    world.manager.delete(job.job_id, "me")
    world.new()
    seen = [[(job.job_id, job.state) for job in (await world.manager.jobs_as_of(moment))[1]]
            for moment in (moments[0] - 1, *moments[1:], world.clock.now_ms(), 5)]
    assert seen == [[(1, "new")], [(1, "active")], [(1, "done")], [(2, "new")], []]
    for _ in range(3):
        world.clock.advance(1000)
        world.new()
    _, jobs = await world.manager.jobs_as_of(moments[1], "state:active")
    assert [job.job_id for job in jobs] == [1]


@pytest.fixture(params=["", "--no-job-index"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[redis.Redis]:
    arguments = ["--no-ui", "--no-webdav", "--workers", "0"] + ([request.param] if request.param else [])
    with ServerProcess(tmp_path, arguments) as server, redis.Redis(port=server.port, protocol=3) as client:
        yield client


def ids(client: redis.Redis, *words: object) -> list[int]:
    answer: Any = client.execute_command("JOB.LIST", *words, "IDS")
    assert answer[0] == b"0"
    return list(answer[1])


def test_over_the_wire(client: redis.Redis) -> None:
    for number in range(1, 7):
        client.execute_command("JOB.CREATE", "mail", f"to {number}", "TAG", "even" if number % 2 == 0 else "odd")
    assert ids(client, "QUERY", "tag:even") == [6, 4, 2]
    assert ids(client, "QUERY", "to 3 or id:5", "TOPIC", "mail") == [5, 3]
    assert ids(client, "QUERY", "to 3 or id:5", "TOPIC", "other") == []
    assert ids(client, "TOPIC", "mail") == ids(client) == [6, 5, 4, 3, 2, 1]
    assert ids(client, "TOPIC", "mail", "STATE", "done") == ids(client, "STATE", "error") == []
    before: Any = client.time()
    client.execute_command("JOB.BULK", "cancel", "QUERY", "tag:odd")
    assert ids(client, "QUERY", "reason:cancelled") == [5, 3, 1]
    assert ids(client, "QUERY", "state:new", "ASOF", before[0] * 1000 + before[1] // 1000 - 1) == [6, 5, 4, 3, 2, 1]
    counted: Any = client.execute_command("JOB.BULK", "RETRY", "QUERY", "", "DRYRUN")
    assert counted == {b"matched": 3, b"changed": 0, b"refusal": None}
    for words, text in [
        (("JOB.LIST", "QUERY", "sate:new"), "query, character 1: there is no field 'sate'"),
        (("JOB.BULK", "explode", "QUERY", ""), "no bulk action 'explode'"),
        (("JOB.BULK", "retry"), "give QUERY"),
    ]:
        with pytest.raises(redis.ResponseError, match=text):
            client.execute_command(*words)
    pipe = client.pipeline(transaction=True)
    pipe.execute_command("JOB.LIST", "QUERY", "tag:even")
    with pytest.raises(redis.ResponseError, match="not possible inside MULTI"):
        pipe.execute()
    piped = client.pipeline(transaction=False)
    for query in ("tag:even", "tag:odd"):
        piped.execute_command("JOB.LIST", "QUERY", query, "IDS")
    answers: Any = piped.execute()
    assert [answer[1] for answer in answers] == [[6, 4, 2], [5, 3, 1]]


class Slow(StoreFeed):
    """A feed that hands out one record after the other."""

    def read(self, lsn: int, limit: int) -> Portion:
        threading.Event().wait(0.002)
        return super().read(lsn, 1)


async def test_what_is_done_to_all_that_fit_waits_for_an_index_that_is_behind(tmp_path: Path) -> None:
    world = World()
    indexer = Indexer(tmp_path / "index", Slow(world.store), 0.01)
    world.manager.search.indexer = indexer
    indexer.start()
    for _ in range(400):
        world.new()
    assert (await world.manager.bulk("cancel", "topic:t", dry_run=True)).matched == 400
    for _ in range(400):
        world.new()
    done = await world.manager.bulk("cancel", "topic:t")
    assert (done.matched, done.changed, world.manager.stats("t").error) == (800, 800, 800)
    for _ in range(10):
        world.new()
    indexer.stop()
    indexer.problem = "it is gone"
    assert (await world.manager.bulk("cancel", "topic:t")).changed == 10


@pytest.mark.parametrize("how", ["gone", "asks something else"])
async def test_nobody_works_on_for_a_connection_that_waits_no_longer(how: str) -> None:
    answers, client = Answers(), SimpleNamespace(client_id=7)
    ended: list[str] = []

    async def work() -> Reply:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(how)
        return None

    async def other() -> Reply:
        return b"other"

    ctx = cast("Context", SimpleNamespace(client=client, in_exec=False))
    assert isinstance(answers.reply(ctx, (b"list",), work), Wait)
    await asyncio.sleep(0)
    if how == "gone":
        answers.gone(cast("Client", client))
    else:
        assert isinstance(answers.reply(ctx, (b"bulk",), other), Wait)
    await asyncio.sleep(0)
    assert ended == [how]
    if how != "gone":
        assert answers.reply(ctx, (b"bulk",), other) == b"other"


async def test_the_newest_version_decides_what_the_index_only_proposes() -> None:
    world = World()
    for _ in range(3):
        world.new()
    world.manager.finish(2, b"", "w")
    world.manager.delete(1, "x")
    proposed: Future[object] = Future()
    proposed.set_result([3, 2, 1])
    late = SimpleNamespace(behind=4, problem="", ask=lambda question, at_once=False: proposed)
    world.manager.search.indexer = cast("Indexer", late)
    page = await world.manager.search.page(world.manager.search.parse("state:new"))
    assert ([job.job_id for job in page.jobs], page.cursor, page.behind) == ([3], 0, 4)
