"""OurDB: an append-only store of records with their whole history, one writer, group commit.

docs/formats.md is the layout. Appends collect in memory; one thread writes and syncs them batch by batch.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final

from ourdb import checkpoint
from ourdb.batch import Chunk, Committer
from ourdb.commit import Commit
from ourdb.errors import CorruptRecord, InvalidId, NotFound, ReadOnly, RecordTooLarge, StoreClosed
from ourdb.files import File, Files, Lock
from ourdb.reading import Change, Reader, Version
from ourdb.record import (
    CONTINUED,
    DELETED_BIT,
    HEADER_SIZE,
    MORE,
    SEGMENT_HEADER_SIZE,
    TOMBSTONE,
    VALUE,
    pack,
    pack_segment_header,
)
from ourdb.recovery import Fault, Recovered, recover, segment_name

DURABILITIES: Final = ("always", "everysec", "no")
MAX_ID: Final = (1 << 48) - 1
MAX_RECORD: Final = 512 * 1024 * 1024
SEGMENT_SIZE: Final = 256 * 1024 * 1024
CHECKPOINT_EVERY: Final = 64 * 1024 * 1024


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class OurDB:
    """A store in a folder. `set` and `delete` return when the disk has it (durability "always"); `append` and
    `commit` are their parts for callers that must not block.

    durability: "always" = synced before a commit ends, "everysec" = written, synced each second, "no" = written.
    Raises StoreLocked when another process writes to it, CorruptRecord or UnknownFormat when it is no store.
    """

    def __init__(self, path: str | os.PathLike[str], durability: str = "always", *,
                 clock: Callable[[], int] | None = None, files: Files | None = None, read_only: bool = False,
                 max_record: int = MAX_RECORD, segment_size: int = SEGMENT_SIZE) -> None:
        if durability not in DURABILITIES:
            raise ValueError(f"durability {durability!r} does not exist, give one of {', '.join(DURABILITIES)}")
        self._files: Final = files or Files(path)
        self._clock: Final = clock or _now_ms
        self._read_only: Final = read_only
        self._max_record: Final = max_record
        self._segment_size: Final = segment_size
        self._mutex: Final = threading.Lock()
        self._closed = False
        self._open_files: Final[dict[int, File]] = {}
        self._lock: Lock | None = None
        if not read_only:
            self._files.make_folder()
            self._lock = self._files.lock()
        try:
            state = recover(self._files, checkpoint.load(self._files), self._file)
            self._state: Final[Recovered] = state
            if not read_only:
                self._prepare_tail()
        except BaseException:
            self._close_files()
            raise
        self._chunks: list[Chunk] = []
        self._flight: list[Chunk] = []
        self._since_checkpoint = 0
        self._commit = Commit()
        self._last = Commit()
        self._last.finish(None)
        self._wanted = False
        self._reader: Final = Reader(self._file, self._pending)
        self._committer: Final = None if read_only else Committer(
            durability, self._take, self._write, self._sync, self._written, self._undo)

    # Opening and closing

    def _file(self, segment: int) -> File:
        file = self._open_files.get(segment)
        if file is None:
            file = self._files.open(segment_name(segment), write=not self._read_only)
            self._open_files[segment] = file
        return file

    def _prepare_tail(self) -> None:
        """Cut a torn tail, so that nothing stale behind it can come back, and make sure there is a segment."""
        state = self._state
        if state.cut:
            file = self._file(state.segment)
            file.truncate(state.offset)
            file.sync()
            state.faults.append(Fault(file.name, state.offset, state.cut, "torn tail of an unfinished write, cut off"))
            state.cut = 0
        if state.offset < SEGMENT_HEADER_SIZE:
            self._make_segment(max(1, state.segment), state.next_lsn)
            state.segment, state.offset = max(1, state.segment), SEGMENT_HEADER_SIZE

    def _make_segment(self, number: int, lsn: int) -> None:
        old = self._open_files.pop(number, None)
        if old is not None:
            old.close()
        file = self._files.open(segment_name(number), write=True, create=True)
        self._open_files[number] = file
        file.write(pack_segment_header(number, self._clock(), lsn), 0)
        file.sync()
        self._files.sync_folder()

    def __enter__(self) -> OurDB:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write and sync what was appended, save the checkpoint, let go of the lock. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._committer is not None:
                self._committer.wake()
                self._committer.stop()
                if self._committer.failure is None:
                    self._sync()
                    checkpoint.save(self._files, self._state)
        finally:
            self._close_files()

    def _close_files(self) -> None:
        for file in self._open_files.values():
            file.close()
        self._open_files.clear()
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

    def append(self, data: bytes, record_id: int = 0) -> int:
        """Append a value: `record_id` 0 = a new id, else a new version of it. Seen by `get` at once, durable when a
        later `commit` has ended. Wakes nobody."""
        with self._mutex:
            self._check(data)
            record_id = self._admit(record_id)
            self._add(VALUE, 0, record_id, data)
        return record_id

    def append_delete(self, record_id: int) -> None:
        """Append a tombstone; the history stays. NotFound when there is nothing to delete."""
        with self._mutex:
            self._check(b"")
            if not self.exists(record_id):
                raise NotFound(f"no record with id {record_id}")
            self._add(TOMBSTONE, 0, record_id, b"")

    def append_batch(self, items: Iterable[tuple[bytes, int]]) -> list[int]:
        """Append (data, id or 0) pairs that are all there after a crash, or none of them."""
        pairs = list(items)
        with self._mutex:
            for data, record_id in pairs:
                self._check(data)
                if record_id:
                    self._check_id(record_id)
            size = sum(HEADER_SIZE + len(data) for data, _ in pairs)
            if size > self._max_record * 2:
                raise RecordTooLarge(f"a batch of {size} bytes is more than {self._max_record * 2}")
            self._roll_before(size)
            ids = []
            for at, (data, record_id) in enumerate(pairs):
                ids.append(self._admit(record_id))
                flags = (MORE if at < len(pairs) - 1 else 0) | (CONTINUED if at else 0)
                self._add(VALUE, flags, ids[-1], data)
        return ids

    def _check(self, data: bytes) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")
        committer = self._committer
        if committer is None:
            raise ReadOnly("the store was opened for reading")
        if committer.failure is not None:
            raise committer.failure
        if len(data) > self._max_record:
            raise RecordTooLarge(f"{len(data)} bytes are more than the {self._max_record} that a record may have")

    def _check_id(self, record_id: int) -> None:
        if not 1 <= record_id <= MAX_ID:
            raise InvalidId(f"id {record_id} is not from 1 to {MAX_ID}")

    def _admit(self, record_id: int) -> int:
        state = self._state
        if record_id == 0:
            record_id = state.next_id
        else:
            self._check_id(record_id)
        if record_id >= state.next_id:
            state.next_id = record_id + 1
        return record_id

    def _roll_before(self, size: int) -> None:
        """Begin a new segment when this one has no room."""
        state = self._state
        if state.offset + size > self._segment_size and state.offset > SEGMENT_HEADER_SIZE:
            state.segment += 1
            state.offset = SEGMENT_HEADER_SIZE

    def _add(self, kind: int, flags: int, record_id: int, data: bytes) -> None:
        state = self._state
        if not flags:
            self._roll_before(HEADER_SIZE + len(data))
        previous = state.index.get(record_id) & ~DELETED_BIT
        record = pack(kind, flags, record_id, state.next_lsn, self._clock(), previous, data)
        if not self._chunks or self._chunks[-1].segment != state.segment:
            self._chunks.append(Chunk(state.segment, state.offset))
        self._chunks[-1].data.extend(record)
        position = state.segment << 32 | state.offset
        state.index.put(record_id, position | DELETED_BIT if kind == TOMBSTONE else position)
        state.next_lsn += 1
        state.offset += len(record)

    def commit(self) -> Commit:
        """The commit that covers everything appended so far; all who ask before it begins share it."""
        with self._mutex:
            if not self._chunks or self._committer is None:
                return self._last
            if not self._wanted:
                self._wanted = True
                self._committer.wake()
            return self._commit

    # The committer's part, on its thread

    def _take(self) -> tuple[list[Chunk], Commit]:
        with self._mutex:
            chunks, self._chunks = self._chunks, []
            self._flight = chunks
            self._wanted = False
            if not chunks:
                return chunks, self._last
            commit, self._commit = self._commit, Commit()
            self._last = commit
            return chunks, commit

    def _write(self, chunk: Chunk, sync_before: bool) -> None:
        if chunk.base == SEGMENT_HEADER_SIZE and chunk.segment not in self._open_files:
            if sync_before:
                self._file(chunk.segment - 1).sync()
            self._make_segment(chunk.segment, self._lsn_of(chunk))
        self._file(chunk.segment).write(chunk.data, chunk.base)
        self._since_checkpoint += len(chunk.data)

    def _lsn_of(self, chunk: Chunk) -> int:
        return int.from_bytes(chunk.data[20:28], "little")

    def _sync(self) -> None:
        numbers = list(self._open_files)
        if numbers:
            self._open_files[max(numbers)].sync()

    def _written(self) -> None:
        self._flight = []

    def _undo(self, reason: BaseException) -> list[Commit]:
        """Take back what is not on disk; the commits that end with `reason` besides the one in flight."""
        with self._mutex:
            unwritten = self._flight + self._chunks
            first = unwritten[0]
            if first.segment in self._open_files:
                self._file(first.segment).truncate(first.base)
            state = self._state
            for chunk in reversed(unwritten):
                for record_id, previous in chunk.previous():
                    deleted = previous and self._reader.record(previous).kind == TOMBSTONE
                    state.index.put(record_id, previous | DELETED_BIT if deleted else previous)
            state.segment, state.offset = first.segment, first.base
            state.next_lsn = self._lsn_of(first)
            self._flight = []
            others = []
            if self._chunks:
                others.append(self._commit)
                self._commit = Commit()
            self._chunks = []
            return others

    # Blocking calls

    def set(self, data: bytes, id: int | None = None) -> int:
        """Keep a value, new (id None) or as the next version of `id`; returns its id once it is durable."""
        record_id = self.append(bytes(data), 0 if id is None else id)
        self.commit().wait()
        return record_id

    def delete(self, id: int) -> None:
        """Delete; the history stays. Returns once it is durable. Raises NotFound."""
        self.append_delete(id)
        self.commit().wait()

    # Reading

    def _pending(self, position: int) -> Chunk | None:
        """The chunk in memory that holds a position, None when it is on disk."""
        for chunk in self._flight + self._chunks:
            if chunk.holds(position):
                return chunk
        return None

    def get(self, id: int) -> bytes:
        """The newest value. Raises NotFound, CorruptRecord."""
        position = self._position(id)
        if position == 0 or position & DELETED_BIT:
            raise NotFound(f"no record with id {id}")
        return self._reader.value(position, id)

    def _position(self, record_id: int) -> int:
        if self._closed:
            raise StoreClosed("the store is closed")
        return self._state.index.get(record_id) if record_id > 0 else 0

    def get_history(self, id: int, depth: int = 100) -> list[Version]:
        """Up to `depth` versions, newest first, deletions included. Raises NotFound, CorruptRecord."""
        position = self._position(id) & ~DELETED_BIT
        if position == 0:
            raise NotFound(f"no record with id {id}")
        return self._reader.history(position, id, depth)

    def exists(self, id: int) -> bool:
        position = self._position(id)
        return position != 0 and not position & DELETED_BIT

    def ids(self) -> Iterator[int]:
        """All living ids, upwards."""
        return self._state.index.ids(1, MAX_ID)

    def __len__(self) -> int:
        return self._state.index.live

    def scan(self, first: int = 1, last: int = MAX_ID) -> Iterator[tuple[int, bytes]]:
        """(id, newest value) of the living ids from `first` to `last`, upwards; damaged ones are stepped over."""
        for record_id in self._state.index.ids(first, last):
            try:
                yield record_id, self.get(record_id)
            except (CorruptRecord, NotFound):
                continue

    def changes(self, since: int = 0) -> Iterator[Change]:
        """Every record that is written, in order, with a log sequence number above `since`."""
        return self._reader.changes(self._files, since)
