"""Replies that wait for the disk: one callback per commit, releasing all connections that wait for it together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from heroredis.errors import RedisError
from heroredis.reply import Committing


class Commits:
    """Bridges commits that end on another thread to the loop that owns the connections."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_failure: Callable[[BaseException], None] | None = None
        self._waiting: Final[dict[Committing, list[Callable[[], None]]]] = {}

    def when_done(self, commit: Committing, release: Callable[[], None]) -> None:
        """Call `release` on the loop once `commit` has ended, well or badly."""
        waiting = self._waiting.get(commit)
        if waiting is not None:
            waiting.append(release)
            return
        self._waiting[commit] = [release]
        commit.add_callback(self._ended)

    def _ended(self, commit: Committing) -> None:
        loop = self.loop
        if loop is None:
            self._release(commit)
            return
        try:
            loop.call_soon_threadsafe(self._release, commit)
        except RuntimeError:
            return  # the loop is closed: nobody is left to be told

    def _release(self, commit: Committing) -> None:
        for release in self._waiting.pop(commit, ()):
            release()
        if commit.error is not None and self.on_failure is not None and not isinstance(commit.error, RedisError):
            self.on_failure(commit.error)


class Joint:
    """Two commits for which one reply waits: ended when both are."""

    def __init__(self, one: Committing, two: Committing) -> None:
        self._one: Final = one
        self._two: Final = two

    @property
    def done(self) -> bool:
        return self._one.done and self._two.done

    @property
    def error(self) -> BaseException | None:
        return self._one.error if self._one.error is not None else self._two.error

    def add_callback(self, callback: Callable[[Committing], None], /) -> None:
        self._one.add_callback(lambda _: self._two.add_callback(lambda _: callback(self)))
