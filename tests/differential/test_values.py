"""What looks into values: encodings under changing limits, and dumps of one server restored in the other."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential.compare import Pair
from tests.differential.grammar import Command
from tests.differential.grammar_values import ENCODINGS
from tests.differential.harness import Status, Wire

EXAMPLES: Final = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "300"))
DEFAULTS: Final = (
    b"hash-max-listpack-entries", b"512", b"hash-max-listpack-value", b"64", b"set-max-intset-entries", b"512",
    b"zset-max-listpack-entries", b"128", b"zset-max-listpack-value", b"64", b"list-max-listpack-size", b"-2")
ordinary = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=os.environ.get("CI") == "true", print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
texts = st.one_of(
    st.binary(max_size=30), st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number),
    st.integers(-5000, 5000).map(lambda number: b"%d" % number),
    st.sampled_from((b"", b"ab" * 40, b"x" * 63, b"x" * 64, b"y" * 4095, b"y" * 4096, b"abc" * 3000, b"0", b"-0",
                     b"01")))
scores = st.one_of(st.floats(allow_nan=False).map(lambda score: repr(score).encode()),
                   st.integers(-1000, 1000).map(lambda number: b"%d" % number))


def some(name: bytes, parts: st.SearchStrategy[tuple[bytes, ...]]) -> st.SearchStrategy[Command]:
    return st.lists(parts, min_size=1, max_size=20).map(lambda rows: (name, b"k", *sum(rows, ())))


values: Final = st.one_of(
    texts.map(lambda text: (b"SET", b"k", text)), some(b"RPUSH", st.tuples(texts)), some(b"SADD", st.tuples(texts)),
    some(b"SADD", st.tuples(st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number))),
    some(b"HSET", st.tuples(texts, texts)), some(b"ZADD", st.tuples(scores, texts)))
limits: Final = st.sampled_from((b"0", b"1", b"3", b"100"))
READERS: Final[dict[bytes, Command]] = {
    b"string": (b"GET", b"k"), b"list": (b"LRANGE", b"k", b"0", b"-1"), b"hash": (b"HGETALL", b"k"),
    b"set": (b"SMEMBERS", b"k"), b"zset": (b"ZRANGE", b"k", b"0", b"-1", b"WITHSCORES"),
}


def contents(wire: Wire, key: bytes) -> tuple[bytes, object, object]:
    """Type, encoding and value of a key, without an order where there is none."""
    kind = wire.call("TYPE", key)
    assert isinstance(kind, Status), kind
    name, _, *rest = READERS[bytes(kind)]
    value = wire.call(name, key, *rest)
    assert isinstance(value, bytes | list), value
    if isinstance(value, list) and kind in (b"set", b"hash"):
        width = 2 if kind == b"hash" else 1
        value = sorted(zip(*(value[start::width] for start in range(width)), strict=True))
    return bytes(kind), wire.call("OBJECT", "ENCODING", key), value


@ordinary
@given(resp=st.sampled_from((2, 3)), commands=st.lists(ENCODINGS, min_size=5, max_size=30))
def test_encodings(both: tuple[str, str], resp: int, commands: list[Command]) -> None:
    for path in both:
        with Wire(path) as wire:
            wire.call("FLUSHALL")
    pair = Pair(*both, resp)
    try:
        for command in commands:
            pair.step(command)
    finally:
        pair.step((b"CONFIG", b"SET", *DEFAULTS))
        pair.close()


@ordinary
@given(made=values, entries=limits, size=st.sampled_from((b"-2", b"-1", b"2", b"-5")))
def test_a_dump_of_one_is_restored_in_the_other(both: tuple[str, str], made: Command, entries: bytes,
                                               size: bytes) -> None:
    wires = [Wire(path) for path in both]
    try:
        for wire in wires:
            wire.call("CONFIG", "SET", "list-max-listpack-size", size, "hash-max-listpack-entries", entries,
                      "set-max-intset-entries", entries, "zset-max-listpack-entries", entries)
            wire.call("DEL", "k", "copy")
            wire.call(*made)
        expected = [contents(wire, b"k") for wire in wires]
        assert expected[0] == expected[1]
        dumps = [wire.call("DUMP", "k") for wire in wires]
        for wire, payload in zip(wires, reversed(dumps), strict=True):
            assert isinstance(payload, bytes), payload
            assert wire.call("RESTORE", "copy", "0", payload) == b"OK"
        copies = [contents(wire, b"copy") for wire in wires]
        assert copies[0] == copies[1]
        assert (copies[0][0], copies[0][2]) == (expected[0][0], expected[0][2])
    finally:
        for wire in wires:
            wire.call("CONFIG", "SET", *DEFAULTS)
            wire.close()


@pytest.mark.parametrize("made", [
    b"SET k " + b"x" * 20, b"SET k " + b"x" * 21, b"SET k " + b"x" * 5000, b"SET k " + b"abcdefgh" * 100,
    b"SET k 12345678901", b"RPUSH k " + b" ".join([b"y" * 300] * 20), b"HSET k f " + b"z" * 60,
    b"HSET k f " + b"z" * 65, b"ZADD k 1 " + b"z" * 60, b"SADD k " + b"w" * 90,
], ids=lambda made: made[:12].decode())
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_dumps_are_the_same_byte_for_byte(both: tuple[str, str], compression: str, made: bytes) -> None:
    pair = Pair(*both, 2)
    pair.step((b"CONFIG", b"SET", b"rdbcompression", compression.encode()))
    pair.step(tuple(made.split(b" ")))
    pair.step((b"DUMP", b"k"))
    pair.step((b"CONFIG", b"SET", b"rdbcompression", b"yes"))
    pair.close()


@pytest.mark.parametrize("policy", [b"allkeys-lru", b"volatile-lfu", b"noeviction"])
def test_idle_times_and_frequencies(both: tuple[str, str], policy: bytes) -> None:
    pair = Pair(*both, 2)
    payload = pair.real.call("DUMP", "nothing")
    pair.step((b"CONFIG", b"SET", b"maxmemory-policy", policy))
    try:
        pair.step((b"SET", b"k", b"v"))
        payload = pair.real.call("DUMP", "k")
        assert isinstance(payload, bytes)
        for option in ((b"IDLETIME", b"1000"), (b"FREQ", b"100"), ()):
            pair.step((b"RESTORE", b"k", b"0", payload, b"REPLACE", *option))
            pair.step((b"TYPE", b"k"))
            pair.step((b"EXISTS", b"k"))
            pair.step((b"TTL", b"k"))
            if policy == b"volatile-lfu" or option:
                pair.step((b"OBJECT", b"FREQ", b"k"))
            if policy != b"noeviction" or option[:1] == (b"IDLETIME",):
                pair.step((b"OBJECT", b"IDLETIME", b"k"))
            pair.step((b"TOUCH", b"k"))
            pair.step((b"OBJECT", b"IDLETIME", b"k"))
    finally:
        pair.step((b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction"))
        pair.close()


@pytest.mark.parametrize(("policy", "limit"), [
    ("noeviction", "0"), ("noeviction", "1gb"), ("allkeys-lru", "0"), ("allkeys-lru", "1gb"), ("volatile-lfu", "1gb"),
    ("volatile-ttl", "1gb")])
def test_small_integers_are_shared_where_nobody_has_to_know_their_use(both: tuple[str, str], policy: str,
                                                                      limit: str) -> None:
    pair = Pair(*both, 2)
    pair.step((b"CONFIG", b"SET", b"maxmemory-policy", policy.encode(), b"maxmemory", limit.encode()))
    for number in (b"0", b"9999", b"10000", b"-1", b"x"):
        pair.step((b"SET", b"k", number))
        pair.step((b"OBJECT", b"REFCOUNT", b"k"))
    pair.step((b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction", b"maxmemory", b"0"))
    pair.close()


def test_how_often_a_key_was_used_goes_with_it(both: tuple[str, str]) -> None:
    pair = Pair(*both, 2)
    for line in ("CONFIG SET lfu-log-factor 0 maxmemory-policy allkeys-lfu", "SET k v", "GET k", "GET k", "RENAME k l",
                 "OBJECT FREQ l", "RENAMENX l m", "OBJECT FREQ m", "MOVE m 3", "SELECT 3", "OBJECT FREQ m", "SELECT 0",
                 "CONFIG SET lfu-log-factor 10 maxmemory-policy noeviction"):
        pair.step(tuple(word.encode() for word in line.split()))
    pair.close()
