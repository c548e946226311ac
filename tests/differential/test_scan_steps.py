"""How much one step of HSCAN, SSCAN and ZSCAN answers: a value in its compact form comes as a whole."""

from __future__ import annotations

from typing import Final

import pytest

from tests.differential.compare import Pair
from tests.differential.harness import Wire

FILLED: Final = {
    "small hash": ("HSCAN", ["HSET k %d %d"], 300, 2), "big hash": ("HSCAN", ["HSET k %d %d"], 600, 2),
    "hash with a long value": ("HSCAN", ["HSET k %d %d", "HSET k long " + "v" * 70], 300, 2),
    "integers": ("SSCAN", ["SADD k %d"], 300, 1), "many integers": ("SSCAN", ["SADD k %d"], 600, 1),
    "integers and a word": ("SSCAN", ["SADD k %d", "SADD k word"], 300, 1),
    "small sorted set": ("ZSCAN", ["ZADD k %d %d"], 100, 2), "big sorted set": ("ZSCAN", ["ZADD k %d %d"], 300, 2),
}


@pytest.mark.parametrize("name", FILLED)
def test_a_compact_value_comes_as_a_whole(both: tuple[str, str], name: str) -> None:
    scan, lines, count, width = FILLED[name]
    complete = []
    for path in both:
        with Wire(path) as wire:
            for number in range(count):
                for line in lines if number == 0 else lines[:1]:
                    wire.call(*line.replace("%d", str(number)).split())
            reply = wire.call(scan, "k", 0)
            assert isinstance(reply, list), reply
            cursor, part = reply
            assert isinstance(part, list), part
            complete.append((cursor == b"0", len(part) // width >= count))
    assert complete[0] == complete[1]


@pytest.mark.parametrize("options", ["", " MATCH k*", " TYPE string", " TYPE nope", " COUNT 1000"])
def test_a_scan_removes_what_has_expired(both: tuple[str, str], options: str) -> None:
    pair = Pair(*both, 2)
    pair.step((b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"))
    for number in range(30):
        pair.step((b"SET", b"key%d" % number, b"v", b"PX", b"1" if number % 3 else b"1000000"))
    pair.step((b"DEBUG", b"SLEEP", b"0.005"))
    pair.step((b"DBSIZE",))
    pair.step(tuple(b"SCAN 0".split(b" ") + options.encode().split()))
    pair.step((b"DBSIZE",))
    pair.step((b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"))
    pair.close()
