"""Keys on disk: saving them, rewriting the append-only files."""

from __future__ import annotations

from heroredis.command import command
from heroredis.errors import syntax
from heroredis.reply import OK, Reply, Simple
from heroredis.session.context import Context


@command("SAVE", "Write all keys into a new base file; everybody waits.", group="server", since="1.0.0",
         flags="admin noscript no_async_loading no_multi", complexity="O(N)")
def save(ctx: Context) -> Reply:
    ctx.server.keeper.save()
    return OK


@command("BGSAVE", "Write all keys into a new base file in the background.", group="server", since="1.0.0",
         flags="admin noscript no_async_loading", complexity="O(1)")
def bgsave(ctx: Context, *schedule: bytes) -> Reply:
    if len(schedule) > 1 or (schedule and schedule[0].upper() != b"SCHEDULE"):
        raise syntax()
    return Simple(ctx.server.keeper.background_save(bool(schedule), ctx.in_exec))


@command("BGREWRITEAOF", "Rewrite the append-only files in the background.", group="server", since="1.0.0",
         flags="admin noscript no_async_loading", complexity="O(1)")
def bgrewriteaof(ctx: Context) -> Reply:
    return Simple(ctx.server.keeper.rewrite(ctx.in_exec))


@command("LASTSAVE", "Unix time of the last save that succeeded.", group="server", since="1.0.0",
         flags="loading stale fast")
def lastsave(ctx: Context) -> Reply:
    return ctx.server.keeper.last_save_s()
