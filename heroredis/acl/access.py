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
                     "XLEN", "ZCARD", "WATCH", "SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"), (0,)),
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
WRITING_FIELDS: Final = frozenset({b"SET", b"INCRBY"})


def needs(entry: Entry, argv: list[bytes]) -> list[tuple[int, int]]:
    """Indexes of the keys in a request, with what is done to each."""
    command = entry.command
    if command is None:
        return []
    given = NEEDS.get(entry.name)
    if given is None:
        given = (READ,) if "readonly" in command.flags else (WRITE,)
    if entry.name == "SET" and b"GET" in [word.upper() for word in argv[3:]]:
        given = (BOTH,)
    elif entry.name == "BITFIELD" and not WRITING_FIELDS & {word.upper() for word in argv[2:]}:
        given = (READ,)
    last = len(given) - 1
    return [(index, given[min(order, last)]) for order, index in enumerate(command.keys.indexes(argv))]
