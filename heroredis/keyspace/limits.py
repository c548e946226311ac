"""Up to which size Redis holds a value in its compact encoding, and what OBJECT ENCODING therefore says.

Here every value is held in one way. `packed` remembers whether Redis would still hold it compactly: it goes over to
the other encoding when a limit is passed and never goes back, so writers that add call the `grown_…` methods.
"""

from __future__ import annotations

from typing import Final

from heroredis.args import read_int
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered, as_bytes
from heroredis.types.zset import SortedSet

EMBEDDED: Final = 44
"""Up to here Redis holds a string beside its head."""


class Limits:
    """The parameters hash-max-listpack-entries and so on, as numbers."""

    def __init__(self) -> None:
        self.hash_entries = 512
        self.hash_value = 64
        self.set_entries = 512
        self.zset_entries = 128
        self.zset_value = 64
        self.list_size = -2

    def grown_hash(self, value: Hash, field: bytes, text: bytes) -> None:
        """A field was set."""
        if value.packed and (len(field) > self.hash_value or len(text) > self.hash_value
                             or len(value.fields) > self.hash_entries):
            value.packed = False

    def grown_set(self, value: Set) -> None:
        """A member was added."""
        if value.packed and (not value.integers or len(value.members) > self.set_entries):
            value.packed = False

    def growing_sorted_set(self, value: SortedSet, member: bytes) -> None:
        """A member is about to be added, if it is new: its minus zero is kept when it is what passes the limit."""
        if (len(member) > self.zset_value or len(value.scores) >= self.zset_entries) and member not in value.scores:
            value.packed = False

    def settle(self, value: object) -> None:
        """Look at a whole value, made or read in one go."""
        if not isinstance(value, Container) or not value.packed:
            return
        if isinstance(value, Hash):
            value.packed = len(value.fields) <= self.hash_entries and not any(
                len(field) > self.hash_value or len(text) > self.hash_value for field, text in value.fields.items())
        elif isinstance(value, Set):
            value.packed = value.integers and len(value.members) <= self.set_entries
        elif isinstance(value, SortedSet):
            value.packed = len(value.scores) <= self.zset_entries and not any(
                len(member) > self.zset_value for member in value.scores)

    def encoding(self, value: object) -> bytes:
        """What OBJECT ENCODING says. Of a stream too, which has one only. Limits of today change no value of before."""
        if isinstance(value, List):
            return b"quicklist"
        if isinstance(value, Hash | Set | SortedSet):
            if isinstance(value, Hash):
                return b"listpack" if value.packed else b"hashtable"
            if isinstance(value, Set):
                return b"intset" if value.packed else b"hashtable"
            return b"listpack" if value.packed else b"skiplist"
        if isinstance(value, bytearray):
            return b"raw"
        if isinstance(value, bytes | int | Rendered):
            text = as_bytes(value)
            if isinstance(value, int) or (len(text) <= 20 and read_int(text) is not None):
                return b"int"
            return b"embstr" if len(text) <= EMBEDDED else b"raw"
        return b"stream"
