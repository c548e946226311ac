"""check finds what is wrong, where it is, and changes nothing."""

from __future__ import annotations

from ourdb import OurDB
from ourdb.check import check
from ourdb.faulty import Disk, FaultyFiles
from ourdb.record import HEADER_SIZE, SEGMENT_HEADER_SIZE


def filled() -> Disk:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk), segment_size=2000) as db:
        for number in range(60):
            db.append(b"%d" % number * 9)
        for number in range(1, 60, 5):
            db.append(b"again", number)
        db.append_delete(7)
    return disk


def test_a_whole_store_has_no_faults() -> None:
    disk = filled()
    seen: list[tuple[int, int]] = []
    report = check(FaultyFiles(disk), lambda done, total: seen.append((done, total)))
    assert (report.faults, report.notes) == ([], [])
    assert (report.records, report.tombstones, report.live, report.next_id) == (73, 1, 59, 61)
    assert report.segments > 1
    assert seen[-1] == (report.size, report.size)
    assert 0 < report.live_bytes < report.size


def test_a_flipped_bit_is_named_with_its_place() -> None:
    disk = filled()
    at = SEGMENT_HEADER_SIZE + HEADER_SIZE + 3
    disk.now["000001.db"][at] ^= 4
    before = {name: bytes(data) for name, data in disk.now.items()}
    report = check(FaultyFiles(disk))
    assert (report.faults[0].file, report.faults[0].offset) == ("000001.db", SEGMENT_HEADER_SIZE)
    assert {name: bytes(data) for name, data in disk.now.items()} == before


def test_damage_in_a_header_copy_and_a_missing_file_are_named() -> None:
    disk = filled()
    disk.now["000001.db"][70] ^= 1
    reasons = [fault.reason for fault in check(FaultyFiles(disk)).faults]
    assert reasons == ["one of the two copies of the header is damaged"]
    disk.now["000001.db"][70] ^= 1
    disk.remove("000002.db")
    assert any("are missing" in fault.reason for fault in check(FaultyFiles(disk)).faults)


def test_a_torn_tail_is_a_note_and_no_fault() -> None:
    disk = filled()
    disk.remove("checkpoint")
    disk.now[max(disk.now)].extend(b"half a record")
    report = check(FaultyFiles(disk))
    assert report.faults == []
    assert "13 bytes of an unfinished write" in report.notes[0]


def test_a_checkpoint_that_tells_something_else_is_found() -> None:
    disk = filled()
    other = Disk()
    with OurDB("memory", files=FaultyFiles(other), segment_size=2000) as db:
        for number in range(73):
            db.append(b"%d" % number * 9)
    disk.put("checkpoint", bytes(other.now["checkpoint"]))
    report = check(FaultyFiles(disk))
    assert report.faults or report.notes
