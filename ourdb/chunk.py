"""Records that are appended and not yet written: encoded, in order, and readable."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from librt.strings import BytesWriter, write_i32_le, write_i64_le

from ourdb.checksum import crc32
from ourdb.record import HEADER, HEADER_SIZE, OFFSET_MASK, write_crc

PART: Final = 64 * 1024
"""Bytes that are written in one piece."""
bytes(8 * 1024 * 1024)  # given back at once: glibc keeps freed blocks up to this size from now on, for the next batch


class Tail:
    """The part of a chunk that still grows; `start` is its offset in the segment."""

    def __init__(self, start: int) -> None:
        self.start: Final = start
        self.out: Final = BytesWriter()


class Chunk:
    """Records that stand behind each other in one segment, in parts of some size, each of whole records.

    Other threads may read while one appends: parts are only added, and a full tail is replaced, never emptied.
    """

    def __init__(self, segment: int, base: int, lsn: int) -> None:
        self.segment: Final = segment
        self.base: Final = base
        self.first_lsn: Final = lsn
        self.parts: Final[list[bytes]] = []
        self.tail = Tail(base)
        self._starts: Final[list[int]] = []

    def end_part(self) -> None:
        """What was appended becomes a part."""
        tail = self.tail
        if len(tail.out):
            self.parts.append(tail.out.getvalue())
            self._starts.append(tail.start)
            self.tail = Tail(tail.start + len(tail.out))

    def holds(self, position: int) -> bool:
        offset = position & OFFSET_MASK
        tail = self.tail
        return position >> 32 == self.segment and self.base <= offset < tail.start + len(tail.out)

    def find(self, offset: int) -> tuple[bytes, int]:
        """Bytes in which a record begins, and where."""
        tail = self.tail
        if offset >= tail.start:
            return tail.out.getvalue(), offset - tail.start
        at = bisect_right(self._starts, offset) - 1
        return self.parts[at], offset - self._starts[at]

    def first_time(self) -> int:
        return int.from_bytes(self.find(self.base)[0][28:36], "little")

    def size(self) -> int:
        return self.tail.start + len(self.tail.out) - self.base

    def previous(self) -> list[tuple[int, int]]:
        """(id, position of its previous version) of every record, last one first."""
        found = []
        for part in [*self.parts, self.tail.out.getvalue()]:
            at = 0
            while at < len(part):
                fields = HEADER.unpack_from(part, at)
                found.append((int(fields[5]), int(fields[8])))
                at += HEADER_SIZE + int(fields[4])
        found.reverse()
        return found


class Encoder:
    """Puts records into chunks."""

    def __init__(self) -> None:
        self._scratch: Final = BytesWriter()

    def add(self, chunk: Chunk, salt: int, kind: int, flags: int, record_id: int, lsn: int, time: int, previous: int,
            data: bytes) -> None:
        scratch = self._scratch
        scratch.truncate(0)
        write_i32_le(scratch, kind | flags << 8)
        write_i32_le(scratch, len(data))
        write_i64_le(scratch, record_id)
        write_i64_le(scratch, lsn)
        write_i64_le(scratch, time)
        write_i64_le(scratch, previous)
        tail = chunk.tail
        out = tail.out
        if len(data) > PART:
            head = scratch.getvalue()
            write_crc(out, crc32(data, crc32(head, salt)))
            out.write(head)
            out.write(data)
        else:
            scratch.write(data)
            rest = scratch.getvalue()
            write_crc(out, crc32(rest, salt))
            out.write(rest)
        if len(out) >= PART:
            chunk.end_part()
