"""Retention by age and number, compaction afterwards; metrics that go on after a restart."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heroredis import Config, ServerFactory
from heroredis.logs import JsonLines
from heroredis.settings import load
from jobs.failure import facts_of
from jobs.index_feed import feed_of
from jobs.indexer import Indexer
from jobs.job import Job
from jobs.keeper import Keeper
from jobs.metrics import Metrics, exposition
from jobs.ourdb_store import OurDBStore
from jobs.retention import Retention, read_rules
from tests.jobs.world import World

HOUR = 3_600_000


@pytest.fixture(params=["looking", "indexed"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    world = World()
    indexer = Indexer(tmp_path / "index", feed_of(world.store), 0.01)
    if request.param == "indexed":
        world.manager.search.indexer = indexer
        indexer.start()
    yield world
    indexer.stop()


def ended(world: World, topic: str, failed: bool = False) -> int:
    job = world.new(topic)
    world.claim(topic)
    if failed:
        world.manager.fail(job.job_id, b"no", "w", final=True)
    else:
        world.manager.finish(job.job_id, b"yes", "w")
    return job.job_id


async def test_old_jobs_are_deleted_and_others_stay(world: World) -> None:
    for topic, failed in (("a", False), ("a", True), ("b", False)):
        ended(world, topic, failed)
    waiting = world.new("a").job_id
    world.clock.advance(2 * HOUR)
    young = ended(world, "b")
    retention = Retention(world.manager, read_rules("done=1h b:done=3h"), world.clock)
    assert await retention.round() == 1
    assert [world.manager.find(number) is not None for number in (1, 2, 3, waiting, young)] == [
        False, True, True, True, True]
    assert world.manager.history(1, 9)[0].by == "retention"
    world.clock.advance(2 * HOUR)
    assert (await retention.round(), world.manager.find(young) is not None) == (1, True)


async def test_only_the_newest_are_kept(world: World) -> None:
    for _ in range(620):
        ended(world, "a")
    ended(world, "b")
    retention = Retention(world.manager, read_rules("a:done=/10"), world.clock)
    assert await retention.round() == 610
    assert (world.manager.stats("a").done, world.manager.stats("b").done) == (10, 1)
    assert world.manager.find(611) is not None
    assert world.manager.find(610) is None


async def test_a_compaction_follows_when_it_pays() -> None:
    world = World()
    calls: list[int] = []
    retention = Retention(world.manager, read_rules("done=0"), world.clock, lambda: calls.append(1), compact_after=5)
    for count in (4, 1, 0, 5):
        for _ in range(count):
            ended(world, "a")
        world.clock.advance(1)
        await retention.round()
    assert (retention.deleted, retention.compactions, len(calls)) == (10, 2, 2)


@pytest.mark.parametrize("text", ["done", "new=7d", "done=", "done=7y", "done=7d/x"])
def test_rules_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|duration"):
        read_rules(text)


def test_rules_may_stand_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[jobs.retention]\ndone = "7d"\nerror = "30d/1000"\n[jobs.retention.mail]\ndone = "1h"\n')
    rules = read_rules(load(str(path), {}).jobs.retention)
    assert {key: (limit.age_ms, limit.number) for key, limit in rules.items()} == {
        ("", "done"): (7 * 24 * HOUR, -1), ("", "error"): (30 * 24 * HOUR, 1000), ("mail", "done"): (HOUR, -1)}


async def test_metrics_count_and_go_on_after_a_restart(tmp_path: Path) -> None:
    world = World()
    path = tmp_path / "metrics.json"
    keeper = Keeper(world.manager, world.clock, {}, path)
    keeper.start()
    job = world.new("mail", retries=1, backoff="fixed:0")
    world.clock.advance(30)
    world.claim("mail")
    world.clock.advance(4)
    world.manager.fail(job.job_id, b"again", "w")
    world.pass_ms(0)
    world.claim("mail")
    world.clock.advance(400)
    world.manager.finish(job.job_id, b"", "w")
    world.manager.cancel(world.new("mail").job_id, "me")
    detail = world.manager.details("mail")
    assert {name: detail[f"{name}_total"] for name in ("created", "started", "done", "error", "retried")} == {
        "created": 2, "started": 2, "done": 1, "error": 1, "retried": 1}
    assert (detail["wait_ms_p50"], detail["run_ms_p99"]) == (50, 500)
    world.clock.advance(10_000)
    assert world.manager.details("mail")["rate_1m"] == pytest.approx(2 / 60)
    await keeper.stop()
    world.restart()
    again = Keeper(world.manager, world.clock, {}, path)
    again.start()
    assert world.manager.details("mail") == {
        **detail, "rate_1m": pytest.approx(2 / 60), "rate_5m": pytest.approx(2 / 290)}
    await again.stop()
    path.write_text("{}")
    Keeper(world.manager, world.clock, {}, path)._restore()


@pytest.fixture
def counted() -> World:
    world = World()
    world.manager.is_counting = True
    return world


def waits(world: World) -> tuple[int, int]:
    """How many were counted as having waited, and how many ms together."""
    wait = world.manager.metrics.topics["t"].wait
    return wait.count(), wait.total_ms


@pytest.mark.parametrize("options", [{"delay_ms": 1000}, {"run_at": 1_001_000}, {"delay_ms": 1000, "expire_ms": 5000}])
def test_a_delay_that_was_asked_for_is_no_waiting(counted: World, options: dict[str, int]) -> None:
    counted.new(**options)
    counted.pass_ms(1000)
    counted.clock.advance(7)
    counted.claim()
    assert waits(counted) == (1, 7)


def test_a_delay_is_no_waiting_over_a_restart_either(counted: World) -> None:
    for delay in (1000, 2000):
        counted.new(delay_ms=delay)
    counted.clock.advance(1500)
    counted.manager = counted.manager_over_the_same_store()
    counted.manager.is_counting = True
    counted.manager.recover()
    counted.pass_ms(500)
    assert [counted.claim().job_id for _ in range(2)] == [1, 2]
    assert waits(counted) == (2, 1000)


def test_a_delay_that_somebody_ends_is_waiting_from_then_on(counted: World) -> None:
    for _ in range(3):
        counted.new(delay_ms=1000)
    counted.clock.advance(100)
    counted.manager.promote(1, "me")
    counted.manager.line_up_again(counted.now(2), at_head=True)
    counted.manager.cancel(3, "me")
    counted.clock.advance(50)
    counted.manager.requeue(3, "me")
    counted.clock.advance(5)
    for _ in range(3):
        counted.claim()
    assert waits(counted) == (3, 55 + 55 + 5)


def test_only_the_first_start_of_a_job_ends_its_waiting(counted: World) -> None:
    counted.new(retries=1, backoff="fixed:0")
    counted.clock.advance(3)
    counted.manager.snooze(1, 500, "w", counted.claim().token)
    counted.pass_ms(600)
    counted.manager.give_back(1, counted.claim().worker)
    counted.manager.fail(1, b"no", "w", counted.claim().token)
    counted.pass_ms(100)
    counted.manager.cancel(counted.claim().job_id, "me")
    counted.manager.requeue(1, "me")
    counted.clock.advance(100)
    counted.claim()
    assert waits(counted) == (1, 3)


def test_jobs_that_never_begin_leave_nothing_behind(counted: World) -> None:
    for _ in range(3):
        counted.new(delay_ms=10)
    counted.pass_ms(20)
    counted.manager.cancel(1, "me")
    counted.manager.finish(2, b"", "me")
    counted.manager.purge("t", "me")
    assert counted.manager.metrics._ready == {}


def test_log_lines_for_machines_carry_the_job() -> None:
    record = logging.LogRecord("heroredis.jobs", logging.INFO, "", 0, "job %d failed", (7,), None)
    vars(record).update(facts_of(Job(job_id=7, topic="mail", worker="w")))
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["job_id"], line["topic"], line["worker"]) == ("job 7 failed", 7, "mail", "w")


def test_the_text_for_prometheus() -> None:
    world = World()
    metrics = Metrics()
    world.manager.subscribe(metrics.on_job)
    ended(world, 'a"b')
    lines = exposition(metrics, world.manager.topics(), {"jobs_live": 0}).splitlines()
    for line in ('heroredis_jobs{topic="a\\"b",state="done"} 1', 'heroredis_jobs_done_total{topic="a\\"b"} 1',
                 'heroredis_job_run_seconds_bucket{topic="a\\"b",le="0.001"} 1', "heroredis_jobs_live 0",
                 'heroredis_job_run_seconds_bucket{topic="a\\"b",le="+Inf"} 1',
                 'heroredis_job_run_seconds_count{topic="a\\"b"} 1'):
        assert line in lines
    assert all(line.startswith(("#", "heroredis_")) for line in lines)


async def test_deleted_jobs_give_their_space_back(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.worker_count = 0

    def size() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "data" / "jobsdb").glob("*.db"))

    async with ServerFactory(config) as factory:
        manager = factory.job_manager
        for job in await manager.create_jobs("big", [b"x" * 4000] * 300):
            manager.finish(job.job_id, b"", "me")
        kept = await manager.create_job("big", "kept")
        assert await manager.count_jobs("topic:big") == 301
        before = size()
        store = manager.store
        assert isinstance(store, OurDBStore)
        retention = Retention(manager, read_rules("done=/0"), factory.server.clock,
                              lambda: store.db.compact(drop_deleted=True), compact_after=100)
        assert await retention.round() == 300
        while not retention.compactions:  # it waits until the index knows of the deletions
            await retention.round()
        assert size() < before / 4
        assert [job.job_id for job in (await manager.search_jobs("topic:big"))[1]] == [kept.job_id]
        assert manager.history(1, 9) == []
    async with ServerFactory(config) as factory:
        assert [job.job_id for job in (await factory.job_manager.search_jobs(""))[1]] == [kept.job_id]
