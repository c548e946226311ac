"""WATCH: what breaks a transaction and what does not, told by the real server."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from tests.differential.compare import Pair, compare_dumps

BEFORE: Final = {
    "nothing": [], "string": ["SET k v"], "expiring": ["SET k v EX 1000"], "list": ["RPUSH k a b"],
    "hash": ["HSET k f v"], "set": ["SADD k a", "SADD l a b"], "sorted set": ["ZADD k 1 a", "ZADD l 2 b"],
    "elsewhere": ["SELECT 1", "SET k other", "SELECT 0"],
    "both": ["SET k v", "SELECT 1", "SET k other", "SELECT 0"], "gone": ["SET k v PXAT 1"],
}
ACTIONS: Final = [
    "GET k", "SET k v", "SET k w NX", "SET k w XX", "DEL k", "UNLINK k", "SETNX k x", "APPEND k x", "APPEND k ",
    "INCR k", "EXPIRE k 100", "EXPIRE k -1", "EXPIRE k 100 XX", "PERSIST k", "RENAME k l", "RENAME l k", "RENAME k k",
    "COPY k l", "COPY l k REPLACE", "MOVE k 1", "MOVE k 2", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "SWAPDB 0 2",
    "SWAPDB 1 2", "SWAPDB 0 0", "LPUSH k x", "LPUSHX k x", "LPOP k", "LPOP k 0", "LREM k 0 zzz", "LREM k 0 a",
    "LTRIM k 0 -1", "LTRIM k 5 9", "LSET k 0 a", "LMOVE k k LEFT RIGHT", "RPOPLPUSH k l", "LINSERT k BEFORE zzz x",
    "LMPOP 1 k LEFT", "HSET k f v", "HSETNX k f w", "HDEL k f", "HDEL k g", "HINCRBY k n 1", "SETRANGE k 0 x",
    "SETRANGE k 3 ", "GETDEL k", "GETEX k", "GETEX k PERSIST", "GETEX k EX 50", "GETSET k v", "MSET k v l w",
    "MSETNX k v l w", "TOUCH k", "TYPE k", "HGETALL k", "LRANGE k 0 -1", "BLPOP k 0.001", "SET l x",
    "SADD k a", "SADD k b", "SREM k x", "SREM k a", "SPOP k", "SPOP k 5", "SPOP k 0", "SRANDMEMBER k", "SMOVE k l a",
    "SMOVE l k b", "SMOVE l k a", "SINTERSTORE k l l", "SINTERSTORE k m", "SUNIONSTORE m k l", "SDIFFSTORE k k l",
    "ZADD k 1 a", "ZADD k 2 a", "ZADD k NX 2 a", "ZADD k XX 2 zzz", "ZADD k INCR 0 a", "ZINCRBY k 0 a", "ZINCRBY k 1 a",
    "ZREM k x", "ZREM k a", "ZPOPMIN k", "ZPOPMIN k 0", "ZPOPMAX k 9", "ZMPOP 2 m k MIN", "ZRANGESTORE k l 0 -1",
    "ZRANGESTORE k l 5 9", "ZUNIONSTORE k 2 k l", "ZINTERSTORE k 2 k l", "ZDIFFSTORE m 1 k", "ZREMRANGEBYRANK k 5 9",
    "ZREMRANGEBYSCORE k 0 9", "ZREMRANGEBYLEX k - +", "SORT k ALPHA STORE k", "SORT k ALPHA STORE m", "SORT k ALPHA",
    "BZPOPMIN k 0.001", "BZMPOP 0.001 1 k MAX",
]


def words(line: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in line.split(" "))


@pytest.mark.parametrize("before", BEFORE)
def test_what_breaks_a_transaction(both: tuple[str, str], before: str) -> None:
    watcher, other = Pair(*both, 2), Pair(*both, 2)
    for action, where in itertools.product(ACTIONS, ("0", "1")):
        other.step((b"FLUSHALL",))
        other.step((b"SELECT", b"0"))
        other.step((b"SET", b"l", b"source"))
        for line in BEFORE[before]:
            other.step(words(line))
        watcher.step((b"SELECT", where.encode()))
        watcher.step((b"WATCH", b"k"))
        other.step(words(action))
        watcher.step((b"MULTI",))
        watcher.step((b"PING", f"{action} in {where}, {before} before".encode()))
        watcher.step((b"EXEC",))
        compare_dumps(other)
    watcher.close()
    other.close()


@pytest.mark.parametrize("line", ["UNWATCH", "DISCARD", "RESET", "EXEC", "SELECT 1", "MULTI", "WATCH l"])
def test_what_ends_a_watch(both: tuple[str, str], line: str) -> None:
    watcher, other = Pair(*both, 3), Pair(*both, 3)
    for again in (False, True):
        watcher.step((b"WATCH", b"k"))
        watcher.step(words(line))
        if again:
            watcher.step((b"WATCH", b"k"))
        other.step((b"SET", b"k", b"v"))
        watcher.step((b"MULTI",))
        watcher.step((b"SET", b"k", b"mine"))
        watcher.step((b"EXEC",))
        watcher.step((b"RESET",))
    watcher.close()
    other.close()


@pytest.mark.parametrize("action", ["SWAPDB 0 1", "FLUSHDB", "FLUSHALL", "DEL k", "SET k v", "PING"])
@pytest.mark.parametrize("watched", [0, 1])
@pytest.mark.parametrize("where", [(0,), (1,), (0, 1)])
def test_keys_that_had_expired_before(both: tuple[str, str], action: str, watched: int, where: tuple[int, ...]) -> None:
    """They lie there still, in one database or two, when they are watched."""
    watcher, other = Pair(*both, 2), Pair(*both, 2)
    other.step((b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"))
    for index in where:
        other.step((b"SELECT", b"%d" % index))
        other.step((b"SET", b"k", b"v", b"PX", b"1"))
    other.step((b"SELECT", b"0"))
    other.step((b"DEBUG", b"SLEEP", b"0.005"))
    watcher.step((b"SELECT", b"%d" % watched))
    watcher.step((b"WATCH", b"k"))
    other.step(words(action))
    watcher.step((b"MULTI",))
    watcher.step((b"PING",))
    watcher.step((b"EXEC",))
    other.step((b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"))
    watcher.close()
    other.close()


@pytest.mark.parametrize("action", ["SWAPDB 0 1", "FLUSHDB", "PING"])
@pytest.mark.parametrize("watched", [0, 1])
def test_keys_that_expire_behind_watch(both: tuple[str, str], action: str, watched: int) -> None:
    watcher, other = Pair(*both, 2), Pair(*both, 2)
    other.step((b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"))
    watcher.step((b"SELECT", b"%d" % watched))
    other.step((b"SET", b"k", b"v", b"PX", b"300"))
    watcher.step((b"WATCH", b"k"))
    other.step((b"DEBUG", b"SLEEP", b"0.35"))
    other.step(words(action))
    watcher.step((b"MULTI",))
    watcher.step((b"PING",))
    watcher.step((b"EXEC",))
    other.step((b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"))
    watcher.close()
    other.close()
