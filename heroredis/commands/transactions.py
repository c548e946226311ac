"""Transactions: commands queued by MULTI and run together by EXEC, unless a watched key was written."""

from __future__ import annotations

from heroredis.command import ALL, command
from heroredis.dispatch import perform, perform_tracked
from heroredis.encoding import encoded
from heroredis.errors import EXEC_ABORT, EXEC_WITHOUT_MULTI, RedisError
from heroredis.permission import refuse_queued
from heroredis.registry import IN_MULTI, RESTRICTED, TRACKING
from heroredis.reply import NULL_ARRAY, OK, Committing, Durable, Encoded, Error, Reply, Wait
from heroredis.session.client import QueuedCommand
from heroredis.session.commits import Joint
from heroredis.session.context import Context


@command("MULTI", "Begin a transaction.", group="transactions", since="1.2.0",
         flags="noscript loading stale fast allow_busy")
def multi(ctx: Context) -> Reply:
    if ctx.client.queued is not None:
        return Error(b"ERR MULTI calls can not be nested")  # answered, not raised: the transaction stays whole
    ctx.client.queued = []
    ctx.client.gates |= IN_MULTI
    return OK


@command("DISCARD", "Drop the queued commands.", group="transactions", since="2.0.0",
         flags="noscript loading stale fast allow_busy")
def discard(ctx: Context) -> Reply:
    if ctx.client.queued is None:
        raise RedisError(b"ERR DISCARD without MULTI")
    ctx.server.leave_multi(ctx.client)
    return OK


@command("EXEC", "Run the queued commands together.", group="transactions", since="1.2.0",
         flags="noscript loading stale skip_slowlog", complexity="that of the commands")
def exec_(ctx: Context) -> Reply:
    client = ctx.client
    queued = client.queued
    if queued is None:
        raise RedisError(EXEC_WITHOUT_MULTI)
    ctx.server.watches.expire_watched(client)
    aborted, touched = client.abort_multi, client.touched
    ctx.server.leave_multi(client)
    if aborted:
        raise RedisError(EXEC_ABORT)
    if touched:
        return NULL_ARRAY
    ctx.in_exec = True
    client.queued = queued  # CLIENT LIST and the ACL LOG show it until all have run
    journal = ctx.server.journal
    start = journal.begin()
    owners = ctx.server.owners
    for owner in owners:
        owner.exec_begins()
    try:
        return _run_all(ctx, queued)
    finally:
        for owner in owners:
            owner.exec_ends()
        ctx.in_exec = False
        client.queued = None
        journal.end(start)


def _run_all(ctx: Context, queued: list[QueuedCommand]) -> Reply:
    replies: list[object] = []
    commit: Committing | None = None
    resp = ctx.resp
    for command_ in queued:
        try:
            if ctx.client.gates & RESTRICTED:
                refuse_queued(ctx, command_.entry, command_.argv)
            if ctx.client.gates & TRACKING:
                reply = perform_tracked(ctx, command_.entry, command_.argv)
            else:
                reply = perform(ctx, command_.entry, command_.argv)
        except RedisError as error:
            ctx.server.stats.count_error(error.message)
            reply = Error(error.message)
        if isinstance(reply, Wait):
            reply = reply.on_timeout
        elif isinstance(reply, Durable):
            if commit is None or commit is reply.commit:
                commit = reply.commit
            else:
                commit = Joint(commit, reply.commit)
            reply = reply.value
        if ctx.resp != resp:  # HELLO or RESET: what was answered before keeps its form
            replies = [Encoded(encoded(earlier, resp)) for earlier in replies]
            resp = ctx.resp
        replies.append(reply)
    return replies if commit is None else Durable(replies, commit)


@command("WATCH", "Break the next transaction when one of these keys is written.", group="transactions", since="2.2.0",
         flags="noscript loading stale fast allow_busy", keys=ALL, complexity="O(1) per key")
def watch(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    if ctx.client.queued is not None:
        return Error(b"ERR WATCH inside MULTI is not allowed")  # answered, not raised: the transaction stays whole
    for name in (key, *keys):
        ctx.server.watches.watch(ctx.client, (ctx.db.index, name))
    return OK


@command("UNWATCH", "Forget the watched keys.", group="transactions", since="2.2.0",
         flags="noscript loading stale fast allow_busy")
def unwatch(ctx: Context) -> Reply:
    ctx.server.watches.forget(ctx.client)
    return OK
