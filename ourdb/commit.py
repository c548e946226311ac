"""Commit: the promise that one batch is kept, shared by all who wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

logger = logging.getLogger("ourdb")


class Commit:
    """Ends once, well (`error` None) or badly. Callbacks run on the committer's thread."""

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None
        self.asked = -1
        """How durably it was asked for, once the committer knows that it is wanted."""
        self._lock: Final = threading.Lock()
        self._callbacks: list[Callable[[Commit], None]] = []
        self._waiters: Final[dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]]] = {}
        self._event: threading.Event | None = None

    def add_callback(self, callback: Callable[[Commit], None], /) -> None:
        """Call it with this commit when it has ended; at once when it already has."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

    def __await__(self) -> Generator[Any, None, None]:
        """Until it has ended; raises its error. Any number may await it, each can be cancelled alone."""
        if not self.done:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            with self._lock:
                waiters = self._waiters.setdefault(loop, [])
                waiters.append(waiter)
            if len(waiters) == 1:
                self.add_callback(partial(_release_in, loop, waiters))
            yield from waiter
        error = self.error
        if error is not None:
            raise error

    def finish(self, error: BaseException | None) -> None:
        with self._lock:
            self.error = error
            self.done = True
            callbacks = self._callbacks
            self._callbacks = []
            event = self._event
        if event is not None:
            event.set()
        for callback in callbacks:
            try:
                callback(self)
            except Exception:  # the thread that ends commits has others to end
                logger.exception("a callback of a commit failed")

    def wait(self, timeout: float | None = None) -> None:
        """Block until it has ended; raises its error, or TimeoutError after `timeout` seconds."""
        with self._lock:
            if not self.done and self._event is None:
                self._event = threading.Event()
            event = self._event
        if event is not None and not event.wait(timeout):
            raise TimeoutError("the commit has not ended yet")
        error = self.error
        if error is not None:
            raise error


def _release_in(loop: asyncio.AbstractEventLoop, waiters: list[asyncio.Future[None]], commit: Commit) -> None:
    """One wake-up of the loop for all who wait in it. A loop that was closed has nobody left who waits."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_release, waiters)


def _release(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
