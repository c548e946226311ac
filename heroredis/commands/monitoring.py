"""Looking on: MONITOR, the slow log, the latency monitor."""

from __future__ import annotations

from typing import Final

from heroredis.args import read_int
from heroredis.command import command
from heroredis.errors import RedisError, wrong_subcommand
from heroredis.reply import OK, Reply
from heroredis.session.context import Context

SHOWN: Final = 10


@command("MONITOR", "Show every command that is run, as it is run.", group="server", since="1.0.0",
         flags="admin noscript loading stale")
def monitor(ctx: Context) -> Reply:
    if ctx.in_exec:
        raise RedisError(b"ERR MONITOR isn't allowed for DENY BLOCKING client")
    ctx.server.monitor(ctx.client)
    return OK


@command("SLOWLOG GET", "The latest slow commands, newest first.", group="server", since="2.2.12",
         flags="admin loading stale", complexity="O(N)")
def slowlog_get(ctx: Context, *count: bytes) -> Reply:
    if len(count) > 1:
        raise wrong_subcommand(b"SLOWLOG", ctx.as_sent(1, b"GET"))
    wanted = SHOWN
    if count:
        number = read_int(count[0])
        if number is None or number < -1:
            raise RedisError(b"ERR count should be greater than or equal to -1")
        wanted = len(ctx.server.slowlog.entries) if number == -1 else number
    return [[entry.number, entry.at_s, entry.took_us, list(entry.argv), entry.addr.encode(), entry.name]
            for entry in list(ctx.server.slowlog.entries)[:wanted]]


@command("SLOWLOG LEN", "How many commands the slow log holds.", group="server", since="2.2.12",
         flags="admin loading stale")
def slowlog_len(ctx: Context) -> Reply:
    return len(ctx.server.slowlog.entries)


@command("SLOWLOG RESET", "Empty the slow log.", group="server", since="2.2.12", flags="admin loading stale",
         complexity="O(N)")
def slowlog_reset(ctx: Context) -> Reply:
    ctx.server.slowlog.entries.clear()
    return OK
