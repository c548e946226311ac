"""Records of all sizes while they are only appended, and writes that the system cuts short."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ourdb import OurDB, StoreFull
from ourdb.check import check
from ourdb.chunk import OWN, PART, TWICE
from ourdb.faulty import Disk, FaultyFiles
from ourdb.files import PARTS_AT_ONCE, Files

SIZES = [0, 1, 200, TWICE - 1, TWICE, OWN - 1, OWN, OWN + 1, 5000, PART - 1, PART, PART + 1, 3 * PART]


def test_records_of_all_sizes_are_read_before_and_after_they_are_written() -> None:
    rng = random.Random(1)
    disk = Disk()
    values: dict[int, list[bytes]] = {}
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        for number in range(400):
            data = rng.randbytes(rng.choice(SIZES))
            record_id = db.append(data, rng.choice([0, *values]))
            values.setdefault(record_id, []).insert(0, data)
            if number % 90 == 89:
                db.flush()
            some = rng.choice([record_id, *values])
            assert db.get(some) == values[some][0]
            assert [version.data for version in db.get_history(some)] == values[some]
    disk.remove("checkpoint")
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        assert {key: [version.data for version in db.get_history(key)] for key in db.ids()} == values
    assert check(FaultyFiles(disk)).faults == []


def test_records_of_all_sizes_are_taken_back_when_the_disk_is_full() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        first = [db.append(b"%d" % size * size) for size in SIZES]
        db.flush()
        before = dict(db.scan())
        disk.space = 2 * PART
        for record_id, size in zip(first, SIZES, strict=True):
            db.append(b"new" * size, record_id)
            db.append(b"x" * size)
        with pytest.raises(StoreFull):
            db.flush()
        assert dict(db.scan()) == before


def test_more_parts_than_one_call_takes(tmp_path: Path) -> None:
    with OurDB(tmp_path) as db:
        for number in range(PARTS_AT_ONCE * 2 + 5):
            db.append(b"%d" % number + bytes(OWN))
        db.flush()
        assert all(value == b"%d" % (record_id - 1) + bytes(OWN) for record_id, value in db.scan())
        assert len(db) == PARTS_AT_ONCE * 2 + 5
    assert check(Files(tmp_path)).faults == []


@pytest.fixture
def largest_file() -> Iterator[int]:
    """The system writes nothing behind this size, and of a write across it only what fits."""
    largest = 1_000_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield largest
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_short_write_of_the_system_is_gone_on_with(tmp_path: Path, largest_file: int) -> None:
    files = Files(tmp_path)
    file = files.open("file", write=True, create=True)
    parts = [os.urandom(300_000) for _ in range(4)]
    with pytest.raises(OSError, match="File too large") as failure:
        file.write_parts(parts, 1_200_000, 0)
    assert failure.value.errno == errno.EFBIG
    assert file.read(2_000_000, 0) == b"".join(parts)[:largest_file]
    file.close()


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path, largest_file: int) -> None:
    with OurDB(tmp_path) as db:
        kept = db.set(b"k" * 600_000)
        with pytest.raises(StoreFull):
            db.set(b"x" * 600_000)
        assert (tmp_path / "000001.db").stat().st_size < largest_file - 300_000
        small = db.set(b"fits")
        assert (db.get(kept), db.get(small)) == (b"k" * 600_000, b"fits")
    assert check(Files(tmp_path)).faults == []
