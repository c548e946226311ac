"""Backups of a store in use: whole, incremental, never of the wrong store."""

from __future__ import annotations

from pathlib import Path

import pytest

from ourdb import OurDB, OurDBError, StoreLocked
from ourdb.check import check
from ourdb.cli import main
from ourdb.files import Files


def contents(folder: Path) -> dict[int, list[bytes | None]]:
    with OurDB(folder, read_only=True) as db:
        assert db.faults == []
        return {record_id: [version.data for version in db.get_history(record_id)] for record_id in db.ids()}


def test_a_second_backup_copies_only_what_is_new(tmp_path: Path) -> None:
    with OurDB(tmp_path / "db", segment_size=3000) as db:
        for number in range(50):
            db.append(b"%d" % number * 20)
        first = db.backup(tmp_path / "copy")
        assert first.copied == first.size > 3000
        assert contents(tmp_path / "copy") == contents(tmp_path / "db")
        for number in range(1, 40):
            db.append(b"second", number)
        second = db.backup(tmp_path / "copy")
        assert second.size - first.size <= second.copied < second.size
        assert contents(tmp_path / "copy") == contents(tmp_path / "db")
        assert db.backup(tmp_path / "copy").copied == 0
    assert check(Files(tmp_path / "copy")).faults == []
    with OurDB(tmp_path / "copy") as restored:
        assert restored.set(b"goes on") == 51


def test_the_command_copies_beside_a_writer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OurDB(tmp_path / "db") as db:
        db.set(b"in use")
        assert main(["backup", str(tmp_path / "db"), str(tmp_path / "copy")]) == 0
        assert "bytes copied of" in capsys.readouterr().out
        assert contents(tmp_path / "copy") == {1: [b"in use"]}


def test_the_command_run_twice_copies_only_what_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, copy = tmp_path / "db", tmp_path / "copy"

    def back_up() -> tuple[int, int, int]:
        assert main(["backup", str(db), str(copy)]) == 0
        words = capsys.readouterr().out.split()
        return int(words[0]), int(words[4].rstrip(",")), int(words[5])

    with OurDB(db, segment_size=20_000) as store:
        for number in range(1000):
            store.append(b"%d" % number * 10, number % 300 + 1)
        store.flush()
        copied, size, _ = back_up()
        assert copied == size == sum(path.stat().st_size for path in db.glob("*.db"))
        assert back_up() == (0, size, 0)
        store.set(b"new", id=7)
        assert back_up() == (len(b"new") + 44, size + len(b"new") + 44, 0)
        store.compact(1)
        _, compacted, removed = back_up()
        assert compacted < size
        assert removed > 0
        assert sum(path.stat().st_size for path in copy.glob("*.db")) == compacted
        assert contents(copy) == contents(db)
    largest = max(copy.glob("*.db"), key=lambda path: path.stat().st_size)
    damaged = bytearray(largest.read_bytes())
    damaged[200] ^= 1
    largest.write_bytes(damaged)
    assert main(["backup", str(db), str(copy)]) == 1
    assert f"fault: {largest.name}" in capsys.readouterr().out


def test_another_store_is_never_overwritten(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with OurDB(tmp_path / name) as db:
            db.set(name.encode())
    with OurDB(tmp_path / "one") as db:
        with pytest.raises(OurDBError, match="not from a backup of this store"):
            db.backup(tmp_path / "two")
        with OurDB(tmp_path / "copy"), pytest.raises(StoreLocked):
            db.backup(tmp_path / "copy")
    assert contents(tmp_path / "two") == {1: [b"two"]}


def test_a_copy_that_went_on_by_itself_is_refused(tmp_path: Path) -> None:
    with OurDB(tmp_path / "db") as db:
        db.set(b"both")
        db.backup(tmp_path / "copy")
        with OurDB(tmp_path / "copy") as copy:
            copy.set(b"only in the copy")
        db.set(b"only here")
        with pytest.raises(OurDBError, match="not from a backup"):
            db.backup(tmp_path / "copy")


def test_an_interrupted_backup_is_finished_by_the_next(tmp_path: Path) -> None:
    with OurDB(tmp_path / "db", segment_size=3000) as db:
        for number in range(50):
            db.append(b"%d" % number * 20)
        db.backup(tmp_path / "copy")
        db.append(b"new" * 500)
        db.append(b"new" * 500)
        db.commit().wait()
        last = sorted(path.name for path in (tmp_path / "copy").glob("*.db"))[-1]
        whole = (tmp_path / "db" / last).read_bytes()
        with (tmp_path / "copy" / last).open("r+b") as torn:
            torn.seek(0, 2)
            torn.write(whole[torn.tell() :][:7])
        (tmp_path / "copy" / "000099.new").write_bytes(b"half")
        db.backup(tmp_path / "copy")
        assert contents(tmp_path / "copy") == contents(tmp_path / "db")
