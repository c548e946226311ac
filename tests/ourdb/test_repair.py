"""repair saves what can be saved, into a new store, and names what it could not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ourdb import CursorTooOld, NotFound, OurDB, OurDBError
from ourdb.check import check
from ourdb.cli import main
from ourdb.faulty import Disk, FaultyFiles
from ourdb.record import HEADER_SIZE, SEGMENT_HEADER_SIZE
from ourdb.repair import Repaired, repair

Histories = dict[int, list[bytes | None]]


def histories(db: OurDB) -> Histories:
    found: Histories = {}
    for record_id in range(1, db.next_id):
        try:
            found[record_id] = [version.data for version in db.get_history(record_id)]
        except NotFound:
            continue
    return found


def filled(disk: Disk, segment_size: int = 1500) -> tuple[Histories, int]:
    with OurDB("memory", files=FaultyFiles(disk), segment_size=segment_size) as db:
        for number in range(60):
            db.append(b"value %d " % number * 3, number % 25 + 1)
        db.append_batch([(b"batch", 0), (b"of two", 3)])
        db.append_delete(9)
        db.flush()
        return histories(db), db.next_id


def repaired(disk: Disk) -> tuple[Repaired, Disk]:
    target = Disk(seed=1)
    done = repair(FaultyFiles(disk), FaultyFiles(target))
    assert check(FaultyFiles(target)).faults == []
    return done, target


def test_a_whole_store_comes_through_unchanged() -> None:
    disk = Disk()
    expected, next_id = filled(disk)
    done, target = repaired(disk)
    assert done.losses == []
    with OurDB("memory", files=FaultyFiles(target)) as db:
        assert (histories(db), db.next_id, db.faults) == (expected, next_id, [])
        assert len(list(db.changes())) == done.saved


def test_a_damaged_record_is_lost_and_named_and_all_others_are_saved() -> None:
    rng = random.Random(3)
    for _ in range(150):
        disk = Disk()
        expected, next_id = filled(disk)
        name = rng.choice([name for name in disk.now if name.endswith(".db") and len(disk.now[name]) > 300])
        before = {other: bytes(data) for other, data in disk.now.items()}
        disk.now[name][rng.randrange(SEGMENT_HEADER_SIZE, len(disk.now[name]))] ^= 1 << rng.randrange(8)
        damaged = bytes(disk.now[name])
        done, target = repaired(disk)
        assert any(name in loss for loss in done.losses)
        assert disk.now[name] == damaged
        assert all(disk.now[other] == data for other, data in before.items() if other != name)
        with OurDB("memory", files=FaultyFiles(target)) as db:
            found = histories(db)
            assert db.next_id >= next_id
            for record_id, versions in found.items():
                rest = iter(expected[record_id])
                assert all(version in rest for version in versions)
            lost = sum(map(len, expected.values())) - sum(map(len, found.values()))
            assert 1 <= lost <= 3
            with pytest.raises(CursorTooOld):
                list(db.changes(1))


def test_an_id_that_shows_an_older_version_is_told_apart() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        db.set(b"old!")
        db.set(b"new!", id=1)
        db.set(b"only")
        db.set(b"last")
    for start in (SEGMENT_HEADER_SIZE + HEADER_SIZE + 4, SEGMENT_HEADER_SIZE + 2 * (HEADER_SIZE + 4)):
        disk.now["000001.db"][start + HEADER_SIZE] ^= 1
    done, target = repaired(disk)
    assert any(loss.startswith("id 1:") and loss.endswith("it shows the one before") for loss in done.losses)
    assert any(loss.startswith("id 2:") and loss.endswith("nothing is left of it") for loss in done.losses)
    with OurDB("memory", files=FaultyFiles(target)) as db:
        assert dict(db.scan()) == {1: b"old!", 3: b"last"}
        assert db.set(b"goes on") == 4


def test_a_missing_file_and_a_lost_header_are_named() -> None:
    disk = Disk()
    expected, _ = filled(disk)
    disk.remove("000002.db")
    disk.now["000001.db"][:SEGMENT_HEADER_SIZE] = bytes(SEGMENT_HEADER_SIZE)
    done, target = repaired(disk)
    assert any("000001.db" in loss for loss in done.losses)
    assert any("are missing" in loss for loss in done.losses)
    with OurDB("memory", files=FaultyFiles(target)) as db:
        assert 0 < len(db) <= len(expected)


def test_the_command_leaves_the_damaged_store_and_needs_an_empty_folder(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OurDB(tmp_path / "db") as db:
        for _ in range(3):
            db.set(b"value")
    path = tmp_path / "db" / "000001.db"
    data = bytearray(path.read_bytes())
    data[150] ^= 1
    path.write_bytes(data)
    assert main(["repair", str(tmp_path / "db"), str(tmp_path / "new")]) == 1
    out = capsys.readouterr().out
    assert "lost: 000001.db offset 128" in out
    assert "2 records saved" in out
    assert path.read_bytes() == data
    assert main(["check", str(tmp_path / "new")]) == 0
    assert main(["repair", str(tmp_path / "db"), str(tmp_path / "new")]) == 2
    with pytest.raises(OurDBError):
        filled_target = Disk()
        filled(filled_target)
        repair(FaultyFiles(filled_target), FaultyFiles(filled_target.copy()))
