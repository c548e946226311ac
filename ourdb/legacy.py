"""Reads the directories of the original OurDB: ids and histories are kept, every CRC is checked, losses are named."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ourdb.backup import Progress, no_progress
from ourdb.errors import OurDBError
from ourdb.store import OurDB

KEY_SIZES: Final = (6, 4, 3, 2)
HEADER: Final = 12
"""Size u16 LE, CRC-32 of the data u32 LE, previous location: file u16 BE, position u32 BE."""
DUMP: Final = "lookup_dump.db"
WRONG_ID: Final = 10
COMMIT_EVERY: Final = 1000


class NotLegacy(OurDBError):
    """The folder is no original OurDB, or its lookup cannot be read."""


class Imported:
    """What came over, and what could not be read."""

    def __init__(self) -> None:
        self.ids = 0
        self.versions = 0
        self.deleted = 0
        self.next_id = 1
        self.key_size = 0
        self.losses: Final[list[str]] = []


class Location:
    """A place in the numbered files."""

    def __init__(self, file: int, position: int) -> None:
        self.file: Final = file
        self.position: Final = position

    def __str__(self) -> str:
        return f"{self.file}.db offset {self.position}"

    def before(self, other: Location) -> bool:
        return (self.file, self.position) < (other.file, other.position)


def location(data: bytes) -> Location | None:
    """From the last bytes of the big-endian location; None for zeros."""
    whole = data.rjust(6, b"\0")
    found = Location(int.from_bytes(whole[:2], "big"), int.from_bytes(whole[2:], "big"))
    return found if found.position else None


class LegacyFiles:
    """Records by location."""

    def __init__(self, folder: Path) -> None:
        self._data: Final = {int(path.stem): path.read_bytes() for path in folder.glob("*.db")
                             if path.is_file() and path.stem.isdigit()}
        if not self._data:
            raise NotLegacy(f"{folder} holds no files 0.db, 1.db …")

    def record(self, at: Location) -> tuple[bytes, Location | None] | str:
        """(data, previous location), or why there is none; "" when it was deleted."""
        data = self._data.get(at.file)
        if data is None:
            return f"{at.file}.db is missing"
        head = data[at.position : at.position + HEADER]
        if len(head) < HEADER:
            return f"{at} is behind the end of the file"
        size = int.from_bytes(head[:2], "little")
        payload = data[at.position + HEADER : at.position + HEADER + size]
        if head == bytes(HEADER):
            return ""
        if len(payload) < size:
            return f"the record at {at} is cut short"
        if zlib.crc32(payload) != int.from_bytes(head[2:6], "little"):
            return f"the record at {at} is damaged, its CRC does not match"
        return payload, location(head[6:12])

    def previous(self, at: Location) -> Location | None:
        """Where a damaged record says that its previous version is; the CRC never covered this."""
        data = self._data.get(at.file, b"")
        return location(data[at.position + 6 : at.position + HEADER])


class Lookup:
    """Id to newest location: a dump of sparse entries, or a dense file on disk."""

    def __init__(self, data: bytes, dense: bool, key_size: int) -> None:
        self.key_size: Final = key_size
        self._data: Final = data
        self._dense: Final = dense

    def __iter__(self) -> Iterator[tuple[int, Location | None]]:
        size = self.key_size
        if self._dense:
            for record_id in range(len(self._data) // size):
                yield record_id, location(self._data[record_id * size : (record_id + 1) * size])
            return
        for at in range(0, len(self._data) - size - 3, size + 4):
            yield int.from_bytes(self._data[at : at + 4], "little"), location(self._data[at + 4 : at + 4 + size])

    def fit(self, files: LegacyFiles, next_id: int) -> int:
        """Points for how well this key size explains the data: locations that lead to whole records speak for it,
        ids that cannot be or come twice against it."""
        points = 0
        seen: set[int] = set()
        for record_id, at in self:
            if record_id in seen or (next_id and record_id >= next_id and at is not None):
                points -= WRONG_ID
            seen.add(record_id)
            if at is not None:
                points += isinstance(files.record(at), tuple)
        return points


def find_lookup(folder: Path, files: LegacyFiles, key_size: int) -> tuple[Lookup, int]:
    """The lookup of a folder and its next id (0 in key mode). The key size is found out when it is not given."""
    homes = [folder / DUMP, *sorted(path for path in folder.iterdir() if path.is_dir() and path.name != DUMP)]
    for home in homes:
        path = home / "data"
        if not path.is_file():
            continue
        data = path.read_bytes()
        dense = home.name != DUMP
        next_id = _next_id(home / ".inc")
        best: Lookup | None = None
        for size in (key_size,) if key_size else KEY_SIZES:
            if len(data) % (size if dense else size + 4) == 0:
                candidate = Lookup(data, dense, size)
                if best is None or candidate.fit(files, next_id) > best.fit(files, next_id):
                    best = candidate
        if best is None:
            raise NotLegacy(f"{path} has a length of {len(data)} bytes, that fits no key size")
        return best, next_id
    raise NotLegacy(f"{folder} holds no lookup ({DUMP}/data), and without it the records have no ids")


def _next_id(path: Path) -> int:
    try:
        return int(path.read_text("ascii").strip() or 0)
    except FileNotFoundError:
        return 0
    except ValueError:
        raise NotLegacy(f"{path} holds no number") from None


def versions(files: LegacyFiles, record_id: int, newest: Location, losses: list[str]) -> list[bytes]:
    """All readable versions of a record, oldest first."""
    found: list[bytes] = []
    at: Location | None = newest
    while at is not None:
        record = files.record(at)
        if isinstance(record, str):
            if not record:
                break
            losses.append(f"id {record_id}: {record}" + ("" if found else "; it was the newest version"))
            before = files.previous(at)
        else:
            found.append(record[0])
            before = record[1]
        if before is not None and not before.before(at):
            losses.append(f"id {record_id}: the record at {at} names a later one as its previous version")
            break
        at = before
    found.reverse()
    return found


def import_legacy(folder: Path, db: OurDB, key_size: int = 0, progress: Progress = no_progress) -> Imported:
    """Bring everything into `db`, which must be empty. Raises NotLegacy."""
    if db.last_lsn:
        raise OurDBError("the store to import into is not empty")
    if key_size and key_size not in KEY_SIZES:
        raise NotLegacy(f"key size {key_size} does not exist, give one of {', '.join(map(str, sorted(KEY_SIZES)))}")
    files = LegacyFiles(folder)
    lookup, next_id = find_lookup(folder, files, key_size)
    result = Imported()
    result.key_size = lookup.key_size
    entries = sorted((entry for entry in lookup), key=lambda entry: entry[0])
    for number, (record_id, newest) in enumerate(entries, 1):
        _import_one(files, record_id, newest, db, result)
        if number % COMMIT_EVERY == 0:
            db.flush()
            progress(number, len(entries))
    db.flush("always")
    if next_id > db.next_id:
        db.reserve_ids(next_id)
    result.next_id = db.next_id
    progress(len(entries), len(entries))
    return result


def _import_one(files: LegacyFiles, record_id: int, newest: Location | None, db: OurDB, result: Imported) -> None:
    if newest is None:
        result.deleted += record_id > 0
        return
    if record_id == 0:
        result.losses.append("id 0 does not exist here: its record was left out")
        return
    known = len(result.losses)
    found = versions(files, record_id, newest, result.losses)
    for data in found:
        db.append(data, record_id)
    result.versions += len(found)
    if found:
        result.ids += 1
    elif len(result.losses) == known:
        result.deleted += 1
