"""Reading records by position, back through their versions, and forward through the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Final, cast

from ourdb.checkpoint import Mark
from ourdb.checksum import crc32
from ourdb.errors import CorruptRecord, CursorTooOld
from ourdb.feed import Block, Feed, Live, Marks
from ourdb.index import Index
from ourdb.log import Log
from ourdb.record import (
    BODY_SIZE,
    HEADER_SIZE,
    OFFSET_MASK,
    PEEK,
    POSITION_MASK,
    TOMBSTONE,
    VALUE,
    Record,
    place,
    unpack,
)
from ourdb.segment import Segment, Segments

MAX_DEPTH: Final = 1 << 48
VIEWED: Final = 16 * 1024
"""Payloads from this size on are checked where they are and copied once."""


class Version:
    """One version of a record. `data` is None for a deletion, `time` Unix ms, `position` (segment, offset)."""

    def __init__(self, lsn: int, time: int, data: bytes | None, position: tuple[int, int]) -> None:
        self.lsn: Final = lsn
        self.time: Final = time
        self.data: Final = data
        self.position: Final = position

    @property
    def deleted(self) -> bool:
        return self.data is None


class Change:
    """One record of the log. `data` is None for a deletion."""

    def __init__(self, lsn: int, record_id: int, time: int, data: bytes | None) -> None:
        self.lsn: Final = lsn
        self.id: Final = record_id
        self.time: Final = time
        self.data: Final = data


class Reader:
    """`follow` finds where a history goes on behind a compaction."""

    def __init__(self, segments: Segments, log: Log, follow: Callable[[int], int]) -> None:
        self._segments: Final = segments
        self._log: Final = log
        self._follow: Final = follow
        self._marks: Final[dict[int, Marks]] = {}

    def quick(self, position: int, record_id: int) -> bytes | None:
        """The payload of a whole value of this id that lies in the mapping; None = look again with `value`."""
        if self._log.pending(position) is not None:
            return None
        segment = self._segments.by_number.get(position >> 32)
        if segment is None:
            return None
        start = position & OFFSET_MASK
        mapping = segment.map
        if mapping is None or start + HEADER_SIZE > segment.mapped:
            return None
        crc, kind, size, stored = PEEK.unpack_from(mapping, start)
        end = start + HEADER_SIZE + size
        if stored != record_id or kind != VALUE or end > segment.mapped:
            return None
        if size >= VIEWED:
            with memoryview(mapping) as whole, whole[start + 4 : end] as view:
                return mapping[start + HEADER_SIZE : end] if crc32(view, segment.salt) == crc else None
        data = mapping[start + 4 : end]
        return data[BODY_SIZE:] if crc32(data, segment.salt) == crc else None

    def value(self, position: int, record_id: int) -> bytes:
        """The payload of a value that must be of this id. Raises CorruptRecord."""
        record, raw = self._read(position)
        self._must_be(record, record_id)
        return raw[HEADER_SIZE : HEADER_SIZE + record.size]

    def _must_be(self, record: Record, record_id: int) -> None:
        if record.record_id != record_id:
            raise CorruptRecord(f"the record at {place(record.position)} has id {record.record_id}, not {record_id}")

    def record(self, position: int) -> Record:
        """The header of a valid record; CorruptRecord."""
        return self._read(position)[0]

    def time_at(self, position: int) -> int:
        return self._read(position)[0].time

    def is_tombstone(self, position: int) -> bool:
        return self._read(position)[0].kind == TOMBSTONE

    def _read(self, position: int) -> tuple[Record, bytes]:
        number = position >> 32
        start = position & OFFSET_MASK
        chunk = self._log.pending(position)
        if chunk is not None:
            data = chunk.record(start)
            salt = self._segments.salts[number]
        else:
            segment = self._segments.get(number)
            salt = segment.salt
            try:
                data = segment.read(start, start + HEADER_SIZE)
                size = int.from_bytes(data[8:12], "little")
                if start + HEADER_SIZE + size <= segment.file.size():
                    data = segment.read(start, start + HEADER_SIZE + size)
            except OSError as error:
                raise CorruptRecord(f"the record at {place(position)} cannot be read: {error}") from error
        record = unpack(data, 0, number, start, salt)
        if record is None:
            raise CorruptRecord(f"the record at {place(position)} is damaged")
        return record, data

    def history(self, position: int, record_id: int, depth: int) -> Iterator[Version]:
        """Newest first."""
        while position and depth > 0:
            record, data = self._read(position)
            self._must_be(record, record_id)
            payload = None if record.kind == TOMBSTONE else data[HEADER_SIZE : HEADER_SIZE + record.size]
            yield Version(record.lsn, record.time, payload, (position >> 32, position & OFFSET_MASK))
            depth -= 1
            position = record.previous
            if position and position >> 32 not in self._segments.salts:
                position = self._follow(record_id)

    def _order(self) -> list[Segment]:
        """The log as it is now; who holds it can go on reading what a compaction takes away."""
        return [self._segments.by_number[number] for number in self._segments.order]

    def _feeds(self, order: list[Segment], since: int, end: int, live: Live | None) -> Iterator[Block]:
        for at, segment in enumerate(order):
            if at + 1 < len(order) and order[at + 1].head.first_lsn <= since + 1:
                continue
            if segment.head.first_lsn >= end:
                return
            marks = self._marks.setdefault(segment.number, Marks())
            lsn, offset = marks.before(since)
            feed = Feed(segment, since, end, live, lsn, offset)
            block = feed.block()
            while block is not None:
                if block.full:
                    lsn, offset = feed.reached
                    marks.add(lsn, offset)
                yield block
                block = feed.block()

    def changes(self, since: int, end: int) -> Iterator[Change]:
        """Records on disk with log sequence numbers above `since` and below `end`, damage stepped over; a batch only
        as a whole. CursorTooOld when a compaction has dropped some of them."""
        order = self._order()
        dropped = max((segment.head.dropped for segment in order), default=0)
        if 0 < since < dropped:
            raise CursorTooOld(f"changes after {since} were dropped, up to {dropped}: begin again at 0")
        return chain.from_iterable(_as_changes(self._feeds(order, since, end, None)))

    def scan_log(self, index: Index, first: int, last: int, mark: Mark) -> Iterator[tuple[int, bytes]]:
        """(id, newest value) as it was at the mark, in the order in which the values were written."""
        order = self._segments.order
        known = set(order[: order.index(mark.segment) + 1]) if mark.segment in order else set(order)
        live = Live(index, first, last, known, mark.segment, mark.offset, partial(self._was_newest, index,
                                                                                   mark.next_lsn))
        return chain.from_iterable(_as_pairs(self._feeds(self._order(), 0, mark.next_lsn, live)))

    def _was_newest(self, index: Index, end: int, record_id: int, lsn: int) -> bool:
        """Whether the record with this number is the newest of its id below `end`; it went on or moved meanwhile."""
        try:
            for version in self.history(index.get(record_id) & POSITION_MASK, record_id, MAX_DEPTH):
                if version.lsn < end:
                    return version.lsn == lsn
        except CorruptRecord:
            pass
        return False


# Generators by name: compiled code would make a list of an expression.

def _as_changes(blocks: Iterator[Block]) -> Iterator[Iterator[Change]]:
    for block in blocks:
        yield map(Change, block.lsns, block.ids, block.times, block.payloads)


def _as_pairs(blocks: Iterator[Block]) -> Iterator[Iterator[tuple[int, bytes]]]:
    for block in blocks:
        yield zip(block.ids, cast("list[bytes]", block.payloads), strict=True)
