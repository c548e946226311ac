"""A commit that somebody of ours ends, on the loop: what stands for several, or for a test's slow disk."""

from __future__ import annotations

from collections.abc import Callable

from heroredis.extension import Committing


class Promise:
    """Ends once, well (`error` None) or badly."""

    def __init__(self, done: bool = False) -> None:
        self.done = done
        self.error: BaseException | None = None
        self._callbacks: list[Callable[[Committing], None]] = []

    def add_callback(self, callback: Callable[[Committing], None], /) -> None:
        if self.done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def finish(self, error: BaseException | None = None) -> None:
        self.done = True
        self.error = error
        callbacks = self._callbacks
        self._callbacks = []
        for callback in callbacks:
            callback(self)
