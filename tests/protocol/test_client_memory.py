"""What connections take: shown by CLIENT LIST, beyond maxmemory-clients, beyond the output limits for too long."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from heroredis.parameters import Parameters
from heroredis.session.client import Client
from heroredis.session.crowd import Crowd
from heroredis.session.listing import OutputLimits, memory_of, read_room, reply_room
from tests.differential.harness import Failure, OurServer, Wire, until

LIMIT: Final = 3_000_000


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[OurServer]:
    server = OurServer(tmp_path, Parameters(enable_debug_command=b"yes")).start()
    yield server
    server.stop()


def fact(wire: Wire, name: str, field: str) -> int | None:
    """A number from CLIENT LIST; None when no connection bears this name."""
    text = wire.call("CLIENT", "LIST")
    assert isinstance(text, bytes)
    for line in text.decode().splitlines():
        facts = dict(word.split("=", 1) for word in line.split(" "))
        if facts["name"] == name:
            return int(facts[field])
    return None


def named(ours: OurServer, name: str) -> Wire:
    wire = Wire(ours.path)
    wire.call("CLIENT", "SETNAME", name)
    return wire


def shows(wire: Wire, name: str, qbuf: int) -> bool:
    return fact(wire, name, "qbuf") == qbuf


def evicted(wire: Wire) -> int:
    text = wire.call("INFO", "stats")
    assert isinstance(text, bytes)
    return int(text.partition(b"evicted_clients:")[2].partition(b"\r")[0])


def unfinished(size: int) -> bytes:
    return b"*1\r\n$%d\r\n%b" % (size, b"v" * size)


def test_an_unfinished_request_is_shown(ours: OurServer) -> None:
    with Wire(ours.path) as wire, named(ours, "x") as other:
        other.send_raw(b"*3\r\n$3\r\nset\r\n$1\r\na\r\n$1000000\r\n")
        until(lambda: (fact(wire, "x", "qbuf-free") or 0) >= 1_000_000, "room for the argument should be counted")
        other.send_raw(b"v" * 500_000)
        until(lambda: fact(wire, "x", "qbuf") == 500_000, "what has come of the argument should be shown")
        assert (fact(wire, "x", "tot-mem") or 0) >= 500_000


@pytest.mark.parametrize("spared", ["on", "off"])
def test_a_connection_that_takes_too_much_is_ended_unless_it_is_spared(ours: OurServer, spared: str) -> None:
    with Wire(ours.path) as wire, named(ours, "x") as other:
        wire.call("CONFIG", "SET", "maxmemory-clients", LIMIT)
        wire.call("CLIENT", "NO-EVICT", "on")
        other.call("CLIENT", "NO-EVICT", spared)
        try:
            other.send_raw(unfinished(LIMIT))
        except OSError:
            assert spared == "off"
        if spared == "on":
            until(lambda: fact(wire, "x", "qbuf") == LIMIT, "all should be taken in")
            assert evicted(wire) == 0
        else:
            until(lambda: fact(wire, "x", "qbuf") is None, "the connection should be gone")
            assert evicted(wire) == 1
            wire.call("CONFIG", "RESETSTAT")
            assert evicted(wire) == 0


def test_a_large_request_is_not_run_when_it_is_too_much(ours: OurServer) -> None:
    with Wire(ours.path) as wire, named(ours, "x") as other:
        wire.call("CONFIG", "SET", "maxmemory-clients", LIMIT)
        with pytest.raises((EOFError, OSError)):
            other.call("SET", "k", b"v" * LIMIT)
        assert wire.call("EXISTS", "k") == 0


@pytest.mark.parametrize("request_", [
    ["WATCH", "{}"], ["SUBSCRIBE", "{}"], ["PSUBSCRIBE", "{}"], ["SSUBSCRIBE", "{}"],
    ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a{}"]], ids=lambda words: words[0])
def test_names_are_counted(ours: OurServer, request_: list[str]) -> None:
    with Wire(ours.path) as wire, Wire(ours.path) as other:
        wire.call("CONFIG", "SET", "maxmemory-clients", 50_000)
        with pytest.raises((EOFError, OSError)):
            for number in range(1000, 9999):
                other.call(*[word.replace("{}", str(number)) for word in request_])
        assert evicted(wire) == 1


def test_queued_commands_are_counted(ours: OurServer) -> None:
    with Wire(ours.path) as wire, Wire(ours.path) as other:
        wire.call("CONFIG", "SET", "maxmemory-clients", LIMIT)
        other.call("MULTI")
        with pytest.raises((EOFError, OSError)):
            for _ in range(5):
                other.call("SET", "k", b"v" * (LIMIT // 4))


def test_messages_that_pile_up_are_counted(ours: OurServer) -> None:
    with Wire(ours.path) as wire, named(ours, "x") as slow:
        wire.call("CONFIG", "SET", "maxmemory-clients", LIMIT)
        wire.call("DEBUG", "PAUSE-CRON", 1)
        slow.call("SUBSCRIBE", "c")
        for _ in range(100):
            if wire.call("PUBLISH", "c", b"m" * 200_000) == 0:
                break
        until(lambda: fact(wire, "x", "sub") is None, "the slow listener should be gone")


def test_a_lower_limit_ends_the_largest_until_it_holds(ours: OurServer) -> None:
    with Wire(ours.path) as wire:
        wire.call("CLIENT", "NO-EVICT", "on")
        others = [named(ours, f"c{number}") for number in range(6)]
        for number, other in enumerate(others):
            other.send_raw(unfinished(100_000 * (number + 1)))
        for number in range(6):
            wanted = 100_000 * (number + 1)
            until(partial(shows, wire, f"c{number}", wanted), "it should be taken in")
        wire.call("CONFIG", "SET", "maxmemory-clients", 1_600_000)  # 2,100,000 are taken: the largest has to go
        until(lambda: fact(wire, "c5", "qbuf") is None, "the largest should be gone")
        assert [fact(wire, f"c{number}", "db") for number in range(5)] == [0] * 5
        assert evicted(wire) == 1
        for other in others:
            other.close()


def test_a_share_of_maxmemory() -> None:
    parameters = Parameters(maxmemory=b"1000000", maxmemory_clients=b"7%")
    crowd = Crowd({}, parameters)
    crowd.adapt()
    assert crowd.limit == 70_000
    parameters.put("maxmemory", b"0")
    crowd.adapt()
    assert crowd.limit == 0
    assert not crowd.is_over


def test_sizes_by_powers_of_two(ours: OurServer) -> None:
    with Wire(ours.path) as wire:
        assert wire.call("DEBUG", "CLIENT-EVICTION") == Failure(b"ERR maxmemory-clients is disabled.")
        wire.call("CONFIG", "SET", "maxmemory-clients", LIMIT)
        assert b"clients of less than" in bytes(str(wire.call("DEBUG", "CLIENT-EVICTION")), "ascii")


def client(now_ms: int) -> Client:
    return Client(1, "a", "b", now_ms, lambda: None)


def test_room_is_given_back_by_the_silent() -> None:
    one = client(1000)
    assert read_room(one, 0, 1000) == 16384
    assert read_room(one, 384, 2999) == 16000
    assert read_room(one, 0, 3000) == 0
    one.unfinished = lambda: (0, 0, 400_000)
    assert read_room(one, 0, 2000) == 400_000
    assert reply_room(one, 5999, 5000) == 16384
    assert reply_room(one, 6000, 5000) == 1024
    assert reply_room(one, 10**9, -1) == 16384


def test_what_is_beyond_the_soft_limit_for_too_long_ends_without_another_message() -> None:
    limits = OutputLimits()
    limits.set(b"normal 1000 100 2")
    one = client(0)
    ended = []
    now = 5000
    waiting = 150

    def look() -> None:
        if limits.is_beyond(one, waiting, now):
            ended.append(now)

    one.look_at_output = look
    look()
    now = 7000
    limits.look_again()
    waiting = 50
    limits.look_again()
    waiting = 150
    look()
    now = 9000
    limits.look_again()
    assert ended == []
    now = 9001
    limits.look_again()
    assert ended == [9001]
    limits.forget(one)
    limits.look_again()
    assert ended == [9001]


def test_what_a_client_takes_grows_with_its_names() -> None:
    one = client(0)
    empty = memory_of(one)
    one.watched.add((0, b"k"))
    one.channels[b"c"] = None
    assert memory_of(one) > empty
