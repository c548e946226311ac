"""Requests as the append-only files hold them, RESP arrays of bulk strings; and values as requests that make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from librt.strings import BytesWriter

from heroredis.encoding import BULK_HEADERS, CRLF, TABLE, array_header
from heroredis.keyspace.database import Value
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import as_bytes
from heroredis.types.zset import SortedSet

NEXT_HEADERS: Final = [CRLF + header for header in BULK_HEADERS]
"""The end of one bulk string and the header of the next."""
ITEMS: Final = 64
"""Elements in one request, as many as Redis takes."""


def wire(requests: list[list[bytes]]) -> bytes:
    out = BytesWriter()
    for argv in requests:
        out.write(array_header(len(argv)))
        size = len(argv[0])
        out.write(BULK_HEADERS[size] if size < TABLE else b"$%d\r\n" % size)
        out.write(argv[0])
        for at in range(1, len(argv)):
            argument = argv[at]
            size = len(argument)
            out.write(NEXT_HEADERS[size] if size < TABLE else b"\r\n$%d\r\n" % size)
            out.write(argument)
        out.write(CRLF)
    return out.getvalue()


def requests_for(key: bytes, value: Value) -> Iterator[list[bytes]]:
    """What makes `value` where there is no key. It may change after the first request was taken."""
    if isinstance(value, List):
        return _elements(b"RPUSH", key, value.names())
    if isinstance(value, Set):
        return _elements(b"SADD", key, list(value.members))
    if isinstance(value, Hash):
        return _fields(key, list(value.fields), list(value.fields.values()))
    if isinstance(value, SortedSet):
        return _scores(key, value.names(), value.scores.copy())
    if isinstance(value, Container):
        raise TypeError(f"the type {value.type_name().decode()} has no form in the append-only file")
    return iter([[b"SET", key, as_bytes(value)]])


def _elements(name: bytes, key: bytes, elements: list[bytes]) -> Iterator[list[bytes]]:
    for at in range(0, len(elements), ITEMS):
        yield [name, key, *elements[at : at + ITEMS]]


def _fields(key: bytes, fields: list[bytes], values: list[bytes]) -> Iterator[list[bytes]]:
    for at in range(0, len(fields), ITEMS):
        request = [b"HMSET", key]
        for index in range(at, min(at + ITEMS, len(fields))):
            request.append(fields[index])
            request.append(values[index])
        yield request


def _scores(key: bytes, names: list[bytes], scores: dict[bytes, float]) -> Iterator[list[bytes]]:
    for at in range(0, len(names), ITEMS):
        request = [b"ZADD", key]
        for name in names[at : at + ITEMS]:
            request.append(score_text(scores[name]))
            request.append(name)
        yield request


def score_text(score: float) -> bytes:
    return b"%.17g" % score


def expiry_request(key: bytes, at_ms: int) -> list[bytes]:
    return [b"PEXPIREAT", key, b"%d" % at_ms]
