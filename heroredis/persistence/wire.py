"""Requests as the append-only files hold them, RESP arrays of bulk strings; and values as requests that make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from heroredis.encoding import BULK_HEADERS, CRLF, TABLE, array_header
from heroredis.keyspace.database import Value
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import as_bytes
from heroredis.types.zset import SortedSet

ITEMS: Final = 64
"""Elements in one request, as many as Redis takes."""


def wire(requests: list[list[bytes]]) -> bytes:
    out: list[bytes] = []
    for argv in requests:
        out.append(array_header(len(argv)))
        for argument in argv:
            size = len(argument)
            out.append(BULK_HEADERS[size] if size < TABLE else b"$%d\r\n" % size)
            out.append(argument)
            out.append(CRLF)
    return b"".join(out)


def requests_for(key: bytes, value: Value) -> Iterator[list[bytes]]:
    """What makes `value` where there is no key. The value must not change meanwhile."""
    if not isinstance(value, Container):
        yield [b"SET", key, as_bytes(value)]
        return
    head, width, items = _taken_apart(value)
    for at in range(0, len(items), ITEMS * width):
        yield [head, key, *items[at : at + ITEMS * width]]


def _taken_apart(value: Container) -> tuple[bytes, int, list[bytes]]:
    """Command, words of one element, the words of all."""
    if isinstance(value, List):
        return b"RPUSH", 1, value.names()
    if isinstance(value, Set):
        return b"SADD", 1, value.names()
    if isinstance(value, Hash):
        return b"HMSET", 2, [text for pair in value.fields.items() for text in pair]
    if isinstance(value, SortedSet):
        scores = value.scores
        return b"ZADD", 2, [text for name in value.names() for text in (score_text(scores[name]), name)]
    raise TypeError(f"the type {value.type_name().decode()} has no form in the append-only file")


def score_text(score: float) -> bytes:
    return b"%.17g" % score


def expiry_request(key: bytes, at_ms: int) -> list[bytes]:
    return [b"PEXPIREAT", key, b"%d" % at_ms]
