"""One request on its way to its handler: found by name, gated, shown to the owner of its keys, called by count.

Used by connections, by EXEC and by callers inside the process. Raises RedisError, writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, cast

from heroredis.errors import NO_AUTH, NO_REPLICAS, OOM, STILL_LOADING, RedisError, shown, wrong_arity
from heroredis.permission import refuse
from heroredis.registry import (
    CLOSING,
    COPYING,
    IN_MULTI,
    LIMITED,
    LOADING,
    LONELY,
    NEEDS_AUTH,
    PAUSED,
    RESTRICTED,
    STORING,
    SUBSCRIBED,
    TRACKING,
    Entry,
)
from heroredis.reply import NO_REPLY, POSTPONED, QUEUED, Durable, Wait
from heroredis.session.client import Client, QueuedCommand
from heroredis.session.context import Context
from heroredis.session.core import Core
from heroredis.session.observing import redacted
from heroredis.session.owner import PASS

logger = logging.getLogger("heroredis")
INTERNAL: Final = b"ERR internal error; the server's log has the details"
SHOWN_LIMIT = 128
HTTP_WORDS = frozenset({b"post", b"host:"})
WHILE_SUBSCRIBED = frozenset({"SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE",
                              "PING", "QUIT", "RESET"})
NOT_QUEUED = frozenset({"EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET"})
UNLIMITED = frozenset({"DISCARD", "QUIT", "RESET"})
"""What a transaction may always do, however little memory there is."""


def find_entry(ctx: Context, argv: list[bytes]) -> Entry:
    """The record of a request, subcommands included; RedisError when there is none."""
    found = ctx.server.registry.find(argv[0])
    if found is None:
        if argv[0].lower() in HTTP_WORDS:
            raise _http_refused(ctx)
        raise RedisError(unknown_command(argv))
    if found.children is None:
        return found
    if len(argv) < 2:
        if found.command is not None:
            return found
        raise refused(found, wrong_arity(found.name))
    child = found.children.get(argv[1]) or found.children.get(argv[1].upper())
    if child is None:
        unknown = b"ERR unknown subcommand '%b'. Try %b HELP." % (shown(argv[1]), found.name.encode())
        raise RedisError(unknown)
    return child


def _http_refused(ctx: Context) -> RedisError:
    """A browser was talked into speaking to Redis: whatever comes behind this line is not run."""
    ctx.client.gates |= CLOSING
    ctx.server.stats.security_events += 1
    logger.warning("security: an HTTP request came to the Redis port; the connection is closed")
    return RedisError(b"ERR this is no HTTP server")


def unknown_command(argv: list[bytes]) -> bytes:
    arguments = b""
    for argument in argv[1:]:
        if len(arguments) >= SHOWN_LIMIT:
            break
        arguments += b"'" + shown(argument, SHOWN_LIMIT - len(arguments)) + b"' "
    return b"ERR unknown command '" + shown(argv[0]) + b"', with args beginning with: " + arguments


def refused(entry: Entry, message: bytes) -> RedisError:
    """The command is not even begun."""
    entry.rejected += 1
    return RedisError(message)


def gated(ctx: Context, entry: Entry, argv: list[bytes]) -> object:
    """The careful way, for a client or server in a special condition."""
    client = ctx.client
    gates = client.gates
    if gates & CLOSING:
        return NO_REPLY
    if gates & NEEDS_AUTH and not entry.no_auth:
        raise refused(entry, NO_AUTH)
    if gates & RESTRICTED and not ctx.in_exec:
        refuse(ctx, entry, argv)
    if gates & LOADING and not entry.while_loading:
        raise refused(entry, STILL_LOADING)
    if gates & LIMITED and not ctx.server.memory.make_room() and wants_room(client, entry):
        raise refused(entry, OOM)
    if gates & LONELY and is_written(client, entry):
        raise refused(entry, NO_REPLICAS)
    if gates & SUBSCRIBED and ctx.resp == 2 and entry.name not in WHILE_SUBSCRIBED:
        raise refused(entry, f"ERR Can't execute '{entry.shown}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT "
                      "/ RESET are allowed in this context".encode())
    if gates & PAUSED and ctx.server.pauses.holds(client, entry):
        return POSTPONED
    if gates & IN_MULTI and client.queued is not None and not ctx.in_exec:
        if entry.name not in NOT_QUEUED:
            if entry.no_multi:
                raise refused(entry, b"ERR Command not allowed inside a transaction")
            client.queued.append(QueuedCommand(entry, argv))
            return QUEUED
    return perform_tracked(ctx, entry, argv) if gates & TRACKING else perform(ctx, entry, argv)


def is_written(client: Client, entry: Entry) -> bool:
    """Whether ordinary keys may change by a command, or by those that EXEC is about to run."""
    if entry.name == "EXEC" and client.queued is not None:
        return any(queued.entry.journaled for queued in client.queued)
    return entry.journaled


def wants_room(client: Client, entry: Entry) -> bool:
    """Whether a command is refused while there is too little memory; also what would only be queued."""
    if client.queued is None:
        return entry.deny_oom
    if entry.name == "EXEC":
        return any(queued.entry.deny_oom for queued in client.queued)
    return entry.name not in UNLIMITED


def perform(ctx: Context, entry: Entry, argv: list[bytes], again: bool = False) -> object:
    """Run a command that is admitted, and note how long it took, what it found, and who else wants to know of it.

    One that has to wait is shown to monitors when it begins to, and counts when it is served (then it is run `again`).
    """
    core = ctx.server
    if entry.is_read:
        note_lookups(ctx, entry, argv)
    clock = core.clock
    begin = clock.monotonic()
    try:
        reply = run(ctx, entry, argv)
    except RedisError:
        _note(ctx, entry, argv, clock.monotonic() - begin)
        if core.monitors and not entry.skip_monitor:
            core.show_to_monitors(ctx.client, ctx.db.index, redacted(entry, argv))
        raise
    if isinstance(reply, Wait) and not ctx.in_exec:
        entry.calls -= 1
    else:
        _note(ctx, entry, argv, clock.monotonic() - begin)
    if core.monitors and not again and not entry.skip_monitor:
        core.show_to_monitors(ctx.client, ctx.db.index, redacted(entry, argv))
    return reply


def perform_tracked(ctx: Context, entry: Entry, argv: list[bytes], again: bool = False) -> object:
    """The same for a client that tracks keys: what it reads is remembered."""
    client = ctx.client
    tracking = ctx.server.tracking
    before = tracking.current
    tracking.current = client
    try:
        reply = perform(ctx, entry, argv, again)
    finally:
        tracking.current = before
    command = entry.command
    if entry.is_read and not entry.is_write and command is not None:
        tracking.remember(client, [argv[index] for index in command.keys.indexes(argv)])
    if client.tracked is not None and client.queued is None and not ctx.in_exec and not entry.name.startswith("CLIENT"):
        client.tracked.caching = False
    return reply


def _note(ctx: Context, entry: Entry, argv: list[bytes], seconds: float) -> None:
    core = ctx.server
    entry.charge(seconds, 1)
    if core.slowlog.threshold_s <= seconds and not entry.skip_slowlog:
        core.slowlog.note(ctx.client, ctx.now_ms, redacted(entry, argv), seconds)
    if core.latency.threshold_s <= seconds:
        core.latency.note(b"fast-command" if entry.is_fast else b"command", ctx.now_ms, seconds)


def note_lookups(ctx: Context, entry: Entry, argv: list[bytes]) -> None:
    """Which keys of a read are there; GET counts by itself."""
    command = entry.command
    if command is None or entry.name == "GET" or entry.name == "MEMORY USAGE":
        return
    db = ctx.db
    stats = ctx.server.stats
    indexes = command.keys.indexes(argv)
    if entry.is_write:
        if entry.name in STORING:
            indexes = indexes[1:]
        elif entry.name in COPYING:
            indexes = indexes[:1]
    for index in indexes:
        if db.peek(argv[index]) is None:
            stats.misses += 1
            if entry.words == 1:  # OBJECT asks about a key, it does not read it
                ctx.server.key_missed(db.index, argv[index])
        else:
            stats.hits += 1


def run(ctx: Context, entry: Entry, argv: list[bytes]) -> object:
    """Call the handler, with what a write needs."""
    return run_write(ctx, entry, argv) if entry.is_write else call(ctx, entry, argv)


def run_write(ctx: Context, entry: Entry, argv: list[bytes]) -> object:
    """A write: shown to the owner of its keys where there is one, else journaled where that is wanted."""
    server = ctx.server
    if server.owned and ctx.db.index == 0 and names_owned(server, entry, argv):
        return run_owned(ctx, entry, argv)
    if server.journal.active and entry.journaled:
        return run_journaled(ctx, entry, argv)
    return call(ctx, entry, argv)


def names_owned(server: Core, entry: Entry, argv: list[bytes]) -> bool:
    """Whether a request to database 0 names a key that an extension owns. Most are told apart by their first byte."""
    owned = server.owned
    if entry.one_key:
        key = argv[1]
        return len(key) > 0 and server.owned_first[key[0]] != 0 and key.startswith(owned)
    command = entry.command
    if command is None:
        return False
    keys = command.keys
    if keys.finder is not None:
        return any(argv[index].startswith(owned) for index in keys.finder(argv))
    if keys.first == 0:
        return False
    first_bytes = server.owned_first
    at = keys.first
    last = keys.last if keys.last >= 0 else len(argv) + keys.last
    while at <= last and at < len(argv):
        key = argv[at]
        if len(key) > 0 and first_bytes[key[0]] and key.startswith(owned):
            return True
        at += keys.step
    return False


def run_owned(ctx: Context, entry: Entry, argv: list[bytes]) -> object:
    """A write to a key that an extension owns; it is never journaled."""
    command = entry.command
    if command is not None:
        for owner in ctx.server.owners:
            try:
                reply = owner.before_write(ctx, command, argv)
            except RedisError:
                entry.failed += 1
                raise
            except Exception:
                logger.exception("the command %s failed", entry.name)
                entry.failed += 1
                raise RedisError(INTERNAL) from None
            if reply is not PASS:
                entry.calls += 1
                return reply
    return call(ctx, entry, argv)


def run_journaled(ctx: Context, entry: Entry, argv: list[bytes]) -> object:
    """A write that somebody keeps: it is journaled when it changed something."""
    journal = ctx.server.journal
    if journal.refusal:
        raise RedisError(journal.refusal)
    if journal.copying is not None:
        _announce(ctx, entry, argv)
    changes = ctx.server.space.changes
    before = changes.dirty
    reply = call(ctx, entry, argv)
    if changes.dirty == before or not journal.on:
        return reply
    form = entry.form
    if form is None or len(argv) <= entry.plain_words:
        journal.add(ctx.db.index, argv)
    else:
        for request in form(ctx.db, argv, reply):
            journal.add(ctx.db.index, request)
    commit = journal.commit
    return reply if commit is None else Durable(reply, commit)


def _announce(ctx: Context, entry: Entry, argv: list[bytes]) -> None:
    """Who copies the keyspace sees each key before it is written."""
    copying = ctx.server.journal.copying
    command = entry.command
    if copying is not None and command is not None:
        for index in command.keys.indexes(argv):
            copying.before_write(ctx.db.index, argv[index])


def call(ctx: Context, entry: Entry, argv: list[bytes]) -> object:
    """Call the handler with the arguments behind the name, without slicing for the usual counts."""
    entry.calls += 1
    count = len(argv)
    try:
        if entry.words == 1:
            if count == 2:
                return cast("Callable[..., object]", entry.run_one)(ctx, argv[1])
            if count == 3:
                return cast("Callable[..., object]", entry.run_two)(ctx, argv[1], argv[2])
            if count == 1:
                return cast("Callable[..., object]", entry.run)(ctx)
            if count == 4:
                return cast("Callable[..., object]", entry.run_three)(ctx, argv[1], argv[2], argv[3])
            if entry.run_list is not None:
                return cast("Callable[..., object]", entry.run_list)(ctx, argv)
        return cast("Callable[..., object]", entry.run)(ctx, *argv[entry.words :])
    except RedisError:
        entry.failed += 1
        raise
    except MemoryError:
        entry.failed += 1
        raise RedisError(b"OOM the request does not fit into memory") from None
    except Exception:
        # A defect in a handler must not take the connection or the server with it.
        logger.exception("the command %s failed", entry.name)
        entry.failed += 1
        raise RedisError(INTERNAL) from None
