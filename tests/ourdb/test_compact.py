"""Compaction: what it keeps, what it gives back, a crash at each of its steps, and use meanwhile."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from ourdb import CorruptRecord, CursorTooOld, NotFound, OurDB, StoreFull
from ourdb.check import check
from ourdb.cli import main
from ourdb.faulty import Disk, FaultyFiles
from ourdb.files import Files

History = dict[int, list[bytes | None]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def history_of(db: OurDB) -> History:
    found: History = {}
    for record_id in range(1, db.next_id):
        try:
            found[record_id] = [version.data for version in db.get_history(record_id, 1000)]
        except NotFound:
            continue
    return found


def segment_bytes(disk: Disk) -> int:
    return sum(len(data) for name, data in disk.now.items() if name.endswith(".db"))


def filled(db: OurDB, rng: random.Random, count: int = 120) -> None:
    for number in range(count):
        choice = rng.random()
        live = list(db.ids())
        if choice < 0.4 or not live:
            db.append(b"new %d " % number * rng.randint(1, 5))
        elif choice < 0.9:
            db.append(b"again %d " % number * rng.randint(1, 5), rng.choice(live))
        else:
            db.append_delete(rng.choice(live))
    db.commit().wait()


@pytest.mark.parametrize("versions", [1, 2, 5])
@pytest.mark.parametrize("drop_deleted", [False, True])
def test_it_keeps_what_the_policy_says_and_nothing_else(versions: int, drop_deleted: bool) -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk), segment_size=1500) as db:
        filled(db, random.Random(versions))
        before = history_of(db)
        expected = {record_id: found[:versions] for record_id, found in before.items()
                    if not (drop_deleted and found[0] is None)}
        size, next_id, live = segment_bytes(disk), db.next_id, len(db)
        done = db.compact(versions, drop_deleted=drop_deleted)
        assert done.dropped == sum(map(len, before.values())) - sum(map(len, expected.values())) > 0
        assert history_of(db) == expected
        assert segment_bytes(disk) < size
        assert (db.next_id, len(db)) == (next_id, live)
        fresh = db.set(b"after", id=next(iter(db.ids())))
        assert [version.data for version in db.get_history(fresh)] == [b"after", *expected[fresh]]
        expected[fresh] = [b"after", *expected[fresh]]
    assert check(FaultyFiles(disk)).faults == []
    for _ in range(2):
        with OurDB("memory", files=FaultyFiles(disk)) as db:
            assert history_of(db) == expected
            assert db.faults == []
            assert db.next_id == next_id
        disk.remove("checkpoint")


def test_age_keeps_young_versions_and_young_tombstones() -> None:
    clock = Clock()
    with OurDB("memory", files=FaultyFiles(Disk()), clock=clock) as db:
        one, two, three = db.set(b"a"), db.set(b"b"), db.set(b"c")
        db.set(b"a2", id=one)
        db.delete(two)
        clock.now = 9000
        db.set(b"a3", id=one)
        db.set(b"a4", id=one)
        db.delete(three)
        db.compact(age_ms=5000, drop_deleted=True)
        assert history_of(db) == {one: [b"a4", b"a3"], three: [None]}


def test_a_second_compaction_changes_nothing_more() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk), segment_size=1500) as db:
        filled(db, random.Random(3))
        db.compact(1)
        names = sorted(disk.now)
        again = db.compact(1)
        assert (again.dropped, again.bytes_before) == (0, 0)
        assert sorted(disk.now) == names


def test_nothing_to_drop_with_everything_deleted() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        for number in range(5):
            db.append(b"%d" % number)
        for number in range(1, 6):
            db.append_delete(number)
        db.compact(1, drop_deleted=True)
        assert (list(db.ids()), db.next_id) == ([], 6)
    disk.remove("checkpoint")
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        assert (history_of(db), db.next_id, db.faults) == ({}, 6, [])


def test_damage_stops_it_and_stays_visible() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk)) as db:
        for number in range(5):
            db.append(b"%d" % number, 1)
        db.commit().wait()
        disk.now["000001.db"][200] ^= 1
        with pytest.raises(CorruptRecord, match="repair"):
            db.compact(1)
        assert not any(name.endswith(".new") for name in disk.now)


def test_a_full_disk_leaves_the_old_set() -> None:
    disk = Disk()
    with OurDB("memory", files=FaultyFiles(disk), segment_size=1500) as db:
        filled(db, random.Random(4))
        before = history_of(db)
        disk.space = 1000
        with pytest.raises(StoreFull):
            db.compact(3)
        assert history_of(db) == before
        assert not any(name.endswith(".new") for name in disk.now)
        disk.space = None
        db.compact(1)
        assert history_of(db) == {record_id: found[:1] for record_id, found in before.items()}


def test_a_cursor_from_before_is_told_so() -> None:
    with OurDB("memory", files=FaultyFiles(Disk())) as db:
        for number in range(6):
            db.append(b"%d" % number, 1)
        db.append(b"two", 2)
        db.commit().wait()
        db.compact(2)
        assert [change.lsn for change in db.changes()] == [5, 6, 7]
        assert [change.lsn for change in db.changes(6)] == [7]
        with pytest.raises(CursorTooOld, match="begin again at 0"):
            list(db.changes(3))


def test_a_crash_at_every_step_leaves_the_old_or_the_new_set() -> None:
    disk = Disk()
    rng = random.Random(5)
    db = OurDB("memory", files=FaultyFiles(disk), segment_size=1500)
    filled(db, rng)
    before = history_of(db)
    after = {record_id: found[:2] for record_id, found in before.items() if found[0] is not None}
    left: list[Disk] = []

    def crash() -> None:
        left.append(disk.copy())
        left.extend(disk.power_cut(rng) for _ in range(3))

    disk.before_change = crash
    db.compact(2, drop_deleted=True)
    crash()
    disk.before_change = None
    db.close()
    assert len(left) > 80
    seen = set()
    for crashed in left:
        with OurDB("memory", files=FaultyFiles(crashed)) as again:
            found = history_of(again)
            assert found in (before, after)
            assert [fault for fault in again.faults if "unfinished write" not in fault.reason] == []
            assert again.next_id == db.next_id
            seen.add(found == after)
        assert not any(name.endswith(".new") or name == "compaction" for name in crashed.now)
    assert seen == {True, False}


def test_writers_and_readers_go_on_meanwhile(tmp_path: Path) -> None:
    with OurDB(tmp_path, "no", segment_size=20_000) as db:
        model: dict[int, list[bytes | None]] = {}
        for number in range(3000):
            record_id = db.append(b"%d" % number * 5, number % 300 + 1)
            model.setdefault(record_id, []).insert(0, b"%d" % number * 5)
        db.commit().wait()
        done: list[object] = []
        worker = threading.Thread(target=lambda: done.append(db.compact(3)))
        worker.start()
        number = 3000
        while worker.is_alive():
            record_id = number % 300 + 1
            value = b"%d" % number * 5
            db.append(value, record_id)
            model[record_id].insert(0, value)
            assert db.get(record_id) == value
            assert [version.data for version in db.get_history(record_id, 3)] == model[record_id][:3]
            if number % 20 == 0:
                db.commit().wait()
            number += 1
        worker.join()
        assert done
        written = number - 3000
        for record_id, expected in model.items():
            found = [version.data for version in db.get_history(record_id, 10_000)]
            assert found == expected[: len(found)]
            assert len(found) >= min(3, len(expected))
        assert written > 0
        db.compact(3)
        kept = {record_id: found[:3] for record_id, found in model.items()}
        assert history_of(db) == kept
    assert check(Files(tmp_path)).faults == []
    (tmp_path / "checkpoint").unlink()
    with OurDB(tmp_path) as db:
        assert history_of(db) == kept


def test_histories_cross_a_compaction_also_after_a_reopening_without_checkpoint(tmp_path: Path) -> None:
    with OurDB(tmp_path, "no", segment_size=20_000) as db:
        for number in range(3000):
            db.append(b"%d" % number * 5, number % 300 + 1)
        db.commit().wait()
        worker = threading.Thread(target=lambda: db.compact(3))
        worker.start()
        number = 3000
        while worker.is_alive():
            db.append(b"%d" % number * 5, number % 300 + 1)
            if number % 20 == 0:
                db.commit().wait()
            number += 1
        worker.join()
        db.commit().wait()
        expected = history_of(db)
    with OurDB(tmp_path) as db:
        assert history_of(db) == expected
    (tmp_path / "checkpoint").unlink()
    with OurDB(tmp_path) as db:
        assert history_of(db) == expected
    assert check(Files(tmp_path)).faults == []


def test_the_command_wants_to_know_what_to_drop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OurDB(tmp_path / "db") as db:
        for _ in range(5):
            db.set(b"x", id=1)
    assert main(["compact", str(tmp_path / "db")]) == 2
    assert main(["compact", str(tmp_path / "db"), "--versions", "2"]) == 0
    assert "2 records kept, 3 dropped" in capsys.readouterr().out
