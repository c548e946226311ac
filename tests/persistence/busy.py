"""Commands that nearly all change something, on so few keys that values live long and are changed in every way."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.differential.grammar import Command

keys: Final = st.sampled_from((b"s", b"l", b"h", b"l2"))
texts: Final = st.sampled_from((b"x", b"y", b"z", b"1"))
databases: Final = st.sampled_from((b"0", b"1"))


KNOWN: Final = {
    "KEY": keys, "STRING": st.just(b"s"), "LIST": st.sampled_from((b"l", b"l2")), "HASH": st.just(b"h"),
    "MEMBERS": st.just(b"m"), "SCORES": st.just(b"z"), "TEXT": texts, "DB": databases,
    "ONE": st.just(b"1"), "SPAN": st.sampled_from((b"50", b"1000")),
}


def one(words: str) -> st.SearchStrategy[Command]:
    """`words`, some of which stand for a choice; the first is the command's name."""
    name, *rest = words.split()
    return st.tuples(st.just(name.encode()), *(KNOWN.get(word, st.just(word.encode())) for word in rest))


FORMS: Final = (
    "SET STRING TEXT", "APPEND STRING TEXT", "APPEND STRING TEXT", "SETRANGE STRING ONE TEXT", "INCR STRING",
    "SETBIT STRING ONE ONE", "GETDEL STRING", "INCRBYFLOAT STRING ONE", "SET STRING TEXT PX SPAN", "RPUSH LIST TEXT",
    "LPUSH LIST TEXT TEXT", "RPUSH LIST TEXT TEXT TEXT", "LSET LIST 0 TEXT", "LREM LIST ONE TEXT", "LPOP LIST",
    "LMOVE LIST LIST LEFT RIGHT", "LMPOP 2 l l2 RIGHT COUNT 2", "LINSERT LIST BEFORE TEXT TEXT", "HSET HASH TEXT TEXT",
    "HSET HASH TEXT TEXT TEXT TEXT", "HDEL HASH TEXT", "HINCRBY HASH TEXT ONE", "HINCRBYFLOAT HASH TEXT ONE",
    "SADD MEMBERS TEXT TEXT", "SREM MEMBERS TEXT", "SPOP MEMBERS", "SPOP MEMBERS ONE", "SMOVE MEMBERS m2 TEXT",
    "ZADD SCORES ONE TEXT 2 TEXT", "ZINCRBY SCORES ONE TEXT", "ZPOPMIN SCORES", "ZMPOP 1 z MAX COUNT 2",
    "SUNIONSTORE m2 m m", "SINTERSTORE m m m2", "ZRANGESTORE z2 z 0 -1", "SORT LIST STORE l2 ALPHA",
    "SORT m STORE l BY x",
    "RENAME KEY KEY", "COPY KEY KEY REPLACE", "COPY KEY KEY DB DB", "MOVE KEY DB", "DEL KEY", "PEXPIRE KEY SPAN",
    "PERSIST KEY", "SELECT DB", "SELECT DB", "SWAPDB DB DB", "FLUSHDB",
)
WRITES: Final = st.one_of([one(form) for form in FORMS])
MANY_WRITES: Final = st.lists(WRITES, min_size=10, max_size=40)
