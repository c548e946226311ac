"""CLIENT: who is connected, names, and ending or waking connections."""

from __future__ import annotations

from heroredis.args import integer, read_int, until_ms
from heroredis.command import command
from heroredis.commands.connection import valid_name
from heroredis.errors import RedisError, shown, syntax, wrong_subcommand
from heroredis.reply import NO_REPLY, OK, Reply, Verbatim
from heroredis.session.client import REPLY_OFF, REPLY_ON, SKIP_NEXT, Client
from heroredis.session.context import Context
from heroredis.session.listing import describe
from heroredis.session.pauses import ALL, WRITES

FILTERS = (b"ID", b"ADDR", b"LADDR", b"USER", b"TYPE", b"SKIPME")


@command("CLIENT ID", "Number of this connection.", group="connection", since="5.0.0", flags="noscript loading stale")
def client_id(ctx: Context) -> Reply:
    return ctx.client.client_id


@command("CLIENT SETNAME", "Name this connection.", group="connection", since="2.6.9", flags="noscript loading stale")
def client_setname(ctx: Context, name: bytes) -> Reply:
    ctx.client.name = valid_name(name)
    return OK


@command("CLIENT GETNAME", "Name of this connection.", group="connection", since="2.6.9",
         flags="noscript loading stale")
def client_getname(ctx: Context) -> Reply:
    return ctx.client.name or None


@command("CLIENT SETINFO", "What the client library says of itself.", group="connection", since="7.2.0",
         flags="noscript loading stale")
def client_setinfo(ctx: Context, attribute: bytes, value: bytes) -> Reply:
    name = attribute.upper()
    if name not in (b"LIB-NAME", b"LIB-VER"):
        raise RedisError(b"ERR Unrecognized option '%b'" % attribute)
    if any(byte < 33 or byte > 126 for byte in value):
        raise RedisError(b"ERR %b cannot contain spaces, newlines or special characters." % name.lower())
    if name == b"LIB-NAME":
        ctx.client.lib_name = value
    else:
        ctx.client.lib_version = value
    return OK


@command("CLIENT INFO", "This connection as CLIENT LIST shows it.", group="connection", since="6.2.0",
         flags="noscript loading stale")
def client_info(ctx: Context) -> Reply:
    return Verbatim(_line(ctx, ctx.client) + b"\n")


def _line(ctx: Context, client: Client) -> bytes:
    return describe(client, ctx.now_ms, ctx.server.crowd.reply_room_ms).encode()


@command("CLIENT LIST", "All connections.", group="connection", since="2.4.0", flags="admin noscript loading stale")
def client_list(ctx: Context, *options: bytes) -> Reply:
    chosen = list(ctx.server.clients.values())
    if options:
        word = options[0].upper()
        if word == b"TYPE" and len(options) == 2:
            _check_type(options[1])
            chosen = [client for client in chosen if _is_type(client, options[1])]
        elif word == b"ID" and len(options) > 1:
            wanted = {_listed_id(text) for text in options[1:]}
            chosen = [client for client in chosen if client.client_id in wanted]
        else:
            raise syntax()
    return Verbatim(b"".join(_line(ctx, client) + b"\n" for client in chosen))


@command("CLIENT KILL", "End connections.", group="connection", since="2.4.0", flags="admin noscript loading stale")
def client_kill(ctx: Context, option: bytes, *rest: bytes) -> Reply:
    options = [option, *rest]
    if not rest:
        found = [client for client in ctx.server.clients.values() if client.addr.encode() == options[0]]
        if not found:
            raise RedisError(b"ERR No such client")
        _kill(ctx, found)
        return OK
    if len(options) % 2:
        raise syntax()
    chosen = list(ctx.server.clients.values())
    skip_me = True
    for at in range(0, len(options), 2):
        word, value = options[at].upper(), options[at + 1]
        if word not in FILTERS:
            raise syntax()
        _check_filter(ctx, word, value)
        if word == b"SKIPME":
            if value.lower() not in (b"yes", b"no"):
                raise syntax()
            skip_me = value.lower() == b"yes"
        else:
            chosen = [client for client in chosen if _matches(client, word, value)]
    if skip_me:
        chosen = [client for client in chosen if client is not ctx.client]
    _kill(ctx, chosen)
    return len(chosen)


def _listed_id(text: bytes) -> int:
    number = read_int(text)
    if number is None:
        raise RedisError(b"ERR Invalid client ID")
    return number


def _is_type(client: Client, name: bytes) -> bool:
    """Whether the client is of a type as CLIENT LIST and CLIENT KILL know it."""
    kind = name.lower()
    if kind in (b"replica", b"slave") or client.is_replica:
        return client.is_replica and kind in (b"replica", b"slave")
    if kind == b"normal":
        return not (client.channels or client.patterns or client.shards)
    return kind == b"pubsub" and bool(client.channels or client.patterns or client.shards)


def _check_filter(ctx: Context, word: bytes, value: bytes) -> None:
    if word == b"ID":
        number = read_int(value)
        if number is None or number < 1:
            raise RedisError(b"ERR client-id should be greater than 0")
    elif word == b"TYPE":
        _check_type(value)
    elif word == b"USER" and value not in ctx.server.users.by_name:
        raise RedisError(b"ERR No such user '%b'" % shown(value))


def _check_type(name: bytes) -> None:
    if name.lower() not in (b"normal", b"pubsub", b"master", b"replica", b"slave"):
        raise RedisError(b"ERR Unknown client type '%b'" % shown(name))


def _matches(client: Client, word: bytes, value: bytes) -> bool:
    if word == b"ID":
        return client.client_id == read_int(value)
    if word == b"ADDR":
        return client.addr.encode() == value
    if word == b"LADDR":
        return client.laddr.encode() == value
    if word == b"USER":
        return client.user == value
    return _is_type(client, value)


def _kill(ctx: Context, clients: list[Client]) -> None:
    for client in clients:
        ctx.server.end_client(client)


@command("CLIENT UNBLOCK", "Wake a connection that waits.", group="connection", since="5.0.0",
         flags="admin noscript loading stale")
def client_unblock(ctx: Context, number: bytes, *reason: bytes) -> Reply:
    with_error = False
    if reason:
        word = reason[0].upper()
        if len(reason) > 1 or word not in (b"TIMEOUT", b"ERROR"):
            raise RedisError(b"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
        with_error = word == b"ERROR"
    client = ctx.server.clients.get(integer(number))
    if client is None or client.unblock is None:
        return 0
    return 1 if client.unblock(with_error) else 0


def _switched_on(switch: bytes) -> bool:
    word = switch.upper()
    if word not in (b"ON", b"OFF"):
        raise syntax()
    return word == b"ON"


@command("CLIENT NO-EVICT", "Whether this connection is spared when clients use too much memory.", group="connection",
         since="7.0.0", flags="admin noscript loading stale")
def client_no_evict(ctx: Context, enabled: bytes) -> Reply:
    ctx.client.no_evict = _switched_on(enabled)
    return OK


@command("CLIENT NO-TOUCH", "Whether reads leave alone when a key was last used.", group="connection",
         since="7.2.0", flags="noscript loading stale")
def client_no_touch(ctx: Context, enabled: bytes) -> Reply:
    ctx.client.no_touch = _switched_on(enabled)
    return OK


@command("CLIENT REPLY", "Whether replies are sent: ON, OFF, or SKIP for the next one.", group="connection",
         since="3.2.0", flags="noscript loading stale")
def client_reply(ctx: Context, on_off_skip: bytes) -> Reply:
    word = on_off_skip.upper()
    client = ctx.client
    if word == b"ON":
        client.set_reply_mode(REPLY_ON)
        return OK
    if word == b"OFF":
        client.set_reply_mode(REPLY_OFF)
    elif word == b"SKIP":
        if client.reply_mode != REPLY_OFF:
            client.set_reply_mode(SKIP_NEXT)
    else:
        raise syntax()
    return NO_REPLY


@command("CLIENT PAUSE", "Hold back commands of clients for a while.", group="connection", since="2.9.50",
         flags="admin noscript loading stale")
def client_pause(ctx: Context, timeout: bytes, *mode: bytes) -> Reply:
    if len(mode) > 1 or (mode and mode[0].upper() not in (b"WRITE", b"ALL")):
        raise RedisError(b"ERR CLIENT PAUSE mode must be WRITE or ALL") if len(mode) == 1 else (
            wrong_subcommand(b"CLIENT", ctx.as_sent(1, b"PAUSE")))
    until = until_ms(timeout, ctx.server.clock.now_ms())
    ctx.server.pause(until, WRITES if mode and mode[0].upper() == b"WRITE" else ALL)
    return OK


@command("CLIENT UNPAUSE", "Go on with what CLIENT PAUSE holds back.", group="connection", since="6.2.0",
         flags="admin noscript loading stale", complexity="O(N)")
def client_unpause(ctx: Context) -> Reply:
    ctx.server.unpause()
    return OK
