"""Every bit of every file may flip: what is read is right or missing, and the damage is told."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ourdb import CorruptRecord, NotFound, OurDB, UnknownFormat
from ourdb.check import check
from ourdb.checksum import crc32
from ourdb.cli import main
from ourdb.faulty import Disk, FaultyFiles
from ourdb.repair import repair

State = dict[int, list[bytes | None]]
IDS = 8


def filled() -> tuple[OurDB, Disk]:
    disk = Disk()
    db = OurDB("memory", files=FaultyFiles(disk), segment_size=500)
    for number in range(14):
        db.append(b"value %d" % number, number % IDS + 1)
    db.append_delete(3)
    db.append_batch([(b"of a batch", 0), (b"value 99", 5)])
    db.flush()
    return db, disk


def histories(db: OurDB) -> State:
    """What can be read; an id whose newest record is damaged is not there."""
    found: State = {}
    for record_id in range(1, db.next_id):
        try:
            found[record_id] = [version.data for version in db.get_history(record_id)]
        except (CorruptRecord, NotFound):
            continue
    return found


def flips(disk: Disk, name: str, *, all_bits: bool = True) -> list[tuple[str, Disk]]:
    """The disk with one bit flipped: each bit of each byte, or one of each byte."""
    found = []
    for at in range(len(disk.now[name])):
        for bit in range(8) if all_bits else [at % 8]:
            bad = disk.copy()
            bad.now[name][at] ^= 1 << bit
            found.append((f"{name} byte {at} bit {bit}", bad))
    return found


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_every_bit_of_a_segment(sealed: bool, checkpoint: bool) -> None:
    """Both copies of the header, the headers of records, and payloads; in the last segment and in a sealed one. Without
    a checkpoint the end of the last one looks like an unfinished write, which is told apart from damage."""
    db, disk = filled()
    expected = histories(db)
    db.close()
    names = sorted(name for name in disk.now if name.endswith(".db"))
    assert len(names) > 2
    if not checkpoint:
        disk.remove("checkpoint")
    for place, bad in flips(disk, names[0] if sealed else names[-1], all_bits=checkpoint and sealed):
        report = check(FaultyFiles(bad.copy()))
        assert report.faults or (report.notes and not checkpoint and not sealed), place
        with OurDB("memory", files=FaultyFiles(bad), read_only=True) as again:
            for record_id, versions in histories(again).items():
                rest = iter(expected[record_id])
                assert all(version in rest for version in versions), place
                if checkpoint or sealed:
                    assert versions[0] == expected[record_id][0], place


def test_every_bit_of_the_checkpoint() -> None:
    """It is not used then, which costs time and nothing else, and is a fault that is told when the store is opened."""
    db, disk = filled()
    expected = histories(db)
    db.close()
    before = bytes(disk.now["checkpoint"])
    for at in [*range(60), *range(60, len(before), 97), *range(len(before) - 4, len(before))]:
        for bit in range(8):
            bad = disk.copy()
            damaged = bytearray(before)
            damaged[at] ^= 1 << bit
            bad.put("checkpoint", bytes(damaged))
            assert [fault.file for fault in check(FaultyFiles(bad.copy())).faults] == ["checkpoint"], (at, bit)
            with OurDB("memory", files=FaultyFiles(bad)) as again:
                assert [fault.file for fault in again.faults] == ["checkpoint"]
                assert histories(again) == expected
            with OurDB("memory", files=FaultyFiles(bad)) as again:  # the one that was saved anew
                assert (again.faults, histories(again)) == ([], expected)


def swaps(work: Callable[[OurDB], object]) -> tuple[list[Disk], State]:
    """The disk at each step while a manifest is there, and what it holds in the end."""
    db, disk = filled()
    found: list[Disk] = []
    disk.before_change = lambda: found.append(disk.copy()) if "compaction" in disk.now else None
    work(db)
    disk.before_change = None
    expected = histories(db)
    db.close()
    return found, expected


@pytest.mark.parametrize("drop", [False, True])
def test_every_bit_of_the_manifest_at_every_step_of_the_swap(drop: bool) -> None:
    """The headers of the segments tell what the manifest said; that it was damaged is told."""
    def work(db: OurDB) -> None:
        db.compact(3)
        db.append(b"more", 1)
        db.flush()
        db.compact(1, drop_deleted=drop)

    steps, expected = swaps(work)
    assert len(steps) > 8
    for disk in steps:
        whole = disk.copy()
        with OurDB("memory", files=FaultyFiles(whole)) as again:
            after = histories(again)
        size = len(disk.now["compaction"])
        for at in range(size):
            bad = disk.copy()
            bad.now["compaction"][at] ^= 1 << at % 8
            assert check(FaultyFiles(bad.copy())).faults[0].file == "compaction"
            with OurDB("memory", files=FaultyFiles(bad), read_only=True) as reader:
                assert (reader.faults[0].file, histories(reader)) == ("compaction", after)
            with OurDB("memory", files=FaultyFiles(bad)) as writer:
                assert (writer.faults[0].file, histories(writer)) == ("compaction", after)
            with OurDB("memory", files=FaultyFiles(bad)) as writer:
                assert (writer.faults, histories(writer)) == ([], after)
            assert not any(name.endswith(".new") or name == "compaction" for name in bad.now)
    assert expected


def test_every_bit_of_one_manifest() -> None:
    steps, _ = swaps(lambda db: db.compact(1))
    for place, bad in flips(steps[0], "compaction"):
        assert check(FaultyFiles(bad)).faults[0].file == "compaction", place
        for cut in (0, 1, 10):
            short = steps[0].copy()
            del short.now["compaction"][cut:]
            assert check(FaultyFiles(short)).faults[0].file == "compaction"


def test_a_damaged_manifest_and_a_damaged_new_segment_are_for_repair() -> None:
    steps, _ = swaps(lambda db: db.compact(1))
    bad = steps[0].copy()
    new = next(name for name in bad.now if name.endswith(".new"))
    bad.now["compaction"][3] ^= 1
    bad.now[new][:128] = bytes(128)
    with pytest.raises(CorruptRecord, match="repair the store"):
        OurDB("memory", files=FaultyFiles(bad))
    assert new in bad.now
    bad.locked = False
    target = Disk(seed=1)
    done = repair(FaultyFiles(bad), FaultyFiles(target))
    assert any("compaction" in loss for loss in done.losses)
    with OurDB("memory", files=FaultyFiles(target)) as db:
        assert len(db) > 0


def test_files_of_a_later_version_are_refused_and_left_alone() -> None:
    steps, _ = swaps(lambda db: db.compact(1))
    bad = steps[0].copy()
    data = bad.now["compaction"]
    data[8:10] = struct.pack("<H", 2)
    data[-4:] = struct.pack("<I", crc32(bytes(data[:-4])))
    names = sorted(bad.now)
    with pytest.raises(UnknownFormat, match="compaction has format 2"):
        OurDB("memory", files=FaultyFiles(bad))
    assert sorted(bad.now) == names


def test_the_commands_tell_of_a_damaged_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OurDB(tmp_path / "db") as db:
        db.set(b"x")
    path = tmp_path / "db" / "checkpoint"
    data = bytearray(path.read_bytes())
    data[30] ^= 4
    path.write_bytes(data)
    assert main(["check", str(tmp_path / "db")]) == 1
    assert "fault: checkpoint offset 0" in capsys.readouterr().out
    assert main(["backup", str(tmp_path / "db"), str(tmp_path / "copy")]) == 1
    assert main(["check", str(tmp_path / "copy")]) == 0
