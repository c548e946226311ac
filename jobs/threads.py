"""Threads for handlers that are plain functions. They are daemons: one whose handler never returns does not keep the
program from ending, and once its job is over another thread takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

WAITING: Final = 0
RUNNING: Final = 1
OVER: Final = 2
DROPPED: Final = 3
"""It never runs."""


class Work:
    """One call of a function. A plain object: concurrent.futures.Future has a lock and a condition each."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...],
                 on_end: Callable[[Work], None]) -> None:
        self.function: Final = function
        self.arguments: Final = arguments
        self.on_end: Final = on_end
        """Called in the thread when the function has returned or raised."""
        self.state = WAITING
        self.is_lost = False
        """Nobody waits for it any more, though it runs."""
        self.result: Any = None
        self.error: BaseException | None = None


class HandlerThreads:
    """Up to `most` functions run at a time; threads are made when they are needed."""

    def __init__(self, most: int, name: str = "job-thread") -> None:
        self._most = most
        self._name: Final = name
        self._tasks: Final[SimpleQueue[Work | None]] = SimpleQueue()
        self._mutex: Final = threading.Lock()
        self._count = 0
        """Threads, without those that were given up."""
        self._unfinished = 0
        """Functions that wait or run, without those that were given up."""
        self._made = 0
        self._ended: list[Work] = []
        """Functions whose ends are still to be told to who awaits them, and those."""
        self._awaiting: Final[dict[Work, asyncio.Future[Any]]] = {}

    async def call(self, function: Callable[..., Any], arguments: tuple[Any, ...],
                   on_lost: Callable[[], None]) -> Any:
        """What the function returns or raises. When who awaits it is cancelled while it runs, it goes on, without its
        place among the threads, and `on_lost` is told."""
        loop = asyncio.get_running_loop()
        work = self.submit(function, arguments, lambda ended: self._note_end(loop, ended))
        future = self._awaiting[work] = loop.create_future()
        try:
            return await future
        except asyncio.CancelledError:
            if self.give_up(work):
                on_lost()
            raise
        finally:
            del self._awaiting[work]

    def _note_end(self, loop: asyncio.AbstractEventLoop, work: Work) -> None:
        """Ends that come together are told together: to wake the loop for each costs more than the rest."""
        with self._mutex:
            is_first = not self._ended
            self._ended.append(work)
        if is_first:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody awaits anything any more
                loop.call_soon_threadsafe(self._tell_ends)

    def _tell_ends(self) -> None:
        with self._mutex:
            ended, self._ended = self._ended, []
        for work in ended:
            future = self._awaiting.get(work)
            if future is None or future.done():
                continue
            if work.error is None:
                future.set_result(work.result)
            else:
                future.set_exception(work.error)

    def submit(self, function: Callable[..., Any], arguments: tuple[Any, ...],
               on_end: Callable[[Work], None]) -> Work:
        work = Work(function, arguments, on_end)
        with self._mutex:
            self._unfinished += 1
            self._make_some()
        self._tasks.put(work)
        return work

    def give_up(self, work: Work) -> bool:
        """Nobody waits for this function any more; it does not begin if it has not. Whether it goes on all the same."""
        with self._mutex:
            if work.state == WAITING:
                work.state = DROPPED
            if work.state != RUNNING or work.is_lost:
                return False
            work.is_lost = True
            self._count -= 1
            self._unfinished -= 1
            self._make_some()
        return True

    def resize(self, most: int) -> None:
        """Threads that are too many end after their function."""
        with self._mutex:
            self._most = most
            self._make_some()

    def close(self) -> None:
        """Idle threads end, others after their function."""
        with self._mutex:
            self._most = 0
            for _ in range(self._count):
                self._tasks.put(None)

    def _make_some(self) -> None:
        while self._count < min(self._most, self._unfinished):
            self._count += 1
            self._made += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True).start()

    def _work(self) -> None:
        while (work := self._tasks.get()) is not None:
            if self._begins(work):
                _run(work)
            is_last = self._finished(work)
            if work.state == OVER:
                work.on_end(work)
            del work
            if is_last:
                return

    def _begins(self, work: Work) -> bool:
        with self._mutex:
            if work.state == WAITING:
                work.state = RUNNING
            return work.state == RUNNING

    def _finished(self, work: Work) -> bool:
        """The function is over, or was dropped; whether the thread that has taken it is one too many, and ends."""
        with self._mutex:
            if work.state == RUNNING:
                work.state = OVER
            if work.is_lost:
                return True
            self._unfinished -= 1
            if self._count <= self._most:
                return False
            self._count -= 1
            return True


def _run(work: Work) -> None:
    try:
        work.result = work.function(*work.arguments)
    except (StopIteration, KeyboardInterrupt, GeneratorExit) as odd:  # which a future does not take, or the loop
        work.error = _as_error(odd)
    except BaseException as error:
        # Whatever it is, SystemExit too: who waits for the function decides.
        work.error = error


def _as_error(odd: BaseException) -> RuntimeError:
    error = RuntimeError(f"the function raised {type(odd).__name__}")
    error.__cause__ = odd
    return error
