"""OurDB: an append-only store of records with their whole history, one writer, group commit.

docs/formats.md is the layout. Appends collect in memory; one thread writes and syncs them batch by batch.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final

from ourdb import checkpoint
from ourdb.backup import BackedUp, Progress, copy_store, no_progress
from ourdb.checkpoint import mark_of
from ourdb.commit import Commit
from ourdb.compact import Compacted, Compaction, Policy
from ourdb.errors import CorruptRecord, InvalidId, NotFound, OurDBError, ReadOnly, StoreClosed, StoreFailed
from ourdb.files import Files, Lock
from ourdb.log import ALWAYS, DURABILITIES, Log, now_ms
from ourdb.reading import Change, Reader, Version
from ourdb.record import DELETED_BIT, MAX_ID, POSITION_MASK, SEGMENT_HEADER_SIZE
from ourdb.recovery import Recovered, recover
from ourdb.segment import ATTEMPTS, Fault, Segments
from ourdb.snapshot import Snapshots
from ourdb.watch import Lost

MAX_RECORD: Final = 512 * 1024 * 1024
SEGMENT_SIZE: Final = 256 * 1024 * 1024
LARGEST: Final = 1024 * 1024 * 1024
CHECKPOINT_EVERY: Final = 256 * 1024 * 1024


def _level(durability: str) -> int:
    level = DURABILITIES.get(durability)
    if level is None:
        raise ValueError(f"durability {durability!r} does not exist, give one of {', '.join(DURABILITIES)}")
    return level
END_MARK: Final = struct.Struct("<QQQQQ")


class OurDB:
    """A store in a folder. `set` and `delete` return when the disk has it (durability "always"); `append` and
    `commit` are their parts for callers that must not block.

    durability: "always" = synced before a commit ends, "everysec" = written, synced each second, "no" = written.
    Raises StoreLocked when another process writes to it, UnknownFormat when another version wrote it.
    """

    def __init__(self, path: str | os.PathLike[str], durability: str = "always", *,
                 clock: Callable[[], int] | None = None, files: Files | None = None, read_only: bool = False,
                 max_record: int = MAX_RECORD, segment_size: int = SEGMENT_SIZE,
                 checkpoint_every: int = CHECKPOINT_EVERY) -> None:
        self._durability: Final = _level(durability)
        if max_record > LARGEST or not SEGMENT_HEADER_SIZE < segment_size <= LARGEST:
            raise ValueError(f"max_record and segment_size go up to {LARGEST} bytes")
        self._files: Final = files or Files(path)
        self._read_only: Final = read_only
        self._segment_size: Final = segment_size
        self._closed = False
        self._close_mutex: Final = threading.Lock()
        self._lock: Lock | None = None
        if not read_only:
            self._files.make_folder()
            self._lock = self._files.lock()
        try:
            faults: list[Fault] = []
            self._segments: Final = Segments(self._files, not read_only, faults)
            self._state = self._recover(None, faults)
            if not read_only:
                self._prepare_tail(clock)
        except BaseException:
            self._let_go()
            raise
        state = self._state
        salt = self._segments.salts.get(state.segment, 0)
        self._log: Final = Log(self._segments, state, self._durability, clock, max_record, segment_size, salt)
        self._reader: Final = Reader(self._segments, self._log, self._redirect)
        self._snapshots: Final = Snapshots(self._files, self._log, checkpoint_every)
        if not read_only:
            self._log.start(self._reader.time_at, self._reader.is_tombstone, self._snapshots.look)

    # Opening and closing

    def _recover(self, state: Recovered | None, faults: list[Fault]) -> Recovered:
        """Read the log on from a state, from the checkpoint where there is none; all anew when a compaction in another
        process has taken segments away meanwhile."""
        for _ in range(ATTEMPTS):
            if state is None:
                state = checkpoint.load(self._files, self._segments)
                state.faults[:0] = faults
            recover(state, self._segments)
            if self._segments.are_there():
                return state
            faults = []
            self._segments.look_again(faults)
            state = None
        raise OurDBError("the files change faster than they can be read, try again")

    def _prepare_tail(self, clock: Callable[[], int] | None) -> None:
        """Cut a torn tail, so that nothing stale behind it can come back, and make sure there is a segment."""
        state, segments = self._state, self._segments
        if not segments.order:
            state.segment, state.offset = segments.allocate(), SEGMENT_HEADER_SIZE
            segments.make(state.segment, clock() if clock is not None else now_ms(), state.next_lsn, state.next_id)
            return
        segment = segments.get(state.segment)
        if state.cut:
            segment.file.truncate(state.offset)
            state.faults.append(Fault(segment.file.name, state.offset, state.cut,
                                      "torn tail of an unfinished write, cut off"))
            state.cut = 0
        segment.dirty = True  # what is there may never have been synced
        segment.sync()

    def _redirect(self, record_id: int) -> int:
        return self._state.redirects.get(record_id, 0)

    def __enter__(self) -> OurDB:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write and sync what was appended, save the checkpoint, let go of the lock. May be called twice. Raises
        StoreFull or StoreFailed when the last records could not be written."""
        with self._close_mutex:
            if self._closed:
                return
            self._closed = True
        try:
            if not self._read_only:
                self._log.stopping = True
                self._snapshots.stop()
                with self._snapshots.busy:
                    try:
                        self._log.close()
                    finally:
                        self._save_all()
        finally:
            self._let_go()

    def _save_all(self) -> None:
        if self._log.committer.failure:
            return
        try:
            self._segments.sync()
        except OSError as error:
            raise StoreFailed(f"a sync failed, what is on disk is unknown: {error}") from error
        with contextlib.suppress(OSError):  # a full disk: the next opening reads more
            self._snapshots.save_closed()

    def _let_go(self) -> None:
        if hasattr(self, "_segments"):
            self._segments.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # Appending

    @property
    def next_id(self) -> int:
        """The id that the next new record gets."""
        return self._state.next_id

    @property
    def faults(self) -> list[Fault]:
        """What could not be read when the store was opened."""
        return list(self._state.faults)

    @property
    def last_lsn(self) -> int:
        """Log sequence number of the newest record."""
        return self._state.next_lsn - 1

    @property
    def durable_lsn(self) -> int:
        """Log sequence number up to which records are durable in the store's own sense."""
        return self.last_lsn if self._read_only else self._log.durable.next_lsn - 1

    @property
    def end_mark(self) -> bytes:
        """Tells this end of the log from every other, of this store and of others: what was derived from the store when
        it ended here is true of it."""
        mark = mark_of(self._state) if self._read_only else self._log.durable
        salt = self._segments.salts.get(mark.segment, 0)
        return END_MARK.pack(mark.segment, mark.offset, mark.next_lsn, mark.next_id, salt)

    def append(self, data: bytes, record_id: int = 0, at_ms: int = 0) -> int:
        """Append a value: `record_id` 0 = a new id, else a new version of it. Seen by `get` at once, durable when a
        later `commit` has ended. Wakes nobody. `at_ms` is the time of the version where the caller has just looked at
        the clock (Unix ms), 0 = now."""
        if self._read_only:
            raise ReadOnly("the store was opened for reading")
        return self._log.append(data, record_id, at_ms)

    def append_delete(self, record_id: int) -> None:
        """Append a tombstone; the history stays. NotFound when there is nothing to delete."""
        if self._read_only:
            raise ReadOnly("the store was opened for reading")
        self._log.append_delete(record_id)

    def append_batch(self, items: Iterable[tuple[bytes | None, int]], at_ms: int = 0) -> list[int]:
        """Append (data, id or 0) pairs that are all there after a crash, or none of them; data None deletes the id.
        `at_ms` as in `append`."""
        if self._read_only:
            raise ReadOnly("the store was opened for reading")
        return self._log.append_batch(list(items), at_ms)

    def commit(self, durability: str | None = None) -> Commit:
        """The commit that covers everything appended so far; all who ask before it begins share it, and the strictest
        of their durabilities (None = the store's) holds. Wait for it, `await` it, or give it a callback."""
        return self._log.commit(self._durability if durability is None else _level(durability))

    def flush(self, durability: str | None = None) -> None:
        """Commit everything appended so far on this thread; for callers who would only wait."""
        self._log.flush(self._durability if durability is None else _level(durability))

    def watch_full(self, commit: Commit) -> Lost:
        """For an owner that keeps in memory what follows from its records: the (id, data or None for a deletion) that
        a full disk took back since this was called last. `commit` ends, well, when it does so again: until the owner
        then has called this, everything that is appended is taken back as well."""
        return self._log.watch(commit)

    def reserve_ids(self, next_id: int) -> None:
        """Give out no id below `next_id` from now on. Returns once that is durable."""
        if self._read_only:
            raise ReadOnly("the store was opened for reading")
        self._log.reserve(next_id)

    # Blocking calls

    def set(self, data: bytes, id: int | None = None, *, durability: str | None = None) -> int:
        """Keep a value, new (id None) or as the next version of `id`; returns its id once it is as durable as asked
        for here, or as the store is."""
        level = self._durability if durability is None else _level(durability)
        record_id = self.append(bytes(data), self._given(id))
        self._log.flush(level)
        return record_id

    def set_batch(self, items: Iterable[tuple[bytes | None, int]], *, durability: str | None = None) -> list[int]:
        """Keep (data, id or 0) pairs, all or none of them after a crash; data None deletes. Returns their ids."""
        level = self._durability if durability is None else _level(durability)
        ids = self.append_batch(items)
        self._log.flush(level)
        return ids

    def delete(self, id: int, *, durability: str | None = None) -> None:
        """Delete; the history stays. Returns once it is durable. Raises NotFound."""
        level = self._durability if durability is None else _level(durability)
        self.append_delete(id)
        self._log.flush(level)

    def _given(self, id: int | None) -> int:
        if id == 0:
            raise InvalidId("id 0 does not exist, ids begin with 1")
        return 0 if id is None else id

    # Reading

    def get(self, id: int) -> bytes:
        """The newest value. Raises NotFound, CorruptRecord."""
        if self._closed:
            raise StoreClosed("the store is closed")
        position = self._state.index.get(id)
        if position == 0 or position >= DELETED_BIT:
            raise NotFound(f"no record with id {id}")
        data = self._reader.quick(position, id)
        return self._get_slowly(position, id) if data is None else data

    def _get_slowly(self, position: int, id: int) -> bytes:
        generation = self._segments.generation
        try:
            return self._reader.value(position, id)
        except CorruptRecord:
            if self._segments.generation == generation:
                raise
        return self.get(id)  # a compaction has just taken the file away

    def _position(self, record_id: int) -> int:
        if self._closed:
            raise StoreClosed("the store is closed")
        return self._state.index.get(record_id) if record_id > 0 else 0

    def _versions(self, id: int, depth: int) -> Iterator[Version]:
        position = self._position(id) & POSITION_MASK
        if position == 0:
            raise NotFound(f"no record with id {id}")
        return self._reader.history(position, id, depth)

    def get_history(self, id: int, depth: int = 100, *, until_damage: bool = False) -> list[Version]:
        """Up to `depth` versions, newest first, deletions included. Raises NotFound, CorruptRecord; with `until_damage`
        those that are newer than a damaged one, behind which none can be reached."""
        generation = self._segments.generation
        found: list[Version] = []
        try:
            for version in self._versions(id, depth):
                found.append(version)
            return found
        except CorruptRecord:
            if self._segments.generation == generation:
                if until_damage:
                    return found
                raise
        return self.get_history(id, depth, until_damage=until_damage)  # a compaction has just taken the file away

    def get_at(self, id: int, time: int) -> bytes:
        """The value as it was at a time (Unix ms). Raises NotFound when there was none, CorruptRecord."""
        generation = self._segments.generation
        try:
            for version in self._versions(id, MAX_ID):
                if version.time <= time:
                    if version.data is None:
                        break
                    return version.data
        except CorruptRecord:
            if self._segments.generation == generation:
                raise
            return self.get_at(id, time)  # a compaction has just taken the file away
        raise NotFound(f"no record with id {id} at {time}")

    def exists(self, id: int) -> bool:
        position = self._position(id)
        return position != 0 and not position & DELETED_BIT

    def ids(self) -> Iterator[int]:
        """All living ids, upwards."""
        return self._state.index.ids(1, MAX_ID)

    def __len__(self) -> int:
        return self._state.index.live

    def scan(self, first: int = 1, last: int = MAX_ID, order: str = "id") -> Iterator[tuple[int, bytes]]:
        """(id, newest value) of the living ids from `first` to `last`; damaged ones are stepped over.

        order: "id" = upwards, each as it is when its turn comes; "log" = in the order in which the values were written
        (many times faster), all as they were committed at the call, save versions that a compaction drops meanwhile."""
        if self._closed:
            raise StoreClosed("the store is closed")
        if order == "log":
            mark = mark_of(self._state) if self._read_only else self._log.durable
            return self._reader.scan_log(self._state.index, first, last, mark)
        if order != "id":
            raise ValueError(f"order {order!r} does not exist, give id or log")
        return self._scan_ids(first, last)

    def _scan_ids(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for record_id in self._state.index.ids(first, last):
            with contextlib.suppress(CorruptRecord, NotFound):
                yield record_id, self.get(record_id)

    def compact(self, versions: int | None = None, age_ms: int | None = None, drop_deleted: bool = False,
                progress: Progress = no_progress) -> Compacted:
        """Drop old versions while the store is in use: all but the last `versions` and those younger than `age_ms`;
        `drop_deleted` takes deleted ids away. Blocks its thread, not the others. Raises CorruptRecord, StoreFull."""
        if self._read_only:
            raise ReadOnly("the store was opened for reading")
        policy = Policy(versions, age_ms, drop_deleted)
        with self._snapshots.busy:
            run = Compaction(self._segments, self._log, policy, self._log.now(), self._segment_size, progress)
            done = run.run()
            with contextlib.suppress(OSError):
                self._snapshots.save()
        return done

    def backup(self, path: str | os.PathLike[str], progress: Progress = no_progress) -> BackedUp:
        """Copy the store as it is now into a folder, while it is in use; a second time only what is new. Blocks."""
        if self._closed:
            raise StoreClosed("the store is closed")
        if self._read_only:
            return copy_store(self._segments, self._state.segment, self._state.offset, Files(path), progress)
        with self._snapshots.busy:
            self._log.flush(ALWAYS)
            mark = self._log.durable
            return copy_store(self._segments, mark.segment, mark.offset, Files(path), progress)

    def refresh(self) -> int:
        """A store that was opened for reading takes in what the writer has written since. Returns `last_lsn`."""
        if self._closed:
            raise StoreClosed("the store is closed")
        if self._read_only:
            faults: list[Fault] = []
            whole = self._segments.look_again(faults)
            segment = self._segments.by_number.get(self._state.segment)
            known = whole and segment is not None and segment.file.size() >= self._state.offset
            self._state = self._recover(self._state if known else None, faults)
        return self._state.next_lsn - 1

    def changes(self, since: int = 0) -> Iterator[Change]:
        """Every record that is written, in order, with a log sequence number above `since`. Raises CursorTooOld."""
        if self._closed:
            raise StoreClosed("the store is closed")
        end = self._state.next_lsn if self._read_only else self._log.durable.next_lsn
        return self._reader.changes(since, end)
