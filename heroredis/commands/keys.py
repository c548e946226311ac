"""Keys of any type: existence, expiry, renaming, copying, walking."""

from __future__ import annotations

from typing import Final

from heroredis.args import MAX_INT, Args, int32, integer, read_int
from heroredis.command import ALL, FIRST, FIRST_TWO, command
from heroredis.errors import BAD_DB_INDEX, NO_SUCH_KEY, SAME_OBJECT, TIMEOUT_NEGATIVE, RedisError, shown
from heroredis.glob import is_literal, matches
from heroredis.keyspace.change import GENERIC
from heroredis.keyspace.database import Database, Value, refused_owned
from heroredis.reply import OK, Reply, Simple, Wait
from heroredis.scanning import scan_names, scan_options
from heroredis.session.context import Context
from heroredis.types.base import Container
from heroredis.types.string import Rendered, as_bytes

STRING_TYPE: Final = Simple(b"string")
NO_TYPE: Final = Simple(b"none")
EASILY_FREED: Final = 64
"""Redis frees what has more elements beside its loop."""


def type_of(value: Value | None) -> Simple:
    if value is None:
        return NO_TYPE
    return Simple(value.type_name()) if isinstance(value, Container) else STRING_TYPE


@command("DEL", "Delete keys.", group="generic", since="1.0.0", flags="write", keys=ALL, complexity="O(N) in keys")
def del_(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    db = ctx.db
    removed = 0
    for name in (key, *keys):
        if db.lookup(name) is not None:
            db.remove(name)
            db.changed(name, "del", GENERIC)
            removed += 1
    return removed


@command("UNLINK", "Delete keys.", group="generic", since="4.0.0", flags="write fast", keys=ALL,
         complexity="O(N) in keys")
def unlink(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    removed = 0
    for name in (key, *keys):
        value = ctx.db.lookup(name)
        if value is not None:
            if isinstance(value, Container) and not value.packed and value.size() > EASILY_FREED:
                ctx.server.stats.lazily_freed += 1
            ctx.db.remove(name)
            ctx.db.changed(name, "del", GENERIC)
            removed += 1
    return removed


def _present(ctx: Context, keys: tuple[bytes, ...]) -> int:
    return sum(1 for key in keys if ctx.db.peek(key) is not None)


@command("EXISTS", "How many of the keys exist.", group="generic", since="1.0.0", flags="readonly fast", keys=ALL,
         complexity="O(N) in keys")
def exists(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    return _present(ctx, (key, *keys))


@command("TOUCH", "How many of the keys exist, marking them as used.", group="generic", since="3.2.1",
         flags="readonly fast", keys=ALL, complexity="O(N) in keys")
def touch(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    found = 0
    for name in (key, *keys):
        if ctx.db.peek(name) is not None:
            ctx.db.use(name)
            found += 1
    return found


@command("TYPE", "Type of the value of a key.", group="generic", since="1.0.0", flags="readonly fast", keys=FIRST)
def type_(ctx: Context, key: bytes) -> Reply:
    return type_of(ctx.db.peek(key))


@command("KEYS", "All keys that match a pattern.", group="generic", since="1.0.0", flags="readonly",
         complexity="O(N) in the keys of the database")
def keys_(ctx: Context, pattern: bytes) -> Reply:
    if is_literal(pattern):
        return [pattern] if ctx.db.peek(pattern) is not None else []
    names = ctx.db.keys()
    return names if pattern == b"*" else [name for name in names if matches(pattern, name, False)]


@command("SCAN", "Walk through the keys, some at a time.", group="generic", since="2.8.0", flags="readonly")
def scan(ctx: Context, cursor: bytes, *options: bytes) -> Reply:
    wanted = scan_options(cursor, options, with_type=True)
    following, names = scan_names(ctx, wanted, ctx.db.stored, 0)
    living = []
    for name in names:
        value = ctx.db.peek(name)
        if value is not None and (wanted.type_name is None or type_of(value).text == wanted.type_name):
            living.append(name)
    return [b"%d" % following, living]


@command("RANDOMKEY", "A random key.", group="generic", since="1.0.0", flags="readonly")
def randomkey(ctx: Context) -> Reply:
    return ctx.db.random_key(ctx.server.rng)


@command("DBSIZE", "How many keys the database has.", group="server", since="1.0.0", flags="readonly fast")
def dbsize(ctx: Context) -> Reply:
    return ctx.db.size()


# Expiry

_CONDITIONS: Final = ("NX", "XX", "GT", "LT")


def _expire(ctx: Context, key: bytes, value: bytes, options: tuple[bytes, ...], unit: int, since: int,
            name: str) -> Reply:
    """EXPIRE and its kin; `unit` in ms, `since` is the moment from which the value counts."""
    found = _conditions(options)
    number = integer(value)
    if abs(number) > MAX_INT // unit or number * unit + since > MAX_INT:
        raise RedisError(f"ERR invalid expire time in '{name}' command".encode())
    at = number * unit + since
    db = ctx.db
    if db.lookup(key) is None:
        return 0
    current = db.expiry(key)
    if "NX" in found and current >= 0:
        return 0
    if "XX" in found and current < 0:
        return 0
    if "GT" in found and (current < 0 or at <= current):
        return 0
    if "LT" in found and 0 <= current <= at:
        return 0
    if at <= ctx.now_ms:
        db.remove(key)
        db.changed(key, "del", GENERIC)
    else:
        db.set_expiry(key, at)
        db.changed(key, "expire", GENERIC)
    return 1


def _conditions(options: tuple[bytes, ...]) -> set[str]:
    found = set()
    for option in options:
        name = option.upper().decode("latin-1")
        if name not in _CONDITIONS:
            raise RedisError(b"ERR Unsupported option " + shown(option))
        found.add(name)
    if "NX" in found and len(found) > 1:
        raise RedisError(b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if "GT" in found and "LT" in found:
        raise RedisError(b"ERR GT and LT options at the same time are not compatible")
    return found


@command("EXPIRE", "Let a key expire after seconds.", group="generic", since="1.0.0", flags="write fast", keys=FIRST,
         journal="expiry")
def expire(ctx: Context, key: bytes, seconds: bytes, *options: bytes) -> Reply:
    return _expire(ctx, key, seconds, options, 1000, ctx.now_ms, "expire")


@command("PEXPIRE", "Let a key expire after milliseconds.", group="generic", since="2.6.0", flags="write fast",
         keys=FIRST, journal="expiry")
def pexpire(ctx: Context, key: bytes, milliseconds: bytes, *options: bytes) -> Reply:
    return _expire(ctx, key, milliseconds, options, 1, ctx.now_ms, "pexpire")


@command("EXPIREAT", "Let a key expire at a Unix time in seconds.", group="generic", since="1.2.0", flags="write fast",
         keys=FIRST, journal="expiry")
def expireat(ctx: Context, key: bytes, unix_seconds: bytes, *options: bytes) -> Reply:
    return _expire(ctx, key, unix_seconds, options, 1000, 0, "expireat")


@command("PEXPIREAT", "Let a key expire at a Unix time in milliseconds.", group="generic", since="2.6.0",
         flags="write fast", keys=FIRST, journal="expiry")
def pexpireat(ctx: Context, key: bytes, unix_milliseconds: bytes, *options: bytes) -> Reply:
    return _expire(ctx, key, unix_milliseconds, options, 1, 0, "pexpireat")


@command("PERSIST", "Let a key no longer expire.", group="generic", since="2.2.0", flags="write fast", keys=FIRST)
def persist(ctx: Context, key: bytes) -> Reply:
    if ctx.db.lookup(key) is None or not ctx.db.persist(key):
        return 0
    ctx.db.changed(key, "persist", GENERIC)
    return 1


def _left(ctx: Context, key: bytes) -> int:
    """Milliseconds left; -2 no key, -1 no expiry."""
    if ctx.db.peek(key) is None:
        return -2
    at = ctx.db.expiry(key)
    return -1 if at < 0 else max(0, at - ctx.now_ms)


def _expires_at(ctx: Context, key: bytes) -> int:
    return -2 if ctx.db.peek(key) is None else ctx.db.expiry(key)


@command("TTL", "Seconds until a key expires.", group="generic", since="1.0.0", flags="readonly fast", keys=FIRST)
def ttl(ctx: Context, key: bytes) -> Reply:
    left = _left(ctx, key)
    return left if left < 0 else (left + 500) // 1000


@command("PTTL", "Milliseconds until a key expires.", group="generic", since="2.6.0", flags="readonly fast", keys=FIRST)
def pttl(ctx: Context, key: bytes) -> Reply:
    return _left(ctx, key)


@command("EXPIRETIME", "Unix time in seconds at which a key expires.", group="generic", since="7.0.0",
         flags="readonly fast", keys=FIRST)
def expiretime(ctx: Context, key: bytes) -> Reply:
    at = _expires_at(ctx, key)
    return at if at < 0 else (at + 500) // 1000


@command("PEXPIRETIME", "Unix time in milliseconds at which a key expires.", group="generic", since="7.0.0",
         flags="readonly fast", keys=FIRST)
def pexpiretime(ctx: Context, key: bytes) -> Reply:
    return _expires_at(ctx, key)


# Moving

def _carry(db: Database, key: bytes, target: Database, newkey: bytes, value: Value) -> None:
    """The value with its expiry, and how it was used."""
    at = db.expiry(key)
    use = db.uses.get(key, -1)
    db.remove(key)
    target.store(newkey, value)
    if at >= 0:
        target.set_expiry(newkey, at)
    if use >= 0:
        target.uses[newkey] = use


def _rename(ctx: Context, key: bytes, newkey: bytes, only_new: bool) -> int:
    db = ctx.db
    value = db.lookup(key)
    if value is None:
        raise RedisError(NO_SUCH_KEY)
    if key == newkey:
        return 0
    if db.lookup(newkey) is not None:
        if only_new:
            return 0
        db.remove(newkey)
    _carry(db, key, db, newkey, value)
    db.changed(key, "rename_from", GENERIC)
    db.changed(newkey, "rename_to", GENERIC, 0)
    return 1


@command("RENAME", "Give a key another name, replacing what was there.", group="generic", since="1.0.0", flags="write",
         keys=FIRST_TWO)
def rename(ctx: Context, key: bytes, newkey: bytes) -> Reply:
    _rename(ctx, key, newkey, False)
    return OK


@command("RENAMENX", "Give a key another name that is free.", group="generic", since="1.0.0", flags="write fast",
         keys=FIRST_TWO)
def renamenx(ctx: Context, key: bytes, newkey: bytes) -> Reply:
    return _rename(ctx, key, newkey, True)


def _copied(value: Value) -> Value:
    if isinstance(value, Container):
        return value.copy()
    if isinstance(value, bytearray):
        return bytearray(value)
    return as_bytes(value) if isinstance(value, Rendered) else value


def database(ctx: Context, text: bytes) -> Database:
    index = int32(text)
    if not 0 <= index < len(ctx.server.space.databases):
        raise RedisError(BAD_DB_INDEX)
    return ctx.server.space.databases[index]


@command("COPY", "Copy a key.", group="generic", since="6.2.0", flags="write denyoom", keys=FIRST_TWO,
         complexity="O(N)")
def copy(ctx: Context, source: bytes, destination: bytes, *options: bytes) -> Reply:
    found = Args(options).options(("REPLACE",), {"DB": lambda text: database(ctx, text)})
    chosen = found.get("DB")
    target = chosen if isinstance(chosen, Database) else ctx.db
    if target is ctx.db and source == destination:
        raise RedisError(SAME_OBJECT)
    if target.is_owned(destination):
        raise refused_owned(destination)
    value = ctx.db.lookup(source)
    if value is None:
        return 0
    if target.lookup(destination) is not None and "REPLACE" not in found:
        return 0
    target.store(destination, _copied(value))
    at = ctx.db.expiry(source)
    if at >= 0:
        target.set_expiry(destination, at)
    target.changed(destination, "copy_to", GENERIC)
    return 1


@command("MOVE", "Move a key to another database.", group="generic", since="1.0.0", flags="write fast", keys=FIRST)
def move(ctx: Context, key: bytes, db: bytes) -> Reply:
    target = database(ctx, db)
    if target is ctx.db:
        raise RedisError(SAME_OBJECT)
    if target.is_owned(key):
        raise refused_owned(key)
    value = ctx.db.lookup(key)
    if value is None or target.lookup(key) is not None:
        return 0
    _carry(ctx.db, key, target, key, value)
    ctx.db.changed(key, "move_from", GENERIC)
    target.changed(key, "move_to", GENERIC, 0)
    return 1


@command("WAIT", "Wait for replicas, of which there are none.", group="generic", since="3.0.0", flags="noscript")
def wait(ctx: Context, numreplicas: bytes, timeout: bytes) -> Reply:
    wanted = integer(numreplicas)
    milliseconds = read_int(timeout)
    if milliseconds is None:
        raise RedisError(b"ERR timeout is not an integer or out of range")
    if milliseconds < 0:
        raise RedisError(TIMEOUT_NEGATIVE)
    return 0 if wanted <= 0 or ctx.in_exec else Wait([], milliseconds, 0)
