"""ACL: users and what they may do."""

from __future__ import annotations

import secrets

from heroredis.acl.checks import KEY, check
from heroredis.acl.describe import channels_of, commands_of, keys_of
from heroredis.acl.index import CATEGORIES
from heroredis.acl.rules import BLANKS, RuleError, Selector
from heroredis.acl.users import DEFAULT
from heroredis.args import integer
from heroredis.command import command
from heroredis.errors import RedisError, shown, wrong_arity, wrong_subcommand
from heroredis.permission import reason_text
from heroredis.reply import OK, Map, Reply, SetOf
from heroredis.session.context import Context

LONGEST_PASSWORD_BITS = 4096
SHOWN_DENIALS = 10
NO_FILE = (b"ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
           b"SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in "
           b"order to store users in the Redis configuration.")


@command("ACL SETUSER", "Make a user, or change one by rules.", group="server", since="6.0.0",
         flags="admin noscript loading stale", complexity="O(N) in rules")
def acl_setuser(ctx: Context, username: bytes, *rules: bytes) -> Reply:
    if BLANKS & set(username):
        raise RedisError(b"ERR Usernames can't contain spaces or null characters")
    try:
        ctx.server.users.set(username, list(rules))
    except RuleError as error:
        raise RedisError(f"ERR {error}".encode()) from None
    return OK


@command("ACL DELUSER", "Remove users and end their connections.", group="server", since="6.0.0",
         flags="admin noscript loading stale", complexity="O(1) per user")
def acl_deluser(ctx: Context, username: bytes, *usernames: bytes) -> Reply:
    names = (username, *usernames)
    if DEFAULT in names:
        raise RedisError(b"ERR The 'default' user cannot be removed")
    return sum(ctx.server.users.remove(name) for name in names)


def _described(ctx: Context, selector: Selector) -> list[tuple[object, object]]:
    return [(b"commands", commands_of(ctx.server.users.index, selector)), (b"keys", keys_of(selector)),
            (b"channels", channels_of(selector))]


@command("ACL GETUSER", "The flags, passwords and permissions of a user.", group="server", since="6.0.0",
         flags="admin noscript loading stale", complexity="O(N) in rules")
def acl_getuser(ctx: Context, username: bytes) -> Reply:
    user = ctx.server.users.by_name.get(username)
    if user is None:
        return None
    flags: list[object] = [*user.flags()]
    passwords: list[object] = [*user.passwords]
    selectors: list[object] = [Map(_described(ctx, selector)) for selector in user.selectors[1:]]
    return Map([(b"flags", SetOf(flags)), (b"passwords", passwords), *_described(ctx, user.selectors[0]),
                (b"selectors", selectors)])


@command("ACL LIST", "All users with their rules.", group="server", since="6.0.0", flags="admin noscript loading stale",
         complexity="O(N) in users")
def acl_list(ctx: Context) -> Reply:
    return ctx.server.users.lines()


@command("ACL USERS", "The names of all users.", group="server", since="6.0.0", flags="admin noscript loading stale",
         complexity="O(N) in users")
def acl_users(ctx: Context) -> Reply:
    return [user.name for user in ctx.server.users.ordered()]


@command("ACL WHOAMI", "The user of this connection.", group="server", since="6.0.0", flags="noscript loading stale")
def acl_whoami(ctx: Context) -> Reply:
    return ctx.client.user


@command("ACL CAT", "The categories of commands, or the commands of one.", group="server", since="6.0.0",
         flags="noscript loading stale", complexity="O(1)")
def acl_cat(ctx: Context, *category: bytes) -> Reply:
    if len(category) > 1:
        raise wrong_subcommand(b"ACL", ctx.as_sent(1, b"CAT"))
    index = ctx.server.users.index
    if not category:
        return [name.encode() for name in index.names()]
    name = category[0].decode("latin-1").lower()
    if name not in CATEGORIES:
        raise RedisError(b"ERR Unknown category '%b'" % shown(category[0]))
    return [member.encode() for member in index.members(name)]


@command("ACL GENPASS", "A random password in hexadecimal letters.", group="server", since="6.0.0",
         flags="noscript loading stale")
def acl_genpass(ctx: Context, *bits: bytes) -> Reply:
    if len(bits) > 1:
        raise wrong_subcommand(b"ACL", ctx.as_sent(1, b"GENPASS"))
    wanted = integer(bits[0]) if bits else 256
    if not 0 < wanted <= LONGEST_PASSWORD_BITS:
        raise RedisError(b"ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
                         b"number up to 4096")
    letters = (wanted + 3) // 4
    return secrets.token_hex(letters // 2 + 1)[:letters].encode()


@command("ACL LOG", "Who was turned away lately, and for what; or forget it.", group="server", since="6.0.0",
         flags="admin noscript loading stale", complexity="O(N) in entries")
def acl_log(ctx: Context, *count: bytes) -> Reply:
    if len(count) > 1:
        raise wrong_subcommand(b"ACL", ctx.as_sent(1, b"LOG"))
    entries = ctx.server.users.denials.entries
    if count and count[0].lower() == b"reset":
        entries.clear()
        return OK
    wanted = max(0, integer(count[0])) if count else SHOWN_DENIALS
    now = ctx.server.clock.now_ms()
    return [Map([
        (b"count", denial.count), (b"reason", reason_text(denial.reason)), (b"context", denial.context),
        (b"object", denial.what), (b"username", denial.username), (b"age-seconds", (now - denial.at_ms) / 1000),
        (b"client-info", denial.client),
    ]) for denial in entries[:wanted]]


def _file(ctx: Context) -> str:
    path = ctx.server.parameters.get("aclfile").decode("utf-8", "surrogateescape")
    if not path:
        raise RedisError(NO_FILE)
    return path


@command("ACL LOAD", "Replace all users by those of the ACL file.", group="server", since="6.0.0",
         flags="admin noscript loading stale", complexity="O(N) in users")
def acl_load(ctx: Context) -> Reply:
    try:
        ctx.server.users.load(_file(ctx))
    except RuleError as error:
        raise RedisError(f"ERR {error}".encode()) from None
    return OK


@command("ACL SAVE", "Write all users into the ACL file.", group="server", since="6.0.0",
         flags="admin noscript loading stale", complexity="O(N) in users")
def acl_save(ctx: Context) -> Reply:
    try:
        ctx.server.users.save(_file(ctx))
    except OSError:
        raise RedisError(b"ERR There was an error trying to save the ACLs. Please check the server logs for more "
                         b"information") from None
    return OK


@command("ACL DRYRUN", "Whether a user may run a command, without running it.", group="server", since="7.0.0",
         flags="admin noscript loading stale")
def acl_dryrun(ctx: Context, username: bytes, name: bytes, *arguments: bytes) -> Reply:
    user = ctx.server.users.by_name.get(username)
    if user is None:
        raise RedisError(b"ERR User '%b' not found" % username)
    request = [name, *arguments]
    entry = ctx.server.registry.resolve(request)
    if entry is None or (entry.command is None and arguments):
        raise RedisError(b"ERR Command '%b' not found" % name)
    if entry.command is None or not entry.low <= len(request) <= entry.high:
        raise RedisError(wrong_arity(entry.name))
    refusal = check(ctx.server.users.index, user, entry, request, ctx.server.implied_keys)
    if refusal is None:
        return OK
    if refusal.reason in (KEY, KEY + 1):
        what = b"key" if refusal.reason == KEY else b"channel"
        return b"This user has no permissions to access the '%b' %b" % (refusal.what, what)
    return b"This user has no permissions to run the '%b' command" % refusal.what
