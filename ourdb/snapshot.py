"""Checkpoints while the store is in use: a thread copies the index in small steps and saves it when enough was written.
Between them it syncs what nobody has asked to be synced, so that the end of a segment does not have to wait for much.

The copy may run ahead of the place that the checkpoint names; reading the log on from there makes up for it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Final

from ourdb import checkpoint
from ourdb.errors import StoreFailed
from ourdb.files import Files
from ourdb.index import PAGE_BYTES
from ourdb.log import Log
from ourdb.record import SEGMENT_HEADER_SIZE

PAGES_AT_ONCE: Final = 64
PAGE_COST: Final = 8 * 4096
"""Bytes to be written per page of the index before the next checkpoint pays."""
SYNC_EVERY: Final = 16 * 1024 * 1024
"""Bytes after which what nobody asked to be synced is synced all the same: a writer waits for the page that it shares
with a sync, so long as that takes."""
logger = logging.getLogger("ourdb")


class Snapshots:
    """`look` is called after each batch; `busy` keeps checkpoints and compactions apart."""

    def __init__(self, files: Files, log: Log, every: int) -> None:
        self.busy: Final = threading.Lock()
        self._files: Final = files
        self._log: Final = log
        self._every: Final = every
        self._saved_at = 0
        self._synced_at = 0
        self._stopped = False
        self._runner: threading.Thread | None = None

    def look(self) -> None:
        """Start what is due. On the committer's thread."""
        written = self._log.bytes_written
        if self._stopped or written - self._synced_at < min(self._every, SYNC_EVERY):
            return
        if self._runner is not None and self._runner.is_alive():
            return
        self._synced_at = written
        work = self._sync
        if written - self._saved_at >= max(self._every, len(self._log.state.index.pages) * PAGE_COST):
            self._saved_at = written
            work = self._run
        self._runner = threading.Thread(target=work, name="ourdb-checkpoint", daemon=True)
        self._runner.start()

    def stop(self) -> None:
        self._stopped = True
        if self._runner is not None:
            self._runner.join()

    def _sync(self) -> None:
        with contextlib.suppress(StoreFailed):  # the next commit tells
            self._log.sync()

    def _run(self) -> None:
        if self.busy.acquire(blocking=False):
            try:
                self.save()
            except Exception as error:  # it may always be missing
                logger.warning("the checkpoint was not saved: %s", error)
            finally:
                self.busy.release()

    def save(self) -> bool:
        """Save one beside running appends. False when it could not be done now."""
        log = self._log
        with log.mutex:
            mark, undone = log.durable, log.undone
            redirects = dict(log.state.redirects)
            numbers = sorted(log.state.index.pages)

        def ready() -> bool:
            if self._stopped:
                return False
            log.flush_gently()
            with log.mutex:
                if log.undone != undone or mark.segment not in log.segments.by_number:
                    return False
            return True

        return checkpoint.save(self._files, mark, len(numbers), self._pages(numbers), redirects, ready)

    def _pages(self, numbers: list[int]) -> Iterator[tuple[int, bytes]]:
        """Copies, a few at a time, so that appends hardly wait."""
        empty = bytes(PAGE_BYTES)
        for start in range(0, len(numbers), PAGES_AT_ONCE):
            if self._stopped:  # the checkpoint will not be ready
                return
            pages = self._log.state.index.pages
            with self._log.mutex:
                copies = [(number, pages[number].tobytes() if number in pages else empty)
                          for number in numbers[start : start + PAGES_AT_ONCE]]
            yield from copies

    def save_closed(self) -> None:
        """Save the last one: nothing is appended any more and everything is synced."""
        log = self._log
        state = log.state
        if state.segment not in log.segments.by_number:
            log.segments.make(state.segment, state.last_time, state.next_lsn, state.next_id)
            state.offset = SEGMENT_HEADER_SIZE
        pages = sorted(state.index.pages.items())
        checkpoint.save(self._files, checkpoint.mark_of(state), len(pages),
                        ((number, page.tobytes()) for number, page in pages), state.redirects, lambda: True)
