"""Threads for handlers that are plain functions. They are daemons: one whose handler never returns does not keep the
program from ending, and once its job is over another thread takes its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final

Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class HandlerThreads:
    """Up to `most` functions run at a time; threads are made when they are needed."""

    def __init__(self, most: int, name: str = "job-thread") -> None:
        self._most = most
        self._name: Final = name
        self._tasks: Final[SimpleQueue[Task | None]] = SimpleQueue()
        self._mutex: Final = threading.Lock()
        self._count = 0
        """Threads, without those that were given up."""
        self._unfinished = 0
        """Functions that wait or run, without those that were given up."""
        self._lost: Final[set[Future[Any]]] = set()
        self._made = 0

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        work: Future[Any] = Future()
        with self._mutex:
            self._unfinished += 1
            self._make_some()
        self._tasks.put((work, function, arguments))
        return work

    def give_up(self, work: Future[Any]) -> bool:
        """Nobody waits for this function any more. Whether it goes on all the same."""
        with self._mutex:
            if work.done():
                return False
            self._lost.add(work)
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
        while (task := self._tasks.get()) is not None:
            work = task[0]
            _run(*task)
            del task
            if self._is_too_many(work):
                return

    def _is_too_many(self, work: Future[Any]) -> bool:
        """Whether the thread that has run this is to end."""
        with self._mutex:
            if work in self._lost:
                self._lost.discard(work)
                return True
            self._unfinished -= 1
            if self._count <= self._most:
                return False
            self._count -= 1
            return True


def _run(work: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if work.set_running_or_notify_cancel():
        try:
            result = function(*arguments)
        except StopIteration as stop:  # which no future of asyncio takes
            work.set_exception(_as_error(stop))
        except BaseException as error:
            # Whatever it is, SystemExit too: who waits for the function decides.
            work.set_exception(error)
        else:
            work.set_result(result)


def _as_error(stop: StopIteration) -> RuntimeError:
    error = RuntimeError("the function raised StopIteration")
    error.__cause__ = stop
    return error
