"""What a store costs in memory, where ids are dense, scattered or gone."""

from __future__ import annotations

import tracemalloc

import pytest

from ourdb import NotFound, OurDB
from ourdb.faulty import Disk, FaultyFiles
from ourdb.index import PAGE, Index

COUNT = 100_000


def test_ten_bytes_per_id_at_most_in_touched_pages() -> None:
    tracemalloc.start()
    try:
        index = Index()
        for record_id in range(1, COUNT + 1):
            index.put(record_id, record_id << 32 | 128)
        dense, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert COUNT * 8 <= dense <= COUNT * 10


def test_no_object_stays_for_a_record() -> None:
    with OurDB("memory", "no", files=FaultyFiles(Disk())) as db:
        for _ in range(2000):
            db.append(b"x")
        db.flush()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(5):
                for record_id in range(1, 2001):
                    db.append(b"x", record_id)
                db.flush()
            assert sum(1 for _ in db.changes()) == 12_000
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        on_disk = 10_000 * 45
        assert after - before < on_disk * 1.3 + 65_536  # the disk of this test is in memory, too


def test_scattered_ids_cost_a_page_each_and_purged_ranges_nothing() -> None:
    disk = Disk()
    with OurDB("memory", "no", files=FaultyFiles(disk)) as db:
        assert db.set(b"far", id=2**32 - 1) == 2**32 - 1
        assert db.set(b"farther", id=2**47) == 2**47
        pages = db._state.index.pages
        assert len(pages) == 2
        first = db.next_id
        for _ in range(20 * PAGE):
            db.append(b"")
        assert len(pages) >= 20
        for record_id in range(first, first + 20 * PAGE):
            db.append_delete(record_id)
        db.compact(1, drop_deleted=True)
        assert len(pages) == 2
        assert dict(db.scan()) == {2**32 - 1: b"far", 2**47: b"farther"}
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        assert len(db._state.index.pages) == 2
        assert db.next_id == first + 20 * PAGE


def test_versions_of_an_id_never_go_back_in_time() -> None:
    now = [5000]
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk), clock=lambda: now[0]) as db:
        db.set(b"a")
        now[0] = 9000
        db.set(b"other")
        now[0] = 3000
        db.set(b"b", id=1)
        assert db.get_at(1, 5000) == b"b"
        with pytest.raises(NotFound, match="at 4999"):
            db.get_at(1, 4999)
    now[0] = 1
    with OurDB("memory", files=FaultyFiles(disk), clock=lambda: now[0]) as db:
        db.set(b"c", id=1)
        times = [version.time for version in db.get_history(1)]
        assert times == sorted(times, reverse=True)
        assert db.set(b"new") == 3
