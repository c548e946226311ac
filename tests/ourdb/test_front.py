"""The asyncio front, durability per call, and a reader beside a writer."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from ourdb import AsyncOurDB, InvalidId, OurDB, StoreFailed, StoreFull
from ourdb.faulty import Disk, FaultyFiles


async def test_a_commit_is_awaited_and_many_share_one_sync() -> None:
    disk = Disk()
    async with AsyncOurDB("memory", files=FaultyFiles(disk)) as store:
        before = disk.syncs
        ids = await asyncio.gather(*(store.set(b"%d" % number) for number in range(100)))
        assert sorted(ids) == list(range(1, 101))
        assert disk.syncs - before <= 3
        crashed = disk.copy()
        assert store.get(50) == b"49"
        assert await store.set_batch([(b"a", 0), (None, 50)]) == [101, 50]
        await store.delete(1)
        assert not store.db.exists(1)
        assert (await store.compact(1, drop_deleted=True)).dropped > 0
    with OurDB("memory", files=FaultyFiles(crashed)) as db:
        assert len(db) == 100


async def test_who_waits_for_a_commit_can_be_cancelled_alone() -> None:
    with OurDB("memory", files=FaultyFiles(Disk())) as db:
        db.append(b"x")
        commit = db.commit()

        async def wait() -> None:
            await commit

        first, second = asyncio.ensure_future(wait()), asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        first.cancel()
        await second
        await commit
        assert commit.done


async def test_an_awaited_commit_raises_what_went_wrong() -> None:
    disk = Disk()
    async with AsyncOurDB("memory", files=FaultyFiles(disk)) as store:
        disk.space = 0
        with pytest.raises(StoreFull):
            await store.set(b"no room")
        disk.space = None
        assert await store.set(b"room") == 2
        disk.fail_sync = OSError(errno.EIO, "Input/output error")
        with pytest.raises(StoreFailed):
            await store.set(b"lost")


async def test_the_front_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        AsyncOurDB("memory").get(1)


@pytest.mark.parametrize(("store", "call", "synced"), [
    ("always", None, True), ("always", "no", False), ("always", "everysec", False),
    ("no", None, False), ("no", "always", True), ("everysec", None, False), ("everysec", "always", True),
])
def test_durability_per_store_and_per_call(store: str, call: str | None, synced: bool) -> None:
    disk = Disk()
    with OurDB("memory", store, files=FaultyFiles(disk)) as db:
        before = disk.syncs
        db.set(b"x", durability=call)
        assert (disk.syncs > before) is synced
        assert bytes(disk.now["000001.db"]).endswith(b"x")


def test_a_strict_call_syncs_what_a_lax_one_wrote_before() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        db.set(b"lax", durability="no")
        db.flush("always")
        assert disk.files["000001.db"].synced == bytes(disk.files["000001.db"].data)
        before = disk.syncs
        db.commit().wait(10)
        assert disk.syncs == before


def test_the_strictest_of_those_who_share_a_commit_counts() -> None:
    disk = Disk()
    with OurDB("memory", "no", files=FaultyFiles(disk)) as db:
        db.append(b"x")
        lax, strict = db.commit("no"), db.commit("always")
        lax.wait(10)
        strict.wait(10)
        assert disk.files["000001.db"].synced == bytes(disk.files["000001.db"].data)
        with pytest.raises(ValueError, match="give one of"):
            db.commit("perhaps")


def test_a_reader_takes_in_what_was_committed_since(tmp_path: Path) -> None:
    with OurDB(tmp_path, segment_size=4000) as writer, OurDB(tmp_path, read_only=True) as reader:
        first = writer.set(b"one")
        assert not reader.exists(first)
        assert reader.refresh() == 1
        assert reader.get(first) == b"one"
        for number in range(200):
            writer.append(b"%d" % number * 9, number % 40 + 1)
        writer.append_delete(7)
        writer.flush()
        assert reader.refresh() == writer.last_lsn
        assert dict(reader.scan()) == dict(writer.scan())
        assert reader.get_history(3)[-1].data == writer.get_history(3)[-1].data
        writer.compact(1, drop_deleted=True)
        writer.set(b"after", id=3)
        reader.refresh()
        assert dict(reader.scan()) == dict(writer.scan())
        assert [version.data for version in reader.get_history(3)] == [b"after", b"%d" % 162 * 9]
        assert [change.lsn for change in reader.changes()] == [change.lsn for change in writer.changes()]


def test_a_scan_in_log_order_shows_the_newest_values_as_they_were_committed() -> None:
    with OurDB("memory", files=FaultyFiles(Disk()), segment_size=2000) as db:
        for number in range(60):
            db.append(b"%d" % number)
        for number in (5, 50, 5):
            db.append(b"again %d" % number, number)
        db.append_delete(9)
        db.flush()
        found = list(db.scan(order="log"))
        assert dict(found) == dict(db.scan())
        assert [record_id for record_id, _ in found[-2:]] == [50, 5]
        assert [record_id for record_id, _ in db.scan(10, 12, "log")] == [10, 11, 12]
        assert list(db.scan(60, 99)) == [(60, b"59")]
        before = dict(db.scan())
        running = db.scan(order="log")
        db.append(b"later", 1)
        db.append_delete(2)
        db.append(b"new")
        db.flush()
        db.compact(2)
        assert dict(running) == before
        with pytest.raises(ValueError, match="give id or log"):
            db.scan(order="size")
        with pytest.raises(InvalidId):
            db.set(b"x", id=0)
