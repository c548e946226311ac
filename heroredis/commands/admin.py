"""The server: information, emptying databases, time, shutting down."""

from __future__ import annotations

import asyncio

from heroredis.args import int32
from heroredis.command import command
from heroredis.commands.keys import database
from heroredis.errors import RedisError, syntax
from heroredis.information import render
from heroredis.reply import NO_REPLY, OK, Reply, Verbatim
from heroredis.session.context import Context


@command("INFO", "Facts and counters of the server, by section.", group="server", since="1.0.0", flags="loading stale")
def info(ctx: Context, *sections: bytes) -> Reply:
    entry = ctx.server.registry.commands["INFO"]
    entry.calls -= 1  # as Redis, which counts behind the command
    try:
        return Verbatim(render(ctx.server, [name.decode("latin-1").lower() for name in sections]).encode())
    finally:
        entry.calls += 1


@command("TIME", "Unix time: seconds and microseconds.", group="server", since="2.6.0", flags="loading stale fast")
def time_(ctx: Context) -> Reply:
    now = ctx.server.clock.now_us()
    return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]


def _check_mode(options: tuple[bytes, ...]) -> None:
    if len(options) > 1 or (options and options[0].upper() not in (b"ASYNC", b"SYNC")):
        raise syntax()


def _flush(ctx: Context, index: int | None, mode: tuple[bytes, ...]) -> None:
    removed = ctx.server.space.flush(index)
    if mode[0].upper() == b"ASYNC" if mode else ctx.server.parameters.is_on("lazyfree-lazy-user-flush"):
        ctx.server.stats.lazily_freed += removed


@command("FLUSHDB", "Remove all keys of the database, except owned ones.", group="server", since="1.0.0",
         flags="write", complexity="O(N)")
def flushdb(ctx: Context, *mode: bytes) -> Reply:
    _check_mode(mode)
    _flush(ctx, ctx.db.index, mode)
    ctx.server.tracking.flushed()
    return OK


@command("FLUSHALL", "Remove all keys of all databases, except owned ones.", group="server", since="1.0.0",
         flags="write", complexity="O(N)")
def flushall(ctx: Context, *mode: bytes) -> Reply:
    _check_mode(mode)
    _flush(ctx, None, mode)
    ctx.server.keeper.all_flushed()
    ctx.server.tracking.flushed()
    return OK


@command("SWAPDB", "Exchange two databases; owned keys stay.", group="server", since="4.0.0", flags="write fast",
         complexity="O(N)")
def swapdb(ctx: Context, index1: bytes, index2: bytes) -> Reply:
    try:
        int32(index1)
    except RedisError:
        raise RedisError(b"ERR invalid first DB index") from None
    try:
        int32(index2)
    except RedisError:
        raise RedisError(b"ERR invalid second DB index") from None
    ctx.server.space.swap(database(ctx, index1).index, database(ctx, index2).index)
    return OK


@command("SHUTDOWN", "Stop the server in an orderly way.", group="server", since="1.0.0",
         flags="admin noscript loading stale no_multi allow_busy")
def shutdown(ctx: Context, *options: bytes) -> Reply:
    words = {option.upper() for option in options}
    if words == {b"ABORT"}:
        raise RedisError(b"ERR No shutdown in progress.")  # one that has begun answers nobody
    if not words <= {b"SAVE", b"NOSAVE", b"NOW", b"FORCE"} or {b"SAVE", b"NOSAVE"} <= words:
        raise syntax()
    stop = ctx.server.on_shutdown
    if stop is None:
        raise RedisError(b"ERR this server is embedded in a program; stop it there")
    try:
        ctx.server.keeper.before_shutdown(b"SAVE" in words, b"NOSAVE" in words)
    except RedisError:
        if b"FORCE" not in words:
            raise RedisError(b"ERR Errors trying to SHUTDOWN. Check logs.") from None
    asyncio.get_running_loop().call_soon(stop)
    return NO_REPLY


@command("ROLE", "A single master.", group="server", since="2.8.12", flags="noscript loading stale fast")
def role(ctx: Context) -> Reply:
    followers: list[object] = [[client.addr.rpartition(":")[0].encode(), b"0", b"0"] for client in ctx.server.replicas]
    return [b"master", 0, followers]

