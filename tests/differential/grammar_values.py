"""Commands that look into values: bits, common subsequences, encodings, dumps."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from heroredis.rdb.crc64 import crc64
from tests.differential.grammar import (
    NO_INTEGERS,
    NUMBERS,
    OTHERS,
    Commands,
    bogus,
    call,
    flag,
    keys,
    many,
    option,
    small,
    texts,
    with_options,
    word,
)

offsets: Final = st.one_of(
    st.integers(0, 90).map(lambda number: b"%d" % number),
    st.sampled_from((b"4294967295", b"4294967296", b"-1", b"x", b"", b"#1", b"9223372036854775807", b"01")))
near: Final = st.integers(0, 150).map(lambda number: b"%d" % number)
bit: Final = st.sampled_from((b"0", b"1", b"1", b"0", b"2", b"-1", b"x", b""))
units: Final = word("BIT", "BYTE", "BIT", "BYTE", "NOPE")
ends: Final = st.one_of(st.integers(-80, 80).map(lambda number: b"%d" % number), small,
                        st.sampled_from((*NUMBERS[5:], *NO_INTEGERS[:3])))
types: Final = st.one_of(
    st.builds(lambda sign, width: b"%b%d" % (sign, width), st.sampled_from((b"i", b"u")), st.integers(1, 64)),
    st.builds(lambda sign, width: b"%b%d" % (sign, width), st.sampled_from((b"i", b"u")),
              st.sampled_from((1, 2, 4, 8, 63, 64))),
    st.sampled_from((b"u64", b"i65", b"i0", b"x8", b"i", b"", b"u-1", b"i08", b"i8\x00x")))
places: Final = st.one_of(near, near, st.integers(0, 9).map(lambda number: b"#%d" % number), offsets).filter(
    lambda place: not place.startswith(b"4294967295"))
amounts: Final = st.one_of(st.integers(-300, 300).map(lambda number: b"%d" % number), st.sampled_from(NUMBERS),
                           st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number),
                           st.sampled_from(NO_INTEGERS[:4]))
reading: Final = st.tuples(word("GET"), types, places)
operations: Final[list[Commands]] = [
    reading, st.tuples(word("SET"), types, places, amounts), st.tuples(word("INCRBY"), types, places, amounts),
    st.tuples(word("OVERFLOW"), word("WRAP", "SAT", "FAIL", "WRAP", "SAT", "FAIL", "NOPE")), bogus()]
rows: Final = st.one_of(texts, st.binary(max_size=12), st.sampled_from((b"\x00" * 9, b"\xff" * 9, b"\xff\xf0\x00")))

BITMAPS: Final = st.one_of(
    call("SET", keys, rows), call("SET", keys, rows), call("APPEND", keys, rows),
    call("SETBIT", keys, offsets.filter(lambda offset: offset != b"4294967295"), bit),
    call("SETBIT", keys, near, st.sampled_from((b"0", b"1"))), call("GETBIT", keys, offsets),
    call("GETBIT", keys, near),
    many("BITCOUNT", keys, rest=ends), call("BITCOUNT", keys), call("BITCOUNT", keys, ends, ends, units),
    many("BITPOS", keys, bit, rest=ends, most=2), call("BITPOS", keys, bit, ends, ends, units),
    many("BITPOS", keys, bit, ends, ends, units, rest=ends, most=1),
    many("BITOP", word("AND", "OR", "XOR", "NOT", "NOPE"), keys, keys, rest=keys),
    call("BITOP", word("NOT"), keys, keys), with_options("BITFIELD", keys, options=operations, most=4),
    with_options("BITFIELD", keys, options=operations[:4], most=4),
    with_options("BITFIELD_RO", keys, options=[reading], most=3),
    with_options("BITFIELD_RO", keys, options=operations, most=1), call("GET", keys), OTHERS)

words: Final = st.one_of(st.text("ab", max_size=12), st.text("acgt", max_size=40)).map(str.encode)
SIMILAR: Final = st.one_of(
    call("SET", keys, words), call("SET", keys, words), call("SET", keys, words), call("APPEND", keys, words),
    with_options("LCS", keys, keys, options=[
        flag("LEN", "IDX", "WITHMATCHLEN"), flag("IDX"), flag("WITHMATCHLEN"), bogus(),
        option(("MINMATCHLEN",), st.sampled_from((b"0", b"1", b"2", b"4", b"-1", b"x")))]),
    with_options("LCS", keys, keys, options=[flag("IDX"), flag("WITHMATCHLEN"), flag("IDX")]), call("LCS", keys, keys),
    call("LCS", keys, keys, word("LEN")), OTHERS)

long: Final = st.sampled_from((b"x" * 64, b"x" * 65, b"y" * 44, b"y" * 45, b"1" * 20, b"12", b"99999", b"10000", b"z"))
limits: Final = st.tuples(
    word("CONFIG"), word("SET"),
    word("hash-max-listpack-entries", "hash-max-ziplist-entries", "set-max-intset-entries", "zset-max-listpack-entries",
         "zset-max-ziplist-value", "hash-max-listpack-value"), st.sampled_from((b"0", b"1", b"2", b"3", b"64", b"128")))
ENCODINGS: Final = st.one_of(
    call("OBJECT", word("ENCODING"), keys), call("OBJECT", word("ENCODING"), keys),
    call("OBJECT", word("ENCODING"), keys), call("OBJECT", word("REFCOUNT"), keys),
    call("OBJECT", word("FREQ"), keys), limits, call("SET", keys, long), call("APPEND", keys, long),
    call("SETRANGE", keys, st.just(b"1"), long), call("INCR", keys), call("DECR", keys),
    call("RPUSH", keys, long), call("HSET", keys, long, long), call("HSET", keys, long, long, long, long),
    call("HSETNX", keys, long, long), call("HMSET", keys, long, long), call("HINCRBY", keys, long, st.just(b"100")),
    call("HDEL", keys, long), call("SADD", keys, long), call("SADD", keys, long, long), call("SREM", keys, long),
    call("SUNIONSTORE", keys, keys, keys),
    call("ZADD", keys, st.just(b"1"), long), call("ZADD", keys, st.just(b"2"), long, st.just(b"1"), long),
    call("ZREM", keys, long),
    call("ZRANGESTORE", keys, keys, st.just(b"0"), st.just(b"1")), call("ZINCRBY", keys, st.just(b"1"), long),
    call("SMOVE", keys, keys, long), call("SDIFFSTORE", keys, keys, keys),
    call("COPY", keys, keys, word("REPLACE")), call("RENAME", keys, keys), call("DEL", keys))

PAYLOADS: Final = (
    *(body + crc64(body).to_bytes(8, "little") for body in (
        b"\x00\x05hello\x0a\x00", b"\x00\x05hellx\x0b\x00", b"\x00\x05hello\x09\x00",
        b"\x02\x00\x0a\x00", b"\x63\x00\x0a\x00", b"\x00\x81" + b"\xff" * 7 + b"\xf7\x0a\x00", b"\x0a\x00",
        b"\x00\xc0\x07\x09\x00", b"\x00\xc3\x02\x05\x00a\x0a\x00", b"\x01\x02\x01a\xc0\x07\x0a\x00",
        b"\x04\x01\x01f\x01v\x0a\x00", b"\x04\x00\x0a\x00", b"\x00\xc3\x09\x0c\x02abc\xe0\x00\x02\x00!\x0a\x00")),
    b"", b"...", b"\x00\x05hello\x0a\x00" + bytes(8))
RESTORING: Final = st.one_of(
    with_options("RESTORE", keys, st.sampled_from((b"0", b"0", b"100000", b"-1", b"x")),
                 st.sampled_from(PAYLOADS), options=[
        flag("REPLACE", "ABSTTL"), option(("IDLETIME",), st.sampled_from((b"10", b"-1", b"x", b"0"))), bogus(),
        option(("FREQ",), st.sampled_from((b"10", b"-1", b"256", b"0")))]),
    call("RESTORE", keys, st.just(b"0"), st.sampled_from(PAYLOADS), word("REPLACE")),
    call("RESTORE", keys, st.just(b"32503680000000"), st.sampled_from(PAYLOADS), word("ABSTTL")),
    call("RESTORE", keys, st.just(b"5"), st.sampled_from(PAYLOADS), word("ABSTTL"), word("REPLACE")),
    call("WAIT", st.sampled_from((b"0", b"-1", b"x")), st.sampled_from((b"0", b"1", b"-1", b"x"))),
    with_options("MIGRATE", st.just(b"127.0.0.1"), st.just(b"1"), st.sampled_from((b"a", b"", b"b")), st.sampled_from(
        (b"0", b"x")), st.sampled_from((b"10", b"x")), options=[
            flag("COPY", "REPLACE", "KEYS", "AUTH"), option(("AUTH", "KEYS"), keys), bogus()], most=2),
    call("PTTL", keys), OTHERS, call("DUMP", st.just(b"nothing")))

kinds: Final = word("string", "integer", "double", "null", "array", "set", "map", "verbatim", "true", "false", "bignum",
                    "nope")
DEBUG: Final = st.one_of(
    call("DEBUG", word("SLEEP", "SET-ACTIVE-EXPIRE", "PAUSE-CRON", "AOF-FLUSH-SLEEP"), st.sampled_from((b"0", b"-1"))),
    call("DEBUG", word("ERROR"), st.sampled_from((b"hello", b"ERR x", b"-foo", b""))), call("DEBUG", word("DIGEST")),
    many("DEBUG", word("DIGEST-VALUE"), rest=keys), call("DEBUG", word("LISTPACK", "QUICKLIST", "SDSLEN"), keys),
    call("DEBUG", word("LISTPACK", "QUICKLIST"), keys, st.just(b"0")),
    many("DEBUG", word("RELOAD"), rest=st.just(b"x")), call("DEBUG", word("PROTOCOL"), kinds),
    call("DEBUG", word("RELOAD")),
    many("DEBUG", word("POPULATE"), st.sampled_from((b"3", b"0", b"-1", b"x")),
         rest=st.sampled_from((b"a", b"1", b"5")), most=2),
    call("DEBUG", word("QUICKLIST-PACKED-THRESHOLD"), st.sampled_from((b"0", b"1b", b"4gb", b"-1", b"x"))),
    call("DEBUG", word("HTSTATS"), st.sampled_from((b"1", b"x", b"16", b"-1", b"01"))),
    call("DEBUG", word("MALLCTL", "NOPE", "SLEEP", "LOG", "ERROR", "OBJECT", "STRUCTSIZE", "JMAP")),
    call("DEBUG", word("CHANGE-REPL-ID", "STRUCTSIZE", "CLIENT-EVICTION")), call("DEBUG", word("MALLCTL"), texts),
    call("DEBUG", word("OBJECT", "HTSTATS-KEY"), st.just(b"nothing")), call("DEBUG"), OTHERS, OTHERS, OTHERS,
    call("SADD", keys, texts), call("HSET", keys, texts, texts), call("PEXPIRE", keys, st.just(b"100000")))
