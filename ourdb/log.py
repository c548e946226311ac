"""The end of the log: appends collect here, are written by the committer, and are taken back when the disk is full.

One mutex guards the state; everything that waits for the disk runs on the committer's thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from librt.threading import Lock
from librt.time import time

from ourdb.batch import Committer, Flight, check_batch, must_live
from ourdb.checkpoint import mark_of
from ourdb.chunk import Chunk, Encoder
from ourdb.commit import Commit
from ourdb.errors import CorruptRecord, InvalidId, RecordTooLarge, StoreClosed, StoreFailed, StoreFull
from ourdb.record import (
    CONTINUED,
    DELETED_BIT,
    HEADER_SIZE,
    MAX_ID,
    MORE,
    POSITION_MASK,
    SEGMENT_HEADER_SIZE,
    SYNCED,
    TOMBSTONE,
    VALUE,
)
from ourdb.recovery import Recovered
from ourdb.segment import Segments
from ourdb.watch import Lost, Watch

NO: Final = 0
EVERYSEC: Final = 1
ALWAYS: Final = 2
DURABILITIES: Final = {"no": NO, "everysec": EVERYSEC, "always": ALWAYS}


def now_ms() -> int:
    return int(time() * 1000.0)


def _ended() -> Commit:
    commit = Commit()
    commit.finish(None)
    return commit


class Log:
    """Appending to an open store."""

    def __init__(self, segments: Segments, state: Recovered, durability: int, clock: Callable[[], int] | None,
                 max_record: int, segment_size: int, salt: int) -> None:
        self.mutex: Final = Lock()
        self.state: Final = state
        self.segments: Final = segments
        self.durable = mark_of(state)
        """Everything before it is written, with durability "always" also synced."""
        self.bytes_written = 0
        self.stopping = False
        """Long work in other threads has to end."""
        self.undone = 0
        """How often a full disk took records back."""
        self.moved: set[int] = set()
        """Segments that a compaction is taking away."""
        self.moved_to: Callable[[int], int] | None = None
        self._salt: object = salt  # as Python has it: each record needs it so
        self._durability: Final = durability
        self._clock: Final = clock
        self._max_record: Final = max_record
        self._segment_size: Final = segment_size
        self._closed = False
        self._chunks: list[Chunk] = []
        self._chunk: Chunk | None = None
        """Where the next record goes, None when that needs a new one."""
        self._encoder: Final = Encoder()
        self._flight: list[Chunk] = []
        self._taken = self.durable
        self._commit = Commit()
        self._last = _ended()
        self._asked = NO
        """The strictest durability that was asked for since the last batch was taken."""
        self._synced = True
        """Whether what was taken is synced, or will be before anything else is written."""
        self._watch: Final = Watch()
        self._time_at: Callable[[int], int] | None = None
        self._is_tombstone: Callable[[int], bool] | None = None
        self._after_batch: Callable[[], None] | None = None
        self.committer: Final = Committer(self._take, self._write, segments.sync,
                                          self._written, self._undo, self._synced_late)

    def start(self, time_at: Callable[[int], int], is_tombstone: Callable[[int], bool],
              after_batch: Callable[[], None]) -> None:
        """Begin to write; the first two read records by position, the last is called after each batch."""
        self._after_batch = after_batch
        self._time_at = time_at
        self._is_tombstone = is_tombstone
        self.committer.start()

    def close(self) -> None:
        """Write what was appended; StoreFull or StoreFailed when that did not work and nobody was told yet."""
        with self.mutex:
            self._closed = True
            open_end = bool(self._chunks)
            self._asked = max(self._asked, self._durability)
        self.committer.wake()
        self.committer.stop()
        if open_end and self._last.error is not None:
            raise self._last.error

    # Appending

    def append(self, data: bytes, record_id: int, at_ms: int) -> int:
        with self.mutex:
            if self._closed or self.committer.failure:
                self._refuse()
            if len(data) > self._max_record:
                raise RecordTooLarge(f"{len(data)} bytes are more than {self._max_record}")
            state = self.state
            if record_id == 0:
                record_id = state.next_id
            elif not 0 < record_id <= MAX_ID:
                raise InvalidId(f"id {record_id} is not from 1 to {MAX_ID}")
            if record_id >= state.next_id:
                state.next_id = record_id + 1
            self._add(VALUE, 0, record_id, data, at_ms)
            return record_id

    def append_delete(self, record_id: int) -> None:
        with self.mutex:
            if self._closed or self.committer.failure:
                self._refuse()
            must_live(self.state.index, record_id)
            self._add(TOMBSTONE, 0, record_id, b"", 0)

    def append_batch(self, items: list[tuple[bytes | None, int]], at_ms: int) -> list[int]:
        with self.mutex:
            if self._closed or self.committer.failure:
                self._refuse()
            size = check_batch(items, self.state.next_id, self.state.index, self._max_record)
            self._roll_before(size)
            ids = []
            last = len(items) - 1
            for at, (data, record_id) in enumerate(items):
                if record_id == 0:
                    record_id = self.state.next_id
                if record_id >= self.state.next_id:
                    self.state.next_id = record_id + 1
                flags = (MORE if at < last else 0) | (CONTINUED if at else 0)
                self._add(TOMBSTONE if data is None else VALUE, flags, record_id, data or b"", at_ms)
                ids.append(record_id)
            return ids

    def _refuse(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")
        raise StoreFailed(self.committer.failure)

    def _roll_before(self, size: int) -> None:
        """Begin a new segment when this one has no room."""
        state = self.state
        if state.offset + size > self._segment_size and state.offset > SEGMENT_HEADER_SIZE:
            self.roll()

    def roll(self) -> None:
        """What is appended next goes into a new segment. Under the mutex."""
        number = self.segments.allocate()
        self._salt = self.segments.salts[number]
        self._chunk = None
        self.state.segment = number
        self.state.offset = SEGMENT_HEADER_SIZE

    def seal(self, always: bool = False) -> int:
        """End the present segment, unless nothing is in it (`always`: even then). Returns the log sequence number at
        which the next one begins once all before it is on disk; appends go on meanwhile."""
        self.sync()
        with self.mutex:
            if self._closed or self.committer.failure:
                self._refuse()
            state = self.state
            if always or state.offset > SEGMENT_HEADER_SIZE:
                self.roll()
            number, lsn = state.segment, state.next_lsn
        self.flush_gently()
        with self.mutex:
            if state.segment == number and number not in self.segments.by_number and not self._holds(number):
                self.segments.make(number, max(state.last_time, self.now()), lsn, state.next_id)
        return lsn

    def sync(self) -> None:
        """Sync what is written, beside the committer's turn, so that writers hardly wait."""
        try:
            self.segments.sync()
        except OSError as error:
            self.committer.failure = f"a sync failed, what is on disk is unknown: {error}"
            raise StoreFailed(self.committer.failure) from error

    def flush_gently(self) -> None:
        """Commit, synced. Most is synced before the committer's turn."""
        self.sync()
        self.flush(ALWAYS)

    def _holds(self, number: int) -> bool:
        """Whether records for a segment wait to be written: then the committer makes it."""
        return any(chunk.segment == number for chunk in self._chunks + self._flight)

    def reserve(self, next_id: int) -> None:
        if not 0 < next_id <= MAX_ID:
            raise InvalidId(f"id {next_id} is not from 1 to {MAX_ID}")
        with self.mutex:
            self.state.next_id = max(self.state.next_id, next_id)
        self.seal(always=True)

    def _add(self, kind: int, flags: int, record_id: int, data: bytes, at_ms: int) -> None:
        state = self.state
        size = len(data) + HEADER_SIZE
        if state.offset + size > self._segment_size and not flags:
            self._roll_before(size)
        chunk = self._chunk
        if chunk is None:
            if not self._chunks:
                flags |= SYNCED if self._synced else 0
            chunk = self._begin_chunk()
        previous = state.index.before(record_id) & POSITION_MASK
        if previous and self.moved and previous >> 32 in self.moved:
            previous = self._follow(record_id)
        now = at_ms or self.now()
        if now < state.last_time:
            now = self._later(now, previous)
        else:
            state.last_time = now
        lsn = state.next_lsn
        self._encoder.add(chunk, self._salt, kind, flags, record_id, lsn, now, previous, data)
        # Last: whoever finds the position in the index finds the bytes too.
        position = state.segment << 32 | state.offset
        state.index.put(record_id, position | DELETED_BIT if kind == TOMBSTONE else position)
        state.next_lsn = lsn + 1
        state.offset += size

    def _begin_chunk(self) -> Chunk:
        chunk = self._chunk = Chunk(self.state.segment, self.state.offset, self.state.next_lsn)
        self._chunks.append(chunk)
        return chunk

    def _follow(self, record_id: int) -> int:
        return 0 if self.moved_to is None else self.moved_to(record_id)

    def _later(self, now: int, previous: int) -> int:
        """The clock went back: the time of a version must not."""
        time_at = self._time_at
        if not previous or time_at is None:
            return now
        with contextlib.suppress(CorruptRecord):
            return max(now, time_at(previous))
        return self.state.last_time

    def now(self) -> int:
        return now_ms() if self._clock is None else self._clock()

    def _covering(self, durability: int) -> Commit:
        """The commit that covers all that was appended, as durably as asked for. Under the mutex."""
        if not self._chunks and (self._synced or durability != ALWAYS):
            if self.committer.failure and self._last.error is None:
                self._last = Commit()
                self._last.finish(StoreFailed(self.committer.failure))
            return self._last
        self._asked = max(self._asked, durability)
        return self._commit

    def commit(self, durability: int) -> Commit:
        """The committer brings it to its end."""
        commit = self._commit
        if commit.asked >= durability:  # the committer was told of it already: it covers all that was appended
            return commit
        with self.mutex:
            commit = self._covering(durability)
            if commit is self._commit:
                if commit.asked < 0:
                    self.committer.wake()
                commit.asked = max(commit.asked, durability)
            return commit

    def flush(self, durability: int) -> None:
        """Commit on the caller's thread, which spares two changes of threads. Raises StoreFull, StoreFailed."""
        with self.mutex:
            commit = self._covering(durability)
        self.committer.commit_here(commit)
        commit.wait()

    def pending(self, position: int) -> Chunk | None:
        """The chunk in memory that holds a position, None when it is on disk."""
        # In this order: the committer moves chunks from the first list to the second.
        for chunk in self._chunks:
            if chunk.holds(position):
                return chunk
        for chunk in self._flight:
            if chunk.holds(position):
                return chunk
        return None

    # The committer's part, on its thread

    def _take(self) -> Flight:
        with self.mutex:
            chunks = self._chunks
            asked, self._asked = self._asked, NO
            if not chunks and asked != ALWAYS:
                return Flight(chunks, self._last, False, False)
            for chunk in chunks:
                chunk.end_part()
            self._synced = asked == ALWAYS
            self._flight = chunks
            self._chunks, self._chunk = [], None
            self._taken = mark_of(self.state)
            commit, self._commit = self._commit, Commit()
            self._last = commit
            return Flight(chunks, commit, asked == ALWAYS, asked == EVERYSEC)

    def _write(self, chunk: Chunk) -> None:
        self._watch.must_not_be_held()
        segment = self.segments.by_number.get(chunk.segment)
        if segment is None:
            self.segments.sync()
            segment = self.segments.make(chunk.segment, chunk.first_time(), chunk.first_lsn, self.state.next_id)
        segment.write_parts(chunk.parts, chunk.base)
        self.bytes_written += chunk.size()

    def _synced_late(self) -> None:
        with self.mutex:
            self._synced = True

    def _written(self) -> None:
        self._flight = []
        self.durable = self._taken
        after = self._after_batch
        if after is not None:
            after()

    def watch(self, commit: Commit) -> Lost:
        """What was taken back since the last call, in its order; None is a tombstone. `commit` ends when a full disk
        takes records back again: from then until the next call all that is appended is taken back as well, so that
        nothing is built on what is gone."""
        with self.committer.turn:
            others = self._take_back() if self._watch.is_held else []
            with self.mutex:
                if self._watch.is_held:
                    self._last = _ended()  # all that is left is on disk
                lost = self._watch.look(commit)
        for other in others:
            other.finish(StoreFull("the disk is full, nothing of the batch was kept"))
        return lost

    def _undo(self) -> list[Commit]:
        """Take back what is not on disk. Returns the commits of what was appended meanwhile: they fail as well."""
        others = self._take_back()
        self._watch.tell()
        return others

    def _take_back(self) -> list[Commit]:
        with self.mutex:
            unwritten = self._flight + self._chunks
            self._watch.taken_back(unwritten)
            for chunk in reversed(unwritten):
                if chunk.base == SEGMENT_HEADER_SIZE:
                    self.segments.remove(chunk.segment)
                else:
                    segment = self.segments.by_number[chunk.segment]
                    segment.file.truncate(chunk.base)
                    segment.dirty = True
                    segment.sync()
                for record_id, _, previous in reversed(chunk.records()):
                    if previous >> 32 in self.moved:
                        previous = self._follow(record_id)
                    self.state.index.put(record_id, previous | DELETED_BIT if self._was_deleted(previous) else previous)
            for first in unwritten[:1]:
                self.state.segment, self.state.offset = first.segment, first.base
                self._salt = self.segments.salts[first.segment]
                self.state.next_lsn = first.first_lsn
            self.undone += 1
            others = [self._commit] if self._chunks or self._asked or self._commit.asked >= 0 else []
            self._commit = Commit()
            self._asked = NO
            self._flight = []
            self._chunks = []
            self._chunk = None
            return others

    def _was_deleted(self, position: int) -> bool:
        is_tombstone = self._is_tombstone
        if not position or is_tombstone is None:
            return False
        with contextlib.suppress(CorruptRecord):
            return is_tombstone(position)
        return False
