"""Batches on their way to the disk: what may be in one, and the thread that writes them."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from ourdb.chunk import Chunk
from ourdb.commit import Commit
from ourdb.errors import InvalidId, NotFound, RecordTooLarge, StoreFailed, StoreFull
from ourdb.index import Index
from ourdb.record import DELETED_BIT, HEADER_SIZE, MAX_ID

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SYNC_EVERY_S: Final = 1.0


def check_batch(items: list[tuple[bytes | None, int]], next_id: int, index: Index, max_record: int) -> int:
    """Refuse a batch before anything of it is appended; its size. Raises InvalidId, NotFound, RecordTooLarge."""
    size = HEADER_SIZE * len(items)
    deletes = False
    for data, record_id in items:
        if record_id and not 0 < record_id <= MAX_ID:
            raise InvalidId(f"id {record_id} is not from 1 to {MAX_ID}")
        if data is None:
            deletes = True
            continue
        if len(data) > max_record:
            raise RecordTooLarge(f"{len(data)} bytes are more than {max_record}")
        size += len(data)
    if deletes:
        _check_deletes(items, next_id, index)
    if size > max_record * 2:
        raise RecordTooLarge(f"a batch of {size} bytes is more than {max_record * 2}")
    return size


def _check_deletes(items: list[tuple[bytes | None, int]], next_id: int, index: Index) -> None:
    lives: dict[int, bool] = {}
    for data, record_id in items:
        if data is None:
            if record_id not in lives:
                must_live(index, record_id)
            elif not lives[record_id]:
                raise NotFound(f"no record with id {record_id}")
        elif record_id == 0:
            record_id = next_id
        if record_id >= next_id:
            next_id = record_id + 1
        lives[record_id] = data is not None


def must_live(index: Index, record_id: int) -> None:
    """Raises NotFound."""
    position = index.get(record_id) if record_id > 0 else 0
    if position == 0 or position & DELETED_BIT:
        raise NotFound(f"no record with id {record_id}")


class Flight:
    """What is being written: chunks, the commit that ends with it, and whether it is synced now or soon."""

    def __init__(self, chunks: list[Chunk], commit: Commit, sync: bool, late_sync: bool) -> None:
        self.chunks: Final = chunks
        self.commit: Final = commit
        self.sync: Final = sync
        self.late_sync: Final = late_sync


class Committer:
    """Takes all that was appended, writes and syncs it, and ends the commit that all share: on a thread of its own, or
    on that of a caller who waits anyway. One at a time has the turn."""

    def __init__(self, take: Callable[[], Flight], write: Callable[[Chunk], None],
                 sync: Callable[[], None], written: Callable[[], None], undo: Callable[[], list[Commit]],
                 synced_late: Callable[[], None]) -> None:
        self.failure = ""
        """Why nothing is written any more; empty = all is well."""
        self.turn: Final = threading.RLock()
        """Who has it writes, or takes back; again from within, where it ends a commit whose callback looks back."""
        self._take: Final = take
        self._write: Final = write
        self._sync: Final = sync
        self._written: Final = written
        self._undo: Final = undo
        self._synced_late: Final = synced_late
        self._wake: Final[SimpleQueue[bool]] = SimpleQueue()
        self._unsynced_since = 0.0
        self._runner: Final = threading.Thread(target=self._run, name="ourdb-committer", daemon=True)

    def start(self) -> None:
        self._runner.start()

    def wake(self) -> None:
        self._wake.put(True)

    def commit_here(self, commit: Commit) -> None:
        """Bring this commit to its end on the caller's thread, unless another brings it there first."""
        with self.turn:
            if commit.done:
                return
            waiting = self._unsynced_since
            self._commit_batch()
        if self._unsynced_since != waiting:
            self._wake.put(True)

    def stop(self) -> None:
        """Write what is asked for, then end."""
        self._wake.put(False)
        self._runner.join()

    def _run(self) -> None:
        while True:
            try:
                go_on = self._wake.get(timeout=self._patience())
            except Empty:
                with self.turn:
                    self._sync_late()
                continue
            if not go_on:
                return
            with self.turn:
                self._commit_batch()

    def _patience(self) -> float | None:
        if not self._unsynced_since:
            return None
        return max(0.0, self._unsynced_since + SYNC_EVERY_S - time.monotonic())

    def _sync_late(self) -> None:
        self._unsynced_since = 0.0
        try:
            self._sync()
            self._synced_late()
        except Exception as error:
            self.failure = f"a sync failed, what is on disk is unknown: {error}"

    def _commit_batch(self) -> None:
        flight = self._take()
        commit = flight.commit
        if commit.done:
            return
        if self.failure:
            commit.finish(StoreFailed(self.failure))
            return
        writing = True
        try:
            for chunk in flight.chunks:
                self._write(chunk)
            writing = False
            if flight.sync:
                self._sync()
        except Exception as error:
            self._failed(commit, error, writing and isinstance(error, OSError) and error.errno in FULL)
            return
        if flight.sync:
            self._unsynced_since = 0.0
        elif flight.late_sync and not self._unsynced_since:
            self._unsynced_since = time.monotonic()
        self._written()
        commit.finish(None)

    def _failed(self, commit: Commit, error: BaseException, full: bool) -> None:
        """A full disk takes the records back; anything else ends writing until the store is opened again."""
        if full:
            try:
                others = self._undo()
            except Exception as second:
                error = second
            else:
                for other in [commit, *others]:
                    other.finish(StoreFull(f"the disk is full, nothing of the batch was kept: {error}"))
                return
        self.failure = f"writing failed, what is on disk is unknown: {error}"
        commit.finish(StoreFailed(self.failure))
