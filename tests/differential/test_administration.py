"""Commands about the server and its clients: every form, right and wrong, is answered as the real server answers it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.differential.compare import Pair
from tests.differential.harness import Status, Wire, same

LINES: Final = [
    "CLIENT KILL ID x", "CLIENT KILL ID 0", "CLIENT KILL ID -1", "CLIENT KILL ID 999999", "CLIENT KILL ADDR x",
    "CLIENT KILL x", "CLIENT KILL TYPE nope", "CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE master",
    "CLIENT KILL USER nope", "CLIENT KILL USER default SKIPME maybe", "CLIENT KILL NOPE x", "CLIENT KILL ID",
    "CLIENT KILL ID 1 ADDR", "CLIENT KILL LADDR x", "CLIENT KILL SKIPME yes ID 999999", "CLIENT LIST NOPE",
    "CLIENT LIST TYPE nope", "CLIENT LIST TYPE pubsub", "CLIENT LIST TYPE", "CLIENT LIST ID", "CLIENT LIST ID x",
    "CLIENT LIST ID 999999", "CLIENT LIST ID 0", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 1 x", "CLIENT SETNAME",
    "CLIENT SETNAME a b", "CLIENT NO-EVICT maybe", "CLIENT NO-EVICT", "CLIENT GETREDIR x", "CLIENT ID x",
    "CLIENT INFO x", "CONFIG GET", "CONFIG GET nope", "CONFIG SET a", "CONFIG SET nope x", "CONFIG SET maxmemory x",
    "CONFIG SET maxmemory 100mb", "CONFIG GET maxmemory", "CONFIG SET maxmemory 0", "CONFIG SET databases 1",
    "CONFIG SET maxmemory 1 maxmemory 2", "CONFIG GET appendonly", "CONFIG GET save", "CONFIG SET maxclients 0",
    "CONFIG SET hz x", "CONFIG RESETSTAT x", "HRANDFIELD", "HRANDFIELD h", "HRANDFIELD h 1", "HRANDFIELD h 0",
    "HRANDFIELD h x", "HRANDFIELD h 1 x", "HRANDFIELD h 1 WITHVALUES x", "HRANDFIELD h -9223372036854775808",
    "HRANDFIELD h -9223372036854775807 WITHVALUES", "HRANDFIELD h 9223372036854775807 WITHVALUES",
    "HRANDFIELD h 4611686018427387904 WITHVALUES", "HRANDFIELD h -4611686018427387904 WITHVALUES",
    "HRANDFIELD h -9223372036854775807", "SRANDMEMBER s",
    "SRANDMEMBER s -9223372036854775807", "SRANDMEMBER s -9223372036854775808", "SRANDMEMBER s 9223372036854775807",
    "ZRANDMEMBER z -9223372036854775807", "ZRANDMEMBER z -4611686018427387904 WITHSCORES",
    "ZRANDMEMBER z -4611686018427387903 WITHSCORES",
    "OBJECT ENCODING nope", "OBJECT REFCOUNT nope", "DBSIZE x", "TIME x", "ROLE", "ROLE x", "RANDOMKEY",
    "RANDOMKEY x", "SHUTDOWN NOPE", "SHUTDOWN SAVE NOSAVE",
    "SHUTDOWN ABORT", "SHUTDOWN ABORT NOW", "SHUTDOWN ABORT ABORT", "FLUSHALL X", "FLUSHALL ASYNC SYNC", "INFO nope",
    "PUBSUB", "PUBSUB CHANNELS", "PUBSUB CHANNELS a b", "PUBSUB NUMSUB", "PUBSUB NUMSUB a b", "PUBSUB NUMPAT",
    "PUBSUB NUMPAT x", "PUBSUB NOPE", "PUBLISH a", "PUBLISH a b", "UNSUBSCRIBE", "UNSUBSCRIBE a b", "PUNSUBSCRIBE",
    "PUNSUBSCRIBE a b", "COMMAND COUNT x", "COMMAND NOPE", "COMMAND LIST x", "COMMAND LIST FILTERBY",
    "COMMAND GETKEYS", "COMMAND GETKEYS GET", "COMMAND DOCS nope", "AUTH", "AUTH a b c", "AUTH default x",
    "AUTH nobody x", "CONFIG SET maxclients 4294967296", "CONFIG SET proto-max-bulk-len 1",
    "CONFIG SET client-query-buffer-limit 1k", "CONFIG SET maxmemory 1gb1", "CONFIG SET maxmemory -1",
    "REPLICAOF NO ONE", "SLAVEOF no one", "REPLICAOF NO", "REPLCONF", "REPLCONF x y", "REPLCONF x", "FAILOVER",
    "FAILOVER ABORT", "FAILOVER TO", "FAILOVER TO a 1", "FAILOVER NOPE", "CLUSTER", "CLUSTER INFO", "CLUSTER NOPE",
    "CLUSTER KEYSLOT", "CLUSTER KEYSLOT a", "CLUSTER HELP", "READONLY", "READWRITE", "ASKING", "ASKING x",
    "MODULE LIST",
    "MODULE NOPE", "LATENCY", "LATENCY LATEST", "LATENCY HISTORY", "LATENCY HISTORY nope", "LATENCY RESET nope",
    "LATENCY GRAPH nope", "LATENCY HISTOGRAM nope", "LATENCY HISTOGRAM nope|x", "LATENCY HELP x", "LOLWUT",
    "LOLWUT VERSION", "LOLWUT VERSION x", "LOLWUT VERSION 9", "LOLWUT VERSION 5 x",
    "LOLWUT VERSION 5 1 x", "LOLWUT VERSION 6 1 x", "LOLWUT x",
    "DEBUG OBJECT k fast", "DEBUG REPLYBUFFER NOPE 1", "DEBUG DROP-CLUSTER-PACKET-FILTER x", "WAIT 0 0",
    "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "PSYNC x", "SYNC x",
]



def words(line: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in line.split(" "))


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("line", LINES)
def test_same_answer(both: tuple[str, str], line: str, resp: int) -> None:
    pair = Pair(*both, resp)
    pair.step(words(line))
    pair.close()


def test_parameters_with_units(both: tuple[str, str]) -> None:
    pair = Pair(*both, 2)
    for value in ("1b", "1k", "1kb", "2m", "2MB", "3g", "3Gb", "0100", "7"):
        pair.step((b"CONFIG", b"SET", b"maxmemory", value.encode()))
        pair.step((b"CONFIG", b"GET", b"maxmemory"))
    pair.step((b"CONFIG", b"SET", b"maxmemory", b"0"))
    pair.close()


@pytest.mark.parametrize("lines", [
    "SET k 1", "SET k 12345678901234567890", "SET k -5", "SET k 01", "SET k a", f"SET k {'a' * 44}",
    f"SET k {'a' * 45}", "SET k ", "INCR k",
    "SET k a|APPEND k b", "SET k 1|APPEND k 2", "SET k abc|SETRANGE k 1 x", "SET k 5|INCR k",
    f"HSET k f {'x' * 64}", f"HSET k f {'x' * 65}", f"HSET k {'x' * 65} v", "RPUSH k a",
    "HSET k " + " ".join(f"f{number} v" for number in range(512)),
    "HSET k " + " ".join(f"f{number} v" for number in range(513)),
], ids=lambda lines: lines[:30])
def test_encodings(both: tuple[str, str], lines: str) -> None:
    pair = Pair(*both, 2)
    for line in lines.split("|"):
        pair.step(words(line))
    pair.step((b"OBJECT", b"ENCODING", b"k"))
    pair.close()


@pytest.mark.parametrize("resp", [2, 3])
def test_random_fields(both: tuple[str, str], resp: int) -> None:
    """Not which fields come, but how many, in what form, and that they are the hash's own."""
    shapes = []
    for path in both:
        with Wire(path, resp) as wire:
            wire.call("HSET", "h", "a", "1", "b", "2", "c", "3")
            shape: list[object] = []
            for request in ("h", "h 2", "h 9", "h -7", "h 2 WITHVALUES", "h -4 withvalues", "h 9 WITHVALUES", "none 2"):
                reply = wire.call("HRANDFIELD", *request.split())
                items = reply if isinstance(reply, list) else [reply]
                shape.append([type(reply), len(items), [type(item) for item in items]])
                flat = [part for item in items for part in (item if isinstance(item, list) else [item])]
                assert set(flat) <= {b"a", b"b", b"c", b"1", b"2", b"3"}
            shapes.append(shape)
    assert shapes[0] == shapes[1]


Told = list[tuple[str, object]]


def played(path: str, resp: int) -> Told:
    """A small conversation of two subscribers and a publisher, as each of them saw it."""
    with Wire(path, resp) as one, Wire(path, resp) as two, Wire(path, 2) as publisher:
        told: Told = []

        def ask(name: str, wire: Wire, line: str, answers: int = 1) -> None:
            wire.send(*words(line))
            told.extend((name, wire.read()) for _ in range(answers))

        ask("one", one, "SUBSCRIBE a b a", 3)
        ask("two", two, "PSUBSCRIBE [ao]* [bc]* zz*", 3)
        ask("publisher", publisher, "PUBLISH a 1")
        told += [("one", one.read()), ("two", two.read())]
        ask("publisher", publisher, "PUBLISH other 2")
        told.append(("two", two.read()))
        ask("publisher", publisher, "PUBSUB NUMPAT")
        ask("publisher", publisher, "PUBSUB NUMSUB a b c")
        ask("one", one, "PING")
        ask("one", one, "PING hello")
        ask("one", one, "GET a")
        ask("one", one, "UNSUBSCRIBE b zz", 2)
        ask("one", one, "UNSUBSCRIBE")
        ask("one", one, "UNSUBSCRIBE")
        ask("one", one, "GET a")
        ask("two", two, "RESET")
        ask("publisher", publisher, "PUBLISH a 3")
        if resp == 3:
            ask("one", one, "SUBSCRIBE self")
            ask("one", one, "PUBLISH self hello", 2)
            ask("one", one, "MULTI")
            ask("one", one, "SUBSCRIBE more")
            ask("one", one, "EXEC")
        ask("one", one, "SUBSCRIBE last")
        ask("one", one, "QUIT")
        assert one.at_end()
        assert Status(b"OK") in [reply for _, reply in told]
        return told


def test_killed_clients_are_in_no_list_any_more(both: tuple[str, str]) -> None:
    counts = []
    for path in both:
        with Wire(path) as one, Wire(path) as two, Wire(path) as killer:
            for wire in (one, two):
                wire.call("SUBSCRIBE", "c")
            killer.call("CLIENT", "SETNAME", "killer")
            killer.send_raw(b"CLIENT KILL TYPE pubsub\r\nCLIENT LIST TYPE pubsub\r\nPUBLISH c x\r\n")
            counts.append([killer.read() for _ in range(3)])
            assert one.at_end()
            assert two.at_end()
    assert counts == [[2, b"", 0]] * 2


@pytest.mark.parametrize("resp", [2, 3])
def test_publish_and_subscribe(both: tuple[str, str], resp: int) -> None:
    real, ours = (played(path, resp) for path in both)
    for number, (theirs, mine) in enumerate(zip(real, ours, strict=True)):
        assert same(theirs, mine), f"step {number}: real {theirs!r}, ours {mine!r}"


@pytest.mark.parametrize("container", ["ACL", "CLIENT", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY",
                                       "MODULE", "OBJECT", "PUBSUB", "SLOWLOG"])
def test_help_names_the_same_subcommands(both: tuple[str, str], container: str) -> None:
    """The sentences are our own; the first line, the form and the names are those of Redis."""
    found = []
    for path in both:
        with Wire(path) as wire:
            lines = wire.call(container, "HELP")
        assert isinstance(lines, list)
        assert all(isinstance(line, Status) for line in lines)
        verbs = [line for line in lines[1:] if line[:1].isupper()]
        found.append((lines[0], {line.split(b" ")[0] for line in verbs}, verbs[-1]))
    real, ours = found
    assert real[0] == ours[0]
    assert real[1] <= ours[1]
    assert ours[2] == b"HELP"


@pytest.mark.parametrize("line", ["VERSION 5", "VERSION 6", "VERSION 5 10", "VERSION 5 1 1 1", "VERSION 5 -1 0 9999",
                                  "VERSION 6 1", "VERSION 6 5000 1", "VERSION 6 20 5 9", "VERSION 5 20 3 3 x"])
def test_what_is_drawn_ends_with_the_version(both: tuple[str, str], line: str) -> None:
    """The pictures are our own; that there is one, and its last words, are as in Redis."""
    for path in both:
        with Wire(path) as wire:
            drawn = wire.call("LOLWUT", *line.split(" "))
        assert isinstance(drawn, bytes)
        assert drawn.endswith(b"Redis ver. 7.0.15\n")
        assert drawn.count(b"\n") > 1
