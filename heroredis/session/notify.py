"""Keyspace notifications: writes told as messages, for those classes of events that notify-keyspace-events names.

Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/
"""

from __future__ import annotations

from typing import Final

from heroredis.keyspace.change import (
    EVICTED,
    EXPIRED,
    GENERIC,
    HASH,
    LIST,
    SET,
    STREAM,
    STRING,
    ZSET,
    ChangeListener,
)
from heroredis.keyspace.space import Space
from heroredis.parameters import Parameters
from heroredis.session.channels import Channels

LETTERS: Final = {GENERIC: b"g", STRING: b"$", LIST: b"l", SET: b"s", HASH: b"h", ZSET: b"z", EXPIRED: b"x",
                  EVICTED: b"e", STREAM: b"t"}
ALL: Final = b"g$lshzxetd"


class Notifications(ChangeListener):
    """Tells of writes by publishing; hears of none while the parameter is empty."""

    def __init__(self, space: Space, channels: Channels, parameters: Parameters) -> None:
        self._space: Final = space
        self._channels: Final = channels
        self._parameters: Final = parameters
        self._classes: frozenset[int] = frozenset()
        self._by_key = False
        self._by_event = False
        self._tells_new = False
        self.tells_misses = False
        self._known: Final[dict[int, set[bytes]]] = {}
        """Keys that were there, by database, while new ones are told."""

    def adapt(self) -> str:
        letters = self._parameters.get("notify-keyspace-events").replace(b"A", ALL)
        self._by_key = b"K" in letters
        self._by_event = b"E" in letters
        spoken = self._by_key or self._by_event
        self._classes = frozenset(number for number, letter in LETTERS.items() if letter in letters)
        self._tells_new = spoken and b"n" in letters
        self.tells_misses = spoken and b"m" in letters
        self._known.clear()
        if self._tells_new:
            for database in self._space.databases:
                self._known[database.index] = set(database.data)
        changes = self._space.changes
        if spoken and (self._classes or self._tells_new):
            changes.listen_to_all(self)
        else:
            changes.ignore(self)
        return ""

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        if self._tells_new:
            self._note_new(database, key)
        if event_class in self._classes:
            self._tell(database, key, event.encode())

    def _note_new(self, database: int, key: bytes) -> None:
        known = self._known.setdefault(database, set())
        if key not in self._space.databases[database].data:
            known.discard(key)
        elif key not in known:
            known.add(key)
            self._tell(database, key, b"new")

    def on_flush(self, database: int) -> None:
        if self._tells_new:
            self._known[database] = set()

    def missed(self, database: int, key: bytes) -> None:
        """A key that was to be read is not there."""
        if self.tells_misses:
            self._tell(database, key, b"keymiss")

    def _tell(self, database: int, key: bytes, event: bytes) -> None:
        if self._by_key:
            self._channels.publish(b"__keyspace@%d__:%b" % (database, key), event)
        if self._by_event:
            self._channels.publish(b"__keyevent@%d__:%b" % (database, event), key)
