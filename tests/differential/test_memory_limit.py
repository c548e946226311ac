"""maxmemory: what is refused, what is evicted, and that it is told; beside the real server where it can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from heroredis.extension import Extension
from heroredis.parameters import Parameters
from heroredis.server import Server
from tests.differential.conversation import compare
from tests.differential.harness import Failure, Status, Wire

POLICIES: Final = ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
                   "volatile-ttl")


@pytest.fixture(autouse=True)
def no_limit_behind(both: tuple[str, str]) -> Iterator[None]:
    yield
    for path in both:
        with Wire(path) as wire:
            wire.call("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction", "notify-keyspace-events", "")


def test_the_same_is_refused(both: tuple[str, str]) -> None:
    compare(both, [
        "a: SET k 1", "a: RPUSH q 1", "a: CONFIG SET maxmemory 1", "a: SET k 2", "a: GET k", "a: DEL k", "a: INCR n",
        "a: LPOP q",
        "a: EXPIRE q 10", "a: MULTI", "a: SET k 3", "a: EXEC", "a: MULTI", "a: GET k", "a: DISCARD", "a: PUBLISH c 1",
        "a: SUBSCRIBE c", "a: UNSUBSCRIBE c", "a: HSET h f v", "a: HDEL h f", "a: CONFIG SET maxmemory 0", "a: SET k 4",
        "b: MULTI", "b: SET k 5", "a: CONFIG SET maxmemory 1", "b: MULTI", "b: WATCH k", "b: PING", "b: EXEC",
        "a: CONFIG SET maxmemory 0", "b: GET k",
    ])


def test_evictions_are_told(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path) as listener, Wire(path) as writer:
            writer.call("SET", "k", "1")
            writer.call("CONFIG", "SET", "notify-keyspace-events", "Ee", "maxmemory-policy", "allkeys-lru")
            listener.call("PSUBSCRIBE", "*")
            writer.call("CONFIG", "SET", "maxmemory", 1)
            writer.call("PING")
            assert listener.read() == [b"pmessage", b"*", b"__keyevent@0__:evicted", b"k"]


def used(wire: Wire) -> int:
    info = wire.call("INFO", "memory")
    assert isinstance(info, bytes)
    return int(info.partition(b"used_memory:")[2].partition(b"\r")[0])


@pytest.mark.parametrize("policy", POLICIES)
def test_the_limit_is_honoured(both: tuple[str, str], policy: str) -> None:
    with Wire(both[1]) as wire:
        limit = used(wire) + 100 * 1024
        wire.call("CONFIG", "SET", "maxmemory", limit, "maxmemory-policy", policy)
        for number in range(3000):
            assert wire.call("SETEX", f"volatile:{number}", 10000 + number, "x") == Status(b"OK")
        assert used(wire) < limit + 4096
        held = wire.call("DBSIZE")
        assert isinstance(held, int)
        assert 100 < held < 3000
        info = wire.call("INFO", "stats")
        assert isinstance(info, bytes)
        assert b"evicted_keys:0\r\n" not in info


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy.startswith("volatile")])
def test_only_volatile_keys_go(both: tuple[str, str], policy: str) -> None:
    with Wire(both[1]) as wire:
        for number in range(200):
            wire.call("SET", f"kept:{number}", "x")
        wire.call("CONFIG", "SET", "maxmemory", used(wire) + 20 * 1024, "maxmemory-policy", policy)
        for number in range(500):
            wire.call("SETEX", f"volatile:{number}", 1000, "x")
        assert wire.call("EXISTS", *(f"kept:{number}" for number in range(200))) == 200
        refused = [wire.call("SET", f"more:{number}", "x" * 100) for number in range(300)]
        assert Failure(b"OOM command not allowed when used memory > 'maxmemory'.") in refused


def test_what_is_used_stays(both: tuple[str, str]) -> None:
    with Wire(both[1]) as wire:
        wire.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "maxmemory-samples", 10,
                  "lfu-decay-time", 0)
        for number in range(50):
            wire.call("SET", f"hot:{number}", "x")
            for _ in range(20):
                wire.call("GET", f"hot:{number}")
        wire.call("CONFIG", "SET", "maxmemory", used(wire) + 50 * 1024)
        for number in range(1000):
            wire.call("SET", f"cold:{number}", "x")
        kept = wire.call("EXISTS", *(f"hot:{number}" for number in range(50)))
        assert isinstance(kept, int)
        assert kept >= 45
        wire.call("CONFIG", "SET", "maxmemory-samples", 5, "lfu-decay-time", 1)


class OwnsJobs(Extension):
    def owned_prefixes(self) -> tuple[bytes, ...]:
        return (b"job:",)


def test_owned_keys_are_never_evicted() -> None:
    server = Server(parameters=Parameters(maxmemory_policy=b"allkeys-random"))
    server.add_extension(OwnsJobs())
    for number in range(50):
        server.space.databases[0].store(b"job:%d" % number, b"x")
        server.execute(0, [b"SET", b"other:%d" % number, b"x"])
    assert server.parameters.change("maxmemory", b"1") == ""
    assert not server.memory.make_room()
    assert sorted(server.space.databases[0].data) == sorted(b"job:%d" % number for number in range(50))
    assert server.memory.evicted == 50


def test_memory_is_looked_at_before_what_subscribers_may_do(both: tuple[str, str]) -> None:
    told = []
    for path in both:
        with Wire(path) as wire, Wire(path) as subscriber:
            subscriber.call("SUBSCRIBE", "c")
            wire.call("CONFIG", "SET", "maxmemory", 1)
            try:
                told.append([subscriber.call("SET", "k", "v"), subscriber.call("GET", "k")])
            finally:
                wire.call("CONFIG", "SET", "maxmemory", 0)
    assert told[0] == told[1]
