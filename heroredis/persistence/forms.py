"""What is journaled for commands that would not do the same when run again: those that depend on the time, on chance,
on waiting, or on how a number is computed. Each form looks at what is there after the command has run.

A form may be asked for a command that changed nothing but let its key expire: DEL is then right, too.
"""

from __future__ import annotations

from typing import Final

from heroredis.command import Form, migrated_keys
from heroredis.keyspace.database import Database
from heroredis.persistence.wire import requests_for
from heroredis.registry import Registry
from heroredis.reply import SetOf
from heroredis.types.hash import Hash
from heroredis.types.string import Rendered, as_bytes

Requests = list[list[bytes]]
TIMES: Final = frozenset({b"EX", b"PX", b"EXAT", b"PXAT"})


def string(db: Database, argv: list[bytes], reply: object) -> Requests:
    """The string and its expiry as they are now."""
    key = argv[1]
    value = db.data.get(key)
    if not isinstance(value, bytes | int | bytearray | Rendered):
        return [[b"DEL", key]] if value is None else []
    request = [b"SET", key, as_bytes(value)]
    at = db.expiry(key)
    if at >= 0:
        request += [b"PXAT", b"%d" % at]
    return [request]


def with_options(db: Database, argv: list[bytes], reply: object) -> Requests:
    """SET with options: as it is, but for GET, where none of them is a time."""
    options = [word.upper() for word in argv[3:]]
    if argv[1] not in db.data or not TIMES.isdisjoint(options):
        return string(db, argv, reply)
    return [argv[:3] + [word for word in argv[3:] if word.upper() != b"GET"]]


def number(db: Database, argv: list[bytes], reply: object) -> Requests:
    """INCRBYFLOAT: the sum; its expiry stays."""
    value = db.data.get(argv[1])
    if not isinstance(value, bytes | int | bytearray | Rendered):
        return string(db, argv, reply)
    return [[b"SET", argv[1], as_bytes(value), b"KEEPTTL"]]


def expiry(db: Database, argv: list[bytes], reply: object) -> Requests:
    """When the key expires now."""
    key = argv[1]
    if key not in db.data:
        return [[b"DEL", key]]
    at = db.expiry(key)
    return [[b"PERSIST", key] if at < 0 else [b"PEXPIREAT", key, b"%d" % at]]


def replaced(db: Database, argv: list[bytes], reply: object) -> Requests:
    """GETSET: without what nobody reads."""
    return [[b"SET", *argv[1:]]]


def gone(db: Database, argv: list[bytes], reply: object) -> Requests:
    """GETDEL: without what nobody reads."""
    return [] if argv[1] in db.data else [[b"DEL", argv[1]]]


def hash_field(db: Database, argv: list[bytes], reply: object) -> Requests:
    """One field as it is now."""
    held = db.data.get(argv[1])
    if not isinstance(held, Hash) or argv[2] not in held.fields:
        return []
    return [[b"HSET", argv[1], argv[2], held.fields[argv[2]]]]


def popped(db: Database, argv: list[bytes], reply: object) -> Requests:
    """BLPOP and BRPOP, which have waited: the same without waiting."""
    if not isinstance(reply, list):
        return []
    return [[b"LPOP" if argv[0].upper() == b"BLPOP" else b"RPOP", _text(reply[0])]]


def many_popped(db: Database, argv: list[bytes], reply: object) -> Requests:
    """LMPOP and BLMPOP: from the key that had elements, as many as it gave."""
    if not isinstance(reply, list):
        return []
    at = 2 if argv[0].upper() == b"BLMPOP" else 1
    side = argv[at + 1 + int(argv[at])].upper()
    elements = reply[1]
    count = len(elements) if isinstance(elements, list) else 0
    return [[b"LPOP" if side == b"LEFT" else b"RPOP", _text(reply[0]), b"%d" % count]]


def moved(db: Database, argv: list[bytes], reply: object) -> Requests:
    """BLMOVE and BRPOPLPUSH: without the timeout."""
    if not isinstance(reply, bytes):
        return []
    return [[argv[0].upper()[1:], *argv[1:-1]]]


def removed_members(db: Database, argv: list[bytes], reply: object) -> Requests:
    """SPOP: those that chance has taken."""
    key = argv[1]
    if isinstance(reply, bytes):
        return [[b"SREM", key, reply]]
    if key not in db.data:
        return [[b"DEL", key]]
    members = [_text(member) for member in reply.items] if isinstance(reply, SetOf) else []
    return [[b"SREM", key, *members]] if members else []


def removed_scored(db: Database, argv: list[bytes], reply: object) -> Requests:
    """BZPOPMIN, BZPOPMAX, ZMPOP and BZMPOP: without waiting, from the key that had members, as many as it gave."""
    if not isinstance(reply, list) or len(reply) < 2:
        return []
    name = argv[0].upper()
    if name.startswith(b"BZPOP"):
        return [[name[1:], _text(reply[0])]]
    at = 2 if name == b"BZMPOP" else 1
    side = argv[at + 1 + int(argv[at])].upper()
    members = reply[1]
    count = len(members) if isinstance(members, list) else 0
    return [[b"ZPOP" + side, _text(reply[0]), b"%d" % count]] if count else []


def restored(db: Database, argv: list[bytes], reply: object) -> Requests:
    """RESTORE: the moment at which the key expires instead of the time until then."""
    key = argv[1]
    if key not in db.data:
        return [[b"DEL", key]]
    at = db.expiry(key)
    if at < 0 or b"ABSTTL" in [word.upper() for word in argv[4:]]:
        return [argv]
    return [[argv[0], key, b"%d" % at, *argv[3:], b"ABSTTL"]]


def migrated(db: Database, argv: list[bytes], reply: object) -> Requests:
    """MIGRATE: the keys that went."""
    gone = [argv[at] for at in migrated_keys(argv) if argv[at] not in db.data]
    return [[b"DEL", *gone]] if gone else []


def stored(db: Database, argv: list[bytes], reply: object) -> Requests:
    """SORT ... STORE: the list as it is now, whatever the order of a set may be next time."""
    words = [word.upper() for word in argv]
    if b"STORE" not in words[2:-1]:
        return []
    target = argv[len(words) - 1 - words[::-1].index(b"STORE") + 1]
    value = db.data.get(target)
    requests: Requests = [[b"DEL", target]]
    if value is not None:
        requests += list(requests_for(target, value))
    return requests


def _text(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


FORMS: Final[dict[str, tuple[Form, int]]] = {
    "set": (with_options, 3), "string": (string, 0), "number": (number, 0), "expiry": (expiry, 0),
    "gone": (gone, 0), "replaced": (replaced, 0), "hash-field": (hash_field, 0),
    "popped": (popped, 0), "many-popped": (many_popped, 0), "moved": (moved, 0), "spop": (removed_members, 0),
    "zpopped": (removed_scored, 0), "restored": (restored, 0), "stored": (stored, 0), "migrated": (migrated, 0),
}
"""By the name that a command's declaration gives in `journal=`. Requests of up to that many words stay as they are."""


def give_forms(registry: Registry) -> None:
    """Resolve the names. Raises KeyError for one that does not exist."""
    for entry in registry.commands.values():
        if entry.command is not None and entry.command.journal is not None:
            entry.form, entry.plain_words = FORMS[entry.command.journal]
