"""Bits of byte strings: bit 0 is the highest of the first byte. Whole values are worked on as one long integer.

Fields of 1 to 64 bits may lie anywhere, also across the end, where zeros are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

INVERTED: Final = bytes(255 - byte for byte in range(256))
WRAP: Final = 0
SAT: Final = 1
FAIL: Final = 2
PIECE: Final = 1 << 16
"""Bytes that are looked at in one go: they stay in the processor's cache, and a search ends early."""


def get_bit(data: bytes | bytearray, offset: int) -> int:
    at = offset >> 3
    return (data[at] >> (7 - (offset & 7))) & 1 if at < len(data) else 0


def set_bit(data: bytearray, offset: int, bit: int) -> int:
    """Set a bit that lies inside; the old one."""
    at = offset >> 3
    shift = 7 - (offset & 7)
    old = (data[at] >> shift) & 1
    if old != bit:
        data[at] ^= 1 << shift
    return old


def grow(data: bytearray, last_bit: int) -> bool:
    """Pad with zeros so that `last_bit` lies inside; whether there was need."""
    size = (last_bit >> 3) + 1
    if len(data) >= size:
        return False
    data.extend(bytes(size - len(data)))
    return True


def part_of(data: bytes | bytearray, first: int, last: int) -> bytes:
    """The bytes that hold the bits first to last (which lie inside), with the bits around them cleared."""
    part = bytearray(data[first >> 3 : (last >> 3) + 1])
    part[0] &= 0xFF >> (first & 7)
    part[-1] &= 0xFF << (7 - (last & 7)) & 0xFF
    return bytes(part)


def count(data: bytes | bytearray) -> int:
    if len(data) <= PIECE:
        return int.from_bytes(data, "little").bit_count()
    found = 0
    for at in range(0, len(data), PIECE):
        found += int.from_bytes(data[at : at + PIECE], "little").bit_count()
    return found


def find(data: bytes | bytearray, bit: int, first: int, last: int) -> int:
    """Position of the first `bit` among the bits first to last, which lie inside; -1 when there is none."""
    while first <= last:
        end = min(last, (first | (8 * PIECE - 1)))
        position = _find_in_piece(data, bit, first, end)
        if position >= 0:
            return position
        first = end + 1
    return -1


def _find_in_piece(data: bytes | bytearray, bit: int, first: int, last: int) -> int:
    part = part_of(data, first, last)
    base = first & ~7
    if not bit:  # look for a one in the inverted part, where the bits around must be cleared as well
        part = part_of(part.translate(INVERTED), first & 7, last - base)
    rest = part.lstrip(b"\0")
    if not rest:
        return -1
    return base + (len(part) - len(rest)) * 8 + 8 - rest[0].bit_length()


def combined(operation: bytes, sources: Sequence[bytes | bytearray]) -> bytearray:
    """AND, OR, XOR of all sources (shorter ones padded with zeros), or NOT of the only one."""
    if operation == b"NOT":
        return bytearray(sources[0].translate(INVERTED))
    size = max(len(source) for source in sources)
    result = bytearray(size)
    for at in range(0, size, PIECE):
        end = min(at + PIECE, size)
        piece = int.from_bytes(sources[0][at:end], "little")
        for source in sources[1:]:
            other = int.from_bytes(source[at:end], "little") if at < len(source) else 0
            if operation == b"AND":
                piece &= other
            elif operation == b"OR":
                piece |= other
            else:
                piece ^= other
        result[at:end] = piece.to_bytes(end - at, "little")
    return result


def read_field(data: bytes | bytearray, offset: int, width: int, signed: bool) -> int:
    first = offset >> 3
    stop = (offset + width + 7) >> 3
    part = bytes(data[first:stop]) if first < len(data) else b""
    whole = int.from_bytes(part.ljust(stop - first, b"\0"), "big")
    value = (whole >> ((stop << 3) - offset - width)) & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


def write_field(data: bytearray, offset: int, width: int, value: int) -> None:
    """Set the lowest `width` bits of `value` at a place that lies inside."""
    first = offset >> 3
    stop = (offset + width + 7) >> 3
    shift = (stop << 3) - offset - width
    mask = ((1 << width) - 1) << shift
    whole = int.from_bytes(data[first:stop], "big")
    data[first:stop] = ((whole & ~mask) | ((value << shift) & mask)).to_bytes(stop - first, "big")


def fitted(value: int, width: int, signed: bool, overflow: int) -> int | None:
    """`value` as a field of this type holds it; None when it does not fit and that is to fail."""
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    if low <= value <= high:
        return value
    if overflow == FAIL:
        return None
    if overflow == SAT:
        return high if value > high else low
    value &= (1 << width) - 1
    return value - (1 << width) if signed and value >> (width - 1) else value
