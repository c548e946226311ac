"""All databases of one server, with what they share: the time, the listeners, the scans in progress."""

from __future__ import annotations

import random
from typing import Final

from heroredis.clock import Clock
from heroredis.keyspace.change import Changes
from heroredis.keyspace.database import Database, Moment
from heroredis.keyspace.limits import Limits
from heroredis.keyspace.scan import Scans
from heroredis.keyspace.usage import LFU, OFF, Usage


class Space:
    """The databases 0 to `count` - 1. Owned prefixes hold in database 0 only."""

    def __init__(self, count: int, clock: Clock, rng: random.Random | None = None) -> None:
        self.clock: Final = clock
        self.moment: Final = Moment(clock.now_ms())
        self.changes: Final = Changes()
        self.scans: Final = Scans()
        self.expires_actively = True
        """Whether keys whose time has come are removed although nobody asks for them."""
        self.limits: Final = Limits()
        self.rng: Final = rng or random.Random()
        self.usage: Final = Usage(self.rng)
        self.usage.since_s = self.moment.now_ms // 1000
        self.databases: Final = [Database(index, self.changes, self.moment, self.limits, self.usage)
                                 for index in range(count)]

    @property
    def is_frozen(self) -> bool:
        """Whether clients are paused: what has expired is not shown, and not removed either."""
        return self.moment.is_frozen

    def freeze(self, frozen: bool) -> None:
        self.moment.is_frozen = frozen

    def refresh(self) -> int:
        """Read the clock for the batch that begins."""
        now = self.clock.now_ms()
        self.moment.now_ms = now
        return now

    def note_uses(self, mode: int) -> None:
        """Note from now on how keys are used, in this way; notes of another kind are given up."""
        before = self.usage.mode
        self.usage.mode = mode
        if before == OFF:
            self.usage.since_s = self.moment.now_ms // 1000
        for database in self.databases:
            if LFU in (before, mode) or mode == OFF:
                database.uses.clear()
            database.noting = mode != OFF

    def own(self, prefixes: tuple[bytes, ...]) -> None:
        """Keys that begin so belong to an extension."""
        self.databases[0].owned = self.databases[0].owned + prefixes

    def swap(self, one: int, two: int) -> None:
        """Exchange two databases; who watches or waits is told of what goes and of what comes."""
        if one == two:
            self.changes.dirty += 1  # as Redis counts it
            return
        self.changes.flushed(one)
        self.changes.flushed(two)
        self.databases[one].adopt(self.databases[two])
        if self.changes.journal.copying is not None:
            self.changes.journal.copying.swapped(one, two)
        self.changes.dirty += 1
        self.changes.arrived(one)
        self.changes.arrived(two)

    def flush(self, index: int | None) -> int:
        """Empty one database or all; how many keys went. Owned keys stay."""
        removed = 0
        for database in self.databases if index is None else [self.databases[index]]:
            self.changes.flushed(database.index)
            removed += database.clear()
        return removed

    def expire_due(self, limit: int) -> int:
        self.refresh()
        if not self.expires_actively:
            return 0
        return sum(database.expire_due(limit) for database in self.databases)
