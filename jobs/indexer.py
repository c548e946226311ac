"""The thread that keeps the job index: it follows the store's log in small portions and answers questions.

Nothing waits for it but those who ask it. It rests as long as it works, under load longer, and falls behind. An index
that is missing, damaged, or of another store is built again.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar

from heroredis.extension import give_back
from jobs.errors import Refused, TooOld
from jobs.index import ASKED_KIB, FILLED_KIB, JobIndex
from jobs.index_feed import IndexFeed

logger = logging.getLogger("heroredis.jobs")
Answer = TypeVar("Answer")
PORTION: Final = 1000
"""Records of the log that are taken in one transaction."""
MUCH: Final = 20 * PORTION
"""So many records behind, it gets more memory."""
CATCH_UP_S: Final = 0.5
"""How long a question waits for what was written before it was asked."""
BUSY: Final = 3000
"""Records that come in a second; from there on it rests longer than it works."""
FLOOD: Final = 60_000
"""From there on it hardly works at all, and falls behind until fewer come."""
RETRY_S: Final = 5.0
MAX_FAILURES: Final = 3
"""In a row; then the file is taken for bad."""


class Task:
    """A question and where its answer goes."""

    def __init__(self, ask: Callable[[JobIndex], object], at_once: bool) -> None:
        self.ask: Final = ask
        self.at_once: Final = at_once
        self.answer: Final[Future[object]] = Future()


def rests_for(grown: float) -> int:
    """How many times as long as it works the thread rests while so many records come in a second: it can keep up with
    some 20,000 jobs a second, and leaves the processor to more than that."""
    return 1 if grown <= BUSY else 3 if grown <= FLOOD else 30


class Indexer:
    """`interval_s` = how often it looks at the log when nobody asks."""

    def __init__(self, folder: Path, feed: IndexFeed, interval_s: float = 0.2) -> None:
        self.rebuilt = 0
        """How often the index was built from the beginning."""
        self.problem = ""
        """Why it cannot be used now."""
        self._folder: Final = folder
        self._feed: Final = feed
        self._interval_s: Final = interval_s
        self._tasks: Final[queue.SimpleQueue[Task | None]] = queue.SimpleQueue()
        self._index: JobIndex | None = None
        self._known = 0
        self._failures = 0
        self._last_seen = 0
        self._looked_at = 0.0
        self._stopping = False
        self._is_filling = False
        self._thread: Final = threading.Thread(target=self._run, name="job-index", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Blocks until the portion in hand is done."""
        self._stopping = True
        self._tasks.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def behind(self) -> int:
        """Records of the log that the index does not know yet."""
        return max(0, self._feed.last_lsn() - self._known)

    @property
    def index_lsn(self) -> int:
        """The newest record that the index knows."""
        return self._known

    def newest(self) -> int:
        """The newest record that there is to be known."""
        return self._feed.last_lsn()

    def ask(self, question: Callable[[JobIndex], object], *, at_once: bool = False) -> Future[object]:
        """Answered on the thread, after the index has caught up with what is in the store now, if it can soon; or
        `at_once`, from what it knows."""
        task = Task(question, at_once)
        if self._stopping:
            task.answer.set_exception(Refused("the job index is closed"))
        else:
            self._tasks.put(task)
        return task.answer

    # On the thread

    def _run(self) -> None:
        rest = 0.0
        while True:
            try:
                task = self._tasks.get(timeout=max(rest, 0.001))
            except queue.Empty:
                rest = self._follow()
                continue
            if task is None:
                break
            if task.answer.set_running_or_notify_cancel():
                self._answer(task)
                rest = RETRY_S if self.problem else 0.0
        self._close()
        while not self._tasks.empty():
            late = self._tasks.get()
            if late is not None:
                late.answer.set_exception(Refused("the job index is closed"))

    def _follow(self) -> float:
        """Take a portion; how long to rest then."""
        began, last = time.monotonic(), self._feed.last_lsn()
        grown = (last - self._last_seen) / max(began - self._looked_at, 0.001)
        self._last_seen, self._looked_at = last, began
        more = self._safely(self._step)
        if self.problem:
            return RETRY_S
        spent = time.monotonic() - began
        # A few records wait for more of them: taken one by one they cost a transaction each, and the next job its time.
        return spent * rests_for(grown) if more and self.behind >= PORTION else self._interval_s

    def _safely(self, work: Callable[[], bool]) -> bool:
        """Run it; what goes wrong with the file is repaired or tried again later."""
        try:
            done = work()
            self.problem = ""
            self._failures = 0
            return done
        except sqlite3.OperationalError as error:  # a full disk, a lock: not the content
            self._set_problem(str(error))
        except (sqlite3.DatabaseError, TooOld) as error:
            self._throw_away(str(error))
            return True
        except OSError as error:
            self._set_problem(self._advice(error))
        except ValueError as error:
            self._set_problem(str(error))
        except Exception as error:
            logger.exception("the job index has failed")
            self._set_problem(repr(error))
        return False

    def _set_problem(self, text: str) -> None:
        if text != self.problem:
            logger.error("the job index cannot be used: %s", text)
        self.problem = text
        self._failures += 1
        if self._failures % MAX_FAILURES == 0:
            self._throw_away(text)
        self._close()

    def _throw_away(self, why: str) -> None:
        logger.warning("the job index is built again: %s", why)
        self._close()
        self._known = 0
        try:
            JobIndex.remove(self._folder)
        except OSError as error:
            self.problem = self.problem or self._advice(error)
            logger.error("the job index cannot be built again: %s", self.problem)

    def _advice(self, error: OSError) -> str:
        return f"{error}; make {self._folder} a folder that the server may write to"

    def _close(self) -> None:
        index, self._index = self._index, None
        if index is not None:
            try:
                index.close()
            except sqlite3.Error as error:
                logger.warning("the job index was not closed: %s", error)

    def _opened(self) -> JobIndex:
        index = self._index
        if index is not None and index.path.exists():
            return index
        self._close()
        index = self._index = JobIndex(self._folder)
        self._is_filling = False
        if index.lsn > self._feed.last_lsn():
            raise sqlite3.DatabaseError("it belongs to another store")
        if index.lsn == 0:
            self.rebuilt += 1
        self._known = index.lsn
        return index

    def _step(self) -> bool:
        """Take one portion; whether there is more."""
        index = self._opened()
        if index.lsn >= self._feed.last_lsn():
            return False
        portion = self._feed.read(index.lsn, PORTION)
        if portion.lsn == index.lsn:
            return False
        self._hold(index, self._feed.last_lsn() - index.lsn > MUCH)
        index.take(portion.changes, portion.lsn)
        self._known = index.lsn
        return True

    def _hold(self, index: JobIndex, is_filling: bool) -> None:
        """Memory for a long catching up, and no longer."""
        if is_filling != self._is_filling:
            self._is_filling = is_filling
            index.hold(FILLED_KIB if is_filling else ASKED_KIB)
            if not is_filling:
                give_back()

    def _answer(self, task: Task) -> None:
        target = self._feed.last_lsn()
        until = time.monotonic() + CATCH_UP_S
        for _ in range(2):  # the second time after a repair
            while not task.at_once and self._safely(self._step) and self._known < target and time.monotonic() < until:
                pass
            try:
                task.answer.set_result(task.ask(self._opened()))
                return
            except sqlite3.OperationalError as error:
                late = str(error) == "interrupted"
                task.answer.set_exception(Refused("narrow the query: it took too long" if late else f"index: {error}"))
                return
            except sqlite3.DatabaseError as error:
                self._throw_away(str(error))
            except OSError as error:
                task.answer.set_exception(Refused(f"index: {self._advice(error)}"))
                return
            except Exception as error:
                task.answer.set_exception(error)
                return
        task.answer.set_exception(Refused("the job index is being built again"))
