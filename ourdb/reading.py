"""Reading records by position, back through their versions, and forward through the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ourdb.batch import Chunk
from ourdb.errors import CorruptRecord
from ourdb.files import File, Files
from ourdb.record import HEADER_SIZE, OFFSET_MASK, SEGMENT_HEADER_SIZE, TOMBSTONE, Record, place, unpack
from ourdb.recovery import Fault, Window, segment_numbers, walk

FIRST_READ: Final = 1024


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
    """`file` opens a segment, `pending` finds what is not on disk yet."""

    def __init__(self, file: Callable[[int], File], pending: Callable[[int], Chunk | None]) -> None:
        self._file: Final = file
        self._pending: Final = pending

    def _bytes(self, position: int) -> bytes:
        """The record's bytes, and perhaps more behind them."""
        offset = position & OFFSET_MASK
        chunk = self._pending(position)
        if chunk is not None:
            at = offset - chunk.base
            size = int.from_bytes(chunk.data[at + 8 : at + 12], "little")
            return bytes(chunk.data[at : at + HEADER_SIZE + size])
        file = self._file(position >> 32)
        data = file.read(FIRST_READ, offset)
        if len(data) >= HEADER_SIZE:
            length = HEADER_SIZE + int.from_bytes(data[8:12], "little")
            if length > len(data) and offset + length <= file.size():
                data = file.read(length, offset)
        return data

    def record(self, position: int) -> Record:
        """The header of a valid record; CorruptRecord."""
        return self._read(position)[0]

    def _read(self, position: int) -> tuple[Record, bytes]:
        data = self._bytes(position)
        record = unpack(data, 0, position >> 32, position & OFFSET_MASK)
        if record is None:
            raise CorruptRecord(f"the record at {place(position)} is damaged")
        return record, data

    def value(self, position: int, record_id: int) -> bytes:
        record, data = self._read(position)
        if record.record_id != record_id:
            raise CorruptRecord(f"the record at {place(position)} has id {record.record_id}, not {record_id}")
        return data[HEADER_SIZE : HEADER_SIZE + record.size]

    def history(self, position: int, record_id: int, depth: int) -> list[Version]:
        versions: list[Version] = []
        while position and len(versions) < depth:
            record, data = self._read(position)
            if record.record_id != record_id:
                raise CorruptRecord(f"the record at {place(position)} has id {record.record_id}, not {record_id}")
            payload = None if record.kind == TOMBSTONE else data[HEADER_SIZE : HEADER_SIZE + record.size]
            versions.append(Version(record.lsn, record.time, payload, (position >> 32, position & OFFSET_MASK)))
            position = record.previous
        return versions

    def changes(self, files: Files, since: int) -> Iterator[Change]:
        """Records on disk in the order of the log; damage is stepped over, as at opening."""
        faults: list[Fault] = []
        lsn = 0
        for number in segment_numbers(files):
            window = Window(self._file(number), number)
            for record in walk(window, SEGMENT_HEADER_SIZE, lsn, faults):
                lsn = record.lsn
                if lsn > since:
                    data = None if record.kind == TOMBSTONE else window.payload(record)
                    yield Change(lsn, record.record_id, record.time, data)
