"""The snapshot of the index by which a store opens without reading everything. It may always be missing."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable
from typing import Final

from ourdb.checksum import crc32
from ourdb.files import Files
from ourdb.index import PAGE_BYTES
from ourdb.recovery import Recovered
from ourdb.segment import Segments

NAME: Final = "checkpoint"
TEMPORARY: Final = "checkpoint.tmp"
MAGIC: Final = b"OURDBCKP"
VERSION: Final = 1
HEAD: Final = struct.Struct("<8sHHIIIQQQQ")
PAGE_HEAD: Final = struct.Struct("<Q")
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


def save(files: Files, mark: Mark, pages: Iterable[tuple[int, bytes]], redirects: dict[int, int]) -> None:
    """Write it beside the old one and swap them. OSError when the disk refuses; the old one then stays."""
    body = bytearray()
    count = 0
    for number, data in pages:
        body += PAGE_HEAD.pack(number)
        body += data
        count += 1
    for record_id, position in redirects.items():
        body += REDIRECT.pack(record_id, position)
    head = HEAD.pack(MAGIC, VERSION, 0, count, mark.segment, mark.offset, mark.next_id, mark.next_lsn, mark.last_time,
                     len(redirects))
    file = files.open(TEMPORARY, write=True, create=True)
    try:
        file.write(head, 0)
        file.write(body, HEAD.size)
        file.write(struct.pack("<I", crc32(body, crc32(head))), HEAD.size + len(body))
        file.sync()
    finally:
        file.close()
    files.rename(TEMPORARY, NAME)
    files.sync_folder()


def load(files: Files, segments: Segments) -> Recovered:
    """The state that was saved; an empty one when there is none, it is damaged, or the segments are others."""
    with contextlib.suppress(OSError, struct.error, ValueError):
        file = files.open(NAME)
        try:
            data = file.read(file.size(), 0)
        finally:
            file.close()
        stored = int.from_bytes(data[-4:], "little")
        if len(data) > HEAD.size + 4 and crc32(memoryview(data)[:-4]) == stored:
            state = _read(data)
            segment = segments.by_number.get(state.segment)
            if segment is not None and segment.file.size() >= state.offset:
                return state
    return Recovered()


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
