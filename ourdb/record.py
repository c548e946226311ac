"""Bytes of segments and records, as docs/formats.md describes them. Knows no files."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from ourdb.errors import CorruptRecord, UnknownFormat

MAGIC: Final = b"OURDBSEG"
VERSION: Final = 1
SEGMENT_HEADER: Final = struct.Struct("<8sHHIQQII")
SEGMENT_HEADER_SIZE: Final = 40
HEADER: Final = struct.Struct("<IBBHIQQQQ")
HEADER_SIZE: Final = 44
BODY: Final = struct.Struct("<BBHIQQQQ")
CRC: Final = struct.Struct("<I")

VALUE: Final = 1
TOMBSTONE: Final = 2
MORE: Final = 1
CONTINUED: Final = 2
DELETED_BIT: Final = 1 << 63
OFFSET_MASK: Final = (1 << 32) - 1


class Record:
    """One record as read, with where it stands."""

    def __init__(self, position: int, kind: int, flags: int, size: int, record_id: int, lsn: int, time: int,
                 previous: int, crc: int) -> None:
        self.position: Final = position
        self.kind: Final = kind
        self.flags: Final = flags
        self.size: Final = size
        self.record_id: Final = record_id
        self.lsn: Final = lsn
        self.time: Final = time
        self.previous: Final = previous
        self.crc: Final = crc

    @property
    def length(self) -> int:
        """Bytes of header and payload."""
        return HEADER_SIZE + self.size


def pack(kind: int, flags: int, record_id: int, lsn: int, time: int, previous: int, data: bytes) -> bytes:
    """A whole record."""
    body = BODY.pack(kind, flags, 0, len(data), record_id, lsn, time, previous)
    return CRC.pack(zlib.crc32(data, zlib.crc32(body))) + body + data


def pack_segment_header(number: int, time: int, lsn: int) -> bytes:
    head = struct.pack("<8sHHIQQ", MAGIC, VERSION, 0, number, time, lsn)
    return head + struct.pack("<II", zlib.crc32(head), 0)


def check_segment_header(head: bytes, number: int, name: str) -> None:
    """CorruptRecord when it is damaged, UnknownFormat when it is of another version."""
    if len(head) < SEGMENT_HEADER_SIZE:
        raise CorruptRecord(f"{name}: the header of the segment is cut short")
    magic, version, _, stored, _, _, crc, _ = SEGMENT_HEADER.unpack(head[:SEGMENT_HEADER_SIZE])
    if zlib.crc32(head[:32]) != crc or magic != MAGIC:
        raise CorruptRecord(f"{name}: the header of the segment is damaged")
    if version != VERSION:
        raise UnknownFormat(f"{name} has format {version}, this version reads format {VERSION}")
    if stored != number:
        raise CorruptRecord(f"{name}: the header says segment {stored}")


def unpack(data: bytes, at: int, segment: int, base: int) -> Record | None:
    """The record at `data[at:]`, which stands at offset `base + at` of the segment; None when it is no whole one."""
    if at + HEADER_SIZE > len(data):
        return None
    crc, kind, flags, reserved, size, record_id, lsn, time, previous = HEADER.unpack_from(data, at)
    if (kind != VALUE and kind != TOMBSTONE) or flags > 3 or reserved or record_id == 0 or lsn == 0:
        return None
    end = at + HEADER_SIZE + size
    if end > len(data) or zlib.crc32(memoryview(data)[at + 4 : end]) != crc:
        return None
    return Record(segment << 32 | base + at, kind, flags, size, record_id, lsn, time, previous, crc)


def place(position: int) -> str:
    """A position as people read it."""
    return f"{position >> 32:06d}.db offset {position & OFFSET_MASK}"
