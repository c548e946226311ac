"""DEBUG: what tests of a server ask for. Behind `enable-debug-command`; what would harm the process is refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from heroredis.args import integer, natural, read_float
from heroredis.command import command
from heroredis.commands.configuration import rewrite_file
from heroredis.commands.inside import SHARED, references
from heroredis.config.kinds import loose_int, memory
from heroredis.errors import NO_SUCH_KEY, RedisError
from heroredis.inspection import dictionary, list_nodes, protocol_example, reload, room_for
from heroredis.keyspace.database import Value
from heroredis.rdb.writer import Unsupported, write
from heroredis.reply import OK, Encoded, Reply, Simple, Verbatim
from heroredis.session.context import Context
from heroredis.session.listing import REPLY_ROOM_MS
from heroredis.types import digest
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered, as_bytes
from heroredis.types.zset import SortedSet

logger = logging.getLogger("heroredis")
NOT_ALLOWED: Final = (
    b'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local '
    b"connection, otherwise you need to set this option in the configuration file, and then restart the server.")
UNKNOWN: Final = b"ERR unknown subcommand or wrong number of arguments for '%b'. Try DEBUG HELP."
FIRST_ADDRESS: Final = 0x7F0000000000
Step = Callable[[Context, list[bytes]], Reply]


def _existing(ctx: Context, key: bytes) -> Value:
    value = ctx.db.peek(key)
    if value is None:
        raise RedisError(NO_SUCH_KEY)
    return value


def _sleep(ctx: Context, arguments: list[bytes]) -> Reply:
    seconds = read_float(arguments[0]) or 0.0
    time.sleep(max(0.0, min(seconds, 1e6)))  # holding everything up is what it is for
    return OK


def _log(ctx: Context, arguments: list[bytes]) -> Reply:
    logger.warning("DEBUG LOG: %s", arguments[0].decode("utf-8", "backslashreplace"))
    return OK


def _error(ctx: Context, arguments: list[bytes]) -> Reply:
    """Sent as an error, and counted as none: the command did what it was asked to."""
    return Encoded(b"-%b\r\n" % arguments[0].replace(b"\r", b" ").replace(b"\n", b" "))


def _address(ctx: Context, key: bytes, value: Value) -> int:
    """Where Redis would have it: equal small integers in one place, a counter always in its own."""
    if isinstance(value, bytes | int) and ctx.db.limits.encoding(value) == b"int":
        place = int(value) if references(ctx, value) > 1 else SHARED + (hash((ctx.db.index, key)) & 0xFFFFFFFF)
        return FIRST_ADDRESS + 16 * place
    return id(value)


def _object(ctx: Context, arguments: list[bytes]) -> Reply:
    key = arguments[0]
    value = _existing(ctx, key)
    limits = ctx.db.limits
    parameters = ctx.server.parameters
    encoding = limits.encoding(value)
    try:
        size = len(write(value, limits.list_size, parameters.is_on("rdbcompression"))[1])
    except Unsupported:
        size = 0
    more = ""
    if isinstance(value, List):
        nodes, packed = list_nodes(value, limits.list_size)
        more = (f" ql_nodes:{nodes} ql_avg_node:{value.size() / nodes:.2f} ql_listpack_max:{limits.list_size}"
                f" ql_compressed:{int(parameters.integer('list-compress-depth') != 0)} ql_uncompressed_size:{packed}")
    seconds = ctx.now_ms // 1000
    idle = ctx.server.space.usage.idle_s(ctx.db.uses.get(key, seconds), ctx.now_ms)
    return Simple(f"Value at:{_address(ctx, key, value):#x} refcount:{references(ctx, value)} "
                  f"encoding:{encoding.decode()} serializedlength:{size} lru:{(seconds - idle) & 0xFFFFFF} "
                  f"lru_seconds_idle:{idle}{more}".encode())


def _listpack(ctx: Context, arguments: list[bytes]) -> Reply:
    if ctx.db.limits.encoding(_existing(ctx, arguments[0])) != b"listpack":
        raise RedisError(b"ERR Not a listpack encoded object.")
    return Simple(b"Listpack structure printed on stdout")


def _quicklist(ctx: Context, arguments: list[bytes]) -> Reply:
    if not isinstance(_existing(ctx, arguments[0]), List):
        raise RedisError(b"ERR Not a quicklist encoded object.")
    return Simple(b"Quicklist structure printed on stdout")


def _string_sizes(ctx: Context, arguments: list[bytes]) -> Reply:
    key = arguments[0]
    value = _existing(ctx, key)
    if not isinstance(value, bytes | bytearray | Rendered) or ctx.db.limits.encoding(value) == b"int":
        raise RedisError(b"ERR Not an sds encoded string.")
    text = as_bytes(value)
    return Simple(b"key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d"
                  % (len(key), room_for(key), len(text), room_for(text)))


def _digest(ctx: Context, arguments: list[bytes]) -> Reply:
    found = digest.EMPTY
    for db in ctx.server.space.databases:
        keys: list[tuple[bytes, object, bool]] = [
            (key, value, key in db.expires) for key, value in db.data.items() if not db.is_owned(key)]
        found = digest.of_database(db.index, keys, found)
    return Simple(found.hex().encode())


def _digest_value(ctx: Context, arguments: list[bytes]) -> Reply:
    db = ctx.db
    found: list[object] = []
    for key in arguments:
        value = db.data.get(key)
        text = digest.EMPTY if value is None else digest.of_value(value, key in db.expires)
        found.append(Simple(text.hex().encode()))
    return found


def _populate(ctx: Context, arguments: list[bytes]) -> Reply:
    count = natural(arguments[0])
    prefix = arguments[1] if len(arguments) > 1 else b"key"
    size = natural(arguments[2]) if len(arguments) > 2 else 0
    db = ctx.db
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if db.peek(key) is None and not db.is_owned(key):
            text = b"value:%d" % number
            db.store(key, text[:size].ljust(size, b"\0") if size else text)
    return OK


def _table(ctx: Context, arguments: list[bytes]) -> Reply:
    index = integer(arguments[0])
    if not 0 <= index < len(ctx.server.space.databases):
        raise RedisError(b"ERR Out of range database")
    db = ctx.server.space.databases[index]
    return Verbatim(b"[Dictionary HT]\n" + dictionary(len(db.data)) + b"[Expires HT]\n" + dictionary(len(db.expires)))


def _table_of_key(ctx: Context, arguments: list[bytes]) -> Reply:
    value = _existing(ctx, arguments[0])
    if isinstance(value, Hash | Set | SortedSet) and not value.packed:
        return Verbatim(dictionary(value.size()))
    raise RedisError(b"ERR The value stored at the specified key is not represented using an hash table")


def _active_expire(ctx: Context, arguments: list[bytes]) -> Reply:
    ctx.server.space.expires_actively = (loose_int(arguments[0]) or 0) != 0
    return OK


def _packed_threshold(ctx: Context, arguments: list[bytes]) -> Reply:
    """Lists have no nodes here: whether an element would have one of its own changes nothing."""
    size = memory(arguments[0])
    if size is None or not 0 <= size < 1 << 32:
        raise RedisError(b"ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


def _reload(ctx: Context, arguments: list[bytes]) -> Reply:
    words = {word.upper() for word in arguments}
    if not words <= {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise RedisError(b"ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    reload(ctx.server, b"NOSAVE" not in words, b"NOFLUSH" not in words)
    return OK


def _load_append_only(ctx: Context, arguments: list[bytes]) -> Reply:
    ctx.server.keeper.load_append_only()
    return OK


def _protocol(ctx: Context, arguments: list[bytes]) -> Reply:
    return protocol_example(arguments[0].lower(), ctx.resp)


def _sizes(ctx: Context, arguments: list[bytes]) -> Reply:
    return b"bits:64 robj:16 dictentry:24 sdshdr5:1 sdshdr8:3 sdshdr16:5 sdshdr32:9 sdshdr64:17 "


def _accepted(ctx: Context, arguments: list[bytes]) -> Reply:
    """What has nothing to act upon here: replicas, the reply buffer, the clusters' links."""
    return OK


def _number_accepted(ctx: Context, arguments: list[bytes]) -> Reply:
    integer(arguments[0])
    return OK


def _no_such_setting(ctx: Context, arguments: list[bytes]) -> Reply:
    raise RedisError(b"ERR No such file or directory")


def _no_cluster(ctx: Context, arguments: list[bytes]) -> Reply:
    raise RedisError(b"ERR Debug option only available for cluster mode enabled setup!")


def _eviction_of_clients(ctx: Context, arguments: list[bytes]) -> Reply:
    if not ctx.server.crowd.limit:
        raise RedisError(b"ERR maxmemory-clients is disabled.")
    return Verbatim(ctx.server.crowd.shown())


def _pause_cron(ctx: Context, arguments: list[bytes]) -> Reply:
    ctx.server.is_cron_paused = (loose_int(arguments[0]) or 0) != 0
    return OK


def _reply_buffer(ctx: Context, arguments: list[bytes]) -> Reply:
    """For how long the room of a large reply is counted; there is no buffer whose resizing could be switched off."""
    name, value = arguments[0].lower(), arguments[1].lower()
    if name == b"peak-reset-time":
        known = {b"never": -1, b"reset": REPLY_ROOM_MS}
        ctx.server.crowd.reply_room_ms = known[value] if value in known else integer(value)
    elif name != b"resizing":
        raise RedisError(UNKNOWN % b"REPLYBUFFER")
    return OK


def _rewrite_all(ctx: Context, arguments: list[bytes]) -> Reply:
    rewrite_file(ctx, True)
    return OK


def _harmful(ctx: Context, arguments: list[bytes]) -> Reply:
    raise RedisError(b"ERR this server does not end, crash or restart itself on request; use SHUTDOWN")


ANY: Final = 1 << 30
STEPS: Final[dict[bytes, tuple[Step, int, int]]] = {
    b"SLEEP": (_sleep, 1, 1), b"LOG": (_log, 1, 1), b"ERROR": (_error, 1, 1), b"OBJECT": (_object, 1, 1),
    b"LISTPACK": (_listpack, 1, 1), b"QUICKLIST": (_quicklist, 1, 2), b"SDSLEN": (_string_sizes, 1, 1),
    b"DIGEST": (_digest, 0, 0), b"DIGEST-VALUE": (_digest_value, 0, ANY), b"POPULATE": (_populate, 1, 3),
    b"HTSTATS": (_table, 1, 1), b"HTSTATS-KEY": (_table_of_key, 1, 1), b"SET-ACTIVE-EXPIRE": (_active_expire, 1, 1),
    b"QUICKLIST-PACKED-THRESHOLD": (_packed_threshold, 1, 1), b"RELOAD": (_reload, 0, ANY),
    b"LOADAOF": (_load_append_only, 0, ANY), b"PROTOCOL": (_protocol, 1, 1), b"STRUCTSIZE": (_sizes, 0, 0),
    b"CHANGE-REPL-ID": (_accepted, 0, 0), b"PAUSE-CRON": (_pause_cron, 1, 1), b"REPLICATE": (_accepted, 1, ANY),
    b"AOF-FLUSH-SLEEP": (_accepted, 1, 1), b"REPLYBUFFER": (_reply_buffer, 2, 2),
    b"STRINGMATCH-TEST": (_accepted, 0, 0),
    b"DROP-CLUSTER-PACKET-FILTER": (_number_accepted, 1, 1), b"SET-SKIP-CHECKSUM-VALIDATION": (_accepted, 1, 1),
    b"SET-DISABLE-DENY-SCRIPTS": (_accepted, 1, 1), b"MALLCTL": (_no_such_setting, 1, 2),
    b"MALLCTL-STR": (_no_such_setting, 1, 2), b"CLUSTERLINK": (_no_cluster, 3, 3),
    b"CLIENT-EVICTION": (_eviction_of_clients, 0, 0), b"SEGFAULT": (_harmful, 0, 0), b"PANIC": (_harmful, 0, 0),
    b"ASSERT": (_harmful, 0, 0), b"OOM": (_harmful, 0, 0), b"LEAK": (_harmful, 1, 1), b"RESTART": (_harmful, 0, 1),
    b"CRASH-AND-RECOVER": (_harmful, 0, 1), b"CONFIG-REWRITE-FORCE-ALL": (_rewrite_all, 0, 0),
}
"""Subcommand -> what it does, and how few and how many arguments it takes."""


def _help() -> Reply:
    lines: list[object] = [Simple(b"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")]
    for name, (_, low, high) in STEPS.items():
        arguments = b" <arg>" * low + (b" [<arg> ...]" if high > low else b"")
        lines.append(Simple(name + arguments))
    return [*lines, Simple(b"HELP"), Simple(b"    Prints this help.")]


def check_allowed(ctx: Context) -> None:
    allowed = ctx.server.parameters.get("enable-debug-command")
    if allowed == b"no" or (allowed == b"local" and not ctx.client.is_local):
        raise RedisError(NOT_ALLOWED)


@command("DEBUG", "What tests need of a server; off unless `enable-debug-command` says yes or local.", group="server",
         since="1.0.0", flags="admin noscript loading stale", complexity="Depends on subcommand.")
def debug(ctx: Context, subcommand: bytes, *arguments: bytes) -> Reply:
    check_allowed(ctx)
    name = subcommand.upper()
    if name == b"HELP" and not arguments:
        return _help()
    found = STEPS.get(name)
    if found is None or not found[1] <= len(arguments) <= found[2]:
        raise RedisError(UNKNOWN % subcommand[:128])
    return found[0](ctx, list(arguments))


