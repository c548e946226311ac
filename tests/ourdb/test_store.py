"""OurDB as its users see it: values, history, ids, batches, reopening, locks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ourdb import InvalidId, NotFound, OurDB, ReadOnly, RecordTooLarge, StoreClosed, StoreLocked
from ourdb.cli import main


def test_set_get_and_history(tmp_path: Path) -> None:
    times = iter(range(1000, 2000))
    with OurDB(tmp_path, clock=lambda: next(times)) as db:
        first = db.set(b"v1")
        assert db.set(b"v2", id=first) == first
        assert db.get(first) == b"v2"
        newest, oldest = db.get_history(first, 10)
        assert (newest.data, oldest.data) == (b"v2", b"v1")
        assert newest.lsn > oldest.lsn
        assert newest.time > oldest.time
        assert newest.position > oldest.position
        assert [version.data for version in db.get_history(first, 1)] == [b"v2"]


def test_delete_keeps_the_history_and_ids_are_never_used_again(tmp_path: Path) -> None:
    with OurDB(tmp_path) as db:
        gone = db.set(b"x")
        db.delete(gone)
        assert not db.exists(gone)
        assert [(version.data, version.deleted) for version in db.get_history(gone, 9)] == [(None, True), (b"x", False)]
        with pytest.raises(NotFound, match=str(gone)):
            db.get(gone)
        with pytest.raises(NotFound):
            db.delete(gone)
    with OurDB(tmp_path) as db:
        assert db.next_id == gone + 1
        assert db.set(b"y") == gone + 1
        assert list(db.ids()) == [gone + 1]
        assert len(db) == 1


def test_reopening_with_and_without_the_checkpoint_gives_the_same(tmp_path: Path) -> None:
    with OurDB(tmp_path, segment_size=4096) as db:
        for number in range(300):
            db.append(b"%d" % number * 5)
        for number in range(1, 300, 7):
            db.append(b"again", number)
        for number in range(1, 300, 11):
            db.append_delete(number)
        expected = {record_id: db.get(record_id) for record_id in db.ids()}
    assert len(list(tmp_path.glob("*.db"))) > 3
    with OurDB(tmp_path) as db:
        assert dict(db.scan()) == expected
        count = len(db)
    (tmp_path / "checkpoint").unlink()
    with OurDB(tmp_path) as db:
        assert dict(db.scan()) == expected
        assert (len(db), db.next_id, db.faults) == (count, 301, [])


def test_a_damaged_checkpoint_is_not_used(tmp_path: Path) -> None:
    with OurDB(tmp_path) as db:
        db.set(b"kept")
    damaged = bytearray((tmp_path / "checkpoint").read_bytes())
    damaged[40] ^= 1
    (tmp_path / "checkpoint").write_bytes(damaged)
    with OurDB(tmp_path) as db:
        assert (db.get(1), db.next_id) == (b"kept", 2)


def test_what_is_appended_is_seen_before_it_is_written(tmp_path: Path) -> None:
    with OurDB(tmp_path) as db:
        first = db.append(b"a")
        db.append(b"b", first)
        assert db.get(first) == b"b"
        assert [version.data for version in db.get_history(first, 5)] == [b"b", b"a"]
        commit = db.commit()
        assert db.commit() is commit or commit.done
        commit.wait(10)
        assert commit.done
        assert commit.error is None


def test_callbacks_of_a_commit_come_once(tmp_path: Path) -> None:
    heard: list[object] = []
    with OurDB(tmp_path) as db:
        db.append(b"a")
        commit = db.commit()
        commit.add_callback(heard.append)
        commit.wait(10)
        commit.add_callback(heard.append)
    assert heard == [commit, commit]


@pytest.mark.parametrize("durability", ["always", "everysec", "no"])
def test_every_durability_keeps_what_was_closed_in_order(tmp_path: Path, durability: str) -> None:
    with OurDB(tmp_path, durability) as db:
        db.set(b"a")
        db.append(b"b")
    with OurDB(tmp_path) as db:
        assert dict(db.scan()) == {1: b"a", 2: b"b"}


def test_large_and_empty_values(tmp_path: Path) -> None:
    large = bytes(range(256)) * 40_000
    with OurDB(tmp_path) as db:
        ids = [db.set(large), db.set(b"")]
        assert [db.get(record_id) for record_id in ids] == [large, b""]
    (tmp_path / "checkpoint").unlink()
    with OurDB(tmp_path) as db:
        assert [db.get(record_id) for record_id in ids] == [large, b""]


def test_bad_input_changes_nothing(tmp_path: Path) -> None:
    with OurDB(tmp_path, max_record=10) as db:
        with pytest.raises(RecordTooLarge):
            db.set(b"x" * 11)
        for bad in (-1, 1 << 60):
            with pytest.raises(InvalidId):
                db.set(b"x", id=bad)
        with pytest.raises(NotFound):
            db.get(0)
        assert (db.next_id, db.last_lsn) == (1, 0)
    with pytest.raises(StoreClosed):
        db.set(b"late")
    with pytest.raises(ValueError, match="durability"):
        OurDB(tmp_path, "sometimes")


def test_a_batch_is_refused_as_a_whole(tmp_path: Path) -> None:
    with OurDB(tmp_path, max_record=200) as db:
        kept = db.set(b"kept")
        for refused in ([(b"x", 0), (None, kept), (None, kept)], [(b"x", 0), (None, 0)], [(b"x", 0), (None, 99)],
                        [(b"x", 0), (b"y", -1)], [(None, kept), (b"x" * 201, 0)]):
            with pytest.raises((NotFound, InvalidId, RecordTooLarge)):
                db.set_batch(refused)
        assert (db.next_id, db.last_lsn, db.get(kept)) == (2, 1, b"kept")
        items: list[tuple[bytes | None, int]] = [(b"x", 0), (None, 2), (None, kept), (b"again", kept), (b"y", 5)]
        assert db.set_batch(items) == [2, 2, kept, kept, 5]
        assert dict(db.scan()) == {kept: b"again", 5: b"y"}


def test_ids_of_ones_own_insert_and_push_the_next_id_up(tmp_path: Path) -> None:
    with OurDB(tmp_path) as db:
        assert db.set(b"far", id=1 << 32) == 1 << 32
        assert db.set(b"next") == (1 << 32) + 1
    with OurDB(tmp_path) as db:
        assert db.get(1 << 32) == b"far"


def test_changes_come_in_order_after_a_sequence_number(tmp_path: Path) -> None:
    with OurDB(tmp_path, segment_size=1024) as db:
        for number in range(50):
            db.append(b"%d" % number)
        db.append_delete(3)
        db.commit().wait(10)
        assert [change.lsn for change in db.changes()] == list(range(1, 52))
        last = list(db.changes(50))
        assert [(change.id, change.data) for change in last] == [(3, None)]


def test_changes_after_any_number_are_the_same_however_they_were_read_before(tmp_path: Path) -> None:
    with OurDB(tmp_path, segment_size=256 * 1024) as db:
        for number in range(3000):
            db.append(b"%d" % number * 50, number // 2)
        db.commit().wait(10)
        whole = [change.lsn for change in db.changes()]
        for since in (2999, 2000, 1, 1500, 2998, 700, 0):
            assert [change.lsn for change in db.changes(since)] == whole[since:]


def test_a_second_writer_is_told_who_holds_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (f"from ourdb import OurDB\ntry:\n OurDB({str(tmp_path)!r})\n"
            "except Exception as error: print(type(error).__name__, error)")
    with OurDB(tmp_path) as db:
        db.set(b"mine")
        root = str(Path(__file__).parents[2])
        done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True, timeout=60,
                              cwd=root)
        expected = f"the store {tmp_path} is locked by pid {os.getpid()}"
        assert done.stdout.strip() == f"StoreLocked {expected}"
        with pytest.raises(StoreLocked, match=re.escape(expected)):
            OurDB(tmp_path)
        assert main(["compact", str(tmp_path), "--versions", "1"]) == 2
        assert capsys.readouterr().err == f"ourdb: {expected}\n"
    with OurDB(tmp_path) as db:
        assert db.get(1) == b"mine"


def test_the_lock_of_a_process_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    code = (f"import os, sys\nfrom ourdb import OurDB\ndb = OurDB({str(tmp_path)!r})\ndb.set(b'mine')\n"
            "print(os.getpid(), flush=True)\nsys.stdin.read()")
    process = subprocess.Popen([sys.executable, "-c", code], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               cwd=Path(__file__).parents[2])
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        assert int(process.stdout.readline()) == process.pid
        with pytest.raises(StoreLocked, match=f"locked by pid {process.pid}$"):
            OurDB(tmp_path)
        process.kill()
        process.wait(timeout=60)
    with OurDB(tmp_path) as db:
        assert db.get(1) == b"mine"


def test_reading_beside_a_writer(tmp_path: Path) -> None:
    with OurDB(tmp_path) as writer:
        writer.set(b"seen")
        with OurDB(tmp_path, read_only=True) as reader:
            assert reader.get(1) == b"seen"
            with pytest.raises(ReadOnly):
                reader.set(b"no")
        assert writer.set(b"goes on") == 2


def test_ourdb_imports_nothing_of_the_project() -> None:
    code = ("import sys, ourdb\n"
            "names = {name.split('.')[0] for name in sys.modules}\n"
            "print(sorted(names & {'heroredis', 'jobs', 'ui', 'dav', 'msgspec'}))")
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True, timeout=60,
                          cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"
