"""Which keys a request would read and which it would write, for key permissions.

Only what does not follow from a command's own flags is listed: a read-only command reads its keys, others write them.
"""

from __future__ import annotations

from typing import Final

from heroredis.acl.rules import READ, WRITE
from heroredis.registry import Entry

BOTH: Final = READ | WRITE
NEEDS: Final[dict[str, tuple[int, ...]]] = {
    **dict.fromkeys(("EXISTS", "HEXISTS", "HLEN", "HSTRLEN", "LLEN", "SCARD", "SISMEMBER", "STRLEN", "TOUCH", "TYPE",
                     "XLEN", "ZCARD", "WATCH"), (0,)),
    **dict.fromkeys(("MEMORY USAGE", "OBJECT ENCODING", "OBJECT FREQ", "OBJECT IDLETIME", "OBJECT REFCOUNT"), (0,)),
    **dict.fromkeys(("BITFIELD", "BLMPOP", "BLPOP", "BRPOP", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "DECR", "DECRBY",
                     "EVAL", "EVALSHA", "FCALL", "GETDEL", "GETEX", "GETSET", "HINCRBY", "HINCRBYFLOAT", "INCR",
                     "INCRBY", "INCRBYFLOAT", "LMPOP", "LPOP", "MIGRATE", "MOVE", "RPOP", "SETBIT", "SPOP", "ZINCRBY",
                     "ZMPOP", "ZPOPMAX", "ZPOPMIN"), (BOTH,)),
    **dict.fromkeys(("BLMOVE", "BRPOPLPUSH", "LMOVE", "RENAME", "RENAMENX", "RPOPLPUSH", "SMOVE"), (BOTH, WRITE)),
    **dict.fromkeys(("BITOP", "GEOSEARCHSTORE", "SDIFFSTORE", "SINTERSTORE", "SUNIONSTORE", "ZDIFFSTORE",
                     "ZINTERSTORE", "ZRANGESTORE", "ZUNIONSTORE"), (WRITE, READ)),
    **dict.fromkeys(("COPY", "SORT", "GEORADIUS", "GEORADIUSBYMEMBER"), (READ, WRITE)),
    "PFMERGE": (BOTH, READ), "PFDEBUG": (READ,), "XREADGROUP": (READ,),
}
"""By the order of a command's keys; the last stands for all further ones."""
CHANNELS: Final = frozenset({"SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"})
"""What COMMAND tells as their keys are no keys."""


def needs(entry: Entry, argv: list[bytes]) -> list[tuple[int, int]]:
    """Indexes of the keys in a request, with what is done to each."""
    command = entry.command
    if command is None or entry.name in CHANNELS:
        return []
    given = NEEDS.get(entry.name)
    if given is None:
        given = (READ,) if "readonly" in command.flags else (WRITE,)
    if entry.name == "SET" and b"GET" in [word.upper() for word in argv[3:]]:
        given = (BOTH,)
    elif entry.name == "BITFIELD" and _only_gets(argv):
        given = (READ,)
    last = len(given) - 1
    return [(index, given[min(order, last)]) for order, index in enumerate(command.keys.indexes(argv))]


def _only_gets(argv: list[bytes]) -> bool:
    """Whether all operations of a BITFIELD are whole GETs; what cannot be understood counts as a write."""
    at = 2
    while at < len(argv):
        word, left = argv[at].upper(), len(argv) - at - 1
        if word == b"GET" and left >= 2:
            at += 3
        elif word == b"OVERFLOW" and left >= 1:
            at += 2
        else:
            return False
    return True
