"""Opening a store: reads records in order, steps over damage and reports it, finds the torn tail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ourdb.errors import CorruptRecord
from ourdb.files import File, Files
from ourdb.index import Index
from ourdb.record import (
    CONTINUED,
    DELETED_BIT,
    HEADER,
    HEADER_SIZE,
    MORE,
    OFFSET_MASK,
    SEGMENT_HEADER_SIZE,
    TOMBSTONE,
    Record,
    check_segment_header,
    unpack,
)

WINDOW: Final = 4 * 1024 * 1024


def segment_name(number: int) -> str:
    return f"{number:06d}.db"


def segment_numbers(files: Files) -> list[int]:
    """Numbers of the segments of a folder, upwards."""
    return sorted(int(name[:-3]) for name in files.names() if name.endswith(".db") and name[:-3].isdigit())


class Fault:
    """Bytes that could not be read, and why."""

    def __init__(self, file: str, offset: int, length: int, reason: str) -> None:
        self.file: Final = file
        self.offset: Final = offset
        self.length: Final = length
        self.reason: Final = reason

    def __str__(self) -> str:
        return f"{self.file} offset {self.offset}, {self.length} bytes: {self.reason}"


class Window:
    """A part of a file in memory, moved along as the reader goes on."""

    def __init__(self, file: File, segment: int) -> None:
        self.file: Final = file
        self.segment: Final = segment
        self.end: Final = file.size()
        self._data = b""
        self._base = 0

    def record(self, offset: int) -> Record | None:
        """The valid record at an offset, None when there is none."""
        at = offset - self._base
        if at < 0 or at + HEADER_SIZE > len(self._data):
            self._load(offset, WINDOW)
            at = 0
        if at + HEADER_SIZE > len(self._data):
            return None
        size = int(HEADER.unpack_from(self._data, at)[4])
        if at + HEADER_SIZE + size > len(self._data):
            if offset + HEADER_SIZE + size > self.end:
                return None
            self._load(offset, max(WINDOW, HEADER_SIZE + size))
            at = 0
        return unpack(self._data, at, self.segment, self._base)

    def payload(self, record: Record) -> bytes:
        """The payload of a record that was just read."""
        at = (record.position & OFFSET_MASK) - self._base + HEADER_SIZE
        return self._data[at : at + record.size]

    def could_begin(self, offset: int) -> bool:
        """Whether a record's kind, flags and reserved bytes could stand here; cheap, to search fast."""
        at = offset - self._base
        if at < 0 or at + HEADER_SIZE > len(self._data):
            self._load(offset, WINDOW)
            at = 0
            if len(self._data) < HEADER_SIZE:
                return False
        data = self._data
        return 0 < data[at + 4] < 3 and data[at + 5] < 4 and data[at + 6] == 0 and data[at + 7] == 0

    def _load(self, offset: int, size: int) -> None:
        self._base = offset
        self._data = self.file.read(min(size, max(0, self.end - offset)), offset)


def walk(window: Window, offset: int, lsn: int, faults: list[Fault]) -> Iterator[Record]:
    """Valid records from `offset` on, each with a log sequence number above the one before. Damage between them goes to
    `faults`; what follows the last one is left to the caller."""
    while offset < window.end:
        record = window.record(offset)
        if record is None or record.lsn <= lsn:
            found = _search(window, offset + 1, lsn)
            if found is None:
                return
            start = found.position & OFFSET_MASK
            faults.append(Fault(window.file.name, offset, start - offset, "these bytes are no valid record"))
            offset = start
            continue
        lsn = record.lsn
        yield record
        offset += record.length


def _search(window: Window, offset: int, lsn: int) -> Record | None:
    while offset + HEADER_SIZE <= window.end:
        if window.could_begin(offset):
            record = window.record(offset)
            if record is not None and record.lsn > lsn:
                return record
        offset += 1
    return None


class Recovered:
    """What a store knows after reading its files."""

    def __init__(self) -> None:
        self.index = Index()
        self.next_id = 1
        self.next_lsn = 1
        self.segment = 0
        self.offset = 0
        """Where the next record goes."""
        self.cut = 0
        """Bytes of a torn tail behind `offset`."""
        self.faults: Final[list[Fault]] = []

    def take(self, record: Record) -> None:
        deleted = DELETED_BIT if record.kind == TOMBSTONE else 0
        self.index.put(record.record_id, record.position | deleted)
        self.next_id = max(self.next_id, record.record_id + 1)
        self.next_lsn = record.lsn + 1
        self.offset = (record.position & OFFSET_MASK) + record.length


def recover(files: Files, start: Recovered, open_segment: Callable[[int], File]) -> Recovered:
    """Read every segment from where `start` (a checkpoint, or nothing) ends."""
    state = start
    numbers = [number for number in segment_numbers(files) if number >= state.segment]
    for number in numbers:
        file = open_segment(number)
        try:
            check_segment_header(file.read(SEGMENT_HEADER_SIZE, 0), number, file.name)
        except CorruptRecord as error:
            if number == numbers[-1] and file.size() < SEGMENT_HEADER_SIZE:
                state.segment, state.offset, state.cut = number, 0, file.size()
                return state
            state.faults.append(Fault(file.name, 0, SEGMENT_HEADER_SIZE, str(error)))
        begin = state.offset if number == state.segment and state.offset else SEGMENT_HEADER_SIZE
        state.segment, state.offset = number, begin
        _read_segment(Window(file, number), state, last=number == numbers[-1])
    return state


def _read_segment(window: Window, state: Recovered, last: bool) -> None:
    """Take the records of one segment, batches as a whole."""
    batch: list[Record] = []
    known = len(state.faults)
    broken = False
    for record in walk(window, state.offset, state.next_lsn - 1, state.faults):
        if not batch:
            broken = len(state.faults) > known and bool(record.flags & CONTINUED)
            known = len(state.faults)
        elif len(state.faults) > known:
            broken, known = True, len(state.faults)
        batch.append(record)
        if record.flags & MORE:
            continue
        if broken and last and (record.position & OFFSET_MASK) + record.length == window.end:
            break  # the batch that ends the store has lost a member: all of it goes
        for member in batch:
            state.take(member)
        batch = []
    rest = window.end - state.offset
    if rest and last:
        state.cut = rest
    elif rest:
        state.faults.append(Fault(window.file.name, state.offset, rest, "these bytes are no valid record"))
