"""OBJECT: how a value is held, and when and how often it was used."""

from __future__ import annotations

from typing import Final

from heroredis.args import read_int
from heroredis.command import KeySpec, command
from heroredis.errors import RedisError
from heroredis.keyspace.database import Value
from heroredis.keyspace.usage import LFU, LRU, OFF
from heroredis.reply import Reply
from heroredis.session.context import Context

SECOND: Final = KeySpec(2, 2, 1)
SHARED: Final = 10000
"""Below it Redis has one object for all equal integers."""
SHARED_COUNT: Final = 2147483647
_SWITCHING: Final = (b" Please note that when switching between policies at runtime LRU and LFU data will take some "
                     b"time to adjust.")


@command("OBJECT ENCODING", "How Redis would hold the value.", group="generic", since="2.2.3", flags="readonly",
         keys=SECOND)
def object_encoding(ctx: Context, key: bytes) -> Reply:
    value = ctx.db.peek(key)
    return None if value is None else ctx.db.limits.encoding(value)


def references(ctx: Context, value: Value) -> int:
    """How many references Redis would count: 1, or a great many for a small integer that is shared.

    None is where Redis has to know of each key by itself when it was used, to evict the least used ones.
    """
    parameters = ctx.server.parameters
    if not isinstance(value, bytes | int) or (
            parameters.integer("maxmemory") and parameters.get("maxmemory-policy").endswith((b"lru", b"lfu"))):
        return 1
    number = value if isinstance(value, int) else read_int(value)
    return SHARED_COUNT if number is not None and 0 <= number < SHARED else 1


@command("OBJECT REFCOUNT", "How many references a value has.", group="generic", since="2.2.3", flags="readonly",
         keys=SECOND)
def object_refcount(ctx: Context, key: bytes) -> Reply:
    value = ctx.db.peek(key)
    return None if value is None else references(ctx, value)


@command("OBJECT IDLETIME", "Seconds since a key was used.", group="generic", since="2.2.3", flags="readonly",
         keys=SECOND)
def object_idletime(ctx: Context, key: bytes) -> Reply:
    if ctx.db.peek(key) is None:
        return None
    noted = ctx.server.space.usage
    if noted.mode == LFU:
        raise RedisError(b"ERR An LFU maxmemory policy is selected, idle time not tracked." + _SWITCHING)
    if noted.mode == OFF:  # somebody wants to know: note it from now on
        ctx.server.space.note_uses(LRU)
    return noted.idle_s(ctx.db.uses.get(key, -1), ctx.now_ms)


@command("OBJECT FREQ", "How often a key was used, on a logarithmic scale.", group="generic", since="4.0.0",
         flags="readonly", keys=SECOND)
def object_freq(ctx: Context, key: bytes) -> Reply:
    if ctx.db.peek(key) is None:
        return None
    noted = ctx.server.space.usage
    if noted.mode != LFU:
        raise RedisError(b"ERR An LFU maxmemory policy is not selected, access frequency not tracked." + _SWITCHING)
    return noted.frequency(ctx.db.uses.get(key, -1), ctx.now_ms)
