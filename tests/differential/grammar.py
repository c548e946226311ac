"""Commands to try on both servers: a strategy per group, over so few keys and values that they collide all the time."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

Command = tuple[bytes, ...]
Commands = st.SearchStrategy[Command]

KEYS: Final = (b"a", b"b", b"c", b"d", b"", b"\x00\xff\r\n")
NUMBERS: Final = (
    b"0", b"1", b"-1", b"10", b"-7", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775806",
)
NO_INTEGERS: Final = (
    b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"01", b"-0", b"+1", b" 1", b"1 ", b"",
    b"-", b"1.0", b"abc", b"1_0", b"\xc2\xb2", b"0x10", b"1\x00",
)
FLOATS: Final = (
    b"0.1", b"-0.1", b"1.5", b"3.0e3", b"-2.5E-3", b".5", b"5.", b"1e18", b"1e-17", b"1e-18", b"123456789.123456789",
    b"0.30000000000000004", b"17179869184.000000001",
)
NO_FLOATS: Final = (b"nan", b"inf", b"-inf", b"infinity", b"1e", b"e1", b"1.5.2", b"0x1p3", b"1 .5", b"1d5", b"1e5000")
TEXTS: Final = (b"", b"x", b"y", b"z", b"hello world", b"\x00\xff\r\n", b"x" * 70)
EVERY_TEXT: Final = (*TEXTS, *NUMBERS, *NO_INTEGERS, *FLOATS, *NO_FLOATS)

keys: Final = st.sampled_from(KEYS)
integers: Final = st.sampled_from((*NUMBERS, b"2", b"3", b"-2", b"-3", b"1", b"0", *NO_INTEGERS[:4], b"abc"))
small: Final = st.sampled_from((b"0", b"1", b"2", b"3", b"5", b"-1", b"-2", b"-3", b"-6", b"100", b"-100"))
numbers: Final = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(FLOATS),
                           st.sampled_from((*NO_FLOATS, *NO_INTEGERS)))
texts: Final = st.one_of(st.sampled_from(TEXTS), st.sampled_from(EVERY_TEXT))
indexes: Final = st.one_of(small, small, small, integers)
fields: Final = st.sampled_from((b"f", b"g", b"h", b"", b"\x00\n"))
elements: Final = st.sampled_from((b"x", b"y", b"z", b"1", b"", b"\x00\xff\r\n"))


def word(*choices: str) -> st.SearchStrategy[bytes]:
    """One of these words, now and then in small letters."""
    return st.sampled_from([name.encode() for name in (*choices, *choices, *(choice.lower() for choice in choices))])


def call(name: str, *arguments: st.SearchStrategy[bytes]) -> Commands:
    return st.tuples(st.just(name.encode()), *arguments)


def many(name: str, *arguments: st.SearchStrategy[bytes], rest: st.SearchStrategy[bytes], most: int = 3) -> Commands:
    """`arguments`, then up to `most` of `rest`."""
    return st.builds(lambda fixed, more: (*fixed, *more), call(name, *arguments), st.lists(rest, max_size=most))


def with_options(name: str, *arguments: st.SearchStrategy[bytes], options: list[Commands], most: int = 3) -> Commands:
    return st.builds(lambda fixed, more: fixed + sum(more, ()), call(name, *arguments),
                     st.lists(st.one_of(options), max_size=most))


def flag(*names: str) -> Commands:
    return st.tuples(word(*names))


def option(names: tuple[str, ...], values: st.SearchStrategy[bytes]) -> Commands:
    return st.tuples(word(*names), values)


def bogus() -> Commands:
    return st.tuples(st.sampled_from((b"", b"NOPE", b"EX", b"COUNT", b"5")))


OTHERS: Final = st.one_of(
    call("SET", keys, texts), call("SET", keys, st.sampled_from(NUMBERS)), call("RPUSH", keys, elements, elements),
    call("HSET", keys, fields, texts), call("DEL", keys), call("TYPE", keys), call("SADD", keys, elements, elements),
    call("ZADD", keys, st.sampled_from((b"1", b"2")), elements))
"""A few writes of every type, so that each group meets the wrong one."""

seconds: Final = st.sampled_from((b"100", b"1000", b"3000", b"0", b"-1", b"100", b"9223372036854775807", b"abc", b"",
                                  b"9223372036854775", b"9223372036854776", b"1.5"))
moments: Final = st.sampled_from((b"32503680000", b"32503690000", b"1", b"0", b"-1", b"9223372036854775807", b"x",
                                  b"32503680000000"))

STRINGS: Final = st.one_of(
    with_options("SET", keys, texts, options=[
        flag("NX", "XX", "GET", "KEEPTTL"), flag("NX", "XX", "GET", "KEEPTTL"), option(("EX", "PX"), seconds),
        option(("EXAT", "PXAT"), moments), bogus()]),
    call("GET", keys), call("GET", keys), call("SETNX", keys, texts), call("SETEX", keys, seconds, texts),
    call("PSETEX", keys, seconds, texts), call("GETSET", keys, texts), call("GETDEL", keys),
    with_options("GETEX", keys, options=[flag("PERSIST"), option(("EX", "PX"), seconds),
                                         option(("EXAT", "PXAT"), moments), bogus()], most=2),
    many("MGET", keys, rest=keys), many("MSET", keys, texts, rest=texts), many("MSETNX", keys, texts, rest=texts),
    call("INCR", keys), call("DECR", keys), call("INCRBY", keys, integers), call("DECRBY", keys, integers),
    call("INCRBYFLOAT", keys, numbers), call("INCRBYFLOAT", keys, numbers), call("APPEND", keys, texts),
    call("APPEND", keys, texts), call("STRLEN", keys), call("GETRANGE", keys, indexes, indexes),
    call("SUBSTR", keys, indexes, indexes), call("SETRANGE", keys, st.sampled_from((b"0", b"1", b"5", b"-1", b"x",
                                                                                      b"536870912")), texts),
    call("TTL", keys), OTHERS)

sides: Final = word("LEFT", "RIGHT", "LEFT", "RIGHT", "UP")
counts: Final = st.sampled_from((b"0", b"1", b"2", b"3", b"-1", b"-2", b"100", b"x", b"", b"9223372036854775807",
                                 b"-9223372036854775808"))
ranks: Final = counts.filter(lambda count: not count.startswith(b"-9"))
"""Not the least integer, which Redis 7.0 negates without a check and heroredis refuses."""
LISTS: Final = st.one_of(
    many("LPUSH", keys, elements, rest=elements), many("RPUSH", keys, elements, rest=elements, most=6),
    many("LPUSHX", keys, elements, rest=elements), many("RPUSHX", keys, elements, rest=elements),
    many("RPUSH", keys, elements, rest=elements, most=6),
    many("LPOP", keys, rest=counts, most=2), many("RPOP", keys, rest=counts, most=2), call("LLEN", keys),
    call("LRANGE", keys, indexes, indexes), call("LRANGE", keys, indexes, indexes), call("LINDEX", keys, indexes),
    call("LSET", keys, indexes, elements), call("LINSERT", keys, word("BEFORE", "AFTER", "X"), elements, elements),
    call("LREM", keys, counts, elements), call("LTRIM", keys, indexes, indexes),
    with_options("LPOS", keys, elements,
                 options=[option(("RANK",), ranks), option(("COUNT", "MAXLEN"), counts), bogus()]),
    with_options("LPOS", keys, elements, options=[option(("RANK",), ranks), option(("COUNT", "MAXLEN"), counts)]),
    call("LMOVE", keys, keys, sides, sides), call("LMOVE", keys, keys, sides, sides), call("RPOPLPUSH", keys, keys),
    with_options("LMPOP", st.sampled_from((b"1", b"0", b"-1", b"x")), keys, sides,
                 options=[option(("COUNT",), counts), bogus()], most=2),
    with_options("LMPOP", st.sampled_from((b"2", b"2", b"3")), keys, keys, sides,
                 options=[option(("COUNT",), counts)], most=2), OTHERS)

scan_options: Final = [
    option(("MATCH",), st.sampled_from((b"*", b"a", b"[a-c]", b"?", b"[^a]", b"\\a", b"[", b""))),
    option(("COUNT",), st.sampled_from((b"1", b"2", b"100", b"0", b"-1", b"x", b"9223372036854775807"))),
]
HASHES: Final = st.one_of(
    many("HSET", keys, fields, texts, rest=texts), many("HSET", keys, fields, texts, fields, texts, rest=fields),
    many("HMSET", keys, fields, texts, rest=fields), call("HSETNX", keys, fields, texts), call("HGET", keys, fields),
    many("HMGET", keys, fields, rest=fields), call("HGETALL", keys), call("HGETALL", keys), call("HKEYS", keys),
    call("HVALS", keys), call("HLEN", keys), call("HEXISTS", keys, fields), call("HSTRLEN", keys, fields),
    many("HDEL", keys, fields, rest=fields), call("HINCRBY", keys, fields, integers),
    call("HINCRBYFLOAT", keys, fields, numbers), call("HINCRBYFLOAT", keys, fields, numbers),
    many("HRANDFIELD", keys, rest=counts, most=1), call("HRANDFIELD", keys, counts, word("WITHVALUES", "NOPE")),
    with_options("HSCAN", keys, st.sampled_from((b"0", b"0", b"x", b"-", b"", b"18446744073709551616", b"0x1", b" 0")),
                 options=[*scan_options, bogus()], most=2), OTHERS)

conditions: Final = [flag("NX", "XX", "GT", "LT"), bogus()]
databases: Final = st.sampled_from((b"0", b"1", b"2", b"1", b"15", b"16", b"-1", b"x", b"", b"99999999999"))
GENERIC: Final = st.one_of(
    many("DEL", keys, rest=keys), many("UNLINK", keys, rest=keys), many("EXISTS", keys, rest=keys),
    many("TOUCH", keys, rest=keys), call("TYPE", keys),
    call("KEYS", st.sampled_from((b"*", b"a", b"[a-c]", b"?", b"[^a]", b"\\a", b"[", b"", b"*\xff*", b"[c-a]"))),
    call("DBSIZE"), with_options("EXPIRE", keys, seconds, options=conditions, most=2),
    with_options("PEXPIRE", keys, st.sampled_from((b"100000", b"200000", b"0", b"-5", b"9223372036854775807", b"x")),
                 options=conditions, most=2),
    with_options("EXPIREAT", keys, moments, options=conditions, most=2),
    with_options("PEXPIREAT", keys, moments, options=conditions, most=2), call("PERSIST", keys), call("TTL", keys),
    call("PTTL", keys), call("EXPIRETIME", keys), call("PEXPIRETIME", keys), call("RENAME", keys, keys),
    call("RENAMENX", keys, keys),
    with_options("COPY", keys, keys, options=[flag("REPLACE"), option(("DB",), databases), bogus()], most=2),
    call("COPY", keys, keys), call("MOVE", keys, databases), call("SELECT", databases),
    call("SWAPDB", databases, databases), call("OBJECT", word("REFS", "NOPE"), keys),
    many("FLUSHDB", rest=word("ASYNC", "SYNC", "NOW"), most=1), OTHERS, OTHERS, OTHERS)

SCANS: Final = st.one_of(
    with_options("SCAN", st.sampled_from((b"0", b"0", b"0", b"x", b"-", b"")), options=[
        *scan_options, option(("TYPE",), st.sampled_from((b"string", b"LIST", b"hash", b"zset", b"nope"))), bogus()]),
    OTHERS, OTHERS)

names: Final = st.sampled_from((b"", b"worker-1", b"with blank", b"\xff", b"a\n", b"!~"))
CONNECTION: Final = st.one_of(
    many("PING", rest=texts, most=2), call("ECHO", texts), call("SELECT", databases), call("GET", keys),
    call("SET", keys, texts), call("RESET"),
    with_options("HELLO", st.sampled_from((b"2", b"3", b"3", b"4", b"x", b"")), options=[
        option(("SETNAME",), names), st.tuples(word("AUTH"), st.sampled_from((b"default", b"nobody")), texts),
        st.tuples(st.sampled_from((b"SETNAME", b"AUTH", b"NOPE")))], most=2),
    call("HELLO"), call("CLIENT", word("SETNAME"), names), call("CLIENT", word("GETNAME")),
    call("CLIENT", word("NO-EVICT"), word("ON", "OFF", "X")), call("CLIENT", word("GETREDIR")),
    call("CLIENT", word("TRACKINGINFO")), call("CLIENT", word("UNBLOCK"), st.sampled_from((b"0", b"9999999", b"x"))),
    call("CLIENT", word("UNBLOCK"), st.just(b"9999999"), word("TIMEOUT", "ERROR", "X")), call("MULTI"), call("EXEC"),
    call("DISCARD"), many("AUTH", texts, rest=texts, most=2), call("HGETALL", keys), OTHERS)

timeouts: Final = st.sampled_from((b"0", b"0.01", b"-1", b"x", b"", b"1e5000", b"nan", b" 1"))
INSIDE_MULTI: Final = st.one_of(
    many("BLPOP", keys, timeouts, rest=st.just(b"0"), most=1), call("BRPOP", keys, keys, timeouts),
    call("BLMOVE", keys, keys, sides, sides, timeouts), call("BRPOPLPUSH", keys, keys, timeouts),
    call("BLMPOP", timeouts, st.just(b"2"), keys, keys, sides), call("BZPOPMIN", keys, keys, timeouts),
    call("BZPOPMAX", keys, timeouts), call("BZMPOP", timeouts, st.just(b"2"), keys, keys, word("MIN", "MAX", "UP")))
"""Commands that would wait outside of a transaction."""

TRANSACTIONS: Final = st.one_of(
    call("MULTI"), call("MULTI"), call("EXEC"), call("EXEC"), call("DISCARD"), many("WATCH", keys, rest=keys),
    call("UNWATCH"), call("GET", keys), call("INCR", keys), call("LRANGE", keys, st.just(b"0"), st.just(b"-1")),
    call("HGETALL", keys), call("LPOP", keys), call("NOPE", texts), call("GET"), call("SELECT", databases),
    call("RENAME", keys, keys), call("EXPIRE", keys, seconds), call("FLUSHDB"), call("FLUSHALL"), call("RESET"),
    call("SWAPDB", databases, databases), call("MOVE", keys, databases), call("COPY", keys, keys),
    call("PERSIST", keys), call("ECHO", texts), call("HELLO", st.sampled_from((b"2", b"3"))), OTHERS, OTHERS)

_NAMES: Final = (
    "SET GET SETNX SETEX PSETEX GETSET GETDEL GETEX MGET MSET MSETNX INCR DECR INCRBY DECRBY INCRBYFLOAT APPEND STRLEN "
    "GETRANGE SUBSTR LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LRANGE LINDEX LSET LINSERT LREM LTRIM LPOS LMOVE "
    "RPOPLPUSH LMPOP HSET HMSET HSETNX HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HDEL HINCRBY HINCRBYFLOAT "
    "DEL UNLINK EXISTS TOUCH TYPE KEYS DBSIZE PERSIST TTL PTTL EXPIRETIME PEXPIRETIME RENAME RENAMENX COPY MOVE SELECT "
    "SWAPDB ECHO PING MULTI EXEC DISCARD WATCH UNWATCH EXPIRE PEXPIRE EXPIREAT PEXPIREAT PUBLISH FLUSHDB FLUSHALL "
    "CLIENT OBJECT CONFIG PUBSUB ROLE AUTH RESET NOPE NOPE.NOPE SADD SREM SMEMBERS SISMEMBER SMISMEMBER SCARD SPOP "
    "SRANDMEMBER SMOVE SINTER SINTERSTORE SINTERCARD SUNION SUNIONSTORE SDIFF SDIFFSTORE ZADD ZINCRBY ZREM ZSCORE "
    "ZMSCORE ZCARD ZCOUNT ZLEXCOUNT ZRANK ZREVRANK ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX "
    "ZREVRANGEBYLEX ZRANGESTORE ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX ZPOPMIN ZPOPMAX ZRANDMEMBER ZUNION "
    "ZINTER ZDIFF ZUNIONSTORE ZINTERSTORE ZDIFFSTORE ZINTERCARD ZMPOP SORT SORT_RO HRANDFIELD")
NAMES: Final = _NAMES.split()
"""Commands that may be given any arguments without waiting for ever and without answers that are the server's own."""
WORDS: Final = st.one_of(keys, texts, indexes, fields, word(
    "NX", "XX", "GT", "LT", "EX", "PX", "GET", "KEEPTTL", "COUNT", "MATCH", "RANK", "MAXLEN", "LEFT", "RIGHT", "BEFORE",
    "AFTER", "DB", "REPLACE", "BY", "LIMIT", "WITHSCORES", "WEIGHTS", "MIN", "ALPHA", "STORE", "BYSCORE", "REV",
    "PERSIST", "WITHVALUES", "TYPE", "NOPE", "ASYNC", "NUMPAT", "GETNAME"))
ANYTHING: Final = st.builds(
    lambda name, rest: (name, *rest), word(*NAMES), st.lists(WORDS, max_size=6),
).filter(lambda command: b"HELP" not in command)
BLOCKING_ERRORS: Final = st.one_of(
    many("BLPOP", keys, st.sampled_from((b"x", b"-1", b"")), rest=st.just(b"x"), most=2), call("BLPOP", keys),
    call("BLMOVE", keys, keys, sides, sides, st.sampled_from((b"x", b"-1", b""))), call("BLMOVE", keys, keys, sides),
    call("BRPOPLPUSH", keys, keys, st.sampled_from((b"x", b"-1"))), call("BRPOPLPUSH", keys, keys), call("BRPOP"),
    call("BLMPOP", st.just(b"-1"), counts, keys, sides), call("BLMPOP", st.just(b"0"), st.just(b"0"), keys, sides))
ERRORS: Final = st.one_of(ANYTHING, ANYTHING, ANYTHING, BLOCKING_ERRORS, OTHERS)
