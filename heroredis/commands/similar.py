"""LCS: what two strings have in common."""

from __future__ import annotations

from typing import Final

from heroredis.args import Args, integer
from heroredis.command import FIRST_TWO, command
from heroredis.errors import RedisError
from heroredis.reply import Map, Reply
from heroredis.session.context import Context
from heroredis.types import subsequence
from heroredis.types.string import Rendered, as_bytes

MOST_CELLS: Final = 1 << 32
"""Of a table, which is half a GiB. Redis takes 32 times as much for it, or refuses as well."""


def _text(ctx: Context, key: bytes) -> bytes:
    value = ctx.db.lookup(key)
    if value is None:
        return b""
    if isinstance(value, bytes | int | bytearray | Rendered):
        return as_bytes(value)
    raise RedisError(b"ERR The specified keys must contain string values")


@command("LCS", "The longest common subsequence of two strings, its length or its places.", group="string",
         since="7.0.0", flags="readonly", keys=FIRST_TWO, complexity="O(N*M)")
def lcs(ctx: Context, key1: bytes, key2: bytes, *options: bytes) -> Reply:
    one, two = _text(ctx, key1), _text(ctx, key2)
    found = Args(options).options(("IDX", "LEN", "WITHMATCHLEN"), {"MINMATCHLEN": integer})
    if "IDX" in found and "LEN" in found:
        raise RedisError(b"ERR If you want both the length and indexes, please just use IDX.")
    if len(one) * len(two) > MOST_CELLS:
        raise RedisError(b"ERR Insufficient memory, failed allocating transient memory for LCS")
    if "LEN" in found:
        return subsequence.length(one, two)
    text, ranges = subsequence.walk(one, two)
    if "IDX" not in found:
        return text
    least = found.get("MINMATCHLEN")
    matches: list[object] = []
    for start_one, end_one, start_two, end_two in ranges:
        size = end_one - start_one + 1
        if isinstance(least, int) and size < least:
            continue
        match: list[object] = [[start_one, end_one], [start_two, end_two]]
        matches.append([*match, size] if "WITHMATCHLEN" in found else match)
    return Map([(b"matches", matches), (b"len", len(text))])
