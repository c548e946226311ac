"""MIGRATE: carry keys to another server. As in Redis everybody waits meanwhile, up to the timeout that was given."""

from __future__ import annotations

from typing import Final

from heroredis.args import integer
from heroredis.command import KeySpec, command, migrated_keys
from heroredis.errors import RedisError, syntax
from heroredis.keyspace.change import GENERIC
from heroredis.peer import Peer, PeerError
from heroredis.rdb.payload import wrap
from heroredis.rdb.writer import Unsupported
from heroredis.reply import OK, Error, Reply, Simple
from heroredis.session.context import Context

NO_KEY: Final = Simple(b"NOKEY")
USUAL_TIMEOUT_MS: Final = 1000
SAME_DATABASE: Final = -1


class Migration:
    """The options of MIGRATE."""

    def __init__(self, key: bytes, words: tuple[bytes, ...]) -> None:
        self.keys: list[bytes] = [key]
        self.copy = False
        self.replace = False
        self.login: list[bytes] = []
        at = 0
        while at < len(words):
            name = words[at].upper()
            left = len(words) - at - 1
            if name == b"AUTH" and left >= 1:
                self.login = [b"AUTH", words[at + 1]]
                at += 1
            elif name == b"AUTH2" and left >= 2:
                self.login = [b"AUTH", words[at + 1], words[at + 2]]
                at += 2
            elif name == b"KEYS":
                if key:
                    raise RedisError(b"ERR When using MIGRATE KEYS option, the key argument must be set to the empty "
                                     b"string")
                self.keys = list(words[at + 1 :])
                return
            elif name == b"COPY":
                self.copy = True
            elif name == b"REPLACE":
                self.replace = True
            else:
                raise syntax()
            at += 1

    def restoring(self, ctx: Context) -> dict[bytes, list[bytes]]:
        """The keys that are there, each with the request that makes it on the other side."""
        db = ctx.db
        compressed = ctx.server.parameters.is_on("rdbcompression")
        found: dict[bytes, list[bytes]] = {}
        for key in self.keys:
            value = db.lookup(key)
            if value is None:
                continue
            at = db.expiry(key)
            left = 0 if at < 0 else max(1, at - ctx.now_ms)
            try:
                payload = wrap(value, db.limits.list_size, compressed)
            except Unsupported as error:
                raise RedisError(b"ERR a value of the type %b cannot be dumped" % str(error).encode()) from None
            found[key] = [b"RESTORE", key, b"%d" % left, payload]
            if self.replace:
                found[key].append(b"REPLACE")
        return found


def _port(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 9 else 0


def _carry(ctx: Context, peer: Peer, wanted: Migration, before: list[list[bytes]], keys: dict[bytes, list[bytes]]
           ) -> Reply:
    """Send everything, and remove each key whose coming the other side has told."""
    peer.send([*before, *keys.values()])
    preparing = [peer.line() for _ in before]
    refusal = next((line for line in preparing if line.startswith(b"-")), b"")
    first_refusal = refusal
    for key in keys:
        line = peer.line()
        told = refusal or (line if line.startswith(b"-") else b"")
        if told:
            first_refusal = first_refusal or told
        elif not wanted.copy:
            ctx.db.remove(key)
            ctx.db.changed(key, "del", GENERIC)
    if first_refusal:
        return Error(b"ERR Target instance replied with error: " + first_refusal[1:])
    return OK


@command("MIGRATE", "Carry keys to another server.", group="generic", since="2.6.0", flags="write",
         keys=KeySpec(3, 3, 1, migrated_keys), complexity="O(N)", journal="migrated")
def migrate(ctx: Context, host: bytes, port: bytes, key: bytes, destination_db: bytes, timeout: bytes,
            *options: bytes) -> Reply:
    wanted = Migration(key, options)
    milliseconds = integer(timeout)
    seconds = (milliseconds if milliseconds > 0 else USUAL_TIMEOUT_MS) / 1000
    database = integer(destination_db)
    keys = wanted.restoring(ctx)
    if not keys:
        return NO_KEY
    before = [wanted.login] if wanted.login else []
    if database != SAME_DATABASE:
        before.append([b"SELECT", b"%d" % database])
    try:
        peer = Peer(host.decode("latin-1"), _port(port), seconds)
        try:
            return _carry(ctx, peer, wanted, before, keys)
        finally:
            peer.close()
    except PeerError as error:
        where = str(error)
    if where == "connecting":
        return Error(b"IOERR error or timeout connecting to the client")
    return Error(b"IOERR error or timeout %b to target instance" % where.encode())
