"""The open end of a store: records that are appended and not yet written, and the thread that writes them."""

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


class Committer:
    """One thread: it takes all that was appended, writes and syncs it, and ends the commit that all share."""

    def __init__(self, durability: str, take: Callable[[], tuple[list[Chunk], Commit]],
                 write: Callable[[Chunk, bool], None], sync: Callable[[], None],
                 written: Callable[[], None], undo: Callable[[BaseException], list[Commit]]) -> None:
        self.failure: BaseException | None = None
        self._durability: Final = durability
        self._take: Final = take
        self._write: Final = write
        self._sync: Final = sync
        self._written: Final = written
        self._undo: Final = undo
        self._wake: Final[SimpleQueue[bool]] = SimpleQueue()
        self._unsynced_since = 0.0
        self._runner = threading.Thread(target=self._run, name="ourdb-committer", daemon=True)
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
        if self._durability != "everysec" or not self._unsynced_since:
            return None
        return max(0.0, self._unsynced_since + SYNC_EVERY_S - time.monotonic())

    def _sync_late(self) -> None:
        self._unsynced_since = 0.0
        try:
            self._sync()
        except OSError as error:
            self.failure = StoreFailed(f"a sync failed, what is on disk is unknown: {error}")

    def _commit_batch(self) -> None:
        chunks, commit = self._take()
        if not chunks:
            commit.finish(self.failure)
            return
        writing = True
        try:
            if self.failure is not None:
                raise self.failure
            for chunk in chunks:
                self._write(chunk, self._durability != "no")
            writing = False
            if self._durability == "always":
                self._sync()
        except OSError as error:
            self._failed(commit, error, full=writing and error.errno in FULL)
            return
        except StoreFailed as before:
            commit.finish(before)
            return
        if self._durability == "everysec" and not self._unsynced_since:
            self._unsynced_since = time.monotonic()
        self._written()
        commit.finish(None)

    def _failed(self, commit: Commit, error: OSError, full: bool) -> None:
        """A full disk takes the records back; anything else ends writing until the store is opened again."""
        if full:
            reason: BaseException = StoreFull(f"the disk is full, nothing was kept: {error.strerror}")
            try:
                others = self._undo(reason)
            except OSError as second:
                full, error = False, second
            else:
                for other in [commit, *others]:
                    other.finish(reason)
                return
        self.failure = StoreFailed(f"writing failed, what is on disk is unknown: {error}")
        commit.finish(self.failure)
