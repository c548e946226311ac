"""Damaged and unreadable records: named, contained to their versions, and nobody waits for them without end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from heroredis.clock import ManualClock
from jobs.errors import JobRefused
from jobs.handlers import Handlers
from jobs.job import Job
from jobs.job_record import JobRecord
from jobs.manager import JobManager
from jobs.memory_queue import MemoryQueue
from jobs.memory_store import MemoryStore
from jobs.notes import Note
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB
from tests.jobs.test_workers import working
from tests.jobs.world import defer


def manager_over(db: OurDB) -> JobManager:
    manager = JobManager(OurDBStore(db), MemoryQueue(), ManualClock(1_000_000), defer)
    manager.recover()
    return manager


def flip(folder: Path, marker: bytes) -> None:
    [path] = folder.glob("*.db")
    data = bytearray(path.read_bytes())
    data[data.index(marker)] ^= 0x40
    path.write_bytes(data)


async def test_a_damaged_version_hides_only_what_is_older(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with OurDB(tmp_path) as db:
        manager = manager_over(db)
        for text in (b"first", b"second", b"third"):
            manager.create("t", text)
        db.flush()
        manager.edit(2, "me", b"changed")
        manager.cancel(2, "me")
    flip(tmp_path, b"second")
    flip(tmp_path, b"third")
    with OurDB(tmp_path) as db:
        manager = manager_over(db)
        assert [(job.version, job.state) for job in manager.history(2, 10)] == [(3, "error"), (2, "new")]
        assert manager.accounting(2).wall_ms is None
        assert manager.history(3, 10) == []
        assert [job.job_id for job in (await manager.jobs_as_of(1_000_000))[1]] == [2, 1]
        assert "older versions of record 2 cannot be reached" in caplog.text
        assert manager.stats().new == 1


def test_a_version_that_no_job_can_be_read_from_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with OurDB(tmp_path) as db:
        manager = manager_over(db)
        manager.create("t", b"p")
        db.flush()
        db.append(msgspec.msgpack.encode(JobRecord(job_id=1, priority=5.5)), 1)  # type: ignore[arg-type]
        manager.cancel(1, "me")
        db.flush()
        assert [job.state for job in manager.history(1, 10)] == ["error", "new"]
        assert [found for _, _, _, found in manager.store.changes(0)][1] is None
    assert "a version of record 1 cannot be read" in caplog.text


async def test_who_asks_for_events_is_told_when_they_cannot_be_read() -> None:
    class Broken(MemoryStore):
        def changes(self, since: int) -> Iterator[tuple[int, int, int, Job | Note | None]]:
            raise RuntimeError("a bug")

    async with working(Handlers(), open_store=Broken) as manager:
        await manager.create_job("t")
        async with asyncio.timeout(10):
            with pytest.raises(JobRefused, match="the events cannot be read: a bug"):
                await manager.events_after(0, wait=60)
