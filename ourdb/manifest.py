"""The file that swaps a compaction in: which segments are new and which are gone. Knows no records, only the headers
of segments, which tell the same when the file itself is damaged."""

from __future__ import annotations

import contextlib
import struct
from typing import Final

from ourdb.checksum import crc32
from ourdb.errors import CorruptRecord, UnknownFormat
from ourdb.files import Files
from ourdb.record import SEGMENT_HEADER_SIZE, SegmentHead, read_segment_head

NAME: Final = "compaction"
TEMPORARY: Final = "compaction.tmp"
MAGIC: Final = b"OURDBCPT"
VERSION: Final = 1
HEAD: Final = struct.Struct("<8sHHII")
CHECKPOINT: Final = "checkpoint"
ATTEMPTS: Final = 50
"""Looks at a folder in which a writer is at work, until nothing changes between two."""


def _numbers(names: list[str], ending: str) -> list[int]:
    return [int(name[: -len(ending)]) for name in names if name.endswith(ending) and name[: -len(ending)].isdigit()]


def save(files: Files, new: list[int], old: list[int]) -> None:
    """From the moment this returns the new segments are the log. The checkpoint goes first: it knows the old ones."""
    with contextlib.suppress(FileNotFoundError):
        files.unlink(CHECKPOINT)
    files.sync_folder()
    data = HEAD.pack(MAGIC, VERSION, 0, len(new), len(old)) + struct.pack(f"<{len(new) + len(old)}I", *new, *old)
    file = files.open(TEMPORARY, write=True, create=True)
    try:
        file.write(data + struct.pack("<I", crc32(data)), 0)
        file.sync()
    finally:
        file.close()
    files.rename(TEMPORARY, NAME)
    files.sync_folder()


def load(files: Files) -> tuple[list[int], list[int]] | None:
    """(new, old) of a compaction whose swap was interrupted. Raises CorruptRecord, UnknownFormat."""
    if NAME not in files.names():
        return None
    data = _read(files, NAME, 0)
    if len(data) < HEAD.size + 4 or crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise CorruptRecord("it is damaged, the headers of the segments told which of them count")
    magic, version, _, new, old = HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise UnknownFormat(f"{NAME} has format {version}, this version reads format {VERSION}")
    numbers = struct.unpack_from(f"<{new + old}I", data, HEAD.size)
    return list(numbers[:new]), list(numbers[new:])


def _read(files: Files, name: str, size: int) -> bytes:
    """The first bytes of a file, 0 = all."""
    file = files.open(name)
    try:
        return file.read(size or file.size(), 0)
    finally:
        file.close()


def _from_headers(files: Files, write: bool) -> tuple[list[int], list[int]]:
    """What a damaged manifest said. All that it called new was whole, and what a compaction writes names the range of
    the log that it covers: older segments in this range are gone."""
    heads: dict[int, SegmentHead] = {}
    for ending in (".new", ".db"):
        for number in _numbers(files.names(), ending):
            name = f"{number:06d}{ending}"
            try:
                heads[number] = read_segment_head(_read(files, name, SEGMENT_HEADER_SIZE), number, name)[0]
            except CorruptRecord as error:
                if ending == ".new" and write:
                    raise CorruptRecord(f"{NAME} is damaged, and {error}: repair the store") from None
    covered: list[tuple[int, int]] = []
    kept = set()
    for number in sorted(heads, reverse=True):
        head = heads[number]
        if any(first <= head.first_lsn <= last for first, last in covered):
            continue
        kept.add(number)
        if head.last_lsn:
            covered.append((head.first_lsn, head.last_lsn))
    new = [number for number in _numbers(files.names(), ".new") if number in kept]
    return new, [number for number in heads if number not in kept]


def finish(files: Files, new: list[int], old: list[int]) -> None:
    """Rename what is new, remove what is old, then the manifest. May be done again after a crash."""
    names = set(files.names())
    for number in new:
        if f"{number:06d}.new" in names:
            files.rename(f"{number:06d}.new", f"{number:06d}.db")
    files.sync_folder()
    for number in old:
        if f"{number:06d}.db" in names:
            files.unlink(f"{number:06d}.db")
    if NAME in names:
        files.sync_folder()
        files.unlink(NAME)
    files.sync_folder()


def settle(files: Files, write: bool) -> tuple[dict[int, str], str]:
    """Names of the segments that count, by number, and what is wrong with the manifest (empty = nothing). A writer also
    brings an interrupted compaction to its end. Raises UnknownFormat, and CorruptRecord where that cannot be done."""
    if write:
        swap, damage = _swap(files, write)
        if swap is not None:
            finish(files, swap[0], swap[1])
        for number in _numbers(files.names(), ".new"):
            files.unlink(f"{number:06d}.new")
        return {number: f"{number:06d}.db" for number in _numbers(files.names(), ".db")}, damage
    names: list[str] = []
    swap, damage = None, ""
    for _ in range(ATTEMPTS):
        names = _that_count(files)
        try:
            swap, damage = _swap(files, write)
        except FileNotFoundError:  # a writer has just brought it to its end
            continue
        if _that_count(files) == names:
            break
    return _after(names, swap), damage


def _swap(files: Files, write: bool) -> tuple[tuple[list[int], list[int]] | None, str]:
    try:
        return load(files), ""
    except CorruptRecord as error:
        return _from_headers(files, write), str(error)


def _that_count(files: Files) -> list[str]:
    return [name for name in files.names() if name == NAME or name.endswith((".db", ".new"))]


def _after(names: list[str], swap: tuple[list[int], list[int]] | None) -> dict[int, str]:
    """The segments as they will be named when the swap is done, with the names that they have."""
    found = {number: f"{number:06d}.db" for number in _numbers(names, ".db")}
    if swap is not None:
        for number in swap[1]:
            found.pop(number, None)
        for number in _numbers(names, ".new"):
            if number in swap[0]:
                found[number] = f"{number:06d}.new"
    return found
