"""CONFIG: the parameters of Redis, shown and changed while running."""

from __future__ import annotations

from heroredis.command import command
from heroredis.errors import RedisError, shown, syntax
from heroredis.parameters import Refused
from heroredis.reply import OK, Map, Reply
from heroredis.session.context import Context


@command("CONFIG GET", "Values of the parameters that match.", group="server", since="2.0.0",
         flags="admin noscript loading stale", complexity="O(N)")
def config_get(ctx: Context, pattern: bytes, *patterns: bytes) -> Reply:
    found: dict[str, tuple[object, object]] = {}
    for one in (pattern, *patterns):
        for name, value in ctx.server.parameters.matching(one):
            found.setdefault(name.lower(), (name.encode("latin-1"), value))
    return Map(list(found.values()))


@command("CONFIG SET", "Change parameters while running.", group="server", since="2.0.0",
         flags="admin noscript loading stale", complexity="O(N)")
def config_set(ctx: Context, parameter: bytes, value: bytes, *pairs: bytes) -> Reply:
    flat = [parameter, value, *pairs]
    if len(flat) % 2:
        raise syntax()
    parameters = ctx.server.parameters
    named = []
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        if not parameters.knows(name.decode("latin-1").lower()):
            raise RedisError(b"ERR Unknown option or number of arguments for CONFIG SET - '%b'" % shown(name))
        named.append((name.decode("latin-1"), text))
    try:
        parameters.change_all(named, ctx.client.is_local)
    except Refused as refusal:
        raise RedisError(b"ERR CONFIG SET failed (possibly related to argument '%b') - %b" % (
            refusal.name.encode("latin-1"), refusal.reason.encode())) from None
    return OK


@command("CONFIG REWRITE", "Write the changed parameters into the redis.conf that the server was started with.",
         group="server", since="2.8.0", flags="admin noscript loading stale", complexity="O(N)")
def config_rewrite(ctx: Context) -> Reply:
    rewrite_file(ctx, False)
    return OK


def rewrite_file(ctx: Context, everything: bool) -> None:
    """Also the parameters that have their default, when `everything` is wanted."""
    rewrite = ctx.server.rewrite_config
    if rewrite is None:
        raise RedisError(b"ERR The server is running without a config file")
    try:
        rewrite(everything)
    except OSError as error:
        raise RedisError(f"ERR Rewriting config file: {error.strerror}".encode()) from None


@command("CONFIG RESETSTAT", "Set the counters to zero.", group="server", since="2.0.0",
         flags="admin noscript loading stale")
def config_resetstat(ctx: Context) -> Reply:
    ctx.server.reset_stats()
    return OK
