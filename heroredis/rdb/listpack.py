"""Listpacks: the elements of a small value one behind the other.

    total size u32 LE | elements u16 LE (65535 = count them) | element … | 0xFF
    element: encoding and data | size of both in base 128, readable from behind

    0xxxxxxx number 0 to 127            10xxxxxx string up to 63 bytes       110xxxxx + 1 byte, 13-bit number
    1110xxxx + 1 byte, string to 4095   11110000 + size u32 LE, string       11110001 … 11110100 16, 24, 32, 64-bit
"""

from __future__ import annotations

import struct
from typing import Final

from heroredis.args import read_int

HEADER: Final = struct.Struct("<IH")
END: Final = b"\xff"
OVERHEAD: Final = 7
UNKNOWN: Final = 65535


class Damaged(Exception):
    """The bytes are no value."""


def element(text: bytes) -> bytes:
    """One element as it stands in a listpack."""
    number = read_int(text) if len(text) <= 20 else None
    if number is None:
        size = len(text)
        if size < 64:
            entry = bytes((0x80 | size,)) + text
        elif size < 4096:
            entry = bytes((0xE0 | size >> 8, size & 0xFF)) + text
        else:
            entry = b"\xf0" + size.to_bytes(4, "little") + text
    else:
        entry = _number(number)
    return entry + _backlen(len(entry))


def _number(value: int) -> bytes:
    if 0 <= value <= 127:
        return bytes((value,))
    if -4096 <= value <= 4095:
        low = value & 0x1FFF
        return bytes((0xC0 | low >> 8, low & 0xFF))
    for marker, width in ((b"\xf1", 2), (b"\xf2", 3), (b"\xf3", 4)):
        if -(1 << (8 * width - 1)) <= value < 1 << (8 * width - 1):
            return marker + value.to_bytes(width, "little", signed=True)
    return b"\xf4" + value.to_bytes(8, "little", signed=True)


def _backlen(size: int) -> bytes:
    if size <= 127:
        return bytes((size,))
    width = 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5
    digits = [(size >> 7 * place) & 127 | (128 if place < width - 1 else 0) for place in range(width - 1, -1, -1)]
    return bytes(digits)


def pack(elements: list[bytes]) -> bytes:
    """A whole listpack of elements that `element` has made."""
    body = b"".join(elements)
    return HEADER.pack(len(body) + OVERHEAD, min(len(elements), UNKNOWN)) + body + END


def unpack(data: bytes) -> list[bytes]:
    """The elements as strings. Raises Damaged."""
    if len(data) < OVERHEAD:
        raise Damaged("a listpack without a head")
    total, count = HEADER.unpack_from(data)
    if total != len(data) or data[-1] != 0xFF:
        raise Damaged("a listpack of another size than it says")
    found: list[bytes] = []
    at = 6
    end = len(data) - 1
    while at < end:
        start = at
        text, at = _read(data, at)
        back = _backlen(at - start)
        if data[at : at + len(back)] != back:
            raise Damaged("an element of another size than it says")
        at += len(back)
        found.append(text)
    if at != end or (count not in (UNKNOWN, len(found))):
        raise Damaged("a listpack with another number of elements than it says")
    return found


def _read(data: bytes, at: int) -> tuple[bytes, int]:
    """The element at a place, and where its data ends."""
    first = data[at]
    if first < 0x80:
        return b"%d" % first, at + 1
    if first < 0xC0:
        return _text(data, at + 1, first & 0x3F)
    second = data[at + 1]  # the end byte at the latest
    if first < 0xE0:
        value = (first & 0x1F) << 8 | second
        return b"%d" % (value - 8192 if value >= 4096 else value), at + 2
    if first < 0xF0:
        return _text(data, at + 2, (first & 0x0F) << 8 | second)
    if first == 0xF0:
        return _text(data, at + 5, int.from_bytes(data[at + 1 : at + 5], "little"))
    if first > 0xF4:
        raise Damaged("an element of an unknown kind")
    width = (2, 3, 4, 8)[first - 0xF1]
    return b"%d" % int.from_bytes(data[at + 1 : at + 1 + width], "little", signed=True), at + 1 + width


def _text(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size >= len(data):
        raise Damaged("an element that goes beyond its listpack")
    return data[at : at + size], at + size
