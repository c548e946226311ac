"""Large records, up to what the store is told to take: kept, read, scanned, copied, compacted, mended."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import pytest

from ourdb import OurDB, RecordTooLarge
from ourdb.check import check
from ourdb.files import Files
from ourdb.repair import repair
from ourdb.store import LARGEST, MAX_RECORD

MIB = 1024 * 1024


def large(size: int, seed: bytes) -> bytes:
    return hashlib.shake_128(seed).digest(1 << 16) * (size >> 16)


def test_a_record_of_64_mib_goes_through_everything(tmp_path: Path) -> None:
    first, second = large(64 * MIB, b"1"), large(64 * MIB, b"2")
    folder = tmp_path / "db"
    with OurDB(folder, segment_size=48 * MIB) as db:
        record_id = db.set(first)
        db.set(b"between")
        db.append(second, record_id)
        assert db.get(record_id) == second
        db.flush()
        assert [version.data for version in db.get_history(record_id)] == [second, first]
        assert [len(change.data or b"") for change in db.changes()] == [64 * MIB, 7, 64 * MIB]
        db.backup(tmp_path / "copy")
    (folder / "checkpoint").unlink()
    with OurDB(folder) as db:
        assert db.faults == []
        assert dict(db.scan(order="log")) == {record_id: second, 2: b"between"}
        before = sum(path.stat().st_size for path in folder.glob("*.db"))
        db.compact(1)
        assert sum(path.stat().st_size for path in folder.glob("*.db")) < before - 63 * MIB
        assert db.get(record_id) == second
    assert check(Files(folder)).faults == []
    assert repair(Files(tmp_path / "copy"), Files(tmp_path / "mended")).losses == []
    with OurDB(tmp_path / "mended", read_only=True) as db:
        assert db.get(record_id) == second


def test_a_large_record_is_not_copied_on_its_way_to_the_disk(tmp_path: Path) -> None:
    value = large(16 * MIB, b"x")
    with OurDB(tmp_path, "no") as db:
        db.set(b"first")
        tracemalloc.start()
        try:
            db.set(value)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < MIB


def test_the_limit_is_that_of_the_configuration(tmp_path: Path) -> None:
    assert (MAX_RECORD, LARGEST) == (512 * MIB, 1024 * MIB)
    with OurDB(tmp_path, max_record=20 * MIB) as db:
        whole = large(20 * MIB, b"y")
        kept = db.set(whole)
        for refused in (lambda: db.set(whole + b"!"), lambda: db.set(whole + b"!", id=kept),
                        lambda: db.set_batch([(b"small", 0), (whole + b"!", 0)]),
                        lambda: db.set_batch([(whole, 0), (whole, 0), (b"more than two of the largest", 0)])):
            with pytest.raises(RecordTooLarge):
                refused()
        assert (db.next_id, db.last_lsn) == (kept + 1, 1)
        assert db.get(kept) == whole
    with OurDB(tmp_path, max_record=10) as db:  # what is there stays readable under a smaller limit
        assert db.get(kept) == whole
        assert db.set(b"0123456789") == kept + 1
    with pytest.raises(ValueError, match="go up to"):
        OurDB(tmp_path, max_record=LARGEST + 1)
