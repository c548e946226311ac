"""Jobs that rest in the store: the working set knows them by their ids, and everything else is as if it held them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis import Config, ServerFactory
from heroredis.clock import ManualClock
from heroredis.keyspace.space import Space
from jobs.handlers import Handlers
from jobs.handover import load, save
from jobs.job import Job
from jobs.limits import Limits
from jobs.live import Live
from jobs.manager import JobManager
from jobs.options import JobOptions
from jobs.ourdb_store import OurDBStore
from jobs.redis_queue import RedisJobManager, job_key
from jobs.states import ACTIVE, DONE, NEW
from ourdb import OurDB
from tests.jobs.world import World, defer

ACTS = st.lists(st.tuples(st.sampled_from(["rest", "set", "pop", "get"]), st.integers(0, 40)), max_size=60)


@settings(max_examples=100, deadline=None)
@given(ACTS)
def test_it_is_a_dictionary_of_which_some_lies_elsewhere(acts: list[tuple[str, int]]) -> None:
    stored = {number: Job(job_id=number) for number in range(41)}
    live, model = Live(stored.get), dict[int, Job]()
    for act, job_id in acts:
        if act == "rest":
            live.rest(job_id)
            model[job_id] = stored[job_id]
        elif act == "set":
            live[job_id] = model[job_id] = Job(job_id=job_id, version=7)
        elif act == "pop":
            assert live.pop(job_id) == (model.pop(job_id, None) is not None)
        assert live.get(job_id) == model.get(job_id)
        assert (job_id in live, len(live)) == (job_id in model, len(model))
    assert list(live) == sorted(model)
    assert live.values() == [model[job_id] for job_id in sorted(model)]


def test_what_lives_no_longer_is_not_found() -> None:
    live = Live(lambda job_id: Job(job_id=job_id))
    live.rest(70)
    assert live[70].job_id == 70
    for job_id in (-1, 0, 69, 71, 10**12):
        assert live.get(job_id) is None
        with pytest.raises(KeyError):
            live[job_id]


@pytest.fixture
def restarted() -> World:
    """Jobs 1 to 5 wait, 3 with the first priority; 6 waits for its time; 7 is done."""
    world = World()
    for number in range(1, 6):
        world.new(priority=0 if number == 3 else 100)
    world.new(delay_ms=1000)
    done = world.new("u")
    world.claim("u")
    world.manager.finish(done.job_id, b"", "test")
    world.restart()
    return world


def test_the_line_is_as_it_was(restarted: World) -> None:
    assert restarted.manager.live.resting == 6
    assert restarted.queue.waiting("t") == [3, 1, 2, 4, 5]
    assert sorted(restarted.queue.shown) == [1, 2, 3, 4, 5, 6]
    counts = restarted.manager.stats()
    assert (counts.new, counts.active, counts.done, counts.error) == (6, 0, 1, 0)


def test_resting_jobs_are_run_cancelled_deleted_and_purged(restarted: World) -> None:
    manager = restarted.manager
    assert restarted.claim().job_id == 3
    assert restarted.now(3).state == ACTIVE
    manager.finish(3, b"r", "test")
    manager.cancel(1, "test")
    manager.delete(2, "test")
    assert (restarted.queue.waiting("t"), sorted(restarted.queue.shown)) == ([4, 5], [4, 5, 6])
    assert manager.purge("t", "test")[0] == 3
    assert (list(manager.live), manager.stats().new, restarted.now(3).state) == ([], 0, DONE)


def test_a_resting_job_starts_at_its_time(restarted: World) -> None:
    restarted.pass_ms(999)
    assert restarted.queue.length("t") == 5
    restarted.pass_ms(1)
    assert restarted.queue.waiting("t") == [3, 1, 2, 4, 5, 6]
    assert restarted.now(6).run_at == 0


def test_new_jobs_rest_once_enough_are_held() -> None:
    world = World(limits=Limits(held=2))
    for _ in range(5):
        world.new()
    world.new(delay_ms=1000)
    assert world.manager.live.resting == 4
    assert [world.claim().job_id for _ in range(4)] == [1, 2, 3, 4]
    assert (world.manager.live.resting, world.now(4).state) == (2, ACTIVE)
    world.manager.fail(4, b"", "test", final=True)
    world.manager.finish(1, b"", "test")
    world.manager.finish(2, b"", "test")
    assert world.new().job_id == 7
    assert world.manager.live.resting == 2
    world.pass_ms(1000)
    assert world.queue.waiting("t") == [5, 7, 6]
    assert (world.now(6).run_at, world.manager.live.resting) == (0, 1)


def test_a_job_whose_time_came_while_it_was_written_is_held() -> None:
    world = World(held=True, limits=Limits(held=0))
    world.new(delay_ms=10)
    world.clock.advance(10)
    world.store.release()
    assert (world.manager.live.resting, world.queue.waiting("t"), world.now(1).run_at) == (0, [1], 0)


def test_a_time_that_has_come_before_the_start_is_over() -> None:
    world = World()
    world.new(delay_ms=1000)
    world.clock.advance(5000)
    world.restart()
    assert (world.manager.live.resting, world.queue.waiting("t"), world.now(1).run_at) == (0, [1], 0)


def test_a_job_of_a_higher_priority_finds_its_place_among_resting_ones(restarted: World) -> None:
    restarted.new(priority=50)
    restarted.new(priority=200)
    assert restarted.queue.waiting("t") == [3, 8, 1, 2, 4, 5, 9]


class Disk:
    """Store, keyspace and manager as the server has them."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.store = OurDBStore(OurDB(folder, durability="no"))
        self.db = Space(1, ManualClock()).databases[0]
        self.queue = RedisJobManager(self.db, lambda job_id: self.manager.live.get(job_id))
        self.manager = JobManager(self.store, self.queue, ManualClock(1_000_000), defer, limits=limits)
        self.manager.recover()

    def new(self, **options: object) -> None:
        _, commit = self.manager.create("t", b"p", JobOptions(**options), "test")  # type: ignore[arg-type]
        self.store.db.flush()
        assert commit.done

    def shown(self, job_id: int) -> dict[str, object] | None:
        text = self.db.get_string(job_key("t", job_id))
        found: dict[str, object] | None = None if text is None else json.loads(text)
        return found


def test_keys_of_resting_jobs_show_them(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for _ in range(3):
        disk.new()
    disk.new(unique=b"k")
    disk.store.close()
    disk = Disk(tmp_path)
    assert disk.manager.live.resting == 4
    assert disk.queue.waiting("t") == [1, 2, 3, 4]
    shown = disk.shown(2)
    assert shown is not None
    assert (shown["id"], shown["state"], shown["params"]) == (2, NEW, "p")
    claimed = disk.manager.claim("t", "w")
    assert claimed is not None
    shown = disk.shown(1)
    assert shown is not None
    assert shown["state"] == ACTIVE
    disk.manager.finish(1, b"", "test")
    disk.manager.cancel(2, "test")
    assert [disk.shown(job_id) is None for job_id in (1, 2, 3, 4)] == [True, True, False, False]
    assert disk.manager.keys.holder("t", b"k", 1_000_000) == 4
    disk.store.close()


def test_keys_of_new_jobs_that_rest_show_them(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Limits(held=0))
    for _ in range(3):
        disk.new()
    assert disk.manager.live.resting == 3
    shown = disk.shown(3)
    assert shown is not None
    assert (shown["id"], shown["state"]) == (3, NEW)
    disk.manager.claim("t", "w")
    shown = disk.shown(1)
    assert shown is not None
    assert shown["state"] == ACTIVE
    disk.manager.finish(1, b"", "test")
    disk.manager.cancel(2, "test")
    assert [disk.shown(job_id) is None for job_id in (1, 2, 3)] == [True, True, False]
    disk.store.close()


def test_a_line_keeps_its_order_over_a_start_with_many_priorities(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for number in range(60):
        disk.new(priority=number * 7 % 5)
    before = disk.queue.waiting("t")
    disk.store.close()
    disk = Disk(tmp_path)
    assert disk.queue.waiting("t") == before
    disk.new(priority=2)
    assert disk.queue.waiting("t").index(61) == 36
    disk.store.close()


def leave(disk: Disk, path: Path) -> None:
    disk.store.db.flush()
    save(path, disk.manager.hand_over(disk.store.db.end_mark))
    disk.store.close()


def test_what_was_handed_over_is_used_only_where_it_fits(tmp_path: Path) -> None:
    path = tmp_path / "handover"
    disk = Disk(tmp_path / "db")
    disk.new()
    disk.new(idempotency=b"k")
    disk.manager.finish(2, b"r", "test")
    leave(disk, path)
    disk = Disk(tmp_path / "db")
    found = load(path, disk.store.db.end_mark)
    assert found is not None
    assert (found.ended, found.kept, [key[:2] for key in found.same]) == ([("t", 1, 0)], [1], [(b"k", 2)])
    disk.new()
    assert load(path, disk.store.db.end_mark) is None
    leave(disk, path)
    with OurDB(tmp_path / "db") as db:
        assert load(path, db.end_mark) is not None
    with OurDB(tmp_path / "other") as db:
        assert load(path, db.end_mark) is None


@pytest.mark.parametrize("at", [0, 3, 10, -1])
def test_a_damaged_handover_is_left_alone(tmp_path: Path, at: int) -> None:
    path = tmp_path / "handover"
    disk = Disk(tmp_path / "db")
    disk.new()
    leave(disk, path)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with OurDB(tmp_path / "db") as db:
        assert load(path, db.end_mark) is None
    path.write_bytes(b"")
    assert load(path, b"") is None


async def test_a_server_hands_over_to_its_successor(tmp_path: Path) -> None:
    handlers = Handlers()

    @handlers.on("quick")
    async def quick(job: Job) -> str:
        return "r"

    config = Config(data_dir=str(tmp_path), enable_redis=False, enable_ui=False, enable_webdav=False)
    async with ServerFactory(config, handlers=handlers) as factory:
        manager = factory.job_manager
        ended = await manager.create_job("quick", idempotency="once")
        await manager.wait(ended.job_id, 60)
        await manager.create_job("by-hand", priority=7)
        await manager.pause_topic("by-hand")
        await manager.set_schedule("nightly", "by-hand", cron="0 3 * * *")
        before = (manager.topics(), manager.schedules.all(), manager.list_jobs()[1])
    with OurDB(config.jobs_path()) as db:
        assert load(tmp_path / "jobsindex" / "handover", db.end_mark) is not None
    async with ServerFactory(config, handlers=handlers) as factory:
        manager = factory.job_manager
        assert (manager.topics(), manager.schedules.all(), manager.list_jobs()[1]) == before
        assert list(manager.paused) == ["by-hand"]
        again = await manager.create_job("quick", idempotency="once")
        assert (again.job_id, again.result) == (ended.job_id, b"r")
