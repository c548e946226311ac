"""Sizes of values: estimates that follow what is in them."""

from __future__ import annotations

import sys

import pytest

from heroredis import footprint
from heroredis.server import Server


def usage(server: Server, *options: bytes) -> int:
    found = server.execute(0, [b"MEMORY", b"USAGE", b"k", *options])
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("commands", [
    [b"RPUSH k %b"], [b"HSET k %b v"], [b"HSET k f%b %b"], [b"SADD k %b"], [b"ZADD k 1 %b"], [b"APPEND k %b"]])
def test_more_takes_more(commands: list[bytes]) -> None:
    server = Server()
    seen = [0]
    for size in (10, 1000, 20000):
        for command in commands:
            server.execute(0, command.replace(b"%b", b"x" * size).split())
        seen.append(usage(server, b"SAMPLES", b"0"))
        assert seen[-1] - seen[-2] >= size - 100
    assert usage(server) > 0


def test_samples_stand_for_the_rest() -> None:
    server = Server()
    server.execute(0, [b"SADD", b"k", *(b"member %04d" % number for number in range(1000))])
    assert usage(server, b"SAMPLES", b"3") == usage(server, b"SAMPLES", b"0")
    assert usage(server) >= 1000 * sys.getsizeof(b"member 0000")


def test_the_process() -> None:
    assert 0 < footprint.resident_bytes() <= footprint.peak_bytes() * 1.1
    server = Server()
    server.execute(3, [b"SET", b"k", b"v"])
    figures = server.execute(0, [b"MEMORY", b"STATS"])
    found = dict(figures.pairs)  # type: ignore[attr-defined]
    assert found[b"keys.count"] == 1
    assert b"db.3" in found
    assert found[b"peak.allocated"] >= found[b"total.allocated"] > 0
