"""From a value to its RDB form: a type byte for the key, and the bytes behind it.

    length: 00xxxxxx | 01xxxxxx + 1 byte | 10000000 + u32 BE | 10000001 + u64 BE | 110000xx: the string is a number
    string: length and bytes, or 0xC0 i8, 0xC1 i16 LE, 0xC2 i32 LE, or 0xC3 compressed size, size, LZF
"""

from __future__ import annotations

import struct
from typing import Final

from heroredis.args import read_int
from heroredis.rdb.listpack import element, pack
from heroredis.rdb.lzf import compress
from heroredis.rdb.older import intset
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered, as_bytes
from heroredis.types.zset import SortedSet

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
ZSET_2: Final = 5
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
PLAIN_NODE: Final = 1
PACKED_NODE: Final = 2
NODE_BYTES: Final = (4096, 8192, 16384, 32768, 65536)
"""What list-max-listpack-size -1 to -5 stand for."""
NOT_COMPRESSED: Final = 20
"""Up to here Redis does not try."""
COMPRESSED_AT_MOST: Final = 1 << 15
"""So many bytes of a value are looked at: compressing takes its time, and it is all taken at once."""
DOUBLE: Final = struct.Struct("<d")


class Unsupported(Exception):
    """A type of value that has no RDB form here."""


def length(size: int) -> bytes:
    if size < 64:
        return bytes((size,))
    if size < 16384:
        return bytes((0x40 | size >> 8, size & 0xFF))
    if size < 1 << 32:
        return b"\x80" + size.to_bytes(4, "big")
    return b"\x81" + size.to_bytes(8, "big")


class Strings:
    """Strings in their RDB form, compressed while it is worth while and not too much has been looked at."""

    def __init__(self, compressed: bool) -> None:
        self._left = COMPRESSED_AT_MOST if compressed else 0

    def write(self, text: bytes) -> bytes:
        number = read_int(text) if len(text) <= 11 else None
        if number is not None:
            if -(1 << 7) <= number < 1 << 7:
                return b"\xc0" + number.to_bytes(1, "little", signed=True)
            if -(1 << 15) <= number < 1 << 15:
                return b"\xc1" + number.to_bytes(2, "little", signed=True)
            if -(1 << 31) <= number < 1 << 31:
                return b"\xc2" + number.to_bytes(4, "little", signed=True)
        return self.packed(text)

    def packed(self, data: bytes) -> bytes:
        """What is not looked at as a number."""
        size = len(data)
        if NOT_COMPRESSED < size <= self._left:
            self._left -= size
            less = compress(data)
            if less is not None:
                return b"\xc3" + length(len(less)) + length(size) + less
        return length(size) + data


def score_text(score: float) -> bytes:
    """A score as a listpack holds it; integers as such."""
    if score == int(score) if abs(score) < 1e15 else False:
        return b"%d" % int(score) if score or str(score)[0] != "-" else b"-0"
    return b"%.17g" % score


def write(value: object, list_size: int = -2, compressed: bool = False) -> tuple[int, bytes]:
    """The type and the bytes of a value; `list_size` is list-max-listpack-size. Raises Unsupported."""
    strings = Strings(compressed)
    if isinstance(value, bytes | int | bytearray | Rendered):
        return STRING, strings.write(as_bytes(value))
    if isinstance(value, List):
        return LIST_QUICKLIST_2, _quicklist(value.to_list(), list_size, strings)
    if isinstance(value, Hash):
        return _hash(value, strings)
    if isinstance(value, Set):
        if value.packed and value.integers:
            return SET_INTSET, strings.packed(intset([int(member) for member in value.names()]))
        names = value.names()
        return SET, length(len(names)) + b"".join([strings.write(member) for member in names])
    if isinstance(value, SortedSet):
        return _sorted_set(value, strings)
    name = value.type_name().decode() if isinstance(value, Container) else type(value).__name__
    raise Unsupported(name)


def quicklist_nodes(items: list[bytes], list_size: int) -> list[bytes]:
    """Listpacks as Redis fills them: up to a number of elements, or up to a size."""
    most = list_size if list_size > 0 else len(items)
    room = NODE_BYTES[min(-list_size, 5) - 1] if list_size < 0 else 8192
    nodes: list[bytes] = []
    node: list[bytes] = []
    size = 0
    for item in items:
        packed = element(item)
        if node and (len(node) >= most or size + len(packed) > room):
            nodes.append(pack(node))
            node = []
            size = 0
        node.append(packed)
        size += len(packed)
    nodes.append(pack(node))
    return nodes


def _quicklist(items: list[bytes], list_size: int, strings: Strings) -> bytes:
    nodes = quicklist_nodes(items, list_size)
    return length(len(nodes)) + b"".join([length(PACKED_NODE) + strings.packed(node) for node in nodes])


def _hash(value: Hash, strings: Strings) -> tuple[int, bytes]:
    parts: list[bytes] = []
    if value.packed:
        for field, text in value.fields.items():
            parts += [element(field), element(text)]
        return HASH_LISTPACK, strings.packed(pack(parts))
    for field, text in value.fields.items():
        parts += [strings.write(field), strings.write(text)]
    return HASH, length(len(value.fields)) + b"".join(parts)


def _sorted_set(value: SortedSet, strings: Strings) -> tuple[int, bytes]:
    parts: list[bytes] = []
    names = value.names()
    if value.packed:
        for member in names:
            parts += [element(member), element(score_text(value.scores[member]))]
        return ZSET_LISTPACK, strings.packed(pack(parts))
    names.reverse()
    for member in names:
        parts += [strings.write(member), DOUBLE.pack(value.scores[member])]
    return ZSET_2, length(len(names)) + b"".join(parts)
