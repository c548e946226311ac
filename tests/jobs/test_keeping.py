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
