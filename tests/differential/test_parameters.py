"""CONFIG: every parameter that the real server knows, with values inside, at and beyond its bounds."""

from __future__ import annotations

from typing import Final

import pytest

from heroredis.config.kinds import Memory, MemoryOrPercent, OneOf, Text, Whole, YesNo
from heroredis.config.table import HIDDEN, TABLE, Parameter
from tests.differential.compare import Pair
from tests.differential.harness import Failure, Tagged, Wire

OWN_VALUES: Final = frozenset({"dir", "unixsocket", "port", "bind", "save", "maxclients", "pidfile", "loglevel"})
"""What is the server's own, or is checked by another test."""
NOT_SET: Final = frozenset({"port", "bind", "tls-port", "tls-cluster", "tls-replication", "appendonly", "activedefrag",
                            "requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass"})
"""What would change where the server listens, is refused here for a reason of our own, or is not shown."""
SETTABLE: Final = sorted(name for name, one in TABLE.items() if name not in NOT_SET and not one.flags & HIDDEN)
LISTS: Final = {
    "save": ["3600 1", "3600 1 300 100", "", "1", "x 1", "0 1", "1 -1", "1 ", " 1 2", "+1 2"],
    "client-output-buffer-limit": ["normal 1kb 2mb 3", "replica 1 2 3 pubsub 4 5 6", "slave 0 0 0", "normal 0 0",
                                   "x 0 0 0", "master 0 0 0", "normal x 0 0", "normal 0 0 -1", "", "NORMAL 1 1 1"],
    "oom-score-adj-values": ["0 1 2", "2 1 0", "1 2", "1 2 3 4", "1 2 2001", "x 2 3", "1 2 "],
    "notify-keyspace-events": ["", "A", "KEA", "K$lshzxetdg", "Kgmxnd$l", "AnEKm", "q", "KK"],
    "latency-tracking-info-percentiles": ["", "50", "50 99.95 100", "101", "-1", "x", "0.0010", "1  2"],
    "cluster-announce-hostname": ["a.b-c9", "", "a_b", "x" * 255, "x" * 256],
    "proc-title-template": ["{title}", "", "{nope}", "{title", "{config-file} {port}"],
    "shutdown-on-sigint": ["nosave now", "default", "save nosave", "force now save", "", "default now", "x", "now x",
                           "NOW"],
    "hz": ["0", "1", "500", "501", "10000", "-1", "x"],
    "maxclients": ["0", "1", "100", "4294967296", "x", "-1"],
}


def candidates(one: Parameter) -> list[str]:
    """Values worth trying for a parameter."""
    kind = one.kind
    if one.name in LISTS:
        return LISTS[one.name]
    if isinstance(kind, YesNo):
        return ["yes", "no", "YES", "maybe", "", "1"]
    if isinstance(kind, OneOf):
        return [*kind.choices, kind.choices[0].upper(), "nope", ""]
    if isinstance(kind, MemoryOrPercent):
        return ["0", "1", "5%", "100%", "101%", "0%", "-5%", "%", "1mb", "x", "", "18446744073709551615",
                "18446744073709551516", "18446744073709551515", "9223372036854775808"]
    if isinstance(kind, Memory):
        return [str(kind.low), str(kind.low - 1), str(kind.high), str(kind.high + 1), "1kb", "2MB", "3g", "b", "", "x",
                "1 kb", "-1", "0100", "1tb", "99999999999999999999", "16777216tb", "17179869184gb"]
    if isinstance(kind, Whole):
        return [str(kind.low), str(kind.low - 1), str(kind.high), str(kind.high + 1), str(kind.low + 1), "x", "", "1k",
                "01", " 1", "+1", "99999999999999999999"]
    if isinstance(kind, Text):
        return ["a", "", "a b", "a/b", "\\"]
    return ["x"]


def values(path: str) -> dict[str, str]:
    with Wire(path, 3) as wire:
        reply = wire.call("CONFIG", "GET", "*")
    assert isinstance(reply, Tagged), reply
    assert isinstance(reply.value, list), reply
    return {name.decode(): value.decode() for name, value in reply.value}


def test_the_same_parameters_with_the_same_values(both: tuple[str, str]) -> None:
    real, ours = values(both[0]), values(both[1])
    assert sorted(real) == sorted(ours)
    assert {name: value for name, value in ours.items() if name not in OWN_VALUES and real[name] != value} == {}


@pytest.mark.parametrize("name", SETTABLE)
def test_values_are_taken_and_refused_alike(both: tuple[str, str], name: str) -> None:
    pair = Pair(*both, 2)
    title = name.encode()
    before = [wire.call("CONFIG", "GET", name) for wire in (pair.real, pair.ours)]
    pair.step((b"CLIENT", b"NO-EVICT", b"ON"))  # some values of maxmemory-clients would end these connections
    try:
        for value in candidates(TABLE[name]):
            pair.step((b"CONFIG", b"SET", title, value.encode()))
            if name not in OWN_VALUES:
                pair.step((b"CONFIG", b"GET", title))
    finally:
        for wire, reply in zip((pair.real, pair.ours), before, strict=True):
            assert isinstance(reply, list), reply
            wire.call("CONFIG", "SET", name, reply[1])
        pair.close()


@pytest.mark.parametrize("name", SETTABLE)
def test_the_present_value_can_be_set(both: tuple[str, str], name: str) -> None:
    """Or is refused as the real server refuses it."""
    replies = []
    for path in both:
        with Wire(path) as wire:
            now = wire.call("CONFIG", "GET", name)
            assert isinstance(now, list), now
            replies.append(wire.call("CONFIG", "SET", name, now[1]))
    assert replies[0] == replies[1]


@pytest.mark.parametrize("line", [
    "CONFIG GET MAXMEMORY", "CONFIG GET maxmemory MaxMemory", "CONFIG GET hash-max-zip*", "CONFIG GET HASH-MAX-ZIP*",
    "CONFIG GET lua-time-limit busy-reply-threshold", "CONFIG GET rdb-key-save-delay", "CONFIG GET rdb-key-*",
    "CONFIG GET [sS]lowlog-?ax-len", "CONFIG SET a b c", "CONFIG SET hz 10 nope 1", "CONFIG SET nope 1 hz x",
    "CONFIG SET hz 20 hz 30", "CONFIG SET HZ 20 hz 30", "CONFIG SET hz 20 Timeout x", "CONFIG GET hz timeout",
    "CONFIG SET lua-time-limit x", "CONFIG SET LUA-TIME-LIMIT 5000", "CONFIG SET daemonize no hz x", "CONFIG SET DIR /",
    "CONFIG SET hz x daemonize no", "CONFIG SET list-max-ziplist-size -2 list-max-listpack-size -2", "CONFIG REWRITE",
    "CONFIG REWRITE x", "CONFIG NOPE", "CONFIG",
])
def test_requests(both: tuple[str, str], line: str) -> None:
    pair = Pair(*both, 2)
    command = tuple(word.encode() for word in line.split(" "))
    if command[1:2] == (b"GET",):
        replies = [wire.call(*command) for wire in (pair.real, pair.ours)]
        pairs = [dict(zip(reply[::2], reply[1::2], strict=True)) for reply in replies if isinstance(reply, list)]
        assert pairs[0] == pairs[1]
        assert len(pairs) == 2
    else:
        pair.step(command)
    pair.close()


def test_all_or_nothing(both: tuple[str, str]) -> None:
    pair = Pair(*both, 2)
    pair.step((b"CONFIG", b"SET", b"timeout", b"7", b"slowlog-max-len", b"5", b"hz", b"x"))
    pair.step((b"CONFIG", b"GET", b"timeout"))
    pair.step((b"CONFIG", b"GET", b"slowlog-max-len"))
    pair.step((b"CONFIG", b"SET", b"timeout", b"7", b"slowlog-max-len", b"5"))
    pair.step((b"CONFIG", b"GET", b"timeout"))
    pair.step((b"CONFIG", b"SET", b"timeout", b"0", b"slowlog-max-len", b"128"))
    pair.close()


def test_what_does_not_exist_here_is_refused(both: tuple[str, str]) -> None:
    with Wire(both[1]) as wire:
        reply = wire.call("CONFIG", "SET", "activedefrag", "yes")
        assert isinstance(reply, Failure)
        assert b"'activedefrag') - Active defragmentation cannot be enabled" in reply
