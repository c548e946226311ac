"""Directories of the original OurDB, built byte by byte from the description of its format."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from ourdb import OurDB, OurDBError
from ourdb.cli import main
from ourdb.legacy import NotLegacy, import_legacy


class Original:
    """Writes what the original program would have left behind."""

    def __init__(self, folder: Path, key_size: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.key_size = key_size
        self.files = {0: bytearray(b"\0")}
        self.current = 0
        self.newest: dict[int, bytes] = {}
        self.next_id = 1

    def set(self, data: bytes, record_id: int = 0) -> int:
        if not record_id:
            record_id, self.next_id = self.next_id, self.next_id + 1
        file = self.files[self.current]
        place = self.current.to_bytes(2, "big") + len(file).to_bytes(4, "big")
        file += len(data).to_bytes(2, "little") + zlib.crc32(data).to_bytes(4, "little")
        file += self.newest.get(record_id, bytes(6)) + data
        self.newest[record_id] = place
        return record_id

    def delete(self, record_id: int) -> None:
        place = self.newest[record_id]
        file = self.files[int.from_bytes(place[:2], "big")]
        at = int.from_bytes(place[2:], "big")
        size = int.from_bytes(file[at : at + 2], "little")
        file[at : at + 12 + size] = bytes(12 + size)
        self.newest[record_id] = bytes(6)

    def next_file(self) -> None:
        self.current += 1
        self.files[self.current] = bytearray(b"\0")

    def save(self, *, incremental: bool = True, dense: bool = False) -> Path:
        for number, data in self.files.items():
            (self.folder / f"{number}.db").write_bytes(data)
        home = self.folder / ("lookup" if dense else "lookup_dump.db")
        home.mkdir()
        entries = bytearray()
        if dense:
            for record_id in range(max(self.newest) + 1):
                entries += self.newest.get(record_id, bytes(6))[-self.key_size :]
        else:
            for record_id, place in self.newest.items():
                entries += record_id.to_bytes(4, "little") + place[-self.key_size :]
        (home / "data").write_bytes(entries)
        if incremental:
            (home / ".inc").write_text(str(self.next_id))
        return self.folder


@pytest.mark.parametrize("key_size", [2, 3, 4, 6])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_ids_and_histories_come_over(tmp_path: Path, key_size: int, dense: bool, told: bool) -> None:
    original = Original(tmp_path / "old", key_size)
    for number in range(20):
        original.set(b"value %d" % number)
    original.set(b"second", 3)
    if key_size == 6:
        original.next_file()
    original.set(b"third", 3)
    original.set(b"\0\1\2" * 1000, 4)
    original.delete(20)
    folder = original.save(dense=dense)
    with OurDB(tmp_path / "new") as db:
        result = import_legacy(folder, db, key_size if told else 0)
        assert (result.ids, result.versions, result.deleted, result.losses) == (19, 22, 1, [])
        assert (result.key_size, result.next_id) == (key_size, 21)
        assert [version.data for version in db.get_history(3)] == [b"third", b"second", b"value 2"]
        assert db.get(4) == b"\0\1\2" * 1000
        assert list(db.ids()) == list(range(1, 20))
    (tmp_path / "new" / "checkpoint").unlink()
    with OurDB(tmp_path / "new") as db:
        assert db.next_id == 21
        assert db.faults == []


@pytest.mark.parametrize("key_size", [2, 3, 4, 6])
def test_key_mode_keeps_scattered_ids(tmp_path: Path, key_size: int) -> None:
    original = Original(tmp_path / "old", key_size)
    for record_id in (7, 70_000, 4_000_000_000):
        original.set(b"%d" % record_id, record_id)
    if key_size == 6:
        original.next_file()
    original.set(b"second", 70_000)
    original.set(b"gone", 8)
    original.delete(8)
    with OurDB(tmp_path / "new") as db:
        result = import_legacy(original.save(incremental=False), db)
        assert (result.losses, result.deleted, result.key_size) == ([], 1, key_size)
        assert dict(db.scan()) == {7: b"7", 70_000: b"second", 4_000_000_000: b"4000000000"}
        assert [version.data for version in db.get_history(70_000)] == [b"second", b"70000"]
        assert db.set(b"goes on") == 4_000_000_001


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = Original(tmp_path / "old", 6)
    original.set(b"old")
    original.set(b"whole")
    original.set(b"new", 1)
    original.next_file()
    original.set(b"in a missing file", 5)
    original.files[0][-1] ^= 1
    folder = original.save()
    (folder / "1.db").unlink()
    assert main(["import", str(folder), str(tmp_path / "new")]) == 1
    out = capsys.readouterr().out
    assert "lost: id 1: the record at 0.db offset 33 is damaged, its CRC does not match; it was the newest" in out
    assert "lost: id 5: 1.db is missing" in out
    with OurDB(tmp_path / "new") as db:
        assert dict(db.scan()) == {1: b"old", 2: b"whole"}


def test_loops_and_nonsense_end(tmp_path: Path) -> None:
    original = Original(tmp_path / "old", 6)
    original.set(b"self")
    original.files[0][7:13] = bytes([0, 0, 0, 0, 0, 1])
    folder = original.save()
    with OurDB(tmp_path / "new") as db:
        assert "names a later one" in import_legacy(folder, db).losses[0]
        with pytest.raises(OurDBError, match="not empty"):
            import_legacy(folder, db)
    (folder / "lookup_dump.db" / "data").write_bytes(b"xyz")
    with OurDB(tmp_path / "other") as db, pytest.raises(NotLegacy, match="fits no key size"):
        import_legacy(folder, db)
    (folder / "lookup_dump.db" / "data").unlink()
    with OurDB(tmp_path / "third") as db, pytest.raises(NotLegacy, match="no lookup"):
        import_legacy(folder, db)
