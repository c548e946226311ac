"""Where the journal goes: the append-only file that grows, written and synced as `appendfsync` says.

everysec, no: the loop writes (into the page cache) after each turn, a thread syncs. While a sync runs, what comes is
kept in memory, so that the loop never waits for the disk. always: the thread writes and syncs all that has come
meanwhile as one group, then ends its commit, for which the replies wait.

A write that fails (a full disk) is tried again until it succeeds; writes are refused meanwhile. After a failed sync
nobody knows what the disk holds: this file is never written again, and writes are refused until a rewrite has made a
new set of files from memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from heroredis.clock import Clock
from heroredis.errors import RedisError
from heroredis.keyspace.journal import Journal
from heroredis.persistence.commit import Commit
from heroredis.persistence.files import File
from heroredis.persistence.wire import wire

ALWAYS: Final = "always"
EVERYSEC: Final = "everysec"
SYNC_EVERY_S: Final = 1.0
SLOW_SYNC_S: Final = 2.0
RETRY_S: Final = 1.0
logger = logging.getLogger("heroredis")


class Growing:
    """An append-only file and how far it is written."""

    def __init__(self, file: File, name: str, size: int) -> None:
        self.file: Final = file
        self.name: Final = name
        self.size = size
        self.unsynced = False
        self.failed = False


class Batch:
    """Commands that one turn of the loop has journaled."""

    def __init__(self, data: bytes, target: Growing, commit: Commit | None) -> None:
        self.data: Final = data
        self.target: Final = target
        self.commit = commit


class Output:
    """The end of the journal. Everything but `_run` and what it calls is called on the loop.

    The files belong to the loop, or to the thread while `_busy` is set.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.policy = EVERYSEC
        self.delayed_syncs = 0
        self.write_error = ""
        """Why the last write or sync failed; empty = it did not."""
        self.soon: Callable[[Callable[[], None]], None] | None = None
        """Calls later in this turn of the loop."""
        self.schedule: Callable[[Callable[[], None]], None] | None = None
        """The same from any thread, which costs more."""
        self._journal: Final = journal
        self._clock: Final = clock
        self._target: Growing | None = None
        self._commit = Commit()
        self._unsynced: list[Growing] = []
        self._queue: list[Batch] = []
        self._condition: Final = threading.Condition()
        self._busy = False
        self._stopping = False
        self._writer: threading.Thread | None = None
        self._synced_at = 0.0
        self._busy_since = 0.0
        self._delay_counted = False
        self._retry_at = 0.0

    # Opening and closing

    def open(self, target: Growing, policy: str) -> None:
        """Begin to journal into `target`."""
        self.policy = policy
        self._target = target
        self._stopping = False
        self._journal.wake = self._woken
        self._journal.restart()
        self._journal.switch(True)
        self._renew_commit()
        self._writer = threading.Thread(target=self._run, name="heroredis-aof", daemon=True)
        self._writer.start()

    def follow(self, reader: Callable[[list[list[bytes]]], None] | None) -> None:
        """Show somebody everything that is journaled, also while nothing is written."""
        journal = self._journal
        journal.follow(reader)
        journal.restart()
        journal.wake = self._woken if reader is not None or self._target is not None else None

    def rotate(self, target: Growing) -> None:
        """What is journaled from now on goes into another file. What came before is synced with the next sync."""
        self.flush()
        self._target = target
        self._journal.restart()

    def repaired(self) -> None:
        """Everything is in new files: a failed sync of the old ones no longer matters."""
        with self._condition:
            if any(each.failed for each in self._unsynced):
                self._unsynced = [each for each in self._unsynced if not each.failed]
                self.write_error = ""
                self._journal.refusal = b""

    def is_open(self) -> bool:
        return self._target is not None

    def set_policy(self, policy: str) -> None:
        self.flush()
        self.policy = policy
        self._renew_commit()
        self._hand_over()

    def close(self) -> None:
        """Write and sync what was journaled, and stop. Blocks; OSError when it could not be done."""
        self.flush()
        self._journal.switch(False)
        if self._journal.reader is None:
            self._journal.wake = None
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        self._work(True)
        self._target = None
        if self._queue or self._unsynced:
            raise OSError(f"the append-only file could not be written to its end: {self.write_error}")

    def _renew_commit(self) -> None:
        self._commit = Commit()
        self._journal.commit = self._commit if self.policy == ALWAYS and self._journal.on else None

    # On the loop

    def _woken(self) -> None:
        if self.soon is not None:
            self.soon(self.flush)

    def flush(self) -> None:
        """Take what was journaled and see that it is written."""
        requests = self._journal.take()
        if not requests or self._target is None:
            return
        commit = self._commit if self.policy == ALWAYS else None
        batch = Batch(wire(requests), self._target, commit)
        if commit is not None:
            self._renew_commit()
        with self._condition:
            self._queue.append(batch)
        self._hand_over()

    def _hand_over(self) -> None:
        """Let the thread write, or write here where nobody waits for a sync."""
        with self._condition:
            if self._busy or not self._queue or self._retry_at > self._clock.monotonic():
                return
            if self.policy == ALWAYS:
                self._wake_writer()
                return
        self._work(False)

    def _wake_writer(self) -> None:
        self._busy = True
        self._busy_since = self._clock.monotonic()
        self._delay_counted = False
        self._condition.notify_all()

    def tick(self) -> None:
        """Called several times a second: late syncs, and another try after a write that failed."""
        now = self._clock.monotonic()
        with self._condition:
            if self._busy:
                if self._queue and not self._delay_counted and now - self._busy_since > SLOW_SYNC_S:
                    self._delay_counted = True
                    self.delayed_syncs += 1
                return
            if self.policy == EVERYSEC and self._unsynced and now - self._synced_at >= SYNC_EVERY_S:
                self._wake_writer()
                return
        self._hand_over()

    def pending(self) -> int:
        """Bytes that wait to be written."""
        with self._condition:
            return sum(len(batch.data) for batch in self._queue)

    def is_syncing(self) -> bool:
        return self._busy

    def sync_now(self) -> None:
        """Write and sync all that was journaled; blocks. OSError when it could not be done."""
        self.flush()
        with self._condition:
            while self._busy:
                self._condition.wait()
        self._work(True)
        if self.write_error:
            raise OSError(self.write_error)

    # On the thread

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._busy and not self._stopping:
                    self._condition.wait()
                if not self._busy:
                    return
            self._work(True)
            with self._condition:
                more = self.policy == ALWAYS and bool(self._queue) and not self.write_error and not self._stopping
                if not more:
                    self._busy = False
                    self._condition.notify_all()
                left = bool(self._queue) and not more
            if left and self.schedule is not None and not self._stopping:
                self.schedule(self._hand_over)

    def _work(self, sync: bool) -> None:
        """Write what is queued, and sync when asked to; then end the commits."""
        with self._condition:
            batches = self._queue
            self._queue = []
        done = 0
        try:
            while done < len(batches):
                done += self._write(batches, done)
        except OSError as error:
            self._not_written(error, batches[done:])
        if done == len(batches) and self.write_error and not any(each.failed for each in self._unsynced):
            logger.info("the append-only file can be written again")
            self.write_error = ""
            self._journal.refusal = b""
        failure = self._sync() if sync else None
        for batch in batches[:done]:
            if batch.commit is not None:
                batch.commit.finish(failure)

    def _write(self, batches: list[Batch], start: int) -> int:
        """One write for all from `start` on that goes into the same file; how many batches that were."""
        target = batches[start].target
        end = start + 1
        while end < len(batches) and batches[end].target is target:
            end += 1
        if not target.failed:
            data = b"".join([batch.data for batch in batches[start:end]])
            target.file.write(data, target.size)
            target.size += len(data)
            if not target.unsynced:
                target.unsynced = True
                self._unsynced.append(target)
        return end - start

    def _not_written(self, error: OSError, batches: list[Batch]) -> None:
        """The file ends where it ended before; what was not written waits for another try."""
        target = batches[0].target
        try:
            target.file.truncate(target.size)
        except OSError as second:
            logger.error("%s cannot be cut back: %s", target.name, second)
        reason = error.strerror or str(error)
        if not self.write_error:
            logger.error("the append-only file %s cannot be written: %s", target.name, reason)
        self.write_error = reason
        self._refuse(reason)
        self._retry_at = self._clock.monotonic() + RETRY_S
        with self._condition:
            self._queue = batches + self._queue
        for batch in batches:
            if batch.commit is not None:
                batch.commit.finish(RedisError(self._journal.refusal))
                batch.commit = None

    def _refuse(self, reason: str) -> None:
        self._journal.refusal = b"MISCONF Errors writing to the AOF file: " + reason.encode("utf-8", "replace")

    def _sync(self) -> OSError | None:
        failure: OSError | None = None
        for target in list(self._unsynced):
            if target.failed:
                continue
            try:
                target.file.sync()
            except OSError as error:
                failure = error
                target.failed = True
                self.write_error = error.strerror or str(error)
                self._refuse(self.write_error)
                logger.critical("%s: a sync failed, what is on disk is unknown: %s", target.name, error)
                continue
            target.unsynced = False
            self._unsynced.remove(target)
        self._synced_at = self._clock.monotonic()
        return failure
