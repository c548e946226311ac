"""Bytes of segments and records, as docs/formats.md describes them. Knows no files."""

from __future__ import annotations

import struct
from typing import Final

from librt.strings import BytesWriter, write_i32_le

from ourdb.checksum import crc32
from ourdb.errors import CorruptRecord, UnknownFormat

MAGIC: Final = b"OURDBLOG"
DRAFT_MAGIC: Final = b"OURDBSEG"
VERSION: Final = 1
SEGMENT_HEADER: Final = struct.Struct("<8sHHIQQQQQII")
HALF_HEADER: Final = 64
SEGMENT_HEADER_SIZE: Final = 128
HEADER: Final = struct.Struct("<IBBHIQQQQ")
HEADER_SIZE: Final = 44
BODY_SIZE: Final = 40
PEEK: Final = struct.Struct("<IB3xIQ")
"""CRC, kind, size and id of a record."""
BODY: Final = struct.Struct("<BBHIQQQQ")
CRC: Final = struct.Struct("<I")

VALUE: Final = 1
TOMBSTONE: Final = 2
MORE: Final = 1
CONTINUED: Final = 2
SYNCED: Final = 4
DELETED_BIT: Final = 1 << 61
"""Above every position, and small enough to stay a machine word in compiled code."""
POSITION_MASK: Final = DELETED_BIT - 1
OFFSET_MASK: Final = (1 << 32) - 1
MAX_ID: Final = (1 << 48) - 1


class Record:
    """One record as read, with where it stands."""

    def __init__(self, position: int, kind: int, flags: int, size: int, record_id: int, lsn: int, time: int,
                 previous: int) -> None:
        self.position: Final = position
        self.kind: Final = kind
        self.flags: Final = flags
        self.size: Final = size
        self.record_id: Final = record_id
        self.lsn: Final = lsn
        self.time: Final = time
        self.previous: Final = previous

    @property
    def length(self) -> int:
        """Bytes of header and payload."""
        return HEADER_SIZE + self.size


class SegmentHead:
    """The header of a segment."""

    def __init__(self, number: int, time: int, first_lsn: int, last_lsn: int, dropped: int, next_id: int,
                 salt: int) -> None:
        self.number: Final = number
        self.time: Final = time
        self.first_lsn: Final = first_lsn
        self.last_lsn: Final = last_lsn
        self.dropped: Final = dropped
        self.next_id: Final = next_id
        self.salt: Final = salt

    def pack(self) -> bytes:
        """Both copies."""
        head = SEGMENT_HEADER.pack(MAGIC, VERSION, 0, self.number, self.time, self.first_lsn, self.last_lsn,
                                   self.dropped, self.next_id, self.salt, 0)[:-4]
        return (head + CRC.pack(crc32(head))) * 2


def read_segment_head(data: bytes, number: int, name: str) -> tuple[SegmentHead, bool]:
    """The header and whether both copies are whole. CorruptRecord when none is, UnknownFormat for another version."""
    if data[:8] == DRAFT_MAGIC:
        raise UnknownFormat(f"{name} was written by a draft of this program, it cannot be read")
    if len(data) < SEGMENT_HEADER_SIZE:
        raise CorruptRecord(f"{name}: the header of the segment is cut short")
    whole = data[:HALF_HEADER] == data[HALF_HEADER:SEGMENT_HEADER_SIZE]
    for start in (0, HALF_HEADER):
        half = data[start : start + HALF_HEADER]
        if len(half) < HALF_HEADER or crc32(half[:-4]) != int.from_bytes(half[-4:], "little"):
            continue
        magic, version, _, stored, time, first, last, dropped, next_id, salt, _ = SEGMENT_HEADER.unpack(half)
        if magic != MAGIC or version != VERSION:
            raise UnknownFormat(f"{name} has format {version}, this version reads format {VERSION}")
        if stored != number:
            raise CorruptRecord(f"{name}: the header says segment {stored}")
        return SegmentHead(number, time, first, last, dropped, next_id, salt), whole
    raise CorruptRecord(f"{name}: the header of the segment is damaged")


def pack(salt: int, kind: int, flags: int, record_id: int, lsn: int, time: int, previous: int, data: bytes) -> bytes:
    """A whole record."""
    body = BODY.pack(kind, flags, 0, len(data), record_id, lsn, time, previous)
    return CRC.pack(crc32(data, crc32(body, salt))) + body + data


def write_crc(out: BytesWriter, crc: int) -> None:
    """32 bits without a sign, through a function that wants one."""
    write_i32_le(out, crc - (crc >> 31 << 32))


def unpack(data: bytes, at: int, segment: int, base: int, salt: int) -> Record | None:
    """The record at `data[at:]`, which stands at offset `base + at` of the segment; None when it is no whole one."""
    if at + HEADER_SIZE > len(data):
        return None
    crc, kind, flags, reserved, size, record_id, lsn, time, previous = HEADER.unpack_from(data, at)
    if (kind != VALUE and kind != TOMBSTONE) or flags > 7 or reserved or record_id == 0 or lsn == 0:
        return None
    end = at + HEADER_SIZE + size
    if end > len(data) or crc32(memoryview(data)[at + 4 : end], salt) != crc:
        return None
    return Record(segment << 32 | base + at, kind, flags, size, record_id, lsn, time, previous)


def place(position: int) -> str:
    """A position as people read it."""
    return f"{position >> 32:06d}.db offset {position & OFFSET_MASK}"
