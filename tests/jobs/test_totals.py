"""The totals of the metrics: what counts, and that they are whole after a restart and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import TooOld
from jobs.full_disk import AGAIN_MS
from jobs.job import Job
from jobs.keeper import Keeper
from jobs.totals import Recount, Totals
from tests.jobs.world import World

NAMES = ("created", "started", "done", "error", "retried")


def totals_of(world: World, topic: str = "t") -> tuple[object, ...]:
    detail = world.manager.details(topic)
    return tuple(detail[f"{name}_total"] for name in NAMES)


def counting(world: World, path: Path) -> Totals:
    """A server's start, without its tasks."""
    totals = Totals(world.manager, path)
    totals.restore()
    world.manager.is_counting = True
    return totals


def live(world: World, topic: str = "t") -> None:
    """A job is made, started, tried again, and done."""
    job = world.new(topic, retries=1, backoff="fixed:0")
    world.claim(topic)
    world.manager.fail(job.job_id, b"again", "w")
    world.pass_ms(0)
    world.claim(topic)
    world.manager.finish(job.job_id, b"", "w")


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


def test_what_is_reported_of_a_running_job_is_no_start_of_it() -> None:
    world = World()
    world.manager.is_counting = True
    heard: list[int] = []
    world.new()
    world.claim()
    world.manager.subscribe(lambda job: heard.append(job.more.progress))
    world.manager.progress(1, 50, "half", "w")
    world.manager.log(1, "line", "w")
    assert (totals_of(world), heard) == ((1, 1, 0, 0, 0), [50, 50])
    assert world.manager.metrics.topics["t"].wait.count() == 1


def test_a_job_that_is_deleted_in_the_moment_of_its_end_has_ended_once() -> None:
    world = World()
    world.manager.is_counting = True
    world.new()
    world.manager.finish(1, b"", "w")
    world.manager.delete(1, "x")
    assert totals_of(world) == (1, 0, 1, 0, 0)


async def test_a_crash_forgets_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    world = World()
    first = counting(world, tmp_path / "m")
    live(world)
    await first.save()
    live(world)
    live(world, "u")
    before = {topic: world.manager.details(topic) for topic in "tu"}
    for _ in range(3):
        world.restart()
        again = counting(world, tmp_path / "m")
        assert await again.recount()
        assert {topic: world.manager.details(topic) for topic in "tu"} == before
    await again.save()
    world.restart()
    assert await counting(world, tmp_path / "m").recount()
    assert {topic: world.manager.details(topic) for topic in "tu"} == before


async def meanwhile(world: World, work: Coroutine[Any, Any, object], error: BaseException | None = None) -> object:
    """What `work` gives, when the disk ends its write as soon as that waits for it."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    world.store.release(error)
    return await task


async def test_how_long_jobs_waited_is_the_same_after_a_crash(tmp_path: Path) -> None:
    world = World()
    first = counting(world, tmp_path / "m")
    for delay in (0, 1000, 1000, 1000, 0):
        world.new(retries=3, backoff="fixed:0", delay_ms=delay)
    world.clock.advance(3)
    world.manager.snooze(1, 100, "w", world.claim().token)
    await first.save()
    world.clock.advance(10)
    world.manager.promote(2, "me")
    world.manager.cancel(3, "me")
    world.manager.requeue(3, "me")
    for delay in (0, 500):
        world.new(delay_ms=delay)
    world.pass_ms(2000)
    for _ in range(7):
        world.claim()
    assert world.manager.metrics.topics["t"].wait.count() == 7
    before = world.manager.metrics.kept()
    world.restart()
    assert await counting(world, tmp_path / "m").recount()
    assert world.manager.metrics.kept() == before


def test_a_count_remembers_only_jobs_that_have_not_ended() -> None:
    world, found = World(), Recount()
    for _ in range(3):
        live(world)
    waiting = world.new()
    for _, _, _, version in world.store.changes(0):
        assert isinstance(version, Job)
        found.add(version)
    assert (found.metrics.topics["t"].done, list(found._ready)) == (3, [waiting.job_id])


async def test_what_is_on_its_way_to_the_disk_is_counted_once(tmp_path: Path) -> None:
    """A job and an end while the totals are kept, a job while a start reads them."""
    world = World(held=True)
    first = counting(world, tmp_path / "m")
    world.new()
    world.store.release()
    world.manager.finish(1, b"", "w")
    world.new()
    assert totals_of(world) == (1, 0, 0, 0, 0)
    await meanwhile(world, first.save())
    assert totals_of(world) == (2, 0, 1, 0, 0)
    world.restart()
    counting(world, tmp_path / "m")
    assert totals_of(world) == (2, 0, 1, 0, 0)
    world.restart()
    world.new()
    again = counting(world, tmp_path / "m")
    assert await meanwhile(world, again.recount())
    assert totals_of(world) == (3, 0, 1, 0, 0)


async def test_an_end_that_is_on_its_way_counts_once_though_its_job_is_deleted_meanwhile(tmp_path: Path) -> None:
    world = World(held=True)
    first = counting(world, tmp_path / "m")
    world.new()
    world.store.release()
    world.manager.finish(1, b"", "w")
    world.manager.delete(1, "x")
    await meanwhile(world, first.save())
    world.restart()
    counting(world, tmp_path / "m")
    assert totals_of(world) == (1, 0, 1, 0, 0)


def test_an_end_that_a_full_disk_did_not_take_counts_when_it_is_there() -> None:
    world = World(held=True)
    world.manager.is_counting = True
    world.new()
    world.store.release()
    world.claim()
    world.store.commit()
    world.store.release()
    world.manager.finish(1, b"", "w")
    world.store.fill_up()
    assert (world.manager.is_ending(1), world.manager.untold()) == (True, [])
    world.pass_ms(AGAIN_MS)
    assert [(job.job_id, job.state) for job in world.manager.untold()] == [(1, "done")]
    world.store.release()
    assert (world.manager.is_ending(1), totals_of(world)) == (False, (1, 1, 1, 0, 0))


async def test_what_never_came_to_the_disk_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(held=True)
    first = counting(world, tmp_path / "m")
    world.new()
    await meanwhile(world, first.save(), OSError("the disk is gone"))
    assert not (tmp_path / "m").exists()
    assert "the totals could not be kept" in caplog.text


async def test_what_a_compaction_dropped_is_named_and_the_rest_goes_on(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    first = counting(world, tmp_path / "m")
    live(world)
    await first.save()
    live(world)
    world.restart()
    again = counting(world, tmp_path / "m")

    def compacted(since: int) -> Iterator[object]:
        raise TooOld("changes after 5 were dropped")

    world.store.changes = compacted  # type: ignore[method-assign, assignment]
    assert await again.recount()
    assert totals_of(world) == (1, 2, 1, 0, 1)
    assert "is not in the totals: changes after 5 were dropped" in caplog.text


async def test_a_file_that_cannot_be_read_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    (tmp_path / "m").write_text("{}")
    live(world)
    totals = counting(world, tmp_path / "m")
    assert await totals.recount()
    live(world)
    assert totals_of(world) == (1, 2, 1, 0, 1)
    assert "cannot be read, counting begins anew" in caplog.text


async def test_a_stop_does_not_wait_for_a_long_count_and_loses_nothing(tmp_path: Path) -> None:
    world = World()
    first = counting(world, tmp_path / "m")
    await first.save()
    live(world)
    world.restart()
    keeper = Keeper(world.manager, world.clock, {}, tmp_path / "m")
    assert keeper.totals is not None
    keeper.start()
    await keeper.stop()
    world.restart()
    assert await counting(world, tmp_path / "m").recount()
    assert totals_of(world) == (1, 2, 1, 0, 1)
