"""Strings: values of up to 512 MiB, counters, ranges."""

from __future__ import annotations

from typing import Final

from heroredis.args import MAX_INT, MIN_INT, Args, exclusive, integer, raw, read_int
from heroredis.command import ALL, FIRST, KeySpec, command
from heroredis.errors import (
    NAN_OR_INFINITY,
    NOT_FLOAT,
    NOT_INTEGER,
    OVERFLOW,
    STRING_TOO_LONG,
    RedisError,
    wrong_type,
)
from heroredis.keyspace.change import GENERIC, STRING
from heroredis.keyspace.database import Database
from heroredis.reply import OK, Reply
from heroredis.session.context import Context
from heroredis.types import longdouble
from heroredis.types.string import Rendered, as_bytes

EXPIRY_VALUES: Final = {"EX": raw, "PX": raw, "EXAT": raw, "PXAT": raw}
SMALL: Final = 1 << 61
"""Below it an int needs no long arithmetic when compiled."""
PAIRS: Final = KeySpec(1, -1, 2)


def expiry_from(ctx: Context, found: dict[str, object], name: str) -> int:
    """The moment that one of EX, PX, EXAT, PXAT names, in ms; -1 when none was given."""
    for option in ("EX", "PX", "EXAT", "PXAT"):
        value = found.get(option)
        if isinstance(value, bytes):
            return moment(ctx, integer(value), seconds=option.startswith("EX"), relative=not option.endswith("AT"),
                          name=name)
    return -1


def moment(ctx: Context, value: int, *, seconds: bool, relative: bool, name: str) -> int:
    """A point in time in ms; RedisError when it is not positive or does not fit."""
    invalid = RedisError(f"ERR invalid expire time in '{name}' command".encode())
    if value <= 0:
        raise invalid
    at = value * 1000 if seconds else value
    if relative:
        at += ctx.now_ms
    if at > MAX_INT:
        raise invalid
    return at


def check_size(ctx: Context, size: int) -> None:
    if size > 512 * 1024 * 1024 and size > ctx.server.parameters.integer("proto-max-bulk-len"):
        raise RedisError(STRING_TOO_LONG)


def _set(ctx: Context, key: bytes, value: bytes) -> Reply:
    db = ctx.db
    db.store(key, value)
    db.changed(key, "set", STRING)
    return OK


@command("SET", "Set a key to a string, with a condition or an expiry when asked for.",
         group="string", since="1.0.0", flags="write denyoom", keys=FIRST, journal="set", quick=_set)
def set_(ctx: Context, key: bytes, value: bytes, *options: bytes) -> Reply:
    if options:
        return _set_with(ctx, key, value, options)
    return _set(ctx, key, value)


def _set_with(ctx: Context, key: bytes, value: bytes, options: tuple[bytes, ...]) -> Reply:
    found = Args(options).options(("NX", "XX", "GET", "KEEPTTL"), EXPIRY_VALUES)
    exclusive(found, "NX", "XX")
    exclusive(found, "EX", "PX", "EXAT", "PXAT", "KEEPTTL")
    at = expiry_from(ctx, found, "set")
    db = ctx.db
    old = db.get_string(key) if "GET" in found else None
    exists = db.lookup(key) is not None
    if ("NX" in found and exists) or ("XX" in found and not exists):
        return old
    if "KEEPTTL" in found:
        db.replace(key, value)
    else:
        db.store(key, value)
    if at >= 0:
        db.set_expiry(key, at)
    db.changed(key, "set", STRING)
    if at >= 0:
        db.changed(key, "expire", GENERIC, 0)
        db.expire_if_due(key)
    return old if "GET" in found else OK


@command("GET", "Get the string of a key.", group="string", since="1.0.0", flags="readonly fast", keys=FIRST)
def get(ctx: Context, key: bytes) -> Reply:
    value = ctx.db.get_string(key)
    if value is None:
        ctx.server.stats.get_misses += 1
        ctx.server.key_missed(ctx.db.index, key)
    return value


@command("SETNX", "Set a key when it does not exist.", group="string", since="1.0.0", flags="write denyoom fast",
         keys=FIRST)
def setnx(ctx: Context, key: bytes, value: bytes) -> Reply:
    if ctx.db.lookup(key) is not None:
        return 0
    ctx.db.store(key, value)
    ctx.db.changed(key, "set", STRING)
    return 1


def _set_for(ctx: Context, key: bytes, at: int, value: bytes) -> Reply:
    ctx.db.store(key, value)
    ctx.db.set_expiry(key, at)
    ctx.db.changed(key, "set", STRING)
    ctx.db.changed(key, "expire", GENERIC, 0)
    return OK


@command("SETEX", "Set a key with an expiry in seconds.", group="string", since="2.0.0", flags="write denyoom",
         keys=FIRST, journal="string")
def setex(ctx: Context, key: bytes, seconds: bytes, value: bytes) -> Reply:
    return _set_for(ctx, key, moment(ctx, integer(seconds), seconds=True, relative=True, name="setex"), value)


@command("PSETEX", "Set a key with an expiry in milliseconds.", group="string", since="2.6.0", flags="write denyoom",
         keys=FIRST, journal="string")
def psetex(ctx: Context, key: bytes, milliseconds: bytes, value: bytes) -> Reply:
    return _set_for(ctx, key, moment(ctx, integer(milliseconds), seconds=False, relative=True, name="psetex"), value)


@command("GETSET", "Set a key and return its old string.", group="string", since="1.0.0", flags="write denyoom fast",
         keys=FIRST, journal="replaced")
def getset(ctx: Context, key: bytes, value: bytes) -> Reply:
    old = ctx.db.get_string(key)
    ctx.db.store(key, value)
    ctx.db.changed(key, "set", STRING)
    return old


@command("GETDEL", "Return the string of a key and delete the key.", group="string", since="6.2.0", flags="write fast",
         keys=FIRST, journal="gone")
def getdel(ctx: Context, key: bytes) -> Reply:
    old = ctx.db.get_string(key)
    if old is not None:
        ctx.db.remove(key)
        ctx.db.changed(key, "del", GENERIC)
    return old


@command("GETEX", "Return the string of a key and set or drop its expiry.", group="string", since="6.2.0",
         flags="write fast", keys=FIRST, journal="expiry")
def getex(ctx: Context, key: bytes, *options: bytes) -> Reply:
    found = Args(options).options(("PERSIST",), EXPIRY_VALUES)
    exclusive(found, "EX", "PX", "EXAT", "PXAT", "PERSIST")
    db = ctx.db
    value = db.get_string(key)
    if value is None:
        return None
    at = expiry_from(ctx, found, "getex")
    if 0 <= at <= ctx.now_ms:
        db.remove(key)
        db.changed(key, "del", GENERIC)
    elif at >= 0:
        db.set_expiry(key, at)
        db.changed(key, "expire", GENERIC)
    elif "PERSIST" in found and db.persist(key):
        db.changed(key, "persist", GENERIC)
    return value


@command("MGET", "Get the strings of several keys.", group="string", since="1.0.0", flags="readonly fast", keys=ALL,
         complexity="O(N) in keys")
def mget(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    found: list[object] = []
    for name in (key, *keys):
        value = ctx.db.lookup(name)
        found.append(as_bytes(value) if isinstance(value, bytes | int | bytearray | Rendered) else None)
    return found


def _set_all(db: Database, flat: list[bytes], at: int = 0) -> None:
    while at < len(flat):
        key = flat[at]
        db.store(key, flat[at + 1])
        db.changed(key, "set", STRING)
        at += 2


def _set_listed(ctx: Context, argv: list[bytes]) -> Reply:
    if len(argv) % 2 == 0:
        raise RedisError(b"ERR wrong number of arguments for 'mset' command")
    _set_all(ctx.db, argv, 1)
    return OK


@command("MSET", "Set several keys.", group="string", since="1.0.1", flags="write denyoom", keys=PAIRS,
         complexity="O(N) in keys", listed=_set_listed)
def mset(ctx: Context, key: bytes, value: bytes, *pairs: bytes) -> Reply:
    if len(pairs) % 2:
        raise RedisError(b"ERR wrong number of arguments for 'mset' command")
    _set_all(ctx.db, [key, value, *pairs])
    return OK


@command("MSETNX", "Set several keys when none of them exists.", group="string", since="1.0.1", flags="write denyoom",
         keys=PAIRS, complexity="O(N) in keys")
def msetnx(ctx: Context, key: bytes, value: bytes, *pairs: bytes) -> Reply:
    if len(pairs) % 2:
        raise RedisError(b"ERR wrong number of arguments for 'msetnx' command")
    flat = [key, value, *pairs]
    for name in flat[::2]:
        if ctx.db.lookup(name) is not None:
            return 0
    _set_all(ctx.db, flat)
    return 1


def _add(ctx: Context, key: bytes, step: int) -> int:
    db = ctx.db
    old = db.lookup(key)
    if old is None:
        number = 0
    elif type(old) is int:
        number = old
    elif isinstance(old, bytes | bytearray | Rendered):
        parsed = read_int(as_bytes(old))
        if parsed is None:
            raise RedisError(NOT_INTEGER)
        number = parsed
    else:
        raise wrong_type()
    number += step
    if not -SMALL < number < SMALL and not MIN_INT <= number <= MAX_INT:
        raise RedisError(OVERFLOW)
    db.replace(key, number)
    db.changed(key, "incrby", STRING)
    return number


@command("INCR", "Add one to a counter.", group="string", since="1.0.0", flags="write denyoom fast", keys=FIRST)
def incr(ctx: Context, key: bytes) -> Reply:
    return _add(ctx, key, 1)


@command("DECR", "Subtract one from a counter.", group="string", since="1.0.0", flags="write denyoom fast", keys=FIRST)
def decr(ctx: Context, key: bytes) -> Reply:
    return _add(ctx, key, -1)


@command("INCRBY", "Add a whole number to a counter.", group="string", since="1.0.0", flags="write denyoom fast",
         keys=FIRST)
def incrby(ctx: Context, key: bytes, increment: bytes) -> Reply:
    return _add(ctx, key, integer(increment))


@command("DECRBY", "Subtract a whole number from a counter.", group="string", since="1.0.0", flags="write denyoom fast",
         keys=FIRST)
def decrby(ctx: Context, key: bytes, decrement: bytes) -> Reply:
    step = integer(decrement)
    if step == MIN_INT:
        raise RedisError(b"ERR decrement would overflow")
    return _add(ctx, key, -step)


@command("INCRBYFLOAT", "Add a number with decimals to a counter.", group="string", since="2.6.0",
         flags="write denyoom fast", keys=FIRST, journal="number")
def incrbyfloat(ctx: Context, key: bytes, increment: bytes) -> Reply:
    old = ctx.db.get_string(key)
    start = longdouble.read(b"0" if old is None else old)
    step = longdouble.read(increment)
    if start is None or step is None:
        raise RedisError(NOT_FLOAT)
    sum_ = longdouble.total(start, step)
    if sum_ is None:
        raise RedisError(NAN_OR_INFINITY)
    text = longdouble.shown(sum_)
    ctx.db.replace(key, text)
    ctx.db.changed(key, "incrbyfloat", STRING)
    return text


@command("APPEND", "Append to a string.", group="string", since="2.0.0", flags="write denyoom fast", keys=FIRST)
def append(ctx: Context, key: bytes, value: bytes) -> Reply:
    db = ctx.db
    held = db.lookup(key)
    if isinstance(held, bytearray):
        check_size(ctx, len(held) + len(value))
        held += value
        size = len(held)
    else:
        old = db.get_string(key)
        size = len(value) + (0 if old is None else len(old))
        check_size(ctx, size)
        db.replace(key, value if old is None else bytearray(old + value))
    db.changed(key, "append", STRING)
    return size


@command("STRLEN", "Length of a string in bytes.", group="string", since="2.2.0", flags="readonly fast", keys=FIRST)
def strlen(ctx: Context, key: bytes) -> Reply:
    held = ctx.db.lookup(key)
    if isinstance(held, bytearray):
        return len(held)
    value = ctx.db.get_string(key)
    return 0 if value is None else len(value)


def _range(ctx: Context, key: bytes, start: bytes, end: bytes) -> Reply:
    first, last = integer(start), integer(end)
    value = ctx.db.get_string(key)
    if value is None:
        return b""
    size = len(value)
    if first < 0 and last < 0 and first > last:
        return b""
    first = max(0, first + size if first < 0 else first)
    last = min(size - 1, max(0, last + size) if last < 0 else last)
    return value[first : last + 1] if first <= last else b""  # compiled slices cannot end before they begin


@command("GETRANGE", "Part of a string, by first and last index.", group="string", since="2.4.0", flags="readonly",
         keys=FIRST, complexity="O(N) in the bytes returned")
def getrange(ctx: Context, key: bytes, start: bytes, end: bytes) -> Reply:
    return _range(ctx, key, start, end)


@command("SUBSTR", "The old name of GETRANGE.", group="string", since="1.0.0", flags="readonly", keys=FIRST,
         complexity="O(N) in the bytes returned")
def substr(ctx: Context, key: bytes, start: bytes, end: bytes) -> Reply:
    return _range(ctx, key, start, end)


@command("SETRANGE", "Overwrite part of a string, padding with zero bytes.", group="string", since="2.2.0",
         flags="write denyoom", keys=FIRST, complexity="O(N) in the bytes written")
def setrange(ctx: Context, key: bytes, offset: bytes, value: bytes) -> Reply:
    at = integer(offset)
    if at < 0:
        raise RedisError(b"ERR offset is out of range")
    db = ctx.db
    held = db.lookup(key)
    old = held if isinstance(held, bytearray) else bytearray(db.get_string(key) or b"")
    if not value:
        return len(old)
    check_size(ctx, at + len(value))
    if len(old) < at:
        old.extend(bytes(at - len(old)))
    old[at : at + len(value)] = value
    db.replace(key, old)
    db.changed(key, "setrange", STRING)
    return len(old)
