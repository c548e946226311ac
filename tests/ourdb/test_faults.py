"""Damage of every kind, on a disk in memory: what was acknowledged is there, nothing is invented, all is reported."""

from __future__ import annotations

import errno
import random

import pytest

from ourdb import CorruptRecord, NotFound, OurDB, StoreFailed, StoreFull
from ourdb.commit import Commit
from ourdb.faulty import Disk, FaultyFiles
from ourdb.record import HEADER_SIZE, SEGMENT_HEADER_SIZE


def opened(disk: Disk, segment_size: int = 1 << 20) -> OurDB:
    return OurDB("memory", files=FaultyFiles(disk), clock=lambda: 1_700_000_000_000, segment_size=segment_size)


def filled(values: list[bytes]) -> Disk:
    disk = Disk()
    db = opened(disk)
    for value in values:
        db.set(value)
    crashed = disk.copy()
    db.close()
    return crashed


def test_a_cut_at_every_byte_of_the_last_records_keeps_all_whole_ones() -> None:
    disk = filled([b"one", b"two two", b"three"])
    size = len(disk.now["000001.db"])
    ends = [SEGMENT_HEADER_SIZE]
    for value in (b"one", b"two two", b"three"):
        ends.append(ends[-1] + HEADER_SIZE + len(value))
    assert ends[-1] == size
    for cut in range(size):
        torn = disk.copy()
        del torn.now["000001.db"][cut:]
        whole = max(0, sum(1 for end in ends[1:] if end <= cut))
        with opened(torn) as db:
            assert list(db.ids()) == list(range(1, whole + 1))
            assert bool(db.faults) == (cut not in ends and cut > 0)
            fresh = db.set(b"after")
        assert fresh == whole + 1
        with opened(torn.copy()) as db:
            assert db.get(fresh) == b"after"
            assert db.faults == []


def test_stale_records_behind_a_torn_tail_never_come_back() -> None:
    disk = filled([b"aaaa", b"bbbb", b"cccc"])
    damaged = SEGMENT_HEADER_SIZE + HEADER_SIZE + 4 + 10
    torn = disk.copy()
    del torn.now["000001.db"][damaged:]
    with opened(torn) as db:
        db.set(b"dddd")
    again = torn.copy()
    again.remove("checkpoint")
    with opened(again) as db:
        assert dict(db.scan()) == {1: b"aaaa", 2: b"dddd"}


def test_every_flipped_bit_is_found_and_contained_to_its_record() -> None:
    values = [b"first", b"second", b"third"]
    disk = filled(values)
    size = len(disk.now["000001.db"])
    starts = [SEGMENT_HEADER_SIZE]
    for value in values:
        starts.append(starts[-1] + HEADER_SIZE + len(value))
    for at in range(SEGMENT_HEADER_SIZE, size):
        for bit in (1, 16, 128):
            bad = disk.copy()
            bad.now["000001.db"][at] ^= bit
            hit = max(number for number, start in enumerate(starts) if start <= at) + 1
            with opened(bad) as db:
                assert db.faults, f"byte {at} bit {bit}"
                for number, value in enumerate(values, 1):
                    if number == hit:
                        with pytest.raises((NotFound, CorruptRecord)):
                            db.get(number)
                    else:
                        assert db.get(number) == value


def test_a_record_that_rots_while_the_store_is_open_is_never_served() -> None:
    disk = Disk()
    with opened(disk) as db:
        first = db.set(b"good")
        disk.now["000001.db"][-1] ^= 1
        with pytest.raises(CorruptRecord, match=r"000001\.db offset 128"):
            db.get(first)
        disk.now["000001.db"][-1] ^= 1
        assert db.get(first) == b"good"


@pytest.mark.parametrize("cut", range(1, 3 * (HEADER_SIZE + 3)))
def test_a_batch_is_there_as_a_whole_or_not_at_all(cut: int) -> None:
    disk = Disk()
    db = opened(disk)
    db.set(b"before")
    db.append_batch([(b"one", 0), (b"two", 0), (b"333", 1)])
    db.commit().wait(10)
    torn = disk.copy()
    db.close()
    del torn.now["000001.db"][-cut:]
    with opened(torn) as db:
        assert dict(db.scan()) == {1: b"before"}
        assert db.next_id == 2


def test_a_full_disk_takes_the_batch_back_and_writing_goes_on_with_space() -> None:
    disk = Disk()
    with opened(disk) as db:
        first = db.set(b"kept")
        disk.space = 10
        with pytest.raises(StoreFull):
            db.set(b"too much for the disk", id=first)
        with pytest.raises(StoreFull):
            db.set(b"and new ones too")
        assert db.get(first) == b"kept"
        assert list(db.ids()) == [first]
        disk.space = None
        later = db.set(b"fits again")
        assert db.get(later) == b"fits again"
        expected = dict(db.scan())
    after = disk.copy()
    after.remove("checkpoint")
    with opened(after) as db:
        assert dict(db.scan()) == expected
        assert db.faults == []


def test_an_owner_looks_at_what_was_taken_back_before_anything_else_is_kept() -> None:
    disk, seen = Disk(), Commit()
    with opened(disk) as db:
        kept = db.set(b"kept")
        assert db.watch_full(seen) == []
        disk.space = 10
        db.append_batch([(b"second", kept), (b"new", 0), (b"large" * 2000, 0), (None, kept)])
        with pytest.raises(StoreFull):
            db.flush()
        assert (seen.done, seen.error) == (True, None)
        disk.space = None
        with pytest.raises(StoreFull):
            db.set(b"on what is gone", id=kept)
        late = db.append(b"asked for by nobody")
        again = Commit()
        assert db.watch_full(again) == [
            (kept, b"second"), (2, b"new"), (3, b"large" * 2000), (kept, None), (kept, b"on what is gone"),
            (late, b"asked for by nobody")]
        db.commit().wait(20)
        assert (dict(db.scan()), again.done) == ({kept: b"kept"}, False)
        assert db.set(b"other") == late + 1
        expected = dict(db.scan())
    after = disk.copy()
    after.remove("checkpoint")
    with opened(after) as db:
        assert (dict(db.scan()), db.faults) == (expected, [])


def test_an_owner_that_does_not_look_can_close_all_the_same() -> None:
    disk = Disk()
    db = opened(disk)
    kept = db.set(b"kept")
    db.watch_full(Commit())
    disk.space = 0
    with pytest.raises(StoreFull):
        db.set(b"second", id=kept)
    db.append(b"third", kept)
    with pytest.raises(StoreFull):
        db.close()
    disk.space = None
    with opened(disk) as again:
        assert dict(again.scan()) == {kept: b"kept"}


def test_a_failed_sync_ends_writing_until_the_store_is_opened_again() -> None:
    disk = Disk()
    db = opened(disk)
    db.set(b"safe")
    disk.fail_sync = OSError(errno.EIO, "Input/output error")
    with pytest.raises(StoreFailed):
        db.set(b"lost")
    with pytest.raises(StoreFailed):
        db.set(b"a retry must not be acknowledged")
    assert db.get(1) == b"safe"
    db.close()
    with opened(disk) as db:
        assert dict(db.scan()) == {1: b"safe"}


def test_an_error_in_a_write_ends_writing_too() -> None:
    disk = Disk()
    db = opened(disk)
    db.set(b"safe")
    disk.fail_write = OSError(errno.EIO, "Input/output error")
    with pytest.raises(StoreFailed):
        db.set(b"lost")
    disk.fail_write = None
    with pytest.raises(StoreFailed):
        db.set(b"later")
    db.close()


def test_power_failures_keep_what_was_acknowledged_and_invent_nothing() -> None:
    rng = random.Random(7)
    for _ in range(60):
        disk = Disk()
        db = opened(disk, segment_size=600)
        written: dict[int, list[bytes]] = {}
        acknowledged: dict[int, int] = {}
        for step in range(rng.randint(1, 25)):
            value = b"%d:" % step + bytes(rng.randrange(256) for _ in range(rng.randint(0, 60)))
            record_id = db.append(value, rng.choice([0, *written]))
            written.setdefault(record_id, []).append(value)
            if rng.random() < 0.3:
                db.commit().wait(10)
                acknowledged = {key: len(values) for key, values in written.items()}
        pending = [(chunk.segment, chunk.base, b"".join(chunk.parts) + chunk.tail.out.getvalue())
                   for chunk in db._log._chunks]
        for segment, base, data in pending:
            name = f"{segment:06d}.db"
            if name in disk.now:
                disk.now[name][base:] = data
        for _ in range(15):
            check_after_power_cut(disk.power_cut(rng), written, acknowledged)
        db.close()


def check_after_power_cut(disk: Disk, written: dict[int, list[bytes]], acknowledged: dict[int, int]) -> None:
    with opened(disk) as db:
        for record_id, count in acknowledged.items():
            found = [version.data for version in reversed(db.get_history(record_id, 1000))]
            assert found[:count] == written[record_id][:count]
        for record_id, value in db.scan():
            assert value in written[record_id]
        assert db.next_id > max(acknowledged, default=0)


def test_a_damaged_newest_version_is_not_answered_with_the_one_before() -> None:
    disk = Disk()
    db = opened(disk)
    first = db.set(b"old")
    db.set(b"new", id=first)
    db.set(b"other")
    disk.now["000001.db"][SEGMENT_HEADER_SIZE + 2 * HEADER_SIZE + 3] ^= 1
    crashed = disk.copy()
    db.close()
    with opened(crashed) as db:
        assert len(db.faults) == 1
        with pytest.raises(CorruptRecord):
            db.get(first)
        assert db.set(b"repaired", id=first) == first
        assert db.get(first) == b"repaired"


def test_a_payload_that_looks_like_records_is_never_taken_for_some() -> None:
    source = Disk()
    with opened(source) as db:
        for number in range(5):
            db.append(b"forged %d" % number)
    forged = bytes(source.now["000001.db"])
    disk = Disk(seed=1)
    db = opened(disk)
    db.set(b"real")
    db.set(forged * 3)
    db.set(b"behind")
    db.close()
    disk.remove("checkpoint")
    disk.now["000001.db"][SEGMENT_HEADER_SIZE + 2 * HEADER_SIZE + 4 - 30] ^= 255
    for cut in (0, 60):
        torn = disk.copy()
        if cut:
            del torn.now["000001.db"][-cut:]
        with opened(torn) as db:
            assert db.faults
            assert all(b"forged" not in value[:10] for _, value in db.scan())
            assert db.next_id <= 4
