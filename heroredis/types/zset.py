"""A Redis sorted set: each member has a score; order and ranks come from the index beside the dictionary."""

from __future__ import annotations

import math
import random

from heroredis.types.base import Container
from heroredis.types.order import Order


class SortedSet(Container):
    """Members by score, equal scores by name. `scores` is there to be read; change it by the methods only."""

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self._order: Order = Order()

    def type_name(self) -> bytes:
        return b"zset"

    def size(self) -> int:
        return len(self.scores)

    def names(self) -> list[bytes]:
        """All members in order."""
        return self._order.between(0, len(self.scores))

    def copy(self) -> SortedSet:
        twin = SortedSet()
        twin.packed = self.packed
        twin.scores = self.scores.copy()
        twin._order = self._order.copy()
        return twin

    def replace(self, scores: dict[bytes, float]) -> None:
        """Hold these and nothing else; the dictionary is taken over."""
        self.scores = scores
        self._order.fill(sorted([(score, member) for member, score in scores.items()]))

    # Changing

    def put(self, member: bytes, score: float) -> int:
        """Add a member, or give it another score, never nan: 1 = it is new, -1 = it has moved, 0 = nothing changed."""
        scores = self.scores
        if score == 0 and self.packed:  # Redis's compact form has no minus zero
            score = 0.0
        old = scores.get(member)
        if old is None:
            scores[member] = score
            self._order.insert(score, member)
            return 1
        if old == score:
            return 0
        self._order.remove(old, member)
        scores[member] = score
        self._order.insert(score, member)
        return -1

    def remove(self, member: bytes) -> bool:
        """Whether it was there."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        self._order.remove(score, member)
        return True

    def pop(self, greatest: bool) -> tuple[bytes, float]:
        """Take out the first member, or the last one; there must be one."""
        member = self._order.pop_last() if greatest else self._order.pop_first()
        return member, self.scores.pop(member)

    def remove_between(self, start: int, stop: int) -> list[bytes]:
        """Take out the ranks start to stop - 1, which are there."""
        gone = self._order.remove_between(start, stop)
        for member in gone:
            del self.scores[member]
        return gone

    # Finding

    def rank(self, member: bytes) -> int:
        """0-based, from the smallest; the member must be there."""
        return self._order.rank(self.scores[member], member)

    def between(self, start: int, stop: int) -> list[bytes]:
        """The members of the ranks start to stop - 1, which are there."""
        return self._order.between(start, stop)

    def at(self, rank: int) -> bytes:
        return self._order.at(rank)

    def below(self, score: float, inclusive: bool) -> int:
        """How many members have a smaller score, or (inclusive) one that is not greater."""
        if not inclusive:
            return self._order.below(score)
        return len(self.scores) if score == math.inf else self._order.below(math.nextafter(score, math.inf))

    def names_below(self, member: bytes, inclusive: bool) -> int:
        """The same for names, in a set in which all scores are equal."""
        return self._order.names_below(member + b"\0" if inclusive else member)

    def choose(self, rng: random.Random) -> bytes:
        """A random member; there must be one."""
        return self._order.at(int(rng.random() * len(self.scores)))
