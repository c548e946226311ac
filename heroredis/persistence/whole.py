"""All keys as one RDB file in memory, for those who follow this server: replicas, and tools that speak like one.

    "REDIS0010" | 0xFA name value ... | for each database: 0xFE number, 0xFB keys expiries,
    then for each key: [0xFC milliseconds u64 LE] type, name, value | 0xFF | CRC-64 of all that, u64 LE
"""

from __future__ import annotations

from typing import Final

from heroredis.keyspace.space import Space
from heroredis.rdb.crc64 import crc64
from heroredis.rdb.writer import Unsupported, length, write
from heroredis.version import REDIS_VERSION

HEAD: Final = b"REDIS0010"
AUXILIARY: Final = b"\xfa"
DATABASE: Final = b"\xfe"
SIZES: Final = b"\xfb"
EXPIRES: Final = b"\xfc"
END: Final = b"\xff"


def whole(space: Space) -> bytes:
    """Keys of extensions are left out, and those whose type has no RDB form."""
    space.refresh()
    parts = [HEAD]
    for name, value in ((b"redis-ver", REDIS_VERSION.encode()), (b"redis-bits", b"64"),
                        (b"ctime", b"%d" % (space.moment.now_ms // 1000)), (b"aof-base", b"0")):
        parts += (AUXILIARY, _text(name), _text(value))
    for database in space.databases:
        living = database.keys()
        keys = [key for key in living if not database.is_owned(key)]
        if not keys:
            continue
        expiring = sum(1 for key in keys if database.expiry(key) >= 0)
        parts += (DATABASE, length(database.index), SIZES, length(len(keys)), length(expiring))
        for key in keys:
            try:
                kind, data = write(database.data[key], space.limits.list_size, False)
            except Unsupported:
                continue
            at = database.expiry(key)
            if at >= 0:
                parts.append(EXPIRES + at.to_bytes(8, "little"))
            parts += (bytes((kind,)), _text(key), data)
    parts.append(END)
    body = b"".join(parts)
    return body + crc64(body).to_bytes(8, "little")


def _text(value: bytes) -> bytes:
    return length(len(value)) + value
