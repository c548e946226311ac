"""What DUMP gives and RESTORE takes: type byte, value, version u16 LE, CRC-64 LE of all that."""

from __future__ import annotations

from typing import Final

from heroredis.rdb.crc64 import crc64
from heroredis.rdb.listpack import Damaged
from heroredis.rdb.reader import Reader, read
from heroredis.rdb.writer import write
from heroredis.types.base import Container

VERSION: Final = 10
"""The RDB version of Redis 7.0; what is newer is refused."""
FOOTER: Final = 10


def seal(data: bytes) -> bytes:
    """`data` with version and checksum behind it."""
    body = data + VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def wrap(value: object, list_size: int, compressed: bool = False) -> bytes:
    kind, data = write(value, list_size, compressed)
    return seal(bytes((kind,)) + data)


def is_whole(payload: bytes) -> bool:
    """Whether version and checksum are right."""
    if len(payload) < FOOTER:
        return False
    if int.from_bytes(payload[-10:-8], "little") > VERSION:
        return False
    return int.from_bytes(payload[-8:], "little") == crc64(payload[:-8])


def unwrap(payload: bytes) -> bytes | Container:
    """The value of a payload that is whole. Raises Damaged."""
    if len(payload) <= FOOTER:
        raise Damaged("a payload without a value")
    source = Reader(payload[:-FOOTER], 1)
    value = read(payload[0], source)
    if source.at != len(payload) - FOOTER:
        raise Damaged("a payload that goes on behind its value")
    return value
