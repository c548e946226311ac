"""The CRC-64 behind a DUMP and at the end of an RDB file: polynomial 0xad93d23594c935a9, reflected, starting at 0."""

from __future__ import annotations

import struct
from typing import Final

_POLYNOMIAL: Final = 0x95AC9329AC4BC9B5  # the polynomial with its bits in reverse order
_tables: Final[dict[int, list[int]]] = {}


def _table(width: int) -> list[int]:
    """What `width` bits, pushed out at the low end, add to the rest; made when first asked for."""
    found = _tables.get(width)
    if found is None:
        found = [0]
        for bit in range(width):  # linear: the entry of a number is the sum of those of its bits
            value = 1 << bit
            for _ in range(width):
                value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
            found += [value ^ other for other in found]
        _tables[width] = found
    return found


def crc64(data: bytes, crc: int = 0) -> int:
    """The checksum of `data`, going on from `crc`. Long data is taken two bytes at a time."""
    size = len(data)
    if size >= 65536:
        words = _table(16)
        for word in struct.unpack_from(f"<{size // 2}H", data):
            crc = words[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
        data = data[size & ~1 :]
    table = _table(8)
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc
