"""Opening a store: reads records in order, steps over damage and reports it, finds the torn tail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from librt.strings import read_i32_le, read_i64_le

from ourdb.checksum import crc32
from ourdb.index import Index
from ourdb.record import (
    CONTINUED,
    DELETED_BIT,
    HEADER,
    HEADER_SIZE,
    MORE,
    OFFSET_MASK,
    POSITION_MASK,
    SEGMENT_HEADER_SIZE,
    SYNCED,
    TOMBSTONE,
    VALUE,
    Record,
    unpack,
)
from ourdb.segment import Fault, Segment, Segments

WINDOW: Final = 256 * 1024
"""Small enough to stay in the cache of the processor and in the heap."""
CRC_MASK: Final = (1 << 32) - 1
NO_RECORD: Final = "these bytes are no valid record"
LOST_MEMBER: Final = "an unfinished write: something before it is lost and nothing shows that it was ever synced"
_BEGIN: Final = re.compile(rb"(?=[\x01\x02][\x00-\x07]\x00\x00)", re.DOTALL)


class Window:
    """A part of a segment in memory, moved along as the reader goes on."""

    def __init__(self, segment: Segment, end: int = 0) -> None:
        self.segment: Final = segment
        self.name: Final = segment.file.name
        self.end: Final = end or segment.file.size()
        self._data = b""
        self._base = 0

    def at(self, offset: int) -> tuple[bytes, int, int]:
        """Bytes, and where in them a record at this offset would begin and end; end 0 = there is no room for one."""
        at = offset - self._base
        data = self._data
        if at < 0 or at + HEADER_SIZE > len(data):
            data = self._load(offset, WINDOW)
            at = 0
            if len(data) < HEADER_SIZE:
                return data, 0, 0
        size = int(read_i32_le(data, at + 8))
        if size < 0:
            return data, at, 0
        stop = at + HEADER_SIZE + size
        if stop > len(data):
            if offset + HEADER_SIZE + size > self.end:
                return data, at, 0
            data = self._load(offset, max(WINDOW, HEADER_SIZE + size))
            at, stop = 0, HEADER_SIZE + size
            if stop > len(data):
                return data, 0, 0
        return data, at, stop

    def record(self, offset: int) -> Record | None:
        """The valid record at an offset, None when there is none."""
        data, at, stop = self.at(offset)
        return unpack(data, at, self.segment.number, self._base, self.segment.salt) if stop else None

    def payload(self, record: Record) -> bytes:
        """The payload of a record that was just read."""
        at = (record.position & OFFSET_MASK) - self._base + HEADER_SIZE
        return self._data[at : at + record.size]

    def find(self, offset: int, lsn: int) -> Record | None:
        """The first valid record from `offset` on with a log sequence number above `lsn`."""
        while offset + HEADER_SIZE <= self.end:
            self._load(offset, WINDOW)
            data, base = self._data, self._base
            for match in _BEGIN.finditer(data, 4):
                begin = base + match.start() - 4
                record = self.record(begin)
                if record is not None and record.lsn > lsn:
                    return record
                if self._base != base:
                    self._data, self._base = data, base
            offset = base + max(1, len(data) - HEADER_SIZE)
        return None

    def _load(self, offset: int, size: int) -> bytes:
        self._base = offset
        self._data = self.segment.file.read(min(size, max(0, self.end - offset)), offset)
        return self._data


def walk(window: Window, offset: int, lsn: int, faults: list[Fault]) -> Iterator[Record]:
    """Valid records from `offset` on, each with a log sequence number above the one before. Damage between them goes
    to `faults`; what follows the last one is left to the caller."""
    while offset < window.end:
        record = window.record(offset)
        if record is None or record.lsn <= lsn:
            record = window.find(offset + 1, lsn)
            if record is None:
                return
            start = record.position & OFFSET_MASK
            faults.append(Fault(window.name, offset, start - offset, NO_RECORD))
            offset = start
        lsn = record.lsn
        yield record
        offset += record.length


class Recovered:
    """What a store knows after reading its files."""

    def __init__(self) -> None:
        self.index = Index()
        self.redirects: dict[int, int] = {}
        """By id, where its history goes on behind a record that points into a segment that is gone."""
        self.next_id = 1
        self.next_lsn = 1
        self.last_time = 0
        self.segment = 0
        self.offset = 0
        """Where the next record goes."""
        self.cut = 0
        """Bytes of a torn tail behind `offset`."""
        self.faults: Final[list[Fault]] = []

    def take(self, record: Record, segments: dict[int, Segment]) -> None:
        previous = record.previous
        before = self.index.put(record.record_id, record.position | (DELETED_BIT if record.kind == TOMBSTONE else 0))
        if previous and previous >> 32 not in segments and record.record_id not in self.redirects:
            self.redirects[record.record_id] = before & POSITION_MASK
        if record.record_id >= self.next_id:
            self.next_id = record.record_id + 1
        if record.time > self.last_time:
            self.last_time = record.time
        self.next_lsn = record.lsn + 1
        self.offset = (record.position & OFFSET_MASK) + record.length


def recover(state: Recovered, segments: Segments, synced: int = 0) -> Recovered:
    """Read every segment from where `state` (a checkpoint, or nothing) ends. `synced`: a position in the last segment
    up to which everything is known to have been synced."""
    order = segments.order
    start = order.index(state.segment) if state.segment in order else 0
    for number in order[start:]:
        segment = segments.by_number[number]
        if number != state.segment or not state.offset:
            _enter(segment, state)
        _read_segment(segment, segments.by_number, state, number == order[-1], synced)
        state.next_lsn = max(state.next_lsn, segment.head.last_lsn + 1)
    return state


def _enter(segment: Segment, state: Recovered) -> None:
    """Begin with a segment; its header must go on where the one before ended."""
    head = segment.head
    state.segment, state.offset = segment.number, SEGMENT_HEADER_SIZE
    state.next_id = max(state.next_id, head.next_id)
    if head.first_lsn > state.next_lsn:
        lost = f"the records with log sequence numbers {state.next_lsn} to {head.first_lsn - 1} before it are missing"
        state.faults.append(Fault(segment.file.name, 0, 0, lost))
        state.next_lsn = head.first_lsn


def _suspects(segment: Segment, fault: Fault, lsn: int, state: Recovered) -> list[Record]:
    """The records that stood in damaged bytes, when sizes, numbers and links all fit exactly: then their ids can be
    believed, and reads of these have to fail rather than find an older version."""
    found: list[Record] = []
    newest: dict[int, int] = {}
    next_id = state.next_id
    at, end = fault.offset, fault.offset + fault.length
    while at < end:
        data = segment.file.read(HEADER_SIZE, at)
        if len(data) < HEADER_SIZE:
            return []
        _, kind, flags, _, size, record_id, stored, _, previous = HEADER.unpack(data)
        before = newest.get(record_id, state.index.get(record_id) & POSITION_MASK)
        if stored != lsn + len(found) or kind not in (VALUE, TOMBSTONE) or previous != before:
            return []
        if not previous and record_id != next_id:
            return []
        next_id = max(next_id, record_id + 1)
        newest[record_id] = segment.number << 32 | at
        found.append(Record(newest[record_id], VALUE, flags, size, record_id, stored, 0, previous))
        at += HEADER_SIZE + size
    return found if at == end else []


class _Batches:
    """Brings the records of one segment into the state, batches as a whole."""

    def __init__(self, state: Recovered, segments: dict[int, Segment], last: bool) -> None:
        self.held: Final[list[Record]] = []
        """From the first damage on: counts only when a later record shows that it was synced."""
        self._holding = False
        self._batch: Final[list[Record]] = []
        self._damaged = False
        self._state: Final = state
        self._segments: Final = segments
        self._last: Final = last

    def add(self, record: Record, lost: bool, synced: bool) -> None:
        """`lost`: there was damage before it. `synced`: all before it is known to have been."""
        synced = synced or bool(record.flags & SYNCED)
        if self._batch and not record.flags & CONTINUED:
            self._damaged = True
            self._end_batch()
        if self.held and synced:
            for member in self.held:
                self._state.take(member, self._segments)
            self.held.clear()
        if synced:
            self._holding = False
        elif lost and self._last:
            self._holding = True
        self._damaged = self._damaged or (lost and bool(record.flags & CONTINUED))
        self._batch.append(record)
        if not record.flags & MORE:
            self._end_batch()

    def is_idle(self) -> bool:
        """Whether nothing waits to be decided about."""
        return not self._batch and not self.held and not self._holding

    def add_suspect(self, record: Record) -> None:
        """A damaged record whose header can be believed: its id is known to be damaged."""
        if self._batch:
            self._batch.append(record)
        elif self._last:
            self.held.append(record)
        else:
            self._state.take(record, self._segments)

    def _end_batch(self) -> None:
        if self._holding or self.held or (self._damaged and self._last):
            self.held.extend(self._batch)
        else:
            for member in self._batch:
                self._state.take(member, self._segments)
        self._batch.clear()
        self._damaged = False


def _read_plainly(window: Window, state: Recovered, segments: dict[int, Segment]) -> None:
    """Take records in without an object for each, up to the first that is damaged or of a batch."""
    index, salt, base = state.index, window.segment.salt, window.segment.number << 32
    offset, next_lsn, next_id, last_time = state.offset, state.next_lsn, state.next_id, state.last_time
    while True:
        data, at, stop = window.at(offset)
        if not stop:
            break
        kind = read_i32_le(data, at + 4) & ~(SYNCED << 8)
        record_id, lsn = read_i64_le(data, at + 12), read_i64_le(data, at + 20)
        if (lsn < next_lsn or record_id <= 0 or (kind != VALUE and kind != TOMBSTONE)
                or (crc32(data[at + 4 : stop], salt) ^ int(read_i32_le(data, at))) & CRC_MASK):
            break
        time, previous = read_i64_le(data, at + 28), read_i64_le(data, at + 36)
        position = base | offset
        before = index.put(record_id, position | DELETED_BIT if kind == TOMBSTONE else position) & POSITION_MASK
        if previous != before and previous and previous >> 32 not in segments and record_id not in state.redirects:
            state.redirects[record_id] = before
        if record_id >= next_id:
            next_id = record_id + 1
        if time > last_time:
            last_time = time
        next_lsn = lsn + 1
        offset += stop - at
    state.offset, state.next_lsn, state.next_id, state.last_time = offset, next_lsn, next_id, last_time


def _read_segment(segment: Segment, segments: dict[int, Segment], state: Recovered, last: bool,
                  synced: int) -> None:
    window = Window(segment)
    batches = _Batches(state, segments, last)
    while True:
        _read_plainly(window, state, segments)
        if not _read_carefully(window, batches, state, synced):
            break
    rest = window.end - state.offset
    if rest and last:
        state.cut = rest
        if batches.held:
            state.faults.append(Fault(window.name, state.offset, rest, LOST_MEMBER))
    elif rest:
        state.faults.append(Fault(window.name, state.offset, rest, NO_RECORD))


def _read_carefully(window: Window, batches: _Batches, state: Recovered, synced: int) -> bool:
    """Read on until plain records may follow; False at the end of the segment."""
    known = len(state.faults)
    lsn = state.next_lsn
    for record in walk(window, state.offset, lsn - 1, state.faults):
        for fault in state.faults[known:]:
            for suspect in _suspects(window.segment, fault, lsn, state):
                batches.add_suspect(suspect)
        batches.add(record, len(state.faults) > known, record.position < synced)
        known = len(state.faults)
        lsn = record.lsn + 1
        if batches.is_idle():
            return True
    return False
