"""One database: its keys, their values and their expiry. Every write is told by `changed`.

Strings are held as they are (bytes, int, bytearray, Rendered), other types as objects. Times are Unix milliseconds.
"""

from __future__ import annotations

import heapq
import random
from itertools import islice
from typing import Final, cast

from heroredis.errors import RedisError, wrong_type
from heroredis.keyspace.change import EXPIRED, Changes
from heroredis.keyspace.limits import Limits
from heroredis.keyspace.sampling import Sampler
from heroredis.keyspace.usage import LFU, Usage
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered, as_bytes
from heroredis.types.zset import SortedSet

Value = bytes | int | bytearray | Rendered | Container
PERSISTENT: Final = -1


class Moment:
    """The time of the running batch, read once, shared by all databases."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.is_frozen = False


class Database:
    """Keys to values. A container that has become empty is dropped by who emptied it (`drop_if_empty`)."""

    def __init__(self, index: int, changes: Changes, moment: Moment, limits: Limits, usage: Usage) -> None:
        self.index = index
        self.data: dict[bytes, Value] = {}
        self._any = cast("dict[bytes, object]", self.data)
        """The same dictionary. Compiled code looks at a Value that it gets, kind by kind; an object it just takes."""
        self.expires: dict[bytes, int] = {}
        self.expired = 0
        self.owned: tuple[bytes, ...] = ()
        self.limits: Final = limits
        self.noting = False
        """Whether uses of keys are noted in `uses`."""
        self.uses: dict[bytes, int] = {}
        self.sampler: Final = Sampler()
        self._usage: Final = usage
        self._changes: Final = changes
        self._moment: Final = moment
        self._heap: list[tuple[int, bytes]] = []

    def _hold(self, data: dict[bytes, Value]) -> None:
        self.data = data
        self._any = cast("dict[bytes, object]", data)

    # Reading

    def lookup(self, key: bytes) -> Value | None:
        """The value, or None; a key whose time has come is removed first. Counts as a use of the key."""
        if self.expires and key in self.expires and self.expire_if_due(key):
            return None
        if self.noting and key in self.data:
            self.use(key)
        return self.data.get(key)

    def peek(self, key: bytes) -> Value | None:
        """The same, but no use."""
        if self.expires and key in self.expires and self.expire_if_due(key):
            return None
        return self.data.get(key)

    def use(self, key: bytes) -> None:
        """Note a use of a key that is there."""
        self.uses[key] = self._usage.used(self.uses.get(key, -1), self._moment.now_ms)

    def expire_if_due(self, key: bytes) -> bool:
        at = self.expires.get(key, PERSISTENT)
        if at < 0 or at > self._moment.now_ms:
            return False
        if self._moment.is_frozen:
            return True
        self.expired += 1
        self.discard(key, "expired", EXPIRED)
        return True

    def get_string(self, key: bytes) -> bytes | None:
        value = self.data.get(key) if not self.expires and not self.noting else self.lookup(key)
        if type(value) is bytes:
            return value
        if value is None:
            return None
        if isinstance(value, bytes | int | bytearray | Rendered):
            return as_bytes(value)
        raise wrong_type()

    def _found(self, key: bytes) -> object:
        """What `lookup` gives, of whatever kind; without asking of expiry and uses where there are none."""
        if self.expires or self.noting:
            return self.lookup(key)
        return self._any.get(key)

    def find_list(self, key: bytes) -> List | None:
        value = self._found(key)
        if value is None or isinstance(value, List):
            return value
        raise wrong_type()

    def find_hash(self, key: bytes) -> Hash | None:
        value = self._found(key)
        if value is None or isinstance(value, Hash):
            return value
        raise wrong_type()

    def find_set(self, key: bytes) -> Set | None:
        value = self._found(key)
        if value is None or isinstance(value, Set):
            return value
        raise wrong_type()

    def find_zset(self, key: bytes) -> SortedSet | None:
        value = self._found(key)
        if value is None or isinstance(value, SortedSet):
            return value
        raise wrong_type()

    def keys(self) -> list[bytes]:
        """All living keys, in the order of their making."""
        if not self.expires:
            return list(self.data)
        now = self._moment.now_ms
        expires = self.expires
        return [key for key in self.data if expires.get(key, now + 1) > now]

    def stored(self) -> list[bytes]:
        """All keys, also those that have expired and lie there still."""
        return list(self.data)

    def size(self) -> int:
        return len(self.data)

    def random_key(self, rng: random.Random) -> bytes | None:
        """A living key, each as likely as the others; None when there is none."""
        while True:
            key = self.sampler.draw(self.data, rng, self._changes.dirty)
            if key is None or self._moment.is_frozen or self.peek(key) is not None:
                return key  # while clients are paused an expired key stays, and may be drawn as any other

    def is_owned(self, key: bytes) -> bool:
        return bool(self.owned) and key.startswith(self.owned)

    # Writing

    def update_list(self, key: bytes) -> List:
        """The list of a key, made when there is none."""
        found = self.find_list(key)
        if found is None:
            found = List()
            self.data[key] = found
        return found

    def update_hash(self, key: bytes) -> Hash:
        found = self.find_hash(key)
        if found is None:
            found = Hash()
            self.data[key] = found
        return found

    def update_set(self, key: bytes) -> Set:
        found = self.find_set(key)
        if found is None:
            found = Set()
            self.data[key] = found
        return found

    def update_zset(self, key: bytes) -> SortedSet:
        found = self.find_zset(key)
        if found is None:
            found = SortedSet()
            self.data[key] = found
        return found

    def store(self, key: bytes, value: Value) -> None:
        """Set a value, whatever was there; the expiry is dropped."""
        self.data[key] = value
        if self.expires:
            self.expires.pop(key, None)

    def replace(self, key: bytes, value: Value) -> None:
        """Set a value and keep the expiry."""
        self.data[key] = value

    def remove(self, key: bytes) -> bool:
        if self.data.pop(key, None) is None:
            return False
        if self.uses:
            self.uses.pop(key, None)
        if self.expires:
            self.expires.pop(key, None)
        return True

    def drop_if_empty(self, key: bytes, value: Container) -> bool:
        """Remove the key when its container has nothing left; told as "del"."""
        if value.size() > 0:
            return False
        self.remove(key)
        return True

    def changed(self, key: bytes, event: str, event_class: int, writes: int = 1) -> None:
        """Tell a write: the only call by which anything outside hears of it.

        It counts as `writes`: as many as elements were put or taken, none where another event of the command counts.
        """
        changes = self._changes
        changes.dirty += writes
        if self.noting and key in self.data and (self._usage.mode != LFU or key not in self.uses):
            self.use(key)
        if changes.active:
            changes.tell(self.index, key, event, event_class)

    def discard(self, key: bytes, event: str, event_class: int) -> None:
        """Remove a key that no client removes: expired or evicted. Told and journaled; it counts as no write."""
        self.remove(key)
        changes = self._changes
        if changes.journal.on and not self.is_owned(key):
            changes.journal.removed(self.index, key)
        if changes.active:
            changes.tell(self.index, key, event, event_class)

    # Expiry

    def expiry(self, key: bytes) -> int:
        """When the key expires, or -1."""
        return self.expires.get(key, PERSISTENT)

    def average_ttl_ms(self) -> int:
        """How long keys that expire have left, from the first ones."""
        now = self._moment.now_ms
        left = [at - now for at in islice(self.expires.values(), 100) if at > now]
        return sum(left) // len(left) if left else 0

    def set_expiry(self, key: bytes, at_ms: int) -> None:
        self.expires[key] = at_ms
        heapq.heappush(self._heap, (at_ms, key))
        if len(self._heap) > 2 * len(self.expires) + 64:
            self._appoint()

    def _appoint(self) -> None:
        """Make the heap anew from the expiries that hold."""
        self._heap = [(at, name) for name, at in self.expires.items()]
        heapq.heapify(self._heap)

    def persist(self, key: bytes) -> bool:
        return self.expires.pop(key, None) is not None

    def expire_due(self, limit: int) -> int:
        """Remove up to `limit` keys whose time has come, soonest first; how many appointments were looked at."""
        seen = 0
        now = self._moment.now_ms
        while seen < limit and self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            seen += 1
            if self.expires.get(key, PERSISTENT) == at:
                self.expire_if_due(key)
        return seen

    def clear(self) -> int:
        """Remove everything but owned keys; how many went."""
        before = len(self.data)
        kept = {key: value for key, value in self.data.items() if self.is_owned(key)} if self.owned else {}
        self._hold(kept)
        self.expires = {key: at for key, at in self.expires.items() if key in kept} if kept else {}
        self.uses.clear()
        self._appoint()
        self._changes.dirty += before - len(kept)
        return before - len(kept)

    def adopt(self, other: Database) -> None:
        """Exchange contents with `other` (SWAPDB); keys with owned names stay on both sides."""
        owned = self.owned + other.owned
        mine, theirs = self._without(owned), other._without(owned)
        my_expires, their_expires = self.expires, other.expires
        self._exchange(mine, theirs, their_expires)
        other._exchange(theirs, mine, my_expires)
        my_uses = self.uses
        self.uses = {key: note for key, note in other.uses.items() if key in self.data}
        other.uses = {key: note for key, note in my_uses.items() if key in other.data}

    def _without(self, prefixes: tuple[bytes, ...]) -> dict[bytes, Value]:
        return {key: value for key, value in self.data.items() if not key.startswith(prefixes)}

    def _exchange(self, going: dict[bytes, Value], coming: dict[bytes, Value], expires: dict[bytes, int]) -> None:
        kept = {key: value for key, value in self.data.items() if key not in going}
        self.expires = {key: at for key, at in self.expires.items() if key in kept}
        self.expires.update((key, at) for key, at in expires.items() if key in coming)
        kept.update(coming)
        self._hold(kept)
        self._appoint()


def refused_owned(key: bytes) -> RedisError:
    shown = key.decode("utf-8", "backslashreplace")
    return RedisError(f"REFUSED the key {shown} belongs to the job system; use the JOB commands".encode())
