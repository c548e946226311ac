"""The snapshot of the index by which a store opens without reading everything. It may always be missing."""

from __future__ import annotations

import contextlib
import struct
import zlib
from array import array
from typing import Final

from ourdb.files import Files
from ourdb.index import PAGE
from ourdb.recovery import Recovered, segment_name

NAME: Final = "checkpoint"
TEMPORARY: Final = "checkpoint.tmp"
MAGIC: Final = b"OURDBCKP"
VERSION: Final = 1
HEAD: Final = struct.Struct("<8sHHIIIQQQ")
PAGE_HEAD: Final = struct.Struct("<II")
PAGE_BYTES: Final = 8 * PAGE


def save(files: Files, state: Recovered) -> None:
    """Write it beside the old one and swap them. OSError when the disk refuses; the old one then stays."""
    pages = state.index.pages
    out = bytearray(HEAD.pack(MAGIC, VERSION, 0, len(pages), state.segment, state.offset, state.next_id, state.next_lsn,
                              state.index.live))
    for number in sorted(pages):
        out += PAGE_HEAD.pack(number, 0)
        out += pages[number].tobytes()
    out += struct.pack("<I", zlib.crc32(out))
    file = files.open(TEMPORARY, write=True, create=True)
    try:
        file.write(out, 0)
        file.sync()
    finally:
        file.close()
    files.rename(TEMPORARY, NAME)
    files.sync_folder()


def load(files: Files) -> Recovered:
    """The state that was saved; an empty one when there is none or it is damaged."""
    with contextlib.suppress(OSError, struct.error, ValueError):
        file = files.open(NAME)
        try:
            data = file.read(file.size(), 0)
        finally:
            file.close()
        stored = int.from_bytes(data[-4:], "little")
        if len(data) > HEAD.size + 4 and zlib.crc32(memoryview(data)[:-4]) == stored:
            return _checked(files, _read(data))
    return Recovered()


def _checked(files: Files, state: Recovered) -> Recovered:
    """The state, unless the files hold less than it speaks of (an older copy of them was put back)."""
    if state.segment:
        file = files.open(segment_name(state.segment))
        try:
            if file.size() < state.offset:
                return Recovered()
        finally:
            file.close()
    return state


def _read(data: bytes) -> Recovered:
    magic, version, _, count, segment, offset, next_id, next_lsn, live = HEAD.unpack_from(data)
    state = Recovered()
    if magic != MAGIC or version != VERSION or len(data) != HEAD.size + count * (8 + PAGE_BYTES) + 4:
        return state
    at = HEAD.size
    for _ in range(count):
        number, _ = PAGE_HEAD.unpack_from(data, at)
        page = array("Q")
        page.frombytes(data[at + 8 : at + 8 + PAGE_BYTES])
        state.index.pages[number] = page
        at += 8 + PAGE_BYTES
    state.index.live = live
    state.segment, state.offset, state.next_id, state.next_lsn = segment, offset, next_id, next_lsn
    return state
