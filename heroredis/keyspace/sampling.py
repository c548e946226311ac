"""Random keys in constant time on average, from a list of the names that is made anew after as many writes.

A dictionary cannot be asked for its n-th key. What was written since the list was made is not drawn from it, which
keeps every key in reach before long; what has gone is drawn again.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final

SMALL: Final = 64
"""So few names are listed every time."""
TRIES: Final = 50


class Sampler:
    """For one collection of keys."""

    def __init__(self) -> None:
        self._names: list[bytes] = []
        self._writes = 0

    def draw(self, keys: Collection[bytes], rng: random.Random, writes: int) -> bytes | None:
        """A key of `keys`, None when there is none; `writes` is a count that every write raises."""
        size = len(keys)
        if size == 0:
            self._names = []
            return None
        if size <= SMALL:
            self._names = []
            return rng.choice(list(keys))
        names = self._names
        if not names or writes - self._writes > len(names) or writes < self._writes or 2 * size < len(names):
            names = self._renew(keys, writes)
        for _ in range(TRIES):
            name = names[int(rng.random() * len(names))]
            if name in keys:
                return name
        names = self._renew(keys, writes)
        return names[int(rng.random() * len(names))]

    def _renew(self, keys: Collection[bytes], writes: int) -> list[bytes]:
        self._names = list(keys)
        self._writes = writes
        return self._names
