"""The segments of a folder: opening, making, mapping and ordering them. Knows nothing of ids."""

from __future__ import annotations

import contextlib
import errno
import mmap
from typing import Final

from librt.threading import Lock

from ourdb import manifest
from ourdb.errors import CorruptRecord
from ourdb.files import PARTS_AT_ONCE, File, Files
from ourdb.record import SEGMENT_HEADER_SIZE, SegmentHead, read_segment_head

MISSES_SHIFT: Final = 18
"""One read past the mapping per so much of it: letting go of a large one costs as much as many reads."""
ATTEMPTS: Final = 10


def segment_name(number: int) -> str:
    return f"{number:06d}.db"


class Fault:
    """Bytes that could not be read, and why."""

    def __init__(self, file: str, offset: int, length: int, reason: str) -> None:
        self.file: Final = file
        self.offset: Final = offset
        self.length: Final = length
        self.reason: Final = reason

    def __str__(self) -> str:
        return f"{self.file} offset {self.offset}, {self.length} bytes: {self.reason}"


class Segment:
    """An open segment; `mapped` bytes of it can be read through `map`."""

    def __init__(self, head: SegmentHead, file: File) -> None:
        self.head: Final = head
        self.number: Final = head.number
        self.salt: Final = head.salt
        self.file: Final = file
        self.map: mmap.mmap | None = None
        self.mapped = 0
        self.mappable = True
        """False for a file that another process may cut: a mapping of what is gone kills the process."""
        self._misses = 0
        self.dirty = False
        """Written to and not synced since."""
        self._broken = False
        self._syncing: Final = Lock()

    def read(self, start: int, end: int) -> bytes:
        """Bytes from `start` to `end`; fewer where the file ends."""
        if end > self.mapped and not self._reach(end):
            return self.file.read(end - start, start)
        mapping = self.map
        return self.file.read(end - start, start) if mapping is None else mapping[start:end]

    def _reach(self, end: int) -> bool:
        """Map the file anew when enough was read behind the mapping for this to pay."""
        self._misses += 1
        if not self.mappable or self._misses <= self.mapped >> MISSES_SHIFT or self.file.size() < end:
            return False
        self._misses = 0
        mapping = self.file.map()
        if mapping is None or len(mapping) < end:
            return False
        self.map = mapping
        self.mapped = len(mapping)
        return True

    def write(self, data: bytes | bytearray, offset: int) -> None:
        self.dirty = True
        self.file.write(data, offset)

    def write_parts(self, parts: list[bytes], offset: int) -> None:
        """One behind the other, many with one call."""
        self.dirty = True
        start = 0
        while start < len(parts):
            some = parts if len(parts) <= PARTS_AT_ONCE else parts[start : start + PARTS_AT_ONCE]
            size = 0
            for part in some:
                size += len(part)
            self.file.write_parts(some, size, offset)
            offset += size
            start += PARTS_AT_ONCE

    def sync(self) -> None:
        """Threads that come while one syncs wait for it: its sync may be the one that they rely on. After a failure
        every sync fails, since the system forgets what it could not write."""
        with self._syncing:
            if self._broken:
                raise OSError(errno.EIO, "an earlier sync failed", self.file.name)
            if not self.dirty:
                return
            self.dirty = False
            try:
                self.file.sync()
            except BaseException:
                self.dirty = self._broken = True
                raise

    def close(self) -> None:
        """The mapping goes when its last reader lets go of it."""
        self.map = None
        self.mapped = 0
        self.file.close()


class Segments:
    """The open segments by number, and their order in the log."""

    def __init__(self, files: Files, write: bool, faults: list[Fault]) -> None:
        self.files: Final = files
        self.by_number: Final[dict[int, Segment]] = {}
        self.order: list[int] = []
        """Numbers in the order of the log; replaced as a whole, never changed in place."""
        self.salts: Final[dict[int, int]] = {}
        """Of the segments that are or will be made."""
        self.retired: Final[set[int]] = set()
        """Out of the order, but still read."""
        self.generation = 0
        """Goes up when segments were let go of."""
        self.next_number = 1
        self._write: Final = write
        self._names: dict[int, str] = {}
        self._open_all(faults)

    def _open_all(self, faults: list[Fault]) -> None:
        """A reader may meet a compaction that takes files away between the listing and the opening: it looks again."""
        for attempt in range(ATTEMPTS):
            self._names, damage = manifest.settle(self.files, self._write)
            if damage:
                faults.append(Fault(manifest.NAME, 0, 0, damage))
            try:
                for number in sorted(self._names):
                    self._open(number, faults)
            except FileNotFoundError:
                self.close()
                self.salts.clear()
                faults.clear()
                if self._write or attempt == ATTEMPTS - 1:
                    raise
            else:
                break
        self._sort()

    def _open(self, number: int, faults: list[Fault]) -> None:
        name = self._names[number]
        self.next_number = max(self.next_number, number + 1)
        file = self.files.open(name, write=self._write)
        try:
            head, whole = read_segment_head(file.read(SEGMENT_HEADER_SIZE, 0), number, name)
        except CorruptRecord as error:
            size = file.size()
            if size <= SEGMENT_HEADER_SIZE and number == max(self._names):
                file.close()
                self._drop_unfinished(name, size, faults)
                return
            file.close()
            faults.append(Fault(name, 0, size, str(error)))
            return
        except BaseException:
            file.close()
            raise
        if not whole:
            faults.append(Fault(name, 0, SEGMENT_HEADER_SIZE, "one of the two copies of the header is damaged"))
        self.by_number[number] = Segment(head, file)
        self.salts[number] = head.salt

    def _drop_unfinished(self, name: str, size: int, faults: list[Fault]) -> None:
        """A segment whose making was interrupted holds nothing."""
        if size:
            faults.append(Fault(name, 0, size, "torn tail of an unfinished write, cut off"))
        if self._write:
            self.files.unlink(name)
            self.files.sync_folder()

    def _sort(self) -> None:
        by_number = self.by_number
        counted = [number for number in by_number if number not in self.retired]
        self.order = sorted(counted, key=lambda number: (by_number[number].head.first_lsn, number))
        if not self._write:
            for number in counted:
                by_number[number].mappable = number != self.order[-1]

    def is_current(self) -> bool:
        """Whether these are still the segments that count: for a writer always, for a reader beside one perhaps."""
        return self._write or manifest.settle(self.files, False)[0].keys() == self._names.keys()

    def are_there(self) -> bool:
        """Whether none was taken away meanwhile. Records that a reader finds after that may name a new one."""
        return self._write or manifest.settle(self.files, False)[0].keys() >= self.by_number.keys()

    def look_again(self, faults: list[Fault]) -> bool:
        """Open what a writer has added; False when it has replaced some, then all are opened anew."""
        names, _ = manifest.settle(self.files, False)
        if all(number in names for number in self.by_number):
            self._names = names
            with contextlib.suppress(FileNotFoundError):
                for number in sorted(names.keys() - self.by_number.keys()):
                    self._open(number, [])
                self._sort()
                return True
        old = list(self.by_number)
        self.by_number.clear()
        self._open_all(faults)
        self.let_go([number for number in old if number not in self.by_number])
        return False

    def get(self, number: int) -> Segment:
        segment = self.by_number.get(number)
        if segment is None:
            raise CorruptRecord(f"{segment_name(number)} is missing")
        return segment

    def allocate(self) -> int:
        """A number for a segment that is yet to be made."""
        number = self.next_number
        self.next_number = number + 1
        self.salts[number] = self.files.salt()
        return number

    def make(self, number: int, time: int, first_lsn: int, next_id: int) -> Segment:
        """A new segment at the end of the log, its header and its name synced."""
        head = SegmentHead(number, time, first_lsn, 0, 0, next_id, self.salts[number])
        segment = self.create(segment_name(number), head)
        segment.sync()
        self.files.sync_folder()
        self.adopt(segment)
        return segment

    def create(self, name: str, head: SegmentHead) -> Segment:
        """A file with a header, in no order yet."""
        file = self.files.open(name, write=True, create=True)
        segment = Segment(head, file)
        try:
            segment.write(head.pack(), 0)
        except BaseException:
            file.close()
            with contextlib.suppress(OSError):
                self.files.unlink(name)
            raise
        return segment

    def adopt(self, segment: Segment) -> None:
        self.by_number[segment.number] = segment
        self._sort()

    def swap(self, new: list[Segment], old: list[int]) -> None:
        """Put new segments into the order in place of old ones, which can still be read by number."""
        for segment in new:
            self.by_number[segment.number] = segment
        self.retired.update(old)
        self._sort()

    def let_go(self, old: list[int]) -> list[Segment]:
        """The old ones are not read any more. Their files close when the last reader is done, the caller at the
        earliest: the system takes its time to clear a large file that is gone, and nobody should wait for that."""
        gone = []
        for number in old:
            segment = self.by_number.pop(number, None)
            self.salts.pop(number, None)
            if segment is not None:
                gone.append(segment)
        self.retired.clear()
        self.generation += 1
        return gone

    def forget(self, number: int) -> Segment | None:
        """Take a segment out of the log; its file stays open."""
        self.order = [other for other in self.order if other != number]
        return self.by_number.pop(number, None)

    def remove(self, number: int) -> None:
        """Take a segment away with its file."""
        segment = self.forget(number)
        if segment is not None:
            segment.close()
            self.files.unlink(segment_name(number))
            self.files.sync_folder()

    def sync(self) -> None:
        """Sync what was written; oldest first."""
        for number in self.order:
            segment = self.by_number.get(number)
            if segment is not None:
                segment.sync()

    def close(self) -> None:
        for segment in self.by_number.values():
            segment.close()
        self.by_number.clear()
        self.order = []
