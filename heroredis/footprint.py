"""How much memory the process takes, and single values: estimates from what Python says of objects."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Final

from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered
from heroredis.types.zset import SortedSet

SLOT: Final = 64
"""A key's place in the dictionary of its database."""
ORDERED: Final = 16
"""A member's place in the order of a sorted set: its score and a reference."""
FLOAT: Final = sys.getsizeof(0.5)


def resident_bytes() -> int:
    """What the process has in memory now; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def give_back() -> None:
    """Let the C library return free pages to the system, where it can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def of_key(key: bytes, value: object, samples: int) -> int:
    """Bytes of a key and its value; `samples` elements are looked at (0 = all), the others are taken to be alike."""
    return SLOT + sys.getsizeof(key) + of_value(value, samples)


def of_value(value: object, samples: int) -> int:
    own = sys.getsizeof(value)
    if isinstance(value, List):
        return own + sys.getsizeof(value.left) + sys.getsizeof(value.right) + _scaled(
            value.left or value.right, value.size(), samples)
    if isinstance(value, Hash):
        return own + sys.getsizeof(value.fields) + _scaled(value.fields, value.size(), samples) + _scaled(
            value.fields.values(), value.size(), samples)
    if isinstance(value, Set):
        return own + sys.getsizeof(value.members) + _scaled(value.members, value.size(), samples)
    if isinstance(value, SortedSet):
        return own + sys.getsizeof(value.scores) + (FLOAT + ORDERED) * value.size() + _scaled(
            value.scores, value.size(), samples)
    if isinstance(value, Container):
        return own + _scaled(value.names(), value.size(), samples)
    return own + (sys.getsizeof(value.render()) if isinstance(value, Rendered) else 0)


def _scaled(elements: Iterable[bytes], count: int, samples: int) -> int:
    """The sizes of all `count` elements, from those of the first ones."""
    seen = [sys.getsizeof(element) for element in (islice(elements, samples) if samples else elements)]
    return sum(seen) * count // len(seen) if seen else 0
