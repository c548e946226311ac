"""Messages that nobody asked for: shard channels, keyspace notifications, invalidations of client-side caches."""

from __future__ import annotations

from typing import Final

import pytest

from tests.differential.conversation import compare
from tests.differential.harness import Tagged, Wire

CONVERSATIONS: Final[dict[str, list[str]]] = {
    "shard channels": [
        "a: SSUBSCRIBE c", "b: SPUBLISH c 1", "a<", "b: PUBLISH c 2", "b: PUBSUB SHARDCHANNELS", "b: PUBSUB CHANNELS",
        "b: PUBSUB SHARDNUMSUB c d", "b: PUBSUB SHARDCHANNELS x*", "a: SUBSCRIBE c", "b: SPUBLISH c 3", "a<",
        "b: PUBLISH c 4", "a<", "a: UNSUBSCRIBE", "a: PING", "a: SUNSUBSCRIBE c", "a: SUNSUBSCRIBE", "a: PING",
        "a: SSUBSCRIBE d", "a: RESET", "b: SPUBLISH d 1", "b: PUBSUB SHARDCHANNELS x y", "b: PUBSUB SHARDNUMSUB",
        "b: SSUBSCRIBE", "b: SPUBLISH c", "b: MULTI", "b: SSUBSCRIBE c", "b: SPUBLISH c x", "b: EXEC",
    ],
    "subscribing without replies": [
        "b! CLIENT REPLY OFF", "b! PING", "b! SUBSCRIBE c", "b<", "b! PSUBSCRIBE c*", "b<", "b! SSUBSCRIBE c", "b<",
        "a: PUBLISH c 1", "b<", "b<", "a: SPUBLISH c 2", "b<", "b! UNSUBSCRIBE", "b<", "b! PUNSUBSCRIBE", "b<",
        "b! SUNSUBSCRIBE", "b<", "b! PING", "b: CLIENT REPLY ON", "b! CLIENT REPLY SKIP", "b! SUBSCRIBE c", "b<",
        "b! UNSUBSCRIBE", "b<", "b: PING",
    ],
    "tracked reads": [
        "a: CLIENT TRACKING ON", "b: SET k 1", "a: GET k", "b: SET k 2", "a<", "b: SET k 3", "a: MGET k l",
        "b: MSET k 1 l 2", "a<", "a<", "a: GET k", "a: SET k 5", "a<", "a: GET k", "a: CLIENT TRACKINGINFO",
        "a: CLIENT GETREDIR", "a: MULTI", "a: INCR k", "a: GET k", "a: EXEC", "a<", "b: DEL k", "a<", "a: GET k",
        "b: FLUSHALL", "a<", "a: GET k", "a: FLUSHDB", "a<", "a: CLIENT TRACKING OFF", "a: CLIENT TRACKINGINFO",
    ],
    "no loop": [
        "a: CLIENT TRACKING ON NOLOOP", "a: MGET k l", "a: SET k 1", "b: SET l 1", "a<", "a: CLIENT TRACKINGINFO",
        "a: PING", "a: CLIENT TRACKING OFF",
    ],
    "opt in": [
        "a: CLIENT TRACKING ON OPTIN", "a: GET k", "b: SET k 1", "a: CLIENT CACHING YES", "a: CLIENT TRACKINGINFO",
        "a: GET k", "a: GET l", "a: CLIENT TRACKINGINFO", "b: SET l 1", "b: SET k 2", "a<", "a: CLIENT CACHING NO",
        "a: CLIENT CACHING x", "a: CLIENT CACHING YES", "a: MULTI", "a: GET k", "a: GET l", "a: EXEC",
        "b: MSET k 3 l 4", "a<", "a<", "a: CLIENT CACHING YES", "a: GET", "a: GET k", "b: SET k 5", "a: PING",
        "a: CLIENT TRACKING ON", "a: CLIENT TRACKINGINFO",
        "a: CLIENT TRACKING ON OPTOUT", "a: CLIENT TRACKING OFF",
    ],
    "opt out": [
        "a: CLIENT TRACKING ON OPTOUT", "a: CLIENT CACHING NO", "a: GET k", "a: GET l", "b: MSET k 1 l 1", "a<",
        "a: CLIENT CACHING YES", "a: CLIENT TRACKING ON OPTIN", "a: CLIENT TRACKING OFF",
    ],
    "prefixes": [
        "a: CLIENT TRACKING ON BCAST PREFIX x: PREFIX y:", "b: SET x:1 1", "a<", "b: SET z:1 1", "b: SET y:1 1", "a<",
        "a: CLIENT TRACKINGINFO", "a: CLIENT TRACKING ON BCAST PREFIX z:", "b: SET z:1 1", "a<",
        "a: CLIENT TRACKING ON BCAST PREFIX x", "a: CLIENT TRACKING ON BCAST PREFIX x:more",
        "a: CLIENT TRACKING ON BCAST PREFIX q PREFIX qq", "a: CLIENT TRACKING ON BCAST PREFIX z:",
        "a: CLIENT TRACKING ON BCAST PREFIX z: PREFIX z:", "a: CLIENT TRACKING ON BCAST",
        "a: CLIENT TRACKING ON BCAST PREFIX more", "a: CLIENT TRACKING ON BCAST", "a: CLIENT TRACKINGINFO",
        "a: CLIENT TRACKING ON", "a: CLIENT TRACKING OFF",
        "a: CLIENT TRACKING ON BCAST", "a: CLIENT TRACKINGINFO", "b: MSET k 1 l 2 m 3", "a<", "a: CLIENT TRACKING OFF",
    ],
    "redirection": [
        "r: SUBSCRIBE __redis__:invalidate", "a: CLIENT TRACKING ON REDIRECT 999999",
        "a: CLIENT TRACKING ON REDIRECT {r}", "a: GET k", "b: SET k 1", "r<", "b: SET k 2", "a: GET k", "a: SET k 2",
        "r<", "a: GET k", "b: FLUSHALL", "r<", "a: GET k", "r: QUIT", "a! CLIENT ID", "b: SET k 1",
    ],
    "wrong tracking": [
        "a: CLIENT TRACKING", "a: CLIENT TRACKING maybe", "a: CLIENT TRACKING ON PREFIX x",
        "a: CLIENT TRACKING ON NOPE", "a: CLIENT TRACKING ON BCAST OPTIN", "a: CLIENT TRACKING ON OPTIN OPTOUT",
        "a: CLIENT TRACKING ON REDIRECT x", "a: CLIENT TRACKING ON REDIRECT", "a: CLIENT CACHING YES",
        "a: CLIENT CACHING", "a: CLIENT GETREDIR", "a: CLIENT TRACKING ON REDIRECT {a} REDIRECT {a}",
        "a: CLIENT TRACKING OFF NOPE", "a: CLIENT TRACKING ON", "a: CLIENT CACHING YES", "a: CLIENT CACHING NO",
        "a: CLIENT CACHING x", "a: CLIENT TRACKING OFF",
    ],
    "the blocked are told behind their reply": [
        "a: CLIENT TRACKING ON", "a: LRANGE l2 0 -1", "a! BLMOVE l1 l2 LEFT LEFT 0", "b: RPUSH l1 x", "a<", "a<",
        "a: CLIENT TRACKING OFF",
    ],
}


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_same_conversation(both: tuple[str, str], name: str, resp: int) -> None:
    lines = CONVERSATIONS[name]
    if resp == 2 and name not in ("shard channels", "subscribing without replies", "redirection", "wrong tracking"):
        lines = [line for line in lines if line != "a<"]  # without a redirection RESP2 is told nothing
        if name == "the blocked are told behind their reply":
            lines.insert(4, "a<")
    compare(both, lines, a=resp, r=2)


WRITES: Final = [
    "SET k 1", "SET k 2 EX 100", "SETEX k 100 1", "GETSET k 3", "APPEND k 4", "INCR k", "INCRBYFLOAT k 1",
    "SETRANGE k 1 x", "MSET k 1 l 2", "MSETNX m 1 n 2", "SETNX k 1", "SETNX o 1", "SETBIT b 7 1", "BITOP NOT c b",
    "BITFIELD b SET u8 0 9", "BITFIELD b SET u8 0 9",
    "BITFIELD b INCRBY u8 0 0", "BITFIELD b OVERFLOW FAIL INCRBY u2 0 9", "BITFIELD b2 GET u8 0 SET u8 0 0",
    "GETDEL o", "GETEX k EX 10", "GETEX k PERSIST", "EXPIRE k 100", "PERSIST k",
    "EXPIRE l -1", "PEXPIREAT m 1", "RENAME k kk", "RENAMENX kk k", "COPY k copy", "MOVE copy 1", "DEL k nope",
    "UNLINK n b c", "RPUSH q a b c d e f a", "LPUSH q x", "LPUSHX nope x", "RPUSHX q y", "LINSERT q BEFORE a z",
    "LSET q 0 s", "LTRIM q 1 8", "LREM q 1 a", "LPOP q", "RPOP q 2", "LMOVE q r LEFT RIGHT", "RPOPLPUSH q r",
    "LMPOP 1 q LEFT", "LPOP q 100", "BLPOP r 1", "BLMOVE r s LEFT LEFT 1", "DEL r s", "HSET h f 1 g 2",
    "HSETNX h i 3", "HINCRBY h f 1", "HINCRBYFLOAT h f 1.5", "HMSET h x 1", "HDEL h f nope", "HDEL h g i x",
    "SADD s a b c", "SREM s a", "SMOVE s t b", "SPOP s", "SADD s a b c", "SINTERSTORE u s s", "SUNIONSTORE u s t",
    "SDIFFSTORE u s s", "SREM t b", "ZADD z 1 a 2 b 3 c", "ZADD z INCR 1 a", "ZINCRBY z 1 a", "ZREM z a",
    "ZRANGESTORE zz z 0 -1", "ZUNIONSTORE zz 1 z", "ZINTERSTORE zz 2 z nope", "ZPOPMIN z", "ZADD z 1 a",
    "ZREMRANGEBYSCORE z 0 1", "ZREMRANGEBYRANK z 0 0", "ZADD z 1 a 2 b", "ZPOPMAX z 2", "ZADD z 1 a", "ZMPOP 1 z MIN",
    "ZADD z 1 a", "BZPOPMIN z 1", "ZDIFFSTORE d 1 z", "RPUSH sorted 3 1 2", "SORT sorted STORE result",
    "SORT nope STORE result", "OBJECT ENCODING nope",
    "MEMORY USAGE nope", "GET nope", "HGET nope f", "EXISTS nope", "MGET nope s", "SETEX gone 1 1", "TOUCH k",
    "FLUSHDB", "SET k 1", "SWAPDB 0 1",
]


def events_of(path: str, flags: str, writes: list[str]) -> list[tuple[str, list[object]]]:
    """The messages of each write, in their order."""
    told = []
    with Wire(path) as listener, Wire(path) as writer:
        writer.call("CONFIG", "SET", "notify-keyspace-events", flags)
        listener.call("PSUBSCRIBE", "*")
        for line in writes:
            writer.call(*line.split(" "))
            writer.call("PUBLISH", "end", "")
            events: list[object] = []
            while (message := listener.read()) != [b"pmessage", b"*", b"end", b""]:
                assert isinstance(message, list), message
                events.append(message[2:])
            told.append((line, events))
        writer.call("CONFIG", "SET", "notify-keyspace-events", "")
    return told


def known(both: tuple[str, str]) -> list[str]:
    """The writes whose commands are there."""
    with Wire(both[1]) as wire:
        names = wire.call("COMMAND", "LIST")
        assert isinstance(names, list)
    return [line for line in WRITES if line.split(" ")[0].lower().encode() in names]


@pytest.mark.parametrize("flags", ["KEA", "Kg$", "Elshz", "KAnm", "A", "x", "Kxe"])
def test_the_same_events_are_told(both: tuple[str, str], flags: str) -> None:
    real, ours = (events_of(path, flags, known(both)) for path in both)
    if "n" in flags:  # that a key is new is told behind the event of the key from which it came (RENAME, MOVE)
        real, ours = ([(line, sorted(events, key=repr)) for line, events in told] for told in (real, ours))
    different = [(line, theirs, mine) for (line, theirs), (_, mine) in zip(real, ours, strict=True) if theirs != mine]
    assert different == []


def test_expiry_is_told(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path) as listener, Wire(path) as writer:
            writer.call("CONFIG", "SET", "notify-keyspace-events", "Ex")
            listener.call("PSUBSCRIBE", "*")
            writer.call("SET", "k", "1", "PX", "1")
            assert listener.read() == [b"pmessage", b"*", b"__keyevent@0__:expired", b"k"]
            writer.call("CONFIG", "SET", "notify-keyspace-events", "")


def test_a_smaller_table_is_told_of_at_once_also_to_who_queues_commands(both: tuple[str, str]) -> None:
    told = []
    for path in both:
        with Wire(path, 3) as reader, Wire(path) as other:
            other.call("DEBUG", "PAUSE-CRON", "1")
            reader.call("CLIENT", "TRACKING", "ON")
            reader.call("MGET", "a", "b")
            reader.call("MULTI")
            other.call("CONFIG", "SET", "tracking-table-max-keys", 1)
            reader.send("PING")
            first = reader.read()
            assert isinstance(first, Tagged)
            told.append((first.marker, reader.read(), reader.call("EXEC")))
            other.call("CONFIG", "SET", "tracking-table-max-keys", 1000000)
            other.call("DEBUG", "PAUSE-CRON", "0")
    assert told[0] == told[1]


def test_keys_given_up_by_the_table_are_invalidated(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path, 3) as reader, Wire(path) as other:
            reader.call("CLIENT", "TRACKING", "ON")
            reader.call("MGET", "a", "b", "c")
            other.call("CONFIG", "SET", "tracking-table-max-keys", 1)
            found = {repr(reader.read()) for _ in range(2)}
            assert len(found) == 2
            assert found < {repr(Tagged(">", [b"invalidate", [name]])) for name in (b"a", b"b", b"c")}
            other.call("CONFIG", "SET", "tracking-table-max-keys", 1000000)
            info = other.call("INFO", "stats")
            assert isinstance(info, bytes)
            assert b"tracking_total_keys:1\r\n" in info
