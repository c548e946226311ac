"""The snapshot of the index by which a store opens without reading everything. It may always be missing."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final

from ourdb.checksum import crc32
from ourdb.files import File, Files
from ourdb.index import PAGE_BYTES
from ourdb.recovery import Recovered
from ourdb.segment import Fault, Segments

NAME: Final = "checkpoint"
TEMPORARY: Final = "checkpoint.tmp"
MAGIC: Final = b"OURDBCKP"
VERSION: Final = 1
HEAD: Final = struct.Struct("<8sHHIIIQQQQ")
PAGE_HEAD: Final = struct.Struct("<Q")
PIECE: Final = 64 * 1024
REDIRECT: Final = struct.Struct("<QQ")


class Mark:
    """Everything before this place is written; from here on an opening reads the log."""

    def __init__(self, segment: int, offset: int, next_id: int, next_lsn: int, last_time: int) -> None:
        self.segment: Final = segment
        self.offset: Final = offset
        self.next_id: Final = next_id
        self.next_lsn: Final = next_lsn
        self.last_time: Final = last_time


def mark_of(state: Recovered) -> Mark:
    return Mark(state.segment, state.offset, state.next_id, state.next_lsn, state.last_time)


def save(files: Files, mark: Mark, count: int, pages: Iterable[tuple[int, bytes]], redirects: dict[int, int],
         ready: Callable[[], bool]) -> bool:
    """Write `count` pages beside the old checkpoint, piece by piece, and swap the two when `ready` says that the log is
    synced up to what the pages hold. OSError when the disk refuses; the old one then stays."""
    out = _Output(files.open(TEMPORARY, write=True, create=True))
    try:
        out.add(HEAD.pack(MAGIC, VERSION, 0, count, mark.segment, mark.offset, mark.next_id, mark.next_lsn,
                          mark.last_time, len(redirects)))
        for number, data in pages:
            out.add(PAGE_HEAD.pack(number))
            out.add(data)
        for record_id, position in redirects.items():
            out.add(REDIRECT.pack(record_id, position))
        out.end()
        if not ready():
            return False
    finally:
        out.file.close()
    files.rename(TEMPORARY, NAME)
    files.sync_folder()
    return True


class _Output:
    """The file and the CRC of what was written to it."""

    def __init__(self, file: File) -> None:
        self.file: Final = file
        self._buffer = bytearray()
        self._offset = 0
        self._crc = 0

    def add(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= PIECE:
            self._write()

    def _write(self) -> None:
        self._crc = crc32(self._buffer, self._crc)
        self.file.write(self._buffer, self._offset)
        self._offset += len(self._buffer)
        self._buffer.clear()

    def end(self) -> None:
        self._write()
        self.file.write(struct.pack("<I", self._crc), self._offset)
        self.file.sync()


def load(files: Files, segments: Segments) -> Recovered:
    """The state that was saved; an empty one when there is none, it is damaged (that is a fault), or the segments are
    others."""
    empty = Recovered()
    try:
        file = files.open(NAME)
    except FileNotFoundError:
        return empty
    try:
        data = file.read(file.size(), 0)
        if len(data) < HEAD.size + 4 or crc32(memoryview(data)[:-4]) != int.from_bytes(data[-4:], "little"):
            empty.faults.append(Fault(NAME, 0, len(data), "it is damaged and not used"))
            return empty
        state = _read(data)
    except OSError as error:
        empty.faults.append(Fault(NAME, 0, 0, f"it cannot be read and is not used: {error}"))
        return empty
    finally:
        file.close()
    segment = segments.by_number.get(state.segment)
    known = segment is not None and segment.file.size() >= state.offset
    return state if known and segments.is_current() else empty


def _read(data: bytes) -> Recovered:
    magic, version, _, count, segment, offset, next_id, next_lsn, last_time, redirects = HEAD.unpack_from(data)
    state = Recovered()
    size = HEAD.size + count * (PAGE_HEAD.size + PAGE_BYTES) + redirects * REDIRECT.size + 4
    if magic != MAGIC or version != VERSION or len(data) != size:
        return state
    at = HEAD.size
    for _ in range(count):
        state.index.load_page(PAGE_HEAD.unpack_from(data, at)[0], data, at + PAGE_HEAD.size)
        at += PAGE_HEAD.size + PAGE_BYTES
    for record_id, position in REDIRECT.iter_unpack(data[at:-4]):
        state.redirects[record_id] = position
    state.segment, state.offset = segment, offset
    state.next_id, state.next_lsn, state.last_time = next_id, next_lsn, last_time
    return state
