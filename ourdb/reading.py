"""Reading records by position, back through their versions, and forward through the log."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

from ourdb.batch import Chunk
from ourdb.errors import CorruptRecord, CursorTooOld
from ourdb.record import (
    BODY_SIZE,
    HEADER,
    HEADER_SIZE,
    MORE,
    OFFSET_MASK,
    SEGMENT_HEADER_SIZE,
    TOMBSTONE,
    VALUE,
    Record,
    place,
    unpack,
)
from ourdb.recovery import Window, walk
from ourdb.segment import Fault, Segments


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
    """`pending` finds what is not on disk yet, `follow` where a history goes on behind a compaction."""

    def __init__(self, segments: Segments, pending: Callable[[int], Chunk | None],
                 follow: Callable[[int], int]) -> None:
        self._segments: Final = segments
        self._pending: Final = pending
        self._follow: Final = follow

    def value(self, position: int, record_id: int) -> bytes:
        """The payload of a value that must be of this id. The hot path: one look into the mapping."""
        chunk = self._pending(position)
        if chunk is None:
            segment = self._segments.by_number.get(position >> 32)
            if segment is not None:
                start = position & OFFSET_MASK
                mapping = segment.map
                if mapping is not None and start + HEADER_SIZE <= segment.mapped:
                    crc, kind, _, _, size, stored, _, _, _ = HEADER.unpack_from(mapping, start)
                    end = start + HEADER_SIZE + size
                    if end <= segment.mapped and stored == record_id and kind == VALUE:
                        data = mapping[start + 4 : end]
                        if zlib.crc32(data, segment.salt) == crc:
                            return data[BODY_SIZE:]
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
        chunk = self._pending(position)
        if chunk is not None:
            at = start - chunk.base
            size = int.from_bytes(chunk.data[at + 8 : at + 12], "little")
            data = bytes(chunk.data[at : at + HEADER_SIZE + size])
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

    def changes(self, since: int, end: int) -> Iterator[Change]:
        """Records on disk with log sequence numbers above `since` and below `end`, damage stepped over; a batch only
        as a whole. CursorTooOld when a compaction has dropped some of them."""
        faults: list[Fault] = []
        segments = self._segments
        order = [segments.by_number[number] for number in segments.order]
        dropped = max((segment.head.dropped for segment in order), default=0)
        if 0 < since < dropped:
            raise CursorTooOld(f"changes after {since} were dropped, up to {dropped}: begin again at 0")
        for at, segment in enumerate(order):
            if at + 1 < len(order) and order[at + 1].head.first_lsn <= since + 1:
                continue
            window = Window(segment)
            batch: list[Change] = []
            for record in walk(window, SEGMENT_HEADER_SIZE, segment.head.first_lsn - 1, faults):
                if record.lsn >= end:
                    return
                if record.lsn > since:
                    data = None if record.kind == TOMBSTONE else window.payload(record)
                    batch.append(Change(record.lsn, record.record_id, record.time, data))
                if not record.flags & MORE:
                    yield from batch
                    batch.clear()
