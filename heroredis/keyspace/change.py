"""Who hears of a write: the one place where the keyspace tells the outside, without knowing who listens.

Cheap while nobody does: a write tests one flag.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from heroredis.keyspace.journal import Journal

# Classes of events, the letters of notify-keyspace-events.
GENERIC: Final = 1
STRING: Final = 2
LIST: Final = 3
SET: Final = 4
HASH: Final = 5
ZSET: Final = 6
EXPIRED: Final = 7
EVICTED: Final = 8
STREAM: Final = 9


@mypyc_attr(allow_interpreted_subclasses=True)
class ChangeListener:
    """Base of those who hear: override what is needed."""

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        """`key` of `database` was written."""

    def on_flush(self, database: int) -> None:
        """Many keys of `database` changed at once (FLUSHDB, SWAPDB)."""

    def on_arrival(self, database: int) -> None:
        """What `database` holds now came from another one (SWAPDB)."""
        self.on_flush(database)


class Changes:
    """The listeners, and the keys that they are interested in."""

    def __init__(self) -> None:
        self.active = False
        self.silent = False
        """Keys are being loaded: nobody is told of it."""
        self.dirty = 0
        """Writes so far, in all databases, counted by elements as Redis does; who wants to know whether a command
        changed anything compares it."""
        self.journal: Final = Journal()
        self._interest: Final[dict[tuple[int, bytes], int]] = {}
        self._listeners: Final[list[ChangeListener]] = []
        self._all: Final[list[ChangeListener]] = []

    def listen(self, listener: ChangeListener, *, everything: bool = False) -> None:
        """Tell `listener` of keys in which there is interest, or of every key."""
        if everything:
            self._all.append(listener)
            self.active = True
        else:
            self._listeners.append(listener)

    def listen_to_all(self, listener: ChangeListener) -> None:
        """Tell `listener` of every key, once, until it is ignored."""
        if listener not in self._all:
            self._all.append(listener)
        self.active = True

    def ignore(self, listener: ChangeListener) -> None:
        if listener in self._all:
            self._all.remove(listener)
        self.active = bool(self._interest) or bool(self._all)

    def watch(self, token: tuple[int, bytes]) -> None:
        self._interest[token] = self._interest.get(token, 0) + 1
        self.active = True

    def unwatch(self, token: tuple[int, bytes]) -> None:
        left = self._interest.get(token, 0) - 1
        if left > 0:
            self._interest[token] = left
        else:
            self._interest.pop(token, None)
            self.active = bool(self._interest) or bool(self._all)

    def tell(self, database: int, key: bytes, event: str, event_class: int) -> None:
        if self.silent:
            return
        if (database, key) in self._interest:
            for listener in self._listeners:
                listener.on_change(database, key, event, event_class)
        for listener in self._all:
            listener.on_change(database, key, event, event_class)

    def flushed(self, database: int) -> None:
        for listener in self._listeners:
            listener.on_flush(database)
        for listener in self._all:
            listener.on_flush(database)

    def arrived(self, database: int) -> None:
        for listener in self._listeners:
            listener.on_arrival(database)
        for listener in self._all:
            listener.on_arrival(database)

    def keys_of_interest(self, database: int) -> list[bytes]:
        return [key for index, key in self._interest if index == database]
