"""A full disk, a failed write and a failed sync under the job system: nothing is lost, nothing runs twice, and after a
full disk everything goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heroredis import Config, ServerFactory
from heroredis.clock import ManualClock
from jobs import Handlers, Job
from jobs.errors import BadState, NotStored
from jobs.manager import JobManager
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB, StoreFailed, StoreFull
from ourdb.faulty import Disk, FaultyFiles


class House:
    """A server over a disk in memory, on a clock that stands still; its handlers wait until they may end."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk()
        self.clock = ManualClock(1_000_000)
        self.failures: list[BaseException] = []
        self.runs: list[int] = []
        self.may_end = asyncio.Event()
        self.has_begun = asyncio.Event()
        self._folder = folder

    async def start(self) -> None:
        handlers = Handlers()

        @handlers.on("slow")
        async def slow(job: Job) -> str:
            self.runs.append(job.job_id)
            self.has_begun.set()
            await self.may_end.wait()
            return "r"

        config = Config(data_dir=str(self._folder / "data"), enable_redis=False, enable_ui=False, enable_webdav=False)
        config.jobs.index = False
        self.disk.locked = False
        self.factory = ServerFactory(
            config, handlers=handlers, clock=self.clock,
            open_store=lambda folder: OurDBStore(OurDB("memory", files=FaultyFiles(self.disk))))
        self.factory.on_disk_failure = self.failures.append
        await self.factory.start()

    async def restart(self) -> None:
        """Another server on what a kill -9 would leave now."""
        left = self.disk.copy()
        await self.factory.stop()
        self.disk = left
        await self.start()

    @property
    def manager(self) -> JobManager:
        return self.factory.job_manager

    async def settle(self) -> None:
        """What was written has come to its end, well or badly, and the loop has heard of it."""
        for _ in range(3):
            await asyncio.sleep(0)
            with contextlib.suppress(NotStored):
                await self.manager.flushed()

    async def until_full(self) -> None:
        async with asyncio.timeout(20):
            while not self.manager.is_full:
                await self.settle()

    async def second(self) -> None:
        self.clock.advance(1000)
        self.manager.due()
        await self.settle()

    def states(self, *job_ids: int) -> list[str]:
        return [getattr(self.manager.find(job_id), "state", "none") for job_id in job_ids]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.start()
    yield made
    made.may_end.set()
    made.disk.space = None
    await made.factory.stop()


def counts(manager: JobManager) -> tuple[int, int, int, int]:
    found = manager.stats()
    return found.new, found.active, found.done, found.error


async def test_on_a_full_disk_nothing_is_made_and_everything_can_be_read(house: House) -> None:
    kept = await house.manager.create_job("t", "kept")
    house.disk.space = 0
    for _ in range(3):
        with pytest.raises(NotStored, match=r"^IOERR the disk is full, nothing of the batch was kept"):
            await house.manager.create_job("t", "lost")
    with pytest.raises(NotStored):
        await house.manager.create_jobs("t", ["a", "b"])
    assert (await house.manager.get_job(kept.job_id)) is not None
    assert [job.params for job in house.manager.list_jobs()[1]] == [b"kept"]
    assert counts(house.manager) == (1, 0, 0, 0)
    house.disk.space = None
    made = await house.manager.create_job("t", "made")
    assert made.job_id > kept.job_id
    assert house.manager.queue.waiting("t") == [kept.job_id, made.job_id]
    assert house.failures == []


async def test_what_a_handler_has_done_is_written_once_there_is_room_and_not_done_again(house: House) -> None:
    first = await house.manager.create_job("slow")
    waiting = asyncio.create_task(house.manager.wait(first.job_id))
    await house.has_begun.wait()
    await house.settle()
    house.disk.space = 0
    house.may_end.set()
    await house.until_full()
    assert (house.states(first.job_id), waiting.done()) == (["active"], False)
    with pytest.raises(BadState, match="job 1 is ending, it cannot be completed"):
        await house.manager.complete_job(first.job_id, "another")
    await house.second()
    assert house.manager.is_full
    house.disk.space = None
    second = await house.manager.create_job("slow")
    assert house.states(second.job_id) == ["new"]
    await house.second()
    ended = await asyncio.wait_for(waiting, 20)
    assert ended is not None
    assert (ended.state, ended.result) == ("done", b"r")
    await asyncio.wait_for(house.manager.wait(second.job_id), 20)
    assert house.runs == [first.job_id, second.job_id]
    assert counts(house.manager) == (0, 0, 2, 0)
    assert [job.version for job in house.manager.history(first.job_id, 9)] == [3, 2, 1]
    assert house.failures == []


async def test_a_job_whose_start_and_end_both_found_no_room_is_whole_afterwards(house: House) -> None:
    job = await house.manager.create_job("t")
    house.disk.space = 0
    claimed = house.manager.claim("t", "w", 7)
    assert claimed is not None
    with pytest.raises(NotStored):
        await house.manager.complete_job(job.job_id, "r", claimed.token)
    house.manager.owner_gone(7, "server")
    house.disk.space = None
    await house.second()
    versions = house.manager.history(job.job_id, 9)
    assert [(one.version, one.state) for one in versions] == [(3, "done"), (2, "active"), (1, "new")]
    assert counts(house.manager) == (0, 0, 1, 0)
    await house.restart()
    assert (counts(house.manager), list(house.manager.live)) == ((0, 0, 1, 0), [])


async def test_cancelling_and_deleting_on_a_full_disk(house: House) -> None:
    cancelled, deleted, purged = [await house.manager.create_job(topic) for topic in ("a", "b", "c")]
    house.disk.space = 0
    with pytest.raises(NotStored):
        await house.manager.cancel_job(cancelled.job_id)
    with pytest.raises(NotStored):
        await house.manager.delete_job(deleted.job_id)
    with pytest.raises(NotStored):
        await house.manager.purge_topic("c")
    await house.settle()
    assert house.states(cancelled.job_id, deleted.job_id, purged.job_id) == ["new"] * 3
    assert [house.manager.queue.waiting(topic) for topic in "abc"] == [[1], [2], [3]]
    assert (counts(house.manager), house.manager.is_full) == ((3, 0, 0, 0), False)
    house.disk.space = None
    await house.manager.cancel_job(cancelled.job_id)
    assert [one.version for one in house.manager.history(cancelled.job_id, 9)] == [2, 1]
    await house.restart()
    assert counts(house.manager) == (2, 0, 0, 1)


@pytest.mark.parametrize("kind", ["write", "sync"])
async def test_a_failed_write_or_sync_ends_writing_and_is_told(house: House, kind: str) -> None:
    kept = await house.manager.create_job("t", "kept")
    broken = OSError(errno.EIO, "Input/output error")
    if kind == "write":
        house.disk.fail_write = broken
    else:
        house.disk.fail_sync = broken
    with pytest.raises(NotStored, match="what is on disk is unknown"):
        await house.manager.create_job("t", "unknown")
    house.disk.fail_write = house.disk.fail_sync = None
    assert [type(failure) for failure in house.failures] == [StoreFailed]
    for _ in range(2):
        with pytest.raises((NotStored, StoreFailed), match="unknown"):
            await house.manager.create_job("t", "refused")
    assert house.manager.queue.waiting("t") == [kept.job_id]
    assert house.states(kept.job_id) == ["new"]
    await house.restart()
    assert house.states(kept.job_id) == ["new"]
    await house.manager.create_job("t", "made")


async def test_what_is_refused_on_a_full_disk_is_as_before_at_once_and_after_a_restart(house: House) -> None:
    manager = house.manager
    jobs = [await manager.create_job("t", "p", unique=f"u{number}", tags=["x"]) for number in range(4)]
    dead = await manager.create_job("d", unique="d")
    await manager.fail_job(dead.job_id, "e")
    await manager.pause_topic("held")
    await manager.set_schedule("kept", "t", every=3600)
    before = seen(manager)
    house.disk.space = 0
    for change in (
        lambda: manager.edit_job(jobs[0].job_id, params="q", priority=5), lambda: manager.promote_job(jobs[3].job_id),
        lambda: manager.retry_job(dead.job_id), lambda: manager.cancel_job(jobs[1].job_id),
        lambda: manager.complete_job(jobs[2].job_id, "by hand"), lambda: manager.pause_topic("t"),
        lambda: manager.resume_topic("held"), lambda: manager.delete_schedule("kept"),
        lambda: manager.set_schedule("made", "t", every=60), lambda: manager.pause_schedule("kept"),
        lambda: manager.delete_job(jobs[1].job_id), lambda: manager.purge_topic("t"),
    ):
        with pytest.raises(NotStored):
            await change()
        assert seen(manager) == before
    house.disk.space = None
    await manager.edit_job(jobs[0].job_id, params="q")
    assert [job.version for job in manager.history(jobs[0].job_id, 9)] == [2, 1]
    after = seen(manager)
    await house.restart()
    assert seen(house.manager) == after


def seen(manager: JobManager) -> tuple[object, ...]:
    """What can be seen of all jobs, topics and schedules."""
    return (sorted(manager.list_jobs()[1], key=lambda job: job.job_id), list(manager.live), manager.queue.waiting("t"),
            set(manager.paused), manager.schedules.all(), sorted(manager.keys.unique()), manager.topics())


async def test_who_asks_late_is_told_of_a_full_disk_when_all_is_as_before(house: House) -> None:
    manager = house.manager
    job = await manager.create_job("t", "p")
    before = seen(manager)
    house.disk.space = 0
    commit = manager.edit(job.job_id, "x", b"one")
    while not commit.done:
        pass
    with pytest.raises(NotStored):
        await manager._committed(commit)
    assert seen(manager) == before


async def test_what_is_done_before_a_full_disk_is_heard_of_is_taken_back_with_it(house: House) -> None:
    """Else it would stand on a version that is gone."""
    manager = house.manager
    job = await manager.create_job("t", "p")
    house.disk.space = 0
    first = manager.edit(job.job_id, "x", b"one")
    while not first.done:
        pass
    house.disk.space = None
    second = manager.edit(job.job_id, "x", b"two")
    await house.settle()
    assert [type(commit.error) for commit in (first, second)] == [StoreFull, StoreFull]
    assert [(one.version, one.params) for one in manager.history(job.job_id, 9)] == [(1, b"p")]
    await manager.edit_job(job.job_id, params="three")
    assert [(one.version, one.params) for one in manager.history(job.job_id, 9)] == [(2, b"three"), (1, b"p")]


async def test_a_schedule_on_a_full_disk_is_tried_again_each_second(house: House) -> None:
    manager = house.manager
    await manager.set_schedule("s", "t", every=10, missed="all")
    house.disk.space = 0
    house.clock.advance(10_000)
    manager.due()
    await house.settle()
    assert (manager.schedules.need("s").runs, manager.stats("t").new) == (0, 0)
    writes = house.disk.writes
    for _ in range(5):
        manager.due()
        await house.settle()
    assert house.disk.writes == writes
    house.disk.space = None
    await house.second()
    assert (manager.schedules.need("s").runs, manager.stats("t").new) == (1, 1)
    await house.restart()
    assert (house.manager.schedules.need("s").runs, house.manager.stats("t").new) == (1, 1)


async def test_an_attempt_that_fails_on_a_full_disk_waits_for_its_next_one_with_all_it_has_said(house: House) -> None:
    manager = house.manager
    job = await manager.create_job("t", "p", retries=1, backoff="fixed:0")
    house.disk.space = 0
    claimed = manager.claim("t", "w", 7)
    assert claimed is not None
    with pytest.raises(NotStored):
        await manager.flushed()
    manager.log(job.job_id, "said", "w", claimed.token)
    with pytest.raises(NotStored):
        await manager.fail_job(job.job_id, "e", claimed.token)
    assert (house.states(job.job_id), manager.claim("t", "w", 7)) == (["new"], None), "nothing is begun before"
    house.disk.space = None
    await house.second()
    assert [(one.version, one.state, one.reason) for one in manager.history(job.job_id, 9)] == [
        (3, "new", "retry"), (2, "active", ""), (1, "new", "")]
    assert [note.line for note in manager.trail(job.job_id)] == ["said"]
    again = manager.claim("t", "w", 7)
    assert again is not None
    assert (again.attempts, again.version) == (2, 4)


@pytest.mark.parametrize("is_full", [False, True])
async def test_a_stop_writes_what_a_full_disk_did_not_take_if_it_can(house: House, is_full: bool) -> None:
    job = await house.manager.create_job("slow")
    await house.has_begun.wait()
    await house.settle()
    house.disk.space = 0
    house.may_end.set()
    await house.until_full()
    house.disk.space = 0 if is_full else None
    await house.factory.stop()
    house.disk.space = None
    await house.start()
    ended = await asyncio.wait_for(house.manager.wait(job.job_id), 20)
    assert ended is not None
    assert (ended.state, house.runs) == ("done", [1, 1] if is_full else [1]), "what the disk never had it cannot know"
    assert [one.version for one in house.manager.history(job.job_id, 9)] == list(range(5 if is_full else 3, 0, -1))
