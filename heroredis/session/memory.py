"""What the data take, and eviction when that is more than maxmemory.

The figure is an estimate of the keys, values and connections, not of the whole process: see docs/decisions. While there
is a limit, it follows each write; without one, keys are sampled when somebody asks.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from heroredis.footprint import of_key
from heroredis.keyspace.change import EVICTED, ChangeListener
from heroredis.keyspace.database import Database
from heroredis.keyspace.sampling import Sampler
from heroredis.keyspace.space import Space
from heroredis.keyspace.usage import LFU
from heroredis.parameters import Parameters

SAMPLED_KEYS: Final = 2000
SAMPLED_ELEMENTS: Final = 5
AT_ONCE: Final = 10_000
"""So many keys are evicted for one command at the most."""

RENEWAL: Final = 4
"""So much more often than for RANDOMKEY are the drawn names renewed: new keys have to be among them."""


class Memory(ChangeListener):
    """The estimate, the limit, and who has to go."""

    def __init__(self, space: Space, parameters: Parameters) -> None:
        self._space: Final = space
        self._parameters: Final = parameters
        self.limit = 0
        self.clients = 0
        """What the connections take, as of the last tick."""
        self.peak = 0
        self.evicted = 0
        self._sizes: dict[int, dict[bytes, int]] = {}
        self._total = 0
        self._stale = True
        self._samplers: Final[dict[tuple[int, bool], Sampler]] = {}
        self._turn = 0

    def adapt(self) -> None:
        """maxmemory may have changed."""
        self.limit = self._parameters.integer("maxmemory")
        if self.limit:
            self._space.changes.listen_to_all(self)
        else:
            self._space.changes.ignore(self)
            self._sizes = {}
        self._stale = True

    # How much

    def used(self) -> int:
        return self.dataset() + self.clients

    def dataset(self) -> int:
        """Bytes of all keys and values."""
        if not self.limit:
            return sum(_sampled(database) for database in self._space.databases)
        if self._stale:
            self._count()
        return self._total

    def _count(self) -> None:
        self._stale = False
        self._sizes = {database.index: {key: of_key(key, value, SAMPLED_ELEMENTS)
                                        for key, value in database.data.items()}
                       for database in self._space.databases if database.data}
        self._total = sum(sum(sizes.values()) for sizes in self._sizes.values())

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        if self._stale:
            return
        value = self._space.databases[database].data.get(key)
        sizes = self._sizes.setdefault(database, {})
        self._total -= sizes.get(key, 0)
        if value is None:
            sizes.pop(key, None)
            return
        size = of_key(key, value, SAMPLED_ELEMENTS)
        sizes[key] = size
        self._total += size

    def on_flush(self, database: int) -> None:
        self._stale = True

    # Who has to go

    def make_room(self) -> bool:
        """Evict as the policy says until the limit holds; whether it does."""
        if self.used() <= self.limit:
            return True
        policy = self._parameters.get("maxmemory-policy")
        if policy == b"noeviction" or self._space.is_frozen:
            return False
        for _ in range(AT_ONCE):
            victim = self._choose(policy)
            if victim is None:
                return False
            database, key = victim
            self.evicted += 1
            database.discard(key, "evicted", EVICTED)
            if self.used() <= self.limit:
                return True
        return False

    def _choose(self, policy: bytes) -> tuple[Database, bytes] | None:
        """The best of a few keys drawn at random from each database, or, where it is chance, one of the next one."""
        volatile = policy.startswith(b"volatile")
        databases = [database for database in self._space.databases
                     if (database.expires if volatile else database.data)]
        if policy.endswith(b"random"):
            for _ in range(len(databases)):
                self._turn += 1
                database = databases[self._turn % len(databases)]
                names = self._draw(database, volatile, 1)
                if names:
                    return database, names[0]
            return None
        best: tuple[Database, bytes] | None = None
        lowest = 0
        for database in databases:
            for key in self._draw(database, volatile, self._parameters.integer("maxmemory-samples")):
                rank = self._rank(database, key, policy)
                if best is None or rank < lowest:
                    best, lowest = (database, key), rank
        return best

    def _rank(self, database: Database, key: bytes, policy: bytes) -> int:
        """The lower, the sooner it goes: soonest expiry, least often or longest ago used."""
        if policy == b"volatile-ttl":
            return database.expires[key]
        usage = self._space.usage
        note = database.uses.get(key, -1)
        now = self._space.moment.now_ms
        return usage.frequency(note, now) if usage.mode == LFU else -usage.idle_s(note, now)

    def _draw(self, database: Database, volatile: bool, count: int) -> list[bytes]:
        """Up to `count` keys that may be evicted; never one that an extension owns."""
        keys = database.expires.keys() if volatile else database.data.keys()
        sampler = self._samplers.setdefault((database.index, volatile), Sampler())
        found = []
        for _ in range(count * 4):
            key = sampler.draw(keys, self._space.rng, RENEWAL * self._space.changes.dirty)
            if key is not None and not database.is_owned(key):
                found.append(key)
                if len(found) == count:
                    break
        if not found and database.owned:
            found = list(islice((key for key in keys if not database.is_owned(key)), count))
        return found


def _sampled(database: Database) -> int:
    """The size of a database, from keys at regular steps."""
    count = len(database.data)
    if count <= SAMPLED_KEYS:
        return sum(of_key(key, value, SAMPLED_ELEMENTS) for key, value in database.data.items())
    step = count // SAMPLED_KEYS
    sizes = [of_key(key, value, SAMPLED_ELEMENTS) for key, value in islice(database.data.items(), 0, None, step)]
    return sum(sizes) * count // len(sizes)
