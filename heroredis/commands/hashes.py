"""Hashes: fields and values under one key."""

from __future__ import annotations

from heroredis.args import MAX_INT, MIN_INT, check_repetitions, integer, random_count, read_int
from heroredis.command import FIRST, command
from heroredis.errors import NAN_OR_INFINITY, NOT_FLOAT, OVERFLOW, RedisError, syntax
from heroredis.keyspace.change import GENERIC, HASH
from heroredis.reply import EMPTY, OK, Map, Reply
from heroredis.scanning import read_cursor, scan_names, scan_options
from heroredis.session.context import Context
from heroredis.types import longdouble


def _put(ctx: Context, key: bytes, field: bytes, value: bytes) -> None:
    held = ctx.db.update_hash(key)
    held.fields[field] = value
    ctx.db.limits.grown_hash(held, field, value)


def _set_pairs(ctx: Context, key: bytes, flat: list[bytes], name: bytes) -> int:
    if len(flat) % 2:
        raise RedisError(b"ERR wrong number of arguments for '%b' command" % name)
    held = ctx.db.update_hash(key)
    fields = held.fields
    limits = ctx.db.limits
    before = len(fields)
    for at in range(0, len(flat), 2):
        fields[flat[at]] = flat[at + 1]
        limits.grown_hash(held, flat[at], flat[at + 1])
    ctx.db.changed(key, "hset", HASH, len(flat) // 2)
    return len(fields) - before


def _set_one(ctx: Context, key: bytes, field: bytes, value: bytes) -> Reply:
    held = ctx.db.update_hash(key)
    fields = held.fields
    before = len(fields)
    fields[field] = value
    added = len(fields) - before
    if held.packed:
        ctx.db.limits.grown_hash(held, field, value)
    ctx.db.changed(key, "hset", HASH)
    return added


@command("HSET", "Set fields of a hash; answers how many are new.", group="hash", since="2.0.0",
         flags="write denyoom fast", keys=FIRST, quick=_set_one)
def hset(ctx: Context, key: bytes, field: bytes, value: bytes, *pairs: bytes) -> Reply:
    if pairs:
        return _set_pairs(ctx, key, [field, value, *pairs], b"hset")
    return _set_one(ctx, key, field, value)


@command("HMSET", "Set fields of a hash.", group="hash", since="2.0.0", flags="write denyoom fast", keys=FIRST)
def hmset(ctx: Context, key: bytes, field: bytes, value: bytes, *pairs: bytes) -> Reply:
    _set_pairs(ctx, key, [field, value, *pairs], b"hmset")
    return OK


@command("HSETNX", "Set a field that does not exist.", group="hash", since="2.0.0", flags="write denyoom fast",
         keys=FIRST)
def hsetnx(ctx: Context, key: bytes, field: bytes, value: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    if found is not None and field in found.fields:
        return 0
    _put(ctx, key, field, value)
    ctx.db.changed(key, "hset", HASH)
    return 1


@command("HGET", "Value of a field.", group="hash", since="2.0.0", flags="readonly fast", keys=FIRST)
def hget(ctx: Context, key: bytes, field: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return None if found is None else found.fields.get(field)


@command("HMGET", "Values of several fields.", group="hash", since="2.0.0", flags="readonly fast", keys=FIRST,
         complexity="O(N) in fields")
def hmget(ctx: Context, key: bytes, field: bytes, *fields: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    if found is None:
        return [None] * (1 + len(fields))
    return [found.fields.get(name) for name in (field, *fields)]


@command("HGETALL", "All fields and values.", group="hash", since="2.0.0", flags="readonly", keys=FIRST,
         complexity="O(N)")
def hgetall(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return Map([] if found is None else list(found.fields.items()))


@command("HKEYS", "All fields.", group="hash", since="2.0.0", flags="readonly", keys=FIRST, complexity="O(N)")
def hkeys(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return EMPTY if found is None else list(found.fields)


@command("HVALS", "All values.", group="hash", since="2.0.0", flags="readonly", keys=FIRST, complexity="O(N)")
def hvals(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return EMPTY if found is None else list(found.fields.values())


@command("HLEN", "How many fields there are.", group="hash", since="2.0.0", flags="readonly fast", keys=FIRST)
def hlen(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return 0 if found is None else found.size()


@command("HEXISTS", "Whether a field exists.", group="hash", since="2.0.0", flags="readonly fast", keys=FIRST)
def hexists(ctx: Context, key: bytes, field: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return 1 if found is not None and field in found.fields else 0


@command("HSTRLEN", "Length of a field's value.", group="hash", since="3.2.0", flags="readonly fast", keys=FIRST)
def hstrlen(ctx: Context, key: bytes, field: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    return 0 if found is None else len(found.fields.get(field, b""))


@command("HDEL", "Delete fields.", group="hash", since="2.0.0", flags="write fast", keys=FIRST,
         complexity="O(N) in fields")
def hdel(ctx: Context, key: bytes, field: bytes, *fields: bytes) -> Reply:
    found = ctx.db.find_hash(key)
    if found is None:
        return 0
    removed = 0
    for name in (field, *fields):
        if found.fields.pop(name, None) is not None:
            removed += 1
    if removed:
        ctx.db.changed(key, "hdel", HASH, removed)
        if ctx.db.drop_if_empty(key, found):
            ctx.db.changed(key, "del", GENERIC, 0)
    return removed


@command("HINCRBY", "Add a whole number to a field.", group="hash", since="2.0.0", flags="write denyoom fast",
         keys=FIRST)
def hincrby(ctx: Context, key: bytes, field: bytes, increment: bytes) -> Reply:
    step = integer(increment)
    found = ctx.db.find_hash(key)
    number = read_int(found.fields.get(field, b"0")) if found is not None else 0
    if number is None:
        raise RedisError(b"ERR hash value is not an integer")
    number += step
    if not MIN_INT <= number <= MAX_INT:
        raise RedisError(OVERFLOW)
    _put(ctx, key, field, b"%d" % number)
    ctx.db.changed(key, "hincrby", HASH)
    return number


@command("HINCRBYFLOAT", "Add a number with decimals to a field.", group="hash", since="2.6.0",
         flags="write denyoom fast", keys=FIRST, journal="hash-field")
def hincrbyfloat(ctx: Context, key: bytes, field: bytes, increment: bytes) -> Reply:
    step = longdouble.read(increment)
    if step is None:
        raise RedisError(NOT_FLOAT)
    if not longdouble.is_finite(step):
        raise RedisError(b"ERR value is NaN or Infinity")
    found = ctx.db.find_hash(key)
    start = longdouble.read(found.fields.get(field, b"0") if found is not None else b"0")
    if start is None:
        raise RedisError(b"ERR hash value is not a float")
    sum_ = longdouble.total(start, step)
    if sum_ is None:
        raise RedisError(NAN_OR_INFINITY)
    text = longdouble.shown(sum_)
    _put(ctx, key, field, text)
    ctx.db.changed(key, "hincrbyfloat", HASH)
    return text


@command("HRANDFIELD", "Random fields, with their values when asked for.", group="hash", since="6.2.0",
         flags="readonly", keys=FIRST, complexity="O(N) in the fields returned")
def hrandfield(ctx: Context, key: bytes, *options: bytes) -> Reply:
    rng = ctx.server.rng
    if not options:
        found = ctx.db.find_hash(key)
        return None if found is None else rng.choice(list(found.fields))
    count = random_count(options[0])
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHVALUES"):
        raise syntax()
    if len(options) == 2 and abs(count) > MAX_INT // 2:
        raise RedisError(b"ERR value is out of range")
    found = ctx.db.find_hash(key)
    if found is None or count == 0:
        return EMPTY
    check_repetitions(count)
    names = list(found.fields)
    if count < 0:
        names = rng.choices(names, k=-count)
    elif count < len(names):
        names = rng.sample(names, count)
    if len(options) == 1:
        return names
    if ctx.resp == 3:
        return [[name, found.fields[name]] for name in names]
    flat: list[object] = []
    for name in names:
        flat += [name, found.fields[name]]
    return flat


@command("HSCAN", "Walk through the fields of a hash.", group="hash", since="2.8.0", flags="readonly", keys=FIRST)
def hscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> Reply:
    read_cursor(cursor)
    found = ctx.db.find_hash(key)
    if found is None:
        return [b"0", EMPTY]
    wanted = scan_options(cursor, options, with_type=False)
    small = ctx.db.limits.hash_entries if found.packed else 0
    following, names = scan_names(ctx, wanted, found.names, small)
    flat: list[object] = []
    for name in names:
        if name in found.fields:
            flat += [name, found.fields[name]]
    return [b"%d" % following, flat]
