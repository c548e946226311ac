"""The log read forwards in blocks: what `changes` and `scan` in log order are made of.

A block is four columns rather than objects: the callers put them together as they need them, in C.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from librt.strings import read_i32_le, read_i64_le

from ourdb.checksum import crc32
from ourdb.index import Index
from ourdb.record import HEADER_SIZE, MORE, SEGMENT_HEADER_SIZE, TOMBSTONE, VALUE
from ourdb.recovery import CRC_MASK, Window
from ourdb.segment import Segment

BLOCK: Final = 256
BLOCK_BYTES: Final = 1024 * 1024
MARK_EVERY: Final = 64 * 1024


class Block:
    """Records as columns; `payloads` holds None for a deletion."""

    def __init__(self) -> None:
        self.lsns: Final[list[int]] = []
        self.ids: Final[list[int]] = []
        self.times: Final[list[int]] = []
        self.payloads: Final[list[bytes | None]] = []
        self.full = False
        """Whether it ends where the next one begins, not where the segment does."""

    def cut(self, length: int) -> None:
        """Keep the first ones."""
        del self.lsns[length:]
        del self.ids[length:]
        del self.times[length:]
        del self.payloads[length:]


class Live:
    """Which records of a log up to a mark are the newest of their id there."""

    def __init__(self, index: Index, first: int, last: int, known: set[int], mark: int, offset: int,
                 slowly: Callable[[int, int], bool]) -> None:
        self._index: Final = index
        self._first: Final = first
        self._last: Final = last
        self._known: Final = known
        """Segments that end before the mark, and the one in which it is."""
        self._mark: Final = mark
        self._offset: Final = offset
        self._slowly: Final = slowly

    def has(self, record_id: int, position: int, lsn: int) -> bool:
        if not self._first <= record_id <= self._last:
            return False
        newest = self._index.get(record_id)
        if newest == position:
            return True
        number = newest >> 32 & 0x1FFFFFFF
        if number in self._known and (number != self._mark or newest & 0xFFFFFFFF < self._offset):
            return False
        return self._slowly(record_id, lsn)


class Feed:
    """Valid records of one segment with log sequence numbers above `since` and below `end`, damage stepped over, a
    batch only as a whole; with `live` only the values that are the newest of their id. It begins at `offset`, behind
    the record `lsn`; 0 = at the beginning."""

    def __init__(self, segment: Segment, since: int, end: int, live: Live | None, lsn: int = 0,
                 offset: int = 0) -> None:
        self._window: Final = Window(segment)
        self._salt: Final = segment.salt
        self._base: Final = segment.number << 32
        self._since: Final = since
        self._end: Final = end
        self._live: Final = live
        self._offset = offset or SEGMENT_HEADER_SIZE
        self._lsn = lsn if offset else segment.head.first_lsn - 1

    @property
    def reached(self) -> tuple[int, int]:
        """Sequence number and end of the last record of the block that `block` gave out."""
        return self._lsn, self._offset

    def block(self) -> Block | None:
        """The next ones; None at the end."""
        window, live, since, end, salt = self._window, self._live, self._since, self._end, self._salt
        out = Block()
        lsns, ids, times, payloads = out.lsns, out.ids, out.times, out.payloads
        offset, last_lsn = self._offset, self._lsn
        size_left = BLOCK_BYTES
        whole = 0
        while True:
            data, at, stop = window.at(offset)
            if stop:
                kinds = read_i32_le(data, at + 4)
                lsn = read_i64_le(data, at + 20)
                kind = kinds & 255
                body = data[at + 4 : stop]
                if (lsn <= last_lsn or kinds >> 11 or (kind != VALUE and kind != TOMBSTONE)
                        or (crc32(body, salt) ^ int(read_i32_le(data, at))) & CRC_MASK):
                    stop = 0
            if not stop:
                record = window.find(offset + 1, last_lsn)
                if record is None:
                    break
                offset = record.position - self._base
                continue
            if lsn >= end:
                break
            last_lsn = lsn
            record_id = read_i64_le(data, at + 12)
            if lsn > since and (live is None or (kind == VALUE and live.has(record_id, self._base | offset, lsn))):
                lsns.append(lsn)
                ids.append(record_id)
                times.append(read_i64_le(data, at + 28))
                payloads.append(body[HEADER_SIZE - 4 :] if kind == VALUE else None)
                size_left -= stop - at
            offset += stop - at
            if not kinds & MORE << 8:
                whole = len(ids)
                if whole >= BLOCK or size_left <= 0:
                    self._offset, self._lsn = offset, last_lsn
                    out.full = True
                    return out
        self._offset = window.end
        out.cut(whole)
        return out if whole else None


class Marks:
    """Where records of a segment begin, here and there, so that a later reader need not start at its beginning. May be
    used by several threads."""

    def __init__(self) -> None:
        self._places: Final[list[tuple[int, int]]] = []

    def before(self, since: int) -> tuple[int, int]:
        """A record at or below this number, and the offset behind it; zeros when none is known."""
        at = bisect_right(self._places, (since, 1 << 62))
        place = self._places[at - 1] if at else (0, 0)
        return place if place[0] <= since else (0, 0)

    def add(self, lsn: int, offset: int) -> None:
        if not self._places or offset >= self._places[-1][1] + MARK_EVERY:
            self._places.append((lsn, offset))
