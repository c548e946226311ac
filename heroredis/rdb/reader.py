"""From the RDB form of a value to the value: what any Redis up to 7.0 writes. Damaged bytes are told, never guessed.

Whether a value is still `packed` is for the caller to say: it depends on settings.
"""

from __future__ import annotations

import math
from typing import Final

from heroredis.args import read_float
from heroredis.rdb import writer
from heroredis.rdb.listpack import Damaged, unpack
from heroredis.rdb.lzf import decompress
from heroredis.rdb.older import read_intset, read_ziplist, read_zipmap
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.zset import SortedSet

LONGEST: Final = 1 << 32
"""Of a string; what claims more is damaged."""


class Reader:
    """A cursor over bytes. Every method raises Damaged where they end or make no sense."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data: Final = data
        self.at = at

    def take(self, size: int) -> bytes:
        start = self.at
        if size < 0 or size > len(self.data) - start:
            raise Damaged("it ends in the middle")
        self.at = start + size
        return self.data[start : start + size]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self, size: int) -> int:
        """A signed little-endian number."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def length(self) -> int:
        """A length; negative for a special form of string: -1 - form."""
        first = self.byte()
        kind = first >> 6
        if kind == 0:
            return first & 0x3F
        if kind == 1:
            return (first & 0x3F) << 8 | self.byte()
        if kind == 3:
            return -1 - (first & 0x3F)
        if first == 0x80:
            return int.from_bytes(self.take(4), "big")
        if first == 0x81:
            return int.from_bytes(self.take(8), "big")
        raise Damaged("a length of an unknown form")

    def count(self) -> int:
        """How many elements follow, of at least a byte each; never none."""
        found = self.length()
        if not 0 < found <= len(self.data) - self.at:
            raise Damaged("a number of elements that cannot be")
        return found

    def string(self) -> bytes:
        size = self.length()
        if size >= 0:
            return self.take(size)
        form = -1 - size
        if form < 3:
            return b"%d" % self.number(1 << form)
        if form != 3:
            raise Damaged("a string of an unknown form")
        packed, original = self.length(), self.length()
        if packed < 0 or not 0 <= original <= LONGEST:
            raise Damaged("a compressed string of an impossible size")
        found = decompress(self.take(packed), original)
        if found is None:
            raise Damaged("a compressed string that is damaged")
        return found

    def double(self) -> float:
        """A score in binary."""
        value: float = writer.DOUBLE.unpack(self.take(8))[0]
        return value

    def old_double(self) -> float:
        """A score as text, behind its size; sizes from 253 on stand for what is no number."""
        size = self.byte()
        if size >= 253:
            return (math.nan, math.inf, -math.inf)[size - 253]
        return _score(self.take(size))


def _score(text: bytes) -> float:
    value = read_float(text)
    if value is None:
        raise Damaged("a score that is no number")
    return value


def read(kind: int, source: Reader) -> bytes | Container:
    """The value of a type byte. Raises Damaged."""
    if kind == writer.STRING:
        return source.string()
    if kind in (writer.LIST, writer.LIST_ZIPLIST, writer.LIST_QUICKLIST, writer.LIST_QUICKLIST_2):
        items = _list_items(kind, source)
        if not items:
            raise Damaged("an empty list")
        found = List()
        found.replace(items)
        return found
    if kind in (writer.SET, writer.SET_INTSET):
        return _set(kind, source)
    if kind in (writer.HASH, writer.HASH_ZIPMAP, writer.HASH_ZIPLIST, writer.HASH_LISTPACK):
        return _hash(kind, source)
    if kind in (writer.ZSET, writer.ZSET_2, writer.ZSET_ZIPLIST, writer.ZSET_LISTPACK):
        return _sorted_set(kind, source)
    raise Damaged("a value of an unknown type")


def _list_items(kind: int, source: Reader) -> list[bytes]:
    if kind == writer.LIST_ZIPLIST:
        return read_ziplist(source.string())
    items: list[bytes] = []
    for _ in range(source.count()):
        if kind == writer.LIST:
            items.append(source.string())
        elif kind == writer.LIST_QUICKLIST:
            items += read_ziplist(source.string())
        else:
            node = source.length()
            if node == writer.PLAIN_NODE:
                items.append(source.string())
            elif node == writer.PACKED_NODE:
                items += unpack(source.string())
            else:
                raise Damaged("a list's node of an unknown kind")
    return items


def _set(kind: int, source: Reader) -> Set:
    found = Set()
    if kind == writer.SET_INTSET:
        for number in read_intset(source.string()):
            found.add(b"%d" % number)
        return found
    for _ in range(source.count()):
        if not found.add(source.string()):
            raise Damaged("a member twice")
    return found


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    if not flat or len(flat) % 2:
        raise Damaged("pairs that are none")
    return list(zip(flat[::2], flat[1::2], strict=True))


def _hash(kind: int, source: Reader) -> Hash:
    found = Hash()
    fields = found.fields
    if kind == writer.HASH:
        count = source.count()
        for _ in range(count):
            field = source.string()
            fields[field] = source.string()
    else:
        data = source.string()
        flat = read_zipmap(data) if kind == writer.HASH_ZIPMAP else _packed(kind == writer.HASH_ZIPLIST, data)
        count = len(flat) // 2
        for field, text in _pairs(flat):
            fields[field] = text
    if len(fields) != count:
        raise Damaged("a field twice")
    return found


def _packed(is_old: bool, data: bytes) -> list[bytes]:
    return read_ziplist(data) if is_old else unpack(data)


def _sorted_set(kind: int, source: Reader) -> SortedSet:
    scores: dict[bytes, float] = {}
    if kind in (writer.ZSET, writer.ZSET_2):
        count = source.count()
        for _ in range(count):
            member = source.string()
            scores[member] = source.old_double() if kind == writer.ZSET else source.double()
    else:
        flat = _packed(kind == writer.ZSET_ZIPLIST, source.string())
        count = len(flat) // 2
        for member, text in _pairs(flat):
            scores[member] = _score(text)
    if len(scores) != count:
        raise Damaged("a member twice")
    if any(math.isnan(score) for score in scores.values()):
        raise Damaged("a score that is no number")
    found = SortedSet()
    found.replace(scores)
    return found
