"""The promise that some journaled commands are on disk, shared by all replies that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from heroredis.reply import Committing


class Commit:
    """Ends once, well (`error` None) or badly, on whichever thread wrote."""

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None
        self._lock: Final = threading.Lock()
        self._callbacks: list[Callable[[Committing], None]] = []

    def add_callback(self, callback: Callable[[Committing], None], /) -> None:
        """Call it with this commit when it has ended; at once when it already has."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

    def finish(self, error: BaseException | None) -> None:
        with self._lock:
            if self.done:
                return
            self.error = error
            self.done = True
            callbacks = self._callbacks
            self._callbacks = []
        for callback in callbacks:
            callback(self)
