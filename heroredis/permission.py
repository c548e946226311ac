"""The gate of access control: whether the connection's user may run a request. Asked only for users with limits."""

from __future__ import annotations

from typing import Final

from heroredis.acl.checks import AUTH, CHANNEL, COMMAND, KEY, REASONS, Verdict, check
from heroredis.acl.denials import Denial
from heroredis.errors import RedisError
from heroredis.registry import Entry
from heroredis.session.client import Client
from heroredis.session.context import Context
from heroredis.session.listing import describe

REFUSALS: Final = {
    KEY: b"NOPERM this user has no permissions to access one of the keys used as arguments",
    CHANNEL: b"NOPERM this user has no permissions to access one of the channels used as arguments",
}
CHANGED: Final = (b"NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
                  b"This command is no longer allowed for the following reason: ")
CHANGED_REASONS: Final = {
    COMMAND: b"no permission to execute the command or subcommand",
    KEY: b"no permission to touch the specified keys",
    CHANNEL: b"no permission to access one of the channels used as argument to the command",
}


def verdict(ctx: Context, entry: Entry, argv: list[bytes]) -> Verdict | None:
    """None when the connection's user may do it; else why not, noted in the ACL LOG."""
    user = ctx.client.account
    if user is None:
        return None
    refusal = check(ctx.server.users.index, user, entry, argv, ctx.server.implied_keys)
    if refusal is not None:
        note_denial(ctx, refusal.reason, refusal.what, user.name)
    return refusal


def note_denial(ctx: Context, reason: int, what: bytes, username: bytes) -> None:
    client = ctx.client
    now = ctx.server.clock.now_ms()
    context = b"multi" if ctx.in_exec or client.queued is not None else b"toplevel"
    ctx.server.users.denials.add(Denial(reason, context, what, username, now, describe(client, now).encode()))


def refuse(ctx: Context, entry: Entry, argv: list[bytes]) -> None:
    """RedisError when the connection's user may not do it."""
    refusal = verdict(ctx, entry, argv)
    if refusal is not None:
        entry.rejected += 1
        if refusal.reason == COMMAND:
            raise RedisError(b"NOPERM this user has no permissions to run the '%b' command" % refusal.what)
        raise RedisError(REFUSALS[refusal.reason])


def refuse_queued(ctx: Context, entry: Entry, argv: list[bytes]) -> None:
    """The same for a command that was queued when it was still permitted."""
    refusal = verdict(ctx, entry, argv)
    if refusal is not None:
        raise RedisError(CHANGED + CHANGED_REASONS[refusal.reason])


def note_failed_login(ctx: Context, command: bytes, username: bytes) -> None:
    ctx.server.stats.security_events += 1
    note_denial(ctx, AUTH, command, username)


def reason_text(reason: int) -> bytes:
    return REASONS[reason]


def is_restricted(client: Client) -> bool:
    """Whether something has to be checked for the client's user."""
    return client.account is not None and not client.account.is_all
