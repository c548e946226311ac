"""The CRC-64 behind a DUMP and at the end of an RDB file: polynomial 0xad93d23594c935a9, reflected, starting at 0.

Long data is folded first: its front half, multiplied by a power of x, is added to the back half, which leaves the
remainder as it is. That takes some thirty operations on long integers for each half, and no step per byte.
"""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0xAD93D23594C935A9
_REVERSED: Final = 0x95AC9329AC4BC9B5
_WIDTH: Final = 64
SHORT: Final = 4096
_table: Final[list[int]] = []


def _made_table() -> list[int]:
    """What a byte that is pushed out at the low end adds to the rest; made when first asked for."""
    if not _table:
        for number in range(256):
            value = number
            for _ in range(8):
                value = (value >> 1) ^ _REVERSED if value & 1 else value >> 1
            _table.append(value)
    return _table


def _times(one: int, two: int) -> int:
    """The product of two polynomials, less what the polynomial divides."""
    result = 0
    while two:
        if two & 1:
            result ^= one
        two >>= 1
        one <<= 1
        if one >> _WIDTH:
            one = (one & ((1 << _WIDTH) - 1)) ^ _POLYNOMIAL
    return result


def _power(exponent: int) -> int:
    """x to the power of `exponent`."""
    result, base = 1, 2
    while exponent:
        if exponent & 1:
            result = _times(result, base)
        base = _times(base, base)
        exponent >>= 1
    return result


def _folded(data: bytes, crc: int) -> bytes:
    """About half as many bytes with the same checksum, which then starts at 0."""
    front = (len(data) - 8) // 2
    back = len(data) - front
    head = int.from_bytes(data[:front], "little") ^ crc
    sum_ = int.from_bytes(data[front:], "little")
    factor = _power(8 * back)
    room = 8 * (back - front)
    for exponent in range(_WIDTH):
        if factor >> exponent & 1:
            sum_ ^= head << (room - exponent)
    return sum_.to_bytes(back, "little")


def crc64(data: bytes, crc: int = 0) -> int:
    """The checksum of `data`, going on from `crc`."""
    while len(data) > SHORT:
        data = _folded(data, crc)
        crc = 0
    table = _made_table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc
