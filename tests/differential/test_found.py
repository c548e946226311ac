"""What the random tests have found, one request at a time: the smallest that was answered differently."""

from __future__ import annotations

import pytest

from tests.differential.compare import Pair

REQUESTS: list[list[tuple[bytes, ...]]] = [
    [(b"SET", b"k", b"v", b"KEEPTTL", b"EX", b"NX")],
    [(b"SET", b"k", b"v", b"PX", b"3000", b"EXAT", b"x")],
    [(b"GETEX", b"k", b"EX", b"x")],
    [(b"GETEX", b"k", b"EX", b"", b"PERSIST")],
    [(b"LPOS", b"k", b"x", b"COUNT", b"-1", b"RANK", b"0")],
    [(b"LPOS", b"k", b"x", b"COUNT", b"x", b"NOPE")],
    [(b"RPUSH", b"k", b"x"), (b"LMPOP", b"1", b"k", b"LEFT", b"COUNT", b"1", b"COUNT", b"1")],
    [(b"LMPOP", b"1", b"k", b"LEFT", b"COUNT", b"", b"COUNT", b"1")],
    [(b"INCRBYFLOAT", b"k", b"0x1p3")],
    [(b"INCRBYFLOAT", b"k", b"inf")],
    [(b"BLPOP", b"k", b"0x7FFFFFFFFFFFFFFF")],
    [(b"BLPOP", b"k", b"inf")],
    [(b"BLPOP", b"k", b"0x")],
    [(b"BZPOPMIN", b"k", b"9223372036854776")],
    [(b"BZPOPMIN", b"k", b"0.0001")],
    [(b"ZINCRBY", b"k", b"NX", b"m")],
    [(b"ZADD", b"k", b"1e17", b"m"), (b"ZSCAN", b"k", b"0"), (b"ZADD", b"k", b"1", b"v" * 70), (b"ZSCAN", b"k", b"0")],
    [(b"CONFIG", b"SET", b"zset-max-listpack-entries", b"2"), (b"ZADD", b"k", b"-0", b"a", b"-0", b"b", b"-0", b"c"),
     (b"ZADD", b"k", b"-0", b"d"), (b"ZRANGE", b"k", b"0", b"-1", b"WITHSCORES"), (b"ZADD", b"l", b"-0", b"v" * 70),
     (b"ZINCRBY", b"m", b"-0", b"v" * 70), (b"ZSCORE", b"l", b"v" * 70), (b"ZSCORE", b"m", b"v" * 70),
     (b"CONFIG", b"SET", b"zset-max-listpack-entries", b"1"), (b"ZADD", b"n", b"1", b"a", b"2", b"b"),
     (b"CONFIG", b"SET", b"zset-max-listpack-entries", b"128"), (b"OBJECT", b"ENCODING", b"n")],
    [(b"CONFIG", b"SET", b"maxmemory", b"1gb"), (b"SET", b"k", b"1"), (b"SET", b"l", b"v"),
     (b"OBJECT", b"IDLETIME", b"l"), (b"OBJECT", b"REFCOUNT", b"k"), (b"CONFIG", b"SET", b"maxmemory", b"0")],
    [(b"ZADD", b"k", b"-0", b"m"), (b"ZSCORE", b"k", b"m"), (b"ZINCRBY", b"k", b"-0", b"n"), (b"ZSCORE", b"k", b"n")],
    [(b"ZADD", b"k", b"-5", b"m"), (b"ZUNIONSTORE", b"l", b"1", b"k", b"WEIGHTS", b"0"), (b"ZSCORE", b"l", b"m")],
    [(b"ZADD", b"k", b"1", b"a"), (b"ZRANGE", b"k", b"", b"(", b"BYSCORE"), (b"ZCOUNT", b"k", b" 1", b"1e400")],
    [(b"SADD", b"k", b"a"), (b"SORT", b"k", b"BY", b"x", b"STORE", b"l"), (b"LRANGE", b"l", b"0", b"-1")],
    [(b"RPUSH", b"k", b"a"), (b"SET", b"x:a->", b"1"), (b"SORT", b"k", b"BY", b"x", b"GET", b"x:*->")],
    [(b"INCRBYFLOAT", b"k", b"1e4500")],
    [(b"INCRBYFLOAT", b"k", b"1" * 4500)],
    [(b"INCRBYFLOAT", b"k", b"1e-4951")],
    [(b"HINCRBYFLOAT", b"k", b"f", b"-inf")],
    [(b"HSET", b"k", b"f", b"inf"), (b"HINCRBYFLOAT", b"k", b"f", b"1")],
    [(b"SCAN", b"")],
    [(b"SCAN", b"0", b"COUNT", b"0", b"COUNT", b"2")],
    [(b"HSCAN", b"k", b"0", b"COUNT", b"x")],
    [(b"HSCAN", b"k", b"-")],
    [(b"SET", b"k", b"v"), (b"COPY", b"k", b"l", b"DB", b"16", b"NOPE")],
    [(b"SET", b"k", b"v"), (b"COPY", b"k", b"k", b"DB", b"x", b"DB", b"0")],
    [(b"SELECT", b"99999999999")],
    [(b"MOVE", b"k", b"99999999999")],
    [(b"SWAPDB", b"99999999999", b"x")],
    [(b"SWAPDB", b"-1", b"99999999999")],
    [(b"CLIENT", b"TRACKINGINFO")],
    [(b"HELLO", b"2", b"AUTH", b"nobody", b"", b"SETNAME", b"with blank")],
    [(b"HELLO", b"2", b"SETNAME", b"me", b"NOPE"), (b"CLIENT", b"GETNAME")],
    [(b"MULTI",), (b"MULTI",), (b"SET", b"k", b"v"), (b"EXEC",)],
    [(b"MULTI",), (b"WATCH", b"k"), (b"SET", b"k", b"v"), (b"EXEC",)],
    [(b"MULTI",), (b"EXEC", b"x"), (b"EXEC",)],
    [(b"MULTI",), (b"HGETALL", b"k"), (b"HELLO", b"3"), (b"HGETALL", b"k"), (b"HELLO", b"2"), (b"EXEC",)],
    [(b"EXEC", b"x")],
    [(b"LMPOP", b"x", b"y")],
    [(b"NO\x00PE", b"a\x00b\r\n", b"\xff")],
    [(b"CLIENT", b"\xff\x00\r\n")],
    [(b"EXPIRE", b"k", b"1", b"a\x00b")],
    [(b"CONFIG", b"SET", b"\xff", b"1")],
    [(b"MULTI",), (b"BLMPOP", b"x", b"1", b"k", b"UP"), (b"EXEC",)],
    [(b"FUNCTION", b"FLUSH"), (b"FUNCTION", b"FLUSH", b"async"), (b"FUNCTION", b"FLUSH", b"x"),
     (b"FUNCTION", b"FLUSH", b"SYNC", b"SYNC")],
    [(b"FUNCTION", b"LIST"), (b"FUNCTION", b"LIST", b"LIBRARYNAME"), (b"FUNCTION", b"LIST", b"WITHCODE", b"withcode"),
     (b"FUNCTION", b"LIST", b"LIBRARYNAME", b"*", b"WITHCODE"), (b"FUNCTION", b"LIST", b"x")],
    [(b"FUNCTION", b"DUMP"), (b"FUNCTION", b"KILL"), (b"FUNCTION", b"DELETE", b"x"), (b"FUNCTION", b"RESTORE", b"x"),
     (b"FUNCTION", b"RESTORE", b"x", b"y")],
    [(b"FUNCTION", b"LOAD", b"x"), (b"FUNCTION", b"LOAD", b"x", b"y"), (b"FUNCTION", b"LOAD", b"#!x name=y"),
     (b"FUNCTION", b"LOAD", b"REPLACE", b"#!x name=y\n"), (b"FUNCTION", b"LOAD", b"#!x name=y NAME=z\n"),
     (b"FUNCTION", b"LOAD", b"#!x name='y\n"), (b"FUNCTION", b"LOAD", b"#!x\n"), (b"FUNCTION", b"LOAD", b"#!x a\n"),
     (b"FUNCTION", b"LOAD", b"#!x name=a-b\n"), (b"FUNCTION", b"LOAD", b"#!x name=\n")],
    [(b"FCALL", b"f", b"1"), (b"FCALL_RO", b"f", b"x"), (b"FCALL", b"f", b"-1", b"k"), (b"FCALL", b"f")],
]


@pytest.mark.parametrize("requests", REQUESTS, ids=lambda requests: ascii(b" ".join(requests[-1])[:60])[2:-1])
@pytest.mark.parametrize("resp", [2, 3])
def test_answered_like_the_real_server(both: tuple[str, str], resp: int, requests: list[tuple[bytes, ...]]) -> None:
    pair = Pair(*both, resp)
    for request in requests:
        pair.step(request)
    pair.close()
