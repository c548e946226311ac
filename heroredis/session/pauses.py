"""CLIENT PAUSE: which commands are held back, until when, and how they are taken up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.registry import Entry
from heroredis.session.client import Client

OFF: Final = 0
WRITES: Final = 1
ALL: Final = 2


class Pauses:
    """The pause that holds now, and the sessions that wait for its end, first come first served."""

    def __init__(self) -> None:
        self.mode = OFF
        self.until_ms = 0
        self._waiting: dict[Client, Callable[[], None]] = {}

    def pause(self, until_ms: int, mode: int) -> None:
        """The longer time and the stricter mode win."""
        self.mode = max(self.mode, mode)
        self.until_ms = max(self.until_ms, until_ms)

    def holds(self, client: Client, entry: Entry) -> bool:
        """Whether this command has to wait."""
        if self.mode == ALL:
            return True
        if entry.name == "EXEC" and client.queued is not None:
            return any(queued.entry.may_replicate for queued in client.queued)
        return entry.may_replicate

    def wait(self, client: Client, resume: Callable[[], None]) -> None:
        self._waiting[client] = resume

    def leave(self, client: Client) -> None:
        self._waiting.pop(client, None)

    @property
    def count(self) -> int:
        return len(self._waiting)

    def end(self) -> None:
        """Take up what was held back."""
        self.mode = OFF
        self.until_ms = 0
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for resume in waiting:
            resume()
