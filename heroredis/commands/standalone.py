"""Replication, cluster and modules, as a single server answers. The one thing that it does is to be followed (SYNC)."""

from __future__ import annotations

from typing import Final

from heroredis.command import NO_KEYS, UNLIMITED, Command, command
from heroredis.errors import RedisError, syntax
from heroredis.reply import NO_REPLY, OK, Encoded, Reply
from heroredis.session.context import Context

NO_REPLICATION: Final = b"ERR this server is always a master, and keeps nothing that a replica has missed"
NO_CLUSTER: Final = b"ERR This instance has cluster support disabled"
NO_MODULES: Final = (b"ERR MODULE command not allowed: heroredis loads no modules; its own extensions are part of the "
                     b"program")


def _follow(host: bytes, port: bytes) -> Reply:
    if host.lower() != b"no" or port.lower() != b"one":
        raise RedisError(NO_REPLICATION)
    return OK


@command("REPLICAOF", "Be a master (NO ONE); anything else is refused.", group="server", since="5.0.0",
         flags="admin noscript stale no_async_loading")
def replicaof(ctx: Context, host: bytes, port: bytes) -> Reply:
    return _follow(host, port)


@command("SLAVEOF", "Be a master (NO ONE); anything else is refused.", group="server", since="1.0.0",
         flags="admin noscript stale no_async_loading")
def slaveof(ctx: Context, host: bytes, port: bytes) -> Reply:
    return _follow(host, port)


@command("REPLCONF", "Words between master and replica; there are no replicas.", group="server", since="3.0.0",
         flags="admin noscript loading stale allow_busy")
def replconf(ctx: Context, *options: bytes) -> Reply:
    if len(options) % 2:
        raise syntax()
    known = (b"LISTENING-PORT", b"IP-ADDRESS", b"CAPA", b"RDB-ONLY", b"RDB-FILTER-ONLY")
    for word in options[::2]:
        if word.upper() in (b"ACK", b"GETACK"):
            return NO_REPLY
        if word.upper() not in known:
            raise RedisError(b"ERR Unrecognized REPLCONF option: %b" % word)
    return OK


@command("PSYNC", "Refused: a replica then sends SYNC.", group="server", since="2.8.0",
         flags="admin noscript no_async_loading no_multi")
def psync(ctx: Context, replicationid: bytes, offset: bytes, *more: bytes) -> Reply:
    if ctx.client.is_replica:
        return NO_REPLY
    raise RedisError(NO_REPLICATION)


@command("SYNC", "All keys in RDB form, and from then on every write, as a replica takes them.", group="server",
         since="1.0.0", flags="admin noscript no_async_loading no_multi")
def sync(ctx: Context) -> Reply:
    if ctx.client.is_replica:  # redis-cli sends it twice where it was typed at its prompt
        return NO_REPLY
    return Encoded(ctx.server.keeper.sync(ctx.client))


@command("FAILOVER", "Refused: there are no replicas.", group="server", since="6.2.0", flags="admin noscript stale")
def failover(ctx: Context, *options: bytes) -> Reply:
    if len(options) == 1 and options[0].upper() == b"ABORT":
        raise RedisError(b"ERR No failover in progress.")
    at = 0
    while at < len(options):
        word = options[at].upper()
        width = {b"TO": 3, b"TIMEOUT": 2, b"FORCE": 1}.get(word, 0)
        if width == 0 or at + width > len(options):
            raise syntax()
        at += width
    raise RedisError(b"ERR FAILOVER requires connected replicas.")


def _no_cluster(ctx: Context, *arguments: bytes) -> Reply:
    raise RedisError(NO_CLUSTER)


@command("READONLY", "Refused: there is no cluster.", group="cluster", since="3.0.0", flags="loading stale fast")
def readonly(ctx: Context) -> Reply:
    raise RedisError(NO_CLUSTER)


@command("READWRITE", "Refused: there is no cluster.", group="cluster", since="3.0.0", flags="loading stale fast")
def readwrite(ctx: Context) -> Reply:
    raise RedisError(NO_CLUSTER)


@command("ASKING", "Refused: there is no cluster.", group="cluster", since="3.0.0", flags="fast")
def asking(ctx: Context) -> Reply:
    raise RedisError(NO_CLUSTER)


CLUSTER: Final = (
    ("ADDSLOTS", -3, "admin stale no_async_loading", "3.0.0"),
    ("ADDSLOTSRANGE", -4, "admin stale no_async_loading", "7.0.0"),
    ("BUMPEPOCH", 2, "admin stale no_async_loading", "3.0.0"), ("COUNT-FAILURE-REPORTS", 3, "admin stale", "3.0.0"),
    ("COUNTKEYSINSLOT", 3, "stale", "3.0.0"), ("DELSLOTS", -3, "admin stale no_async_loading", "3.0.0"),
    ("DELSLOTSRANGE", -4, "admin stale no_async_loading", "7.0.0"),
    ("FAILOVER", -2, "admin stale no_async_loading", "3.0.0"),
    ("FLUSHSLOTS", 2, "admin stale no_async_loading", "3.0.0"), ("FORGET", 3, "admin stale no_async_loading", "3.0.0"),
    ("GETKEYSINSLOT", 4, "stale", "3.0.0"), ("HELP", 2, "loading stale", "5.0.0"), ("INFO", 2, "stale", "3.0.0"),
    ("KEYSLOT", 3, "stale", "3.0.0"), ("LINKS", 2, "stale", "7.0.0"),
    ("MEET", -4, "admin stale no_async_loading", "3.0.0"), ("MYID", 2, "stale", "3.0.0"),
    ("NODES", 2, "stale", "3.0.0"),
    ("REPLICAS", 3, "admin stale", "5.0.0"), ("REPLICATE", 3, "admin stale no_async_loading", "3.0.0"),
    ("RESET", -2, "admin noscript stale", "3.0.0"), ("SAVECONFIG", 2, "admin stale no_async_loading", "3.0.0"),
    ("SET-CONFIG-EPOCH", 3, "admin stale no_async_loading", "3.0.0"),
    ("SETSLOT", -4, "admin stale no_async_loading", "3.0.0"), ("SHARDS", 2, "stale", "7.0.0"),
    ("SLAVES", 3, "admin stale", "3.0.0"), ("SLOTS", 2, "stale", "3.0.0"),
)


def _cluster_command(name: str, arity: int, flags: str, since: str) -> Command:
    least = abs(arity) - 2
    return Command(f"CLUSTER {name}", "Refused: there is no cluster.", "cluster", since, frozenset(flags.split()),
                   NO_KEYS, _no_cluster, None, "O(1)", (least, least if arity > 0 else UNLIMITED, []))


COMMANDS: Final = [_cluster_command(*facts) for facts in CLUSTER]


@command("MODULE LIST", "Modules that are loaded: none.", group="server", since="4.0.0", flags="admin noscript")
def module_list(ctx: Context) -> Reply:
    return []


@command("MODULE LOAD", "Refused.", group="server", since="4.0.0", flags="admin noscript no_async_loading")
def module_load(ctx: Context, path: bytes, *arguments: bytes) -> Reply:
    raise RedisError(NO_MODULES)


@command("MODULE LOADEX", "Refused.", group="server", since="7.0.0", flags="admin noscript no_async_loading")
def module_loadex(ctx: Context, path: bytes, *arguments: bytes) -> Reply:
    raise RedisError(NO_MODULES)


@command("MODULE UNLOAD", "Refused.", group="server", since="4.0.0", flags="admin noscript no_async_loading")
def module_unload(ctx: Context, name: bytes) -> Reply:
    raise RedisError(NO_MODULES)
