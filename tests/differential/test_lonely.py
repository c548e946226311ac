"""min-replicas-to-write: a server without replicas refuses writes."""

from __future__ import annotations

import pytest

from tests.differential.compare import Pair


@pytest.mark.parametrize("lines", [
    "GET k|SET k v|SET k|DEL k|PUBLISH a b|PING|TTL k|EXPIRE k 1|SORT k|SORT k STORE l|GETEX k|TOUCH k|FLUSHALL",
    "MULTI|GET k|EXEC", "MULTI|SET k v|EXEC|GET k", "MULTI|SET k v|GET k|DISCARD|SET k v",
    "CONFIG SET min-replicas-max-lag 0|SET k v|CONFIG SET min-replicas-max-lag 10|SET k v",
    "CONFIG SET maxmemory 1|SET k v|GET k|CONFIG SET maxmemory 0",
    "SUBSCRIBE c|SET k v|UNSUBSCRIBE c|BLPOP k 0|BLPOP k x",
])
def test_writes_need_replicas(both: tuple[str, str], lines: str) -> None:
    pair = Pair(*both, 2)
    pair.step((b"CONFIG", b"SET", b"min-replicas-to-write", b"1"))
    try:
        for line in lines.split("|"):
            pair.step(tuple(word.encode() for word in line.split()))
    finally:
        for wire in (pair.real, pair.ours):
            wire.call("CONFIG", "SET", "min-replicas-to-write", "0", "min-replicas-max-lag", "10", "maxmemory", "0")
        pair.close()


def test_what_was_queued_before_is_refused_at_exec(both: tuple[str, str]) -> None:
    pair, other = Pair(*both, 2), Pair(*both, 2)
    for command in ("MULTI", "INCR k"):
        pair.step(tuple(command.encode().split()))
    other.step((b"CONFIG", b"SET", b"min-replicas-to-write", b"2"))
    pair.step((b"EXEC",))
    other.step((b"CONFIG", b"SET", b"min-replicas-to-write", b"0"))
    pair.step((b"GET", b"k"))
    pair.close()
    other.close()
