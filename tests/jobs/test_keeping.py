"""Retention by age and number, compaction afterwards; log lines; the text for Prometheus."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from heroredis.logs import JsonLines
from heroredis.settings import load
from jobs.failure import facts_of
from jobs.index_feed import feed_of
from jobs.indexer import Indexer
from jobs.job import Job
from jobs.metrics import MOST_TOPICS, Metrics, exposition
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


async def test_a_compaction_waits_for_an_index_that_still_reads_what_it_would_drop() -> None:
    world = World()
    calls: list[int] = []
    index = SimpleNamespace(behind=3, problem="is being built")
    world.manager.search.indexer = cast("Indexer", index)
    retention = Retention(world.manager, read_rules("done=0"), world.clock, lambda: calls.append(1), compact_after=1)
    ended(world, "a")
    world.clock.advance(1)
    assert (await retention.round(), calls) == (1, [])
    index.behind = 0
    assert (await retention.round(), calls) == (0, [1])


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


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\d+(?:\.\d+)?)')


def samples(text: str) -> dict[tuple[str, str], str]:
    """Every sample of an exposition by its name and labels; each family has been announced, no sample stands twice."""
    found: dict[tuple[str, str], str] = {}
    types: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            family = re.sub(r"_(bucket|sum|count)$", "", match[1])
            assert types.get(match[1]) in ("gauge", "counter") or types.get(family) == "histogram", line
            assert (match[1], match[2]) not in found, line
            found[match[1], match[2] or ""] = match[3]
    return found


def test_the_text_for_prometheus() -> None:
    world = World()
    metrics = Metrics()
    world.manager.subscribe(metrics.on_job)
    for topic in ('a"b', 'x",le="1', "back\\slash", "{é} ,="):
        ended(world, topic)
    text = exposition(metrics, world.manager.topics(), 0, 7)
    found = samples(text)
    for name, labels, value in (
            ("jobs", 'topic="a\\"b",state="done"', "1"), ("jobs_done_total", 'topic="a\\"b"', "1"),
            ("job_run_seconds_bucket", 'topic="a\\"b",le="0.001"', "1"), ("jobs_live", "", "0"),
            ("job_run_seconds_bucket", 'topic="a\\"b",le="+Inf"', "1"), ("jobs_index_behind", "", "7"),
            ("job_run_seconds_count", 'topic="a\\"b"', "1"),
            ("jobs_done_total", 'topic="x\\",le=\\"1"', "1"), ("jobs_done_total", 'topic="back\\\\slash"', "1")):
        assert found["heroredis_" + name, labels] == value
    assert "jobs_index_behind" not in exposition(metrics, world.manager.topics(), 0)


def test_sums_for_prometheus_keep_every_millisecond() -> None:
    metrics = Metrics()
    metrics.on_job(Job(job_id=1, topic="t", state="done", version=2, at=9_876_543_211, started_at=1_000,
                       ended_at=9_876_543_211))
    found = samples(exposition(metrics, {}, 12_345_678))
    assert found["heroredis_job_run_seconds_sum", 'topic="t"'] == "9876542.211"
    assert found["heroredis_jobs_live", ""] == "12345678"


def test_whoever_makes_topics_without_end_does_not_flood_prometheus() -> None:
    world = World()
    metrics = Metrics()
    world.manager.subscribe(metrics.on_job)
    for number in range(MOST_TOPICS + 50):
        ended(world, f"t{number}")
    first = samples(exposition(metrics, world.manager.topics(), 0))
    assert len({labels for name, labels in first if name == "heroredis_jobs_done_total"}) == MOST_TOPICS + 1
    assert first["heroredis_jobs_done_total", 'topic=""'] == "50"
    assert first["heroredis_jobs", 'topic="",state="done"'] == "50"
    assert first["heroredis_job_run_seconds_count", 'topic=""'] == "50"
    ended(world, "a-new-one")
    later = samples(exposition(metrics, world.manager.topics(), 0))
    assert first.keys() == later.keys()
    assert all(float(later[key]) >= float(value) for key, value in first.items())
    assert later["heroredis_jobs_done_total", 'topic=""'] == "51"
