"""Small values as Redis wrote them before 7.0: ziplists and zipmaps; and intsets, which are still in use.

    ziplist: size u32 | tail u32 | entries u16 (65535 = count them) | entry … | 0xFF        all little endian
    entry:   size of the previous one (u8, or 0xFE and u32) | encoding | data
    zipmap:  pairs u8 (254 = count them) | (size, field, size, unused u8, value, unused bytes) … | 0xFF
    intset:  width u32 (2, 4, 8) | count u32 | numbers in ascending order
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Final

from heroredis.rdb.listpack import Damaged

_INTSET: Final = struct.Struct("<II")
_ZIPLIST: Final = struct.Struct("<IIH")
_SHAPES: Final = {2: "h", 4: "i", 8: "q"}
_FIXED: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
"""Encodings of numbers and their width."""


def intset(numbers: list[int]) -> bytes:
    """An intset of numbers in ascending order."""
    low, high = numbers[0], numbers[-1]
    width = next(width for width in (2, 4, 8) if low >= -(1 << (8 * width - 1)) and high < 1 << (8 * width - 1))
    return _INTSET.pack(width, len(numbers)) + struct.pack(f"<{len(numbers)}{_SHAPES[width]}", *numbers)


def read_intset(data: bytes) -> list[int]:
    if len(data) < _INTSET.size:
        raise Damaged("an intset without a head")
    width, count = _INTSET.unpack_from(data)
    if width not in _SHAPES or count == 0 or len(data) != _INTSET.size + width * count:
        raise Damaged("an intset of another size than it says")
    numbers = list(struct.unpack_from(f"<{count}{_SHAPES[width]}", data, _INTSET.size))
    if any(one >= two for one, two in pairwise(numbers)):
        raise Damaged("an intset out of order")
    return numbers


def read_ziplist(data: bytes) -> list[bytes]:
    if len(data) < _ZIPLIST.size + 1:
        raise Damaged("a ziplist without a head")
    total, _, count = _ZIPLIST.unpack_from(data)
    if total != len(data) or data[-1] != 0xFF:
        raise Damaged("a ziplist of another size than it says")
    found: list[bytes] = []
    at = _ZIPLIST.size
    end = len(data) - 1
    try:
        while at < end:
            text, at = _ziplist_entry(data, at + (5 if data[at] == 0xFE else 1))
            found.append(text)
    except IndexError:
        raise Damaged("a ziplist that ends in the middle") from None
    if at != end or (count not in (65535, len(found))):
        raise Damaged("a ziplist with another number of entries than it says")
    return found


def _ziplist_entry(data: bytes, at: int) -> tuple[bytes, int]:
    """An entry from its encoding on, and where it ends."""
    first = data[at]
    if first < 0x40:
        return _slice(data, at + 1, first)
    if first < 0x80:
        return _slice(data, at + 2, (first & 0x3F) << 8 | data[at + 1])
    if first < 0xC0:
        return _slice(data, at + 5, int.from_bytes(data[at + 1 : at + 5], "big"))
    width = _FIXED.get(first)
    if width is not None:
        part, at = _slice(data, at + 1, width)
        return b"%d" % int.from_bytes(part, "little", signed=True), at
    if 0xF1 <= first <= 0xFD:
        return b"%d" % ((first & 0x0F) - 1), at + 1
    raise Damaged("an entry of an unknown kind")


def _slice(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size >= len(data):
        raise Damaged("an entry that goes beyond its end")
    return data[at : at + size], at + size


def read_zipmap(data: bytes) -> list[bytes]:
    """Fields and values in turn."""
    found: list[bytes] = []
    at = 1
    try:
        while data[at] != 0xFF:
            field, at = _zipmap_text(data, at, 0)
            value, at = _zipmap_text(data, at, 1)
            found += [field, value]
    except IndexError:
        raise Damaged("a zipmap that ends in the middle") from None
    if at != len(data) - 1:
        raise Damaged("a zipmap that goes on behind its end")
    return found


def _zipmap_text(data: bytes, at: int, unused: int) -> tuple[bytes, int]:
    size = data[at]
    at += 1
    if size == 254:
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4
    gap = data[at] if unused else 0
    text, at = _slice(data, at + unused, size)
    return text, at + gap
