"""Commit: the promise that one batch is kept, shared by all who wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

logger = logging.getLogger("ourdb")


class Commit:
    """Ends once, well (`error` None) or badly. Callbacks run on the committer's thread."""

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None
        self._lock: Final = threading.Lock()
        self._callbacks: list[Callable[[Commit], None]] = []
        self._event: threading.Event | None = None

    def add_callback(self, callback: Callable[[Commit], None], /) -> None:
        """Call it with this commit when it has ended; at once when it already has."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

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
