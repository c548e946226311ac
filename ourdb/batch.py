"""The open end of a log: records that are appended and not yet written, and the thread that writes them."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from ourdb.commit import Commit
from ourdb.errors import StoreFailed, StoreFull
from ourdb.record import HEADER, HEADER_SIZE, OFFSET_MASK

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SYNC_EVERY_S: Final = 1.0


class Chunk:
    """Records that stand behind each other in one segment."""

    def __init__(self, segment: int, base: int) -> None:
        self.segment: Final = segment
        self.base: Final = base
        self.data: Final = bytearray()

    def holds(self, position: int) -> bool:
        offset = position & OFFSET_MASK
        return position >> 32 == self.segment and self.base <= offset < self.base + len(self.data)

    def first_lsn(self) -> int:
        return int.from_bytes(self.data[20:28], "little")

    def first_time(self) -> int:
        return int.from_bytes(self.data[28:36], "little")

    def previous(self) -> list[tuple[int, int]]:
        """(id, position of its previous version) of every record, last one first."""
        found = []
        at = 0
        while at < len(self.data):
            fields = HEADER.unpack_from(self.data, at)
            found.append((int(fields[5]), int(fields[8])))
            at += HEADER_SIZE + int(fields[4])
        found.reverse()
        return found


class Flight:
    """What is being written: chunks, the commit that ends with it, and whether it has to be synced."""

    def __init__(self, chunks: list[Chunk], commit: Commit, sync: bool) -> None:
        self.chunks: Final = chunks
        self.commit: Final = commit
        self.sync: Final = sync


class Committer:
    """One thread: it takes all that was appended, writes and syncs it, and ends the commit that all share."""

    def __init__(self, late_sync: bool, take: Callable[[], Flight], write: Callable[[Chunk], None],
                 sync: Callable[[], None], written: Callable[[], None], undo: Callable[[], list[Commit]]) -> None:
        self.failure = ""
        """Why nothing is written any more; empty = all is well."""
        self._late_sync: Final = late_sync
        self._take: Final = take
        self._write: Final = write
        self._sync: Final = sync
        self._written: Final = written
        self._undo: Final = undo
        self._wake: Final[SimpleQueue[bool]] = SimpleQueue()
        self._unsynced_since = 0.0
        self._runner: Final = threading.Thread(target=self._run, name="ourdb-committer", daemon=True)

    def start(self) -> None:
        self._runner.start()

    def wake(self) -> None:
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
                self._sync_late()
                continue
            if not go_on:
                return
            self._commit_batch()

    def _patience(self) -> float | None:
        if not self._unsynced_since:
            return None
        return max(0.0, self._unsynced_since + SYNC_EVERY_S - time.monotonic())

    def _sync_late(self) -> None:
        self._unsynced_since = 0.0
        try:
            self._sync()
        except Exception as error:
            self.failure = f"a sync failed, what is on disk is unknown: {error}"

    def _commit_batch(self) -> None:
        flight = self._take()
        commit = flight.commit
        if self.failure:
            commit.finish(StoreFailed(self.failure))
            return
        if not flight.chunks and not flight.sync:
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
        if self._late_sync and not flight.sync and not self._unsynced_since:
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
