"""Records that are appended and not yet written: encoded, in order, and readable."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from librt.strings import BytesWriter, write_i32_le, write_i64_le

from ourdb.checksum import crc32
from ourdb.record import HEADER, HEADER_SIZE, OFFSET_MASK, TOMBSTONE, write_crc

PART: Final = 16 * 1024
"""Bytes of a part."""
OWN: Final = 4096
"""Payloads from this size on are parts of their own and never copied."""
TWICE: Final = 512
"""From here on a second checksum costs less than putting header and payload together for one."""
NOTED: Final = 32
"""Parts from one whose place is kept to the next."""
_ROOM: Final = bytes(PART)
bytes(8 * 1024 * 1024)  # given back at once: glibc keeps freed blocks up to this size from now on, for the next batch


class Tail:
    """The part of a chunk that still grows; `start` is its offset in the segment."""

    def __init__(self, start: int) -> None:
        self.start = start
        """Moves on only while nothing is in it."""
        self.out: Final = BytesWriter()


class Chunk:
    """Records that stand behind each other in one segment, in parts of some size, each of whole records; only a large
    payload is a part of its own, behind that of its header.

    Other threads may read while one appends: parts are only added, and a full tail is replaced, never emptied.
    """

    def __init__(self, segment: int, base: int, lsn: int) -> None:
        self.segment: Final = segment
        self.base: Final = base
        self.first_lsn: Final = lsn
        self.parts: Final[list[bytes]] = []
        self.tail = Tail(base)
        self._starts: Final[list[int]] = []
        self._numbers: Final[list[int]] = []
        """Where some of the parts begin, and which they are."""
        self._seeking = 0
        """Parts that have come since the last of these."""

    def _note(self, start: int) -> None:
        """A part that begins at `start` is about to be added."""
        self._numbers.append(len(self.parts))
        self._starts.append(start)

    def end_part(self) -> None:
        """What was appended becomes a part."""
        tail = self.tail
        size = len(tail.out)
        if size:
            self._note(tail.start)
            self._seeking = 0
            self.parts.append(tail.out.getvalue())
            fresh = Tail(tail.start + size)
            if size >= PART:  # so much comes again, probably: room for it at once is cheaper than growing
                fresh.out.write(_ROOM)
                fresh.out.truncate(0)
            self.tail = fresh

    def holds(self, position: int) -> bool:
        offset = position & OFFSET_MASK
        tail = self.tail
        return position >> 32 == self.segment and self.base <= offset < tail.start + len(tail.out)

    def add_large(self, head: bytes, payload: bytes) -> None:
        """A record whose payload stays where it is."""
        self.end_part()
        tail = self.tail
        start = tail.start
        if self._seeking % NOTED == 0:
            self._note(start)
        self._seeking += 2
        self.parts.append(head)
        self.parts.append(bytes(payload))  # no copy, unless it could still be changed
        tail.start = start + HEADER_SIZE + len(payload)

    def record(self, offset: int) -> bytes:
        """Header and payload of the record at an offset in the segment."""
        tail = self.tail
        if offset >= tail.start:
            part, at = tail.out.getvalue(), offset - tail.start
            return part[at : at + HEADER_SIZE + _size(part, at)]
        note = bisect_right(self._starts, offset) - 1
        number, at = self._numbers[note], offset - self._starts[note]
        part = self.parts[number]
        while at >= len(part):
            at -= len(part)
            number += 1
            part = self.parts[number]
        size = _size(part, at)
        if at + HEADER_SIZE + size > len(part):
            return part + self.parts[number + 1]
        return part[at : at + HEADER_SIZE + size]

    def first_time(self) -> int:
        return int.from_bytes(self.parts[0][28:36], "little")

    def size(self) -> int:
        return self.tail.start + len(self.tail.out) - self.base

    def records(self) -> list[tuple[int, bytes | None, int]]:
        """(id, payload, position of its previous version) of every record, in order; None is a tombstone."""
        found: list[tuple[int, bytes | None, int]] = []
        whole = b"".join([*self.parts, self.tail.out.getvalue()])
        at = 0
        while at < len(whole):
            fields = HEADER.unpack_from(whole, at)
            end = at + HEADER_SIZE + int(fields[4])
            data = None if int(fields[1]) == TOMBSTONE else whole[at + HEADER_SIZE : end]
            found.append((int(fields[5]), data, int(fields[8])))
            at = end
        return found


def _size(part: bytes, at: int) -> int:
    return int.from_bytes(part[at + 8 : at + 12], "little")


class Encoder:
    """Puts records into chunks."""

    def __init__(self) -> None:
        self._scratch: Final = BytesWriter()
        self._crc32: Final = crc32

    def add(self, chunk: Chunk, salt: object, kind: int, flags: int, record_id: int, lsn: int, time: int, previous: int,
            data: bytes) -> None:
        scratch = self._scratch
        scratch.truncate(0)
        write_i32_le(scratch, kind | flags << 8)
        write_i32_le(scratch, len(data))
        write_i64_le(scratch, record_id)
        write_i64_le(scratch, lsn)
        write_i64_le(scratch, time)
        write_i64_le(scratch, previous)
        if len(data) >= OWN:
            head = scratch.getvalue()
            crc = self._crc32(data, self._crc32(head, salt))
            scratch.truncate(0)
            write_crc(scratch, crc)
            scratch.write(head)
            chunk.add_large(scratch.getvalue(), data)
            return
        out = chunk.tail.out
        if len(data) >= TWICE:
            head = scratch.getvalue()
            write_crc(out, self._crc32(data, self._crc32(head, salt)))
            out.write(head)
            out.write(data)
            if len(out) >= PART:
                chunk.end_part()
            return
        scratch.write(data)
        rest = scratch.getvalue()
        write_crc(out, self._crc32(rest, salt))
        out.write(rest)
        if len(out) >= PART:
            chunk.end_part()
