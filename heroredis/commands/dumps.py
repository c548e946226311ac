"""DUMP and RESTORE: a value in Redis's own binary form, so that it can be carried to another server."""

from __future__ import annotations

from typing import Final

from heroredis.args import MAX_INT, integer
from heroredis.command import FIRST, command
from heroredis.errors import RedisError, syntax
from heroredis.keyspace.change import GENERIC
from heroredis.keyspace.usage import LFU
from heroredis.rdb.listpack import Damaged
from heroredis.rdb.payload import is_whole, unwrap, wrap
from heroredis.rdb.writer import Unsupported
from heroredis.reply import OK, Reply
from heroredis.session.context import Context

MOST_USED: Final = 255


@command("DUMP", "A value in the form that RESTORE takes.", group="generic", since="2.6.0", flags="readonly",
         keys=FIRST, complexity="O(N)")
def dump(ctx: Context, key: bytes) -> Reply:
    value = ctx.db.lookup(key)
    if value is None:
        return None
    try:
        return wrap(value, ctx.db.limits.list_size, ctx.server.parameters.is_on("rdbcompression"))
    except Unsupported as error:
        raise RedisError(b"ERR a value of the type %b cannot be dumped" % str(error).encode()) from None


class Options:
    """What stands behind RESTORE's payload."""

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self.replace = False
        self.is_absolute = False
        self.idle_s = -1
        self.frequency = -1
        at = 0
        while at < len(words):
            name = words[at].upper()
            has_value = at + 1 < len(words)
            if name == b"REPLACE":
                self.replace = True
            elif name == b"ABSTTL":
                self.is_absolute = True
            elif name == b"IDLETIME" and has_value and self.frequency < 0:
                self.idle_s = integer(words[at + 1])
                if self.idle_s < 0:
                    raise RedisError(b"ERR Invalid IDLETIME value, must be >= 0")
                at += 1
            elif name == b"FREQ" and has_value and self.idle_s < 0:
                self.frequency = integer(words[at + 1])
                if not 0 <= self.frequency <= MOST_USED:
                    raise RedisError(b"ERR Invalid FREQ value, must be >= 0 and <= 255")
                at += 1
            else:
                raise syntax()
            at += 1


def _restore(ctx: Context, key: bytes, ttl: bytes, payload: bytes, words: tuple[bytes, ...]) -> Reply:
    options = Options(words)
    db = ctx.db
    exists = db.lookup(key) is not None
    if exists and not options.replace:
        raise RedisError(b"BUSYKEY Target key name already exists.")
    milliseconds = integer(ttl)
    if milliseconds < 0:
        raise RedisError(b"ERR Invalid TTL value, must be >= 0")
    if not is_whole(payload):
        raise RedisError(b"ERR DUMP payload version or checksum are wrong")
    try:
        value = unwrap(payload)
    except Damaged:
        raise RedisError(b"ERR Bad data format") from None
    at = milliseconds + ctx.now_ms if milliseconds and not options.is_absolute else milliseconds
    if at > MAX_INT:
        raise RedisError(b"ERR Invalid TTL value, must be >= 0")
    is_over = 0 < at <= ctx.now_ms
    if exists:
        db.remove(key)
        if is_over:
            db.changed(key, "del", GENERIC)
    if is_over:
        return OK
    db.limits.settle(value)
    db.store(key, value)
    if at:
        db.set_expiry(key, at)
    db.changed(key, "restore", GENERIC)
    noted = ctx.server.space.usage
    if noted.mode == LFU:
        if options.frequency >= 0:
            db.uses[key] = noted.frequency_note(options.frequency, ctx.now_ms)
    elif options.idle_s >= 0:
        db.uses[key] = noted.idle_note(options.idle_s, ctx.now_ms)
    return OK


@command("RESTORE", "Make a key from what DUMP gave.", group="generic", since="2.6.0", flags="write denyoom",
         keys=FIRST, complexity="O(N)", journal="restored")
def restore(ctx: Context, key: bytes, ttl: bytes, serialized_value: bytes, *options: bytes) -> Reply:
    return _restore(ctx, key, ttl, serialized_value, options)


@command("RESTORE-ASKING", "RESTORE as nodes of a cluster send it while slots move.", group="server", since="3.0.0",
         flags="write denyoom asking", keys=FIRST, complexity="O(N)", journal="restored")
def restore_asking(ctx: Context, key: bytes, ttl: bytes, serialized_value: bytes, *options: bytes) -> Reply:
    return _restore(ctx, key, ttl, serialized_value, options)
