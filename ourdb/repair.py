"""Repair: a new store from what can still be read of a damaged one, and the list of what could not.

The damaged store is only read. Nothing is dropped in silence: each loss is named with its place, and an id whose newest
version was lost is told apart from one that lost only an older one.
"""

from __future__ import annotations

from typing import Final

from ourdb import checkpoint
from ourdb.backup import Progress, no_progress
from ourdb.errors import OurDBError
from ourdb.files import Files
from ourdb.index import PAGE, PAGE_BITS, Index
from ourdb.record import (
    DELETED_BIT,
    HEADER_SIZE,
    OFFSET_MASK,
    POSITION_MASK,
    SEGMENT_HEADER_SIZE,
    Record,
    SegmentHead,
    pack,
    place,
)
from ourdb.recovery import Recovered, Window, recover, walk
from ourdb.segment import Fault, Segment, Segments, segment_name


class Repaired:
    """What a repair saved, and what it could not."""

    def __init__(self) -> None:
        self.saved = 0
        self.ids = 0
        self.losses: Final[list[str]] = []


class _Repair:
    def __init__(self, source: Segments, synced: int, files: Files, progress: Progress) -> None:
        self.result: Final = Repaired()
        self._source: Final = source
        self._synced: Final = synced
        self._files: Final = files
        self._progress: Final = progress
        self._state: Final = Recovered()
        """Of the new store."""
        self._saved: Final = Index()
        """By id, where its newest saved version was in the old store."""
        self._done = 0
        self._total = sum(segment.file.size() for segment in source.by_number.values()) or 1

    def run(self) -> Repaired:
        damaged = recover(Recovered(), self._source, self._synced)
        self.result.losses.extend(str(fault) for fault in damaged.faults)
        if damaged.cut:
            name = self._source.get(damaged.segment).file.name
            self.result.losses.append(f"{name} offset {damaged.offset}, {damaged.cut} bytes: an unfinished write")
        # A lost end may have held so many records at most: their ids and numbers are not given out again.
        gone = damaged.cut // HEADER_SIZE + 1 if damaged.cut else 0
        next_lsn = damaged.next_lsn + gone
        order = [self._source.get(number) for number in self._source.order]
        for at, segment in enumerate(order):
            if at + 1 < len(order):
                self._segment(segment, 0, order[at + 1].head.first_lsn)
            else:
                self._segment(segment, damaged.offset, next_lsn)
        self._lost_newest(damaged)
        self._close(damaged.next_id + gone, next_lsn)
        self.result.ids = self._state.index.live
        self._progress(self._total, self._total)
        return self.result

    def _segment(self, old: Segment, end: int, next_lsn: int) -> None:
        """Write its whole records to a new segment of the same number, linked to the versions that are left. It covers
        the log up to `next_lsn`; a cursor that would miss something lost is told so."""
        salt = self._files.salt()
        file = self._files.open(f"{old.number:06d}.new", write=True, create=True)
        window = Window(old, end)
        faults: list[Fault] = []
        out = bytearray(SEGMENT_HEADER_SIZE)
        written = 0
        last_lsn = old.head.first_lsn - 1
        try:
            for record in walk(window, SEGMENT_HEADER_SIZE, old.head.first_lsn - 1, faults):
                position = old.number << 32 | written + len(out)
                out += self._linked(record, window.payload(record), position, salt)
                last_lsn = record.lsn
                if len(out) >= 1 << 20:
                    file.write(out, written)
                    written += len(out)
                    out = bytearray()
                    self._progress(self._done + (record.position & OFFSET_MASK), self._total)
            file.write(out, written)
            is_first = old.number == self._source.order[0]
            begin = 1 if is_first else old.head.first_lsn
            lost = faults or max(last_lsn, old.head.last_lsn) < next_lsn - 1 or begin < old.head.first_lsn
            head = SegmentHead(old.number, old.head.time, begin, next_lsn - 1,
                               next_lsn - 1 if lost else old.head.dropped, old.head.next_id, salt)
            file.write(head.pack(), 0)
            file.sync()
        finally:
            file.close()
        self._done += old.file.size()
        self._files.rename(f"{old.number:06d}.new", segment_name(old.number))

    def _linked(self, record: Record, data: bytes, position: int, salt: int) -> bytes:
        state = self._state
        previous = state.index.get(record.record_id) & POSITION_MASK
        self._saved.put(record.record_id, record.position)
        state.take(Record(position, record.kind, 0, record.size, record.record_id, record.lsn, record.time, previous),
                   self._source.by_number)
        self.result.saved += 1
        return pack(salt, record.kind, 0, record.record_id, record.lsn, record.time, previous, data)

    def _lost_newest(self, damaged: Recovered) -> None:
        """Ids that now show an older version, or none at all, because their newest one was lost."""
        index = self._state.index
        for number, page in damaged.index.pages.items():
            for slot in range(PAGE):
                position = page.slots[slot] & POSITION_MASK
                record_id = number << PAGE_BITS | slot
                if position and self._saved.get(record_id) != position:
                    left = index.get(record_id)
                    what = "it shows the one before" if 0 < left < DELETED_BIT else "nothing is left of it"
                    self.result.losses.append(f"id {record_id}: its newest version at {place(position)} is lost, "
                                              f"{what}")

    def _close(self, next_id: int, next_lsn: int) -> None:
        """An empty last segment keeps the next id and the next log sequence number of the old store."""
        number = max(self._source.order, default=0) + 1
        head = SegmentHead(number, self._state.last_time, next_lsn, 0, 0, next_id, self._files.salt())
        file = self._files.open(f"{number:06d}.new", write=True, create=True)
        try:
            file.write(head.pack(), 0)
            file.sync()
        finally:
            file.close()
        self._files.rename(f"{number:06d}.new", segment_name(number))
        self._files.sync_folder()


def repair(source: Files, target: Files, progress: Progress = no_progress) -> Repaired:
    """Save what can be saved of `source` into `target`, an empty or new folder. OurDBError when it is not empty."""
    target.make_folder()
    lock = target.lock()
    try:
        if [name for name in target.names() if name != "LOCK"]:
            raise OurDBError("the folder to repair into is not empty")
        faults: list[Fault] = []
        segments = Segments(source, False, faults)
        try:
            saved = checkpoint.load(source, segments)
            run = _Repair(segments, saved.segment << 32 | saved.offset, target, progress)
            run.result.losses.extend(str(fault) for fault in faults)
            return run.run()
        finally:
            segments.close()
    finally:
        lock.release()
