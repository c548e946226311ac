"""Reads a whole store and reports each fault with its place. Changes nothing and needs no lock."""

from __future__ import annotations

from typing import Final

from ourdb import checkpoint
from ourdb.backup import Progress, no_progress
from ourdb.files import Files
from ourdb.record import OFFSET_MASK, POSITION_MASK, SEGMENT_HEADER_SIZE, TOMBSTONE, Record, place
from ourdb.recovery import NO_RECORD, Recovered, Window, recover, walk
from ourdb.segment import Fault, Segment, Segments


class Report:
    """What a check found."""

    def __init__(self) -> None:
        self.faults: Final[list[Fault]] = []
        self.notes: Final[list[str]] = []
        """What is no damage but worth knowing, such as the torn tail of a crash."""
        self.segments = 0
        self.size = 0
        self.records = 0
        self.tombstones = 0
        self.live = 0
        self.live_bytes = 0
        self.next_id = 1
        self.last_lsn = 0


class _Checker:
    def __init__(self, segments: Segments, report: Report, progress: Progress) -> None:
        self._segments: Final = segments
        self._report: Final = report
        self._progress: Final = progress
        self._state: Final = Recovered()
        self._done = 0

    def run(self, synced: int) -> Recovered:
        """`synced`: up to where the checkpoint shows that all was synced."""
        report = self._report
        order = [self._segments.by_number[number] for number in self._segments.order]
        report.segments = len(order)
        report.size = sum(segment.file.size() for segment in order)
        for segment in order:
            self._links(segment)
        state = recover(Recovered(), self._segments, synced)
        report.faults.extend(state.faults)
        if state.cut:
            self._tell_cut(state, synced)
        report.live, report.next_id, report.last_lsn = state.index.live, state.next_id, state.next_lsn - 1
        return state

    def _tell_cut(self, state: Recovered, synced: int) -> None:
        name = self._segments.get(state.segment).file.name
        if state.segment << 32 | state.offset < synced:
            self._report.faults.append(Fault(name, state.offset, state.cut, NO_RECORD))
        else:
            self._report.notes.append(f"{name} offset {state.offset}: {state.cut} bytes of an unfinished write at the "
                                      "end, the next writer cuts them off")

    def _links(self, segment: Segment) -> None:
        """Follow the order of the log and see that each record names the version before it."""
        window = Window(segment)
        ignored: list[Fault] = []
        for record in walk(window, SEGMENT_HEADER_SIZE, segment.head.first_lsn - 1, ignored):
            self._link(record, segment.file.name)
            self._report.records += 1
            self._report.tombstones += record.kind == TOMBSTONE
            if not self._report.records % 4096:
                self._progress(self._done + (record.position & OFFSET_MASK), self._report.size)
        self._done += window.end
        self._progress(self._done, self._report.size)

    def _link(self, record: Record, name: str) -> None:
        before = self._state.index.put(record.record_id, record.position) & POSITION_MASK
        previous = record.previous
        if previous == before or (previous and previous >> 32 not in self._segments.by_number):
            return
        reason = f"id {record.record_id}: its previous version should be at "
        reason += place(before) if before else "no place"
        reason += f", the record says {place(previous) if previous else 'none'}"
        self._report.faults.append(Fault(name, record.position & OFFSET_MASK, record.length, reason))


def _same(one: Recovered, other: Recovered) -> bool:
    """Whether two ways of opening lead to the same index."""
    first = {number: page.tobytes() for number, page in one.index.pages.items() if not page.is_empty()}
    second = {number: page.tobytes() for number, page in other.index.pages.items() if not page.is_empty()}
    return first == second and one.next_id == other.next_id


def check(files: Files, progress: Progress = no_progress) -> Report:
    """Read everything. Raises UnknownFormat when another version wrote the files."""
    report = Report()
    segments = Segments(files, False, report.faults)
    try:
        saved = checkpoint.load(files, segments)
        report.faults.extend(saved.faults)
        saved.faults.clear()
        full = _Checker(segments, report, progress).run(saved.segment << 32 | saved.offset)
        report.live_bytes = _live_bytes(segments, full)
        if saved.segment:
            quick = recover(saved, segments)
            if quick.next_lsn == full.next_lsn and not full.faults and not _same(quick, full):
                report.faults.append(Fault(checkpoint.NAME, 0, 0, "the index that it leads to is not that of the log"))
        elif checkpoint.NAME in files.names() and not any(fault.file == checkpoint.NAME for fault in report.faults):
            report.notes.append("the checkpoint is of other segments or another version; it is not used")
    finally:
        segments.close()
    report.faults.sort(key=lambda fault: (fault.file, fault.offset))
    return report


def _live_bytes(segments: Segments, state: Recovered) -> int:
    """Bytes of the newest values: what a compaction to one version would keep."""
    total = 0
    ignored: list[Fault] = []
    for number in segments.order:
        segment = segments.by_number[number]
        for record in walk(Window(segment), SEGMENT_HEADER_SIZE, segment.head.first_lsn - 1, ignored):
            if state.index.get(record.record_id) == record.position:
                total += record.length
    return total
