"""A Redis set: members without order, but integers alone are shown in ascending order, as Redis's intset shows them.

Random members come from a list that is made when the first one is asked for and kept up from then on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from heroredis.types.base import Container

MIN_INT: Final = -(1 << 63)
MAX_INT: Final = (1 << 63) - 1
_MINUS: Final = 45
_ZERO: Final = 48


def is_integer(text: bytes) -> bool:
    """Whether it is a 64-bit decimal in the only form in which Redis writes it."""
    size = len(text)
    if size == 0 or size > 20:
        return False
    first = text[0]
    if text.isdigit():
        return (first != _ZERO or size == 1) and (size < 19 or int(text) <= MAX_INT)
    if first != _MINUS or size == 1 or text[1] == _ZERO or not text[1:].isdigit():
        return False
    return size < 20 or int(text) >= MIN_INT


class Pool:
    """The members in a list, to draw from. Removed ones stay in it, noted in `gone`, until chance takes them out."""

    def __init__(self, members: set[bytes]) -> None:
        self.items: Final = list(members)
        self.gone: Final[set[bytes]] = set()

    def added(self, member: bytes) -> None:
        if member in self.gone:
            self.gone.discard(member)
        else:
            self.items.append(member)

    def draw(self, rng: random.Random) -> int:
        """The place of a member that is there, each as likely as the others."""
        items, gone = self.items, self.gone
        while True:
            at = int(rng.random() * len(items))
            if not gone or items[at] not in gone:
                return at
            gone.discard(self.take(at))

    def take(self, at: int) -> bytes:
        items = self.items
        member = items[at]
        last = items.pop()
        if at < len(items):
            items[at] = last
        return member


class Set(Container):
    """Byte strings, each once. Change it by its methods only; `members` is there to be read."""

    def __init__(self, members: set[bytes] | None = None) -> None:
        """Empty, or holding these; the Python set is taken over."""
        self.members: Final[set[bytes]] = set() if members is None else members
        self.integers = True
        """Whether nothing but integers was ever in it."""
        for member in self.members:
            if not is_integer(member):
                self.integers = False
                break
        self._pool: Pool | None = None

    def type_name(self) -> bytes:
        return b"set"

    def size(self) -> int:
        return len(self.members)

    def names(self) -> list[bytes]:
        return sorted(self.members, key=int) if self.integers else list(self.members)

    def copy(self) -> Set:
        twin = Set(self.members.copy())
        twin.packed = self.packed
        twin.integers = self.integers
        return twin

    def add(self, member: bytes) -> bool:
        """Whether it was not there."""
        members = self.members
        if member in members:
            return False
        members.add(member)
        if self.integers and not is_integer(member):
            self.integers = False
        if self._pool is not None:
            self._pool.added(member)
        return True

    def add_all(self, members: Iterable[bytes]) -> None:
        for member in members:
            self.add(member)

    def remove(self, member: bytes) -> bool:
        """Whether it was there."""
        members = self.members
        if member not in members:
            return False
        members.discard(member)
        pool = self._pool
        if pool is not None:
            pool.gone.add(member)
            if 2 * len(pool.gone) > len(pool.items):
                self._pool = None
        return True

    def choose(self, rng: random.Random) -> bytes:
        """A random member; there must be one."""
        pool = self._made_pool()
        return pool.items[pool.draw(rng)]

    def sample(self, rng: random.Random, count: int) -> list[bytes]:
        """`count` different random members, of which there must be as many."""
        if 3 * count > len(self.members):
            return rng.sample(list(self.members), count)
        chosen: dict[bytes, None] = {}
        while len(chosen) < count:
            chosen[self.choose(rng)] = None
        return list(chosen)

    def pop(self, rng: random.Random) -> bytes:
        """Take a random member out; there must be one."""
        members = self.members
        if len(members) == 1:
            self._pool = None
            return members.pop()
        pool = self._made_pool()
        member = pool.take(pool.draw(rng))
        members.discard(member)
        return member

    def _made_pool(self) -> Pool:
        pool = self._pool
        if pool is None:
            pool = Pool(self.members)
            self._pool = pool
        return pool
