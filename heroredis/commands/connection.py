"""The connection itself: greeting, authentication, database, protocol version."""

from __future__ import annotations

from heroredis.args import int32, read_int
from heroredis.command import command
from heroredis.errors import BAD_DB_INDEX, NO_PROTO, WRONG_PASS, RedisError, shown
from heroredis.permission import note_failed_login
from heroredis.registry import CLOSING, SUBSCRIBED
from heroredis.reply import OK, PONG, Map, Reply, Simple
from heroredis.session.client import REPLY_ON
from heroredis.session.context import Context
from heroredis.version import REDIS_VERSION

LIBRARY_NAME_LIMIT = 64


@command("PING", "Answers PONG, or the message.", group="connection", since="1.0.0", flags="fast")
def ping(ctx: Context, *message: bytes) -> Reply:
    if len(message) > 1:
        raise RedisError(b"ERR wrong number of arguments for 'ping' command")
    if ctx.client.gates & SUBSCRIBED and ctx.resp == 2:
        return [b"pong", message[0] if message else b""]
    return message[0] if message else PONG


@command("ECHO", "Answers the message.", group="connection", since="1.0.0", flags="loading stale fast")
def echo(ctx: Context, message: bytes) -> Reply:
    return message


def log_in(ctx: Context, command_name: bytes, name: bytes, password: bytes) -> None:
    """RedisError unless there is such a user with this password."""
    user = ctx.server.users.authenticate(name, password)
    if user is None:
        note_failed_login(ctx, ctx.as_sent(0, command_name), name)
        raise RedisError(WRONG_PASS)
    ctx.client.act_as(user)
    ctx.client.admit(True)


@command("AUTH", "Authenticate the connection.", group="connection", since="1.0.0",
         flags="noscript loading stale fast no_auth allow_busy")
def auth(ctx: Context, first: bytes, *rest: bytes) -> Reply:
    if len(rest) > 1:
        raise RedisError(b"ERR syntax error")
    if not rest and ctx.server.users.default.no_password:
        raise RedisError(b"ERR AUTH <password> called without any password configured for the default user. "
                         b"Are you sure your configuration is correct?")
    log_in(ctx, b"AUTH", first if rest else b"default", rest[0] if rest else first)
    return OK


@command("HELLO", "Choose the protocol version, authenticate and name the connection in one go.", group="connection",
         since="6.0.0", flags="noscript loading stale fast no_auth allow_busy")
def hello(ctx: Context, *arguments: bytes) -> Reply:
    version = ctx.resp
    rest = list(arguments)
    if rest:
        asked = read_int(rest.pop(0))
        if asked is None:
            raise RedisError(b"ERR Protocol version is not an integer or out of range")
        if asked not in (2, 3):
            raise RedisError(NO_PROTO)
        version = asked
    while rest:
        option = rest.pop(0)
        if option.upper() == b"AUTH" and len(rest) >= 2:
            log_in(ctx, b"HELLO", rest.pop(0), rest.pop(0))
        elif option.upper() == b"SETNAME" and rest:
            ctx.client.name = valid_name(rest.pop(0))
        else:
            raise RedisError(b"ERR Syntax error in HELLO option '%b'" % shown(option))
    if not ctx.client.authenticated:
        raise RedisError(b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
                         b"AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
                         b"protocol version at the same time")
    ctx.speak(version)
    return Map([
        (b"server", b"redis"), (b"version", REDIS_VERSION.encode()), (b"proto", version), (b"id", ctx.client.client_id),
        (b"mode", b"standalone"), (b"role", b"master"), (b"modules", []),
    ])


def valid_name(name: bytes) -> bytes:
    """A name without blanks and control characters, as CLIENT SETNAME wants it."""
    if any(byte < 33 or byte > 126 for byte in name):
        raise RedisError(b"ERR Client names cannot contain spaces, newlines or special characters.")
    return name


@command("SELECT", "Change the database of the connection.", group="connection", since="1.0.0",
         flags="loading stale fast")
def select(ctx: Context, index: bytes) -> Reply:
    number = int32(index)
    if not 0 <= number < len(ctx.server.space.databases):
        raise RedisError(BAD_DB_INDEX)
    ctx.select(number)
    return OK


@command("QUIT", "Close the connection.", group="connection", since="1.0.0",
         flags="noscript loading stale fast no_auth allow_busy")
def quit_(ctx: Context, *ignored: bytes) -> Reply:
    ctx.client.gates |= CLOSING
    return OK


@command("RESET", "Put the connection back to its beginning.", group="connection", since="6.2.0",
         flags="noscript loading stale fast no_auth allow_busy")
def reset(ctx: Context) -> Reply:
    ctx.server.leave_multi(ctx.client)
    ctx.server.channels.forget(ctx.client)
    ctx.server.leave_monitors(ctx.client)
    ctx.server.tracking.disable(ctx.client)
    ctx.client.gates &= ~SUBSCRIBED
    ctx.select(0)
    ctx.speak(2)
    client = ctx.client
    client.name = b""
    client.set_reply_mode(REPLY_ON)
    client.no_evict = client.no_touch = False
    ctx.server.be_default(client)
    return Simple(b"RESET")
