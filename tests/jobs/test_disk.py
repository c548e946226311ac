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
from ourdb import OurDB, StoreFailed
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
    assert [(one.version, one.state) for one in versions] == [(2, "done"), (1, "new")]
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
    assert house.manager.queue.waiting("b") == [deleted.job_id]
    assert house.manager.queue.waiting("c") == [purged.job_id]
    assert counts(house.manager) == (2, 0, 0, 1)
    house.disk.space = None
    await house.second()
    assert house.states(cancelled.job_id, deleted.job_id, purged.job_id) == ["error", "new", "new"]
    assert counts(house.manager) == (2, 0, 0, 1)
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
