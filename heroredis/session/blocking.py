"""Parked commands: each waits for tokens (a key, or what an extension signals) and is run again when one is ready.

Those who waited longest are served first. Knows no protocol; whoever parks brings the way to try again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from heroredis.keyspace.change import ChangeListener
from heroredis.keyspace.space import Space


class Parked:
    """One waiting command. `retry` runs it again for a token that is ready and tells whether it is served."""

    def __init__(self, tokens: list[Hashable], retry: Callable[[Hashable], bool]) -> None:
        self.tokens: Final = tokens
        self.retry: Final = retry
        self.waiting = True


class Blocking(ChangeListener):
    """Tokens, and who waits for them in which order."""

    def __init__(self, space: Space) -> None:
        self._space: Final = space
        self._waiting: Final[dict[Hashable, dict[Parked, None]]] = {}
        self._ready: dict[Hashable, None] = {}
        self.ready = False
        """Whether `serve` has something to do."""
        self.count = 0
        self._kinds: Final[dict[str, int]] = {}
        """How many wait for each kind of what extensions signal: the first word of such a token."""
        space.changes.listen(self)

    def park(self, parked: Parked) -> None:
        self.count += 1
        for token in parked.tokens:
            self._waiting.setdefault(token, {})[parked] = None
            if isinstance(token, tuple):
                if self._is_key(token):
                    self._space.changes.watch(token)
                else:
                    self._count(token, 1)

    def leave(self, parked: Parked) -> None:
        """Wait no more; called once, when served, timed out or gone."""
        parked.waiting = False
        self.count -= 1
        for token in set(parked.tokens):
            others = self._waiting.get(token)
            if others is not None:
                others.pop(parked, None)
                if not others:
                    del self._waiting[token]
        for token in parked.tokens:
            if isinstance(token, tuple):
                if self._is_key(token):
                    self._space.changes.unwatch(token)
                else:
                    self._count(token, -1)

    def _count(self, token: tuple[object, ...], number: int) -> None:
        kind = token[0]
        if isinstance(kind, str):
            self._kinds[kind] = self._kinds.get(kind, 0) + number

    def waits_for(self, kind: str) -> bool:
        """Whether anybody waits for a token of an extension that begins with this word."""
        return self.count > 0 and self._kinds.get(kind, 0) > 0

    def _is_key(self, token: tuple[object, ...]) -> bool:
        return len(token) == 2 and isinstance(token[0], int)

    def signal(self, token: Hashable) -> None:
        """Something that commands may wait for is there; they run at the next `serve`."""
        if token in self._waiting:
            self._ready[token] = None
            self.ready = True

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        if key in self._space.databases[database].data:
            self.signal((database, key))

    def on_flush(self, database: int) -> None:
        for key in self._space.changes.keys_of_interest(database):
            self.signal((database, key))

    def serve(self) -> None:
        """Run the commands whose tokens are ready, in the order in which they came, by the time it is by now."""
        self._space.refresh()
        while self._ready:
            tokens = list(self._ready)
            self._ready.clear()
            self.ready = False
            for token in tokens:
                self._serve_token(token)

    def _serve_token(self, token: Hashable) -> None:
        for parked in list(self._waiting.get(token, ())):
            if not parked.waiting or parked.retry(token):
                continue
            if isinstance(token, tuple) and self._is_key(token):
                index = token[0]
                if isinstance(index, int) and token[1] in self._space.databases[index].data:
                    continue
            return
