"""Compaction of a store in use: sealed segments are written anew without what the policy drops, then swapped in.

docs/formats.md tells how a crash at any step leaves the old or the new set. Runs on the caller's thread in short steps.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from ourdb import manifest
from ourdb.backup import Progress
from ourdb.batch import FULL
from ourdb.checksum import crc32
from ourdb.errors import CorruptRecord, OurDBError, StoreClosed, StoreFull
from ourdb.index import PAGE, PAGE_BITS, Index
from ourdb.log import Log
from ourdb.record import (
    BODY,
    CRC,
    DELETED_BIT,
    OFFSET_MASK,
    POSITION_MASK,
    SEGMENT_HEADER_SIZE,
    TOMBSTONE,
    Record,
    SegmentHead,
)
from ourdb.recovery import Window, walk
from ourdb.segment import Fault, Segment, Segments, segment_name

FLUSH: Final = 1024 * 1024
SYNC_AFTER: Final = 8 * 1024 * 1024
"""Small helpings leave the disk to the writers between them."""
BREATHE_EVERY: Final = 64
"""Records after which other threads get their turn."""
BREATH_S: Final = 0.00005
"""Long enough to be a real pause: a thread that only offers the interpreter's lock mostly takes it back itself."""
DROP_ALL: Final = 1 << 40


class Policy:
    """What to keep: the newest version always; of the others the last `versions` and those younger than `age_ms`
    (either is enough; when both are None, all). `drop_deleted`: ids that are deleted (longer than `age_ms`) go as a
    whole."""

    def __init__(self, versions: int | None = None, age_ms: int | None = None, drop_deleted: bool = False) -> None:
        if (versions is not None and versions < 1) or (age_ms is not None and age_ms < 0):
            raise ValueError("a compaction keeps at least one version, and an age is not negative")
        self.versions: Final = versions
        self.age_ms: Final = age_ms
        self.drop_deleted: Final = drop_deleted


class Compacted:
    """What a compaction did."""

    def __init__(self) -> None:
        self.kept = 0
        self.dropped = 0
        self.bytes_before = 0
        self.bytes_after = 0


class _Output:
    """The segments that are being written, as `.new` files."""

    def __init__(self, segments: Segments, now: int, size: int) -> None:
        self.done: Final[list[Segment]] = []
        self._segments: Final = segments
        self._now: Final = now
        self._size: Final = size
        self._current: Segment | None = None
        self._buffer = bytearray()
        self._offset = 0
        self._unsynced = 0
        self._first_lsn = 0
        self._next_id = 1
        self._dropped = 0

    def begin(self, first_lsn: int, next_id: int) -> None:
        """Open a file; its header is written when it is known what it covers."""
        number = self._segments.allocate()
        head = SegmentHead(number, self._now, first_lsn, 0, 0, next_id, self._segments.salts[number])
        self._current = self._segments.create(f"{number:06d}.new", head)
        self._buffer = bytearray()
        self._offset = SEGMENT_HEADER_SIZE
        self._first_lsn, self._next_id = first_lsn, next_id
        self._dropped = 0

    def drop(self, lsn: int) -> None:
        self._dropped = lsn

    def add(self, record: Record, data: bytes, previous: int) -> int:
        """Write a record; its position."""
        if self._offset + record.length > self._size and self._offset > SEGMENT_HEADER_SIZE:
            self.end(record.lsn - 1)
            self.begin(record.lsn, self._next_id)
        segment = self._current
        if segment is None:
            raise RuntimeError("no output was begun")
        rest = BODY.pack(record.kind, 0, 0, len(data), record.record_id, record.lsn, record.time, previous) + data
        self._buffer += CRC.pack(crc32(rest, segment.salt))
        self._buffer += rest
        position = segment.number << 32 | self._offset
        self._offset += record.length
        if len(self._buffer) >= FLUSH:
            self._flush(segment)
        return position

    def _flush(self, segment: Segment) -> None:
        segment.write(self._buffer, self._offset - len(self._buffer))
        self._unsynced += len(self._buffer)
        if self._unsynced >= SYNC_AFTER:
            segment.sync()
            self._segments.sync()  # the swap will wait for it
            self._unsynced = 0
        self._buffer = bytearray()

    def end(self, last_lsn: int) -> None:
        """Finish the open file; it covers the log up to `last_lsn`."""
        old = self._current
        if old is None:
            return
        self._flush(old)
        head = SegmentHead(old.number, self._now, self._first_lsn, last_lsn, self._dropped, self._next_id, old.salt)
        old.write(head.pack(), 0)
        old.sync()
        self.done.append(Segment(head, old.file))
        self._current = None

    def discard(self) -> None:
        """Take everything away again."""
        for segment in [*self.done, *([self._current] if self._current is not None else [])]:
            segment.close()
            with contextlib.suppress(OSError):
                self._segments.files.unlink(f"{segment.number:06d}.new")


class Compaction:
    """One run. The caller keeps checkpoints and other compactions away."""

    def __init__(self, segments: Segments, log: Log, policy: Policy, now: int, segment_size: int,
                 progress: Progress) -> None:
        self.result: Final = Compacted()
        self._segments: Final = segments
        self._log: Final = log
        self._policy: Final = policy
        self._cutoff: Final = now - policy.age_ms if policy.age_ms is not None else 0
        self._output: Final = _Output(segments, now, segment_size)
        self._progress: Final = progress
        self._counts: Final = Index()
        """By id: how many versions the sealed segments hold, and DROP_ALL for a deleted id that goes."""
        self._seen: Final = Index()
        self._newest: Final = Index()
        """By id: where its newest kept version is."""
        self._old: Final[list[int]] = []
        self._done = 0
        self._total = 1

    def run(self) -> Compacted:
        """Raises CorruptRecord when something is damaged: that is for repair, not to be dropped in passing."""
        end = self._log.seal()
        order = [self._segments.by_number[number] for number in self._segments.order]
        sealed = [segment for segment in order if segment.head.first_lsn < end]
        self._total = 2 * sum(segment.file.size() for segment in sealed) or 1
        for segment in sealed:
            for record, _ in self._records(segment):
                self._count(record)
        try:
            self._rewrite(sealed, end)
        except OSError as error:
            self._output.discard()
            if error.errno in FULL:
                raise StoreFull(f"the disk has no room for a compaction: {error}") from error
            raise
        except BaseException:
            self._output.discard()
            raise
        if self._old:
            self._swap()
        self._progress(self._total, self._total)
        return self.result

    def _records(self, segment: Segment) -> Iterator[tuple[Record, bytes]]:
        faults: list[Fault] = []
        window = Window(segment)
        offset = SEGMENT_HEADER_SIZE
        for count, record in enumerate(walk(window, SEGMENT_HEADER_SIZE, segment.head.first_lsn - 1, faults), 1):
            if faults:
                break
            yield record, window.payload(record)
            offset = (record.position & OFFSET_MASK) + record.length
            if not count % BREATHE_EVERY:
                time.sleep(BREATH_S)
                if self._log.stopping:
                    raise StoreClosed("the store was closed during the compaction")
                self._progress(self._done + offset, self._total)
        if offset != window.end:
            raise CorruptRecord(f"{window.name} offset {offset} is damaged, repair the store before it is compacted")
        self._done += window.end

    def _count(self, record: Record) -> None:
        count = (self._counts.get(record.record_id) & (DROP_ALL - 1)) + 1
        if self._policy.drop_deleted and record.kind == TOMBSTONE:
            if self._policy.age_ms is None or record.time < self._cutoff:
                count |= DROP_ALL
        self._counts.put(record.record_id, count)

    def _keeps(self, record: Record) -> bool:
        counted = self._counts.get(record.record_id)
        if counted & DROP_ALL:
            return False
        seen = self._seen.get(record.record_id) + 1
        self._seen.put(record.record_id, seen)
        rank = counted - seen + 1
        policy = self._policy
        if rank == 1 or (policy.versions is None and policy.age_ms is None):
            return True
        if policy.versions is not None and rank <= policy.versions:
            return True
        return policy.age_ms is not None and record.time >= self._cutoff

    def _rewrite(self, sealed: list[Segment], end: int) -> None:
        """Write the kept records. Segments at the beginning in which nothing changes stay as they are."""
        for segment in sealed:
            if not self._old and self._stays(segment):
                continue
            if not self._old:
                self._output.begin(segment.head.first_lsn, segment.head.next_id)
            self._old.append(segment.number)
            self.result.bytes_before += segment.file.size()
            if segment.head.dropped:
                self._output.drop(segment.head.dropped)
            for record, data in self._records(segment):
                self._move(record, data)
        self._output.end(end - 1)
        self.result.bytes_after = sum(segment.file.size() for segment in self._output.done)

    def _stays(self, segment: Segment) -> bool:
        before: list[tuple[int, int, int]] = []
        stays = True
        for record, _ in self._records(segment):
            record_id = record.record_id
            before.append((record_id, self._seen.get(record_id), self._newest.get(record_id)))
            if not self._keeps(record) or record.previous != self._newest.get(record_id) & POSITION_MASK:
                stays = False
                break
            self._newest.put(record_id, record.position)
        if stays:
            self.result.kept += len(before)
            return True
        for record_id, seen, newest in reversed(before):
            self._seen.put(record_id, seen)
            self._newest.put(record_id, newest)
        return False

    def _move(self, record: Record, data: bytes) -> None:
        if not self._keeps(record):
            self.result.dropped += 1
            self._output.drop(record.lsn)
            return
        self.result.kept += 1
        position = self._output.add(record, data, self._newest.get(record.record_id))
        self._newest.put(record.record_id, position)

    # The swap

    def _swap(self) -> None:
        log, segments, new = self._log, self._segments, self._output.done
        numbers = [segment.number for segment in new]
        manifest.save(segments.files, numbers, self._old)
        with log.mutex:
            for segment in new:
                segment.file.name = segment_name(segment.number)
            segments.swap(new, self._old)
            log.moved_to = self._newest.get
            log.moved = set(self._old)
        manifest.finish(segments.files, numbers, self._old)
        self._translate()
        with contextlib.suppress(OurDBError):  # its records are taken back, or nothing is written any more
            log.flush_gently()
        redirects = self._redirects(self._moved_ids())
        with log.mutex:
            log.state.redirects = redirects
            gone = segments.let_go(self._old)
            log.moved = set()
            log.moved_to = None
        gone.clear()  # outside of the mutex: clearing a large file takes long

    def _translate(self) -> None:
        """Let the index point to the new places, page by page."""
        index, moved = self._log.state.index, self._log.moved
        for number in sorted(index.pages):
            with self._log.mutex:
                self._translate_page(index, number, moved)
            time.sleep(BREATH_S)

    def _translate_page(self, index: Index, number: int, moved: set[int]) -> None:
        page = index.pages.get(number)
        if page is None:
            return
        for slot in range(PAGE):
            position = page.slots[slot]
            if position and (position & POSITION_MASK) >> 32 in moved:
                record_id = (number << PAGE_BITS) + slot
                place = self._newest.get(record_id)
                index.put(record_id, place | (position & DELETED_BIT) if place else 0)
        index.drop_empty(number)

    def _moved_ids(self) -> Iterator[int]:
        """Ids whose records behind the sealed ones still name a place that is gone."""
        old = set(self._old)
        last = self._output.done[-1].number
        order = self._segments.order
        ignored: list[Fault] = []
        for number in order[order.index(last) + 1 :]:
            segment = self._segments.by_number[number]
            records = walk(Window(segment), SEGMENT_HEADER_SIZE, segment.head.first_lsn - 1, ignored)
            for count, record in enumerate(records, 1):
                if record.previous >> 32 in old:
                    yield record.record_id
                if not count % BREATHE_EVERY:
                    time.sleep(BREATH_S)

    def _redirects(self, ids: Iterator[int]) -> dict[int, int]:
        return {record_id: self._newest.get(record_id) for record_id in ids}
