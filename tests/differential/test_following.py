"""SYNC: who follows the server is sent all keys, and then the same commands as by a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from heroredis.parameters import Parameters
from tests.conftest import need
from tests.differential.harness import TIMEOUT_S, OurServer, RealServer, Status, Wire, until

SENTINEL: Final = b"the-end"
MOMENT: Final = re.compile(rb"1[0-9]{12}")
"""Milliseconds of these years."""


LINES: Final = [
    "SET k v|SET k w",
    "MULTI|SET foo bar|EXEC|SET foo2 bar",
    "MULTI|SET a 1|GET a|SET b 2|EXEC",
    "MULTI|SELECT 1|SET a b|GET a|SELECT 2|SET b c|SELECT 3|SET c d|EXEC",
    "MULTI|EXEC|SET a b",
    "SET a b|MULTI|GET a|EXEC|SET a c",
    "MULTI|DEL nothing|EXEC|INCR n",
    "SELECT 4|SET a b|SELECT 0|SET c d",
    "SET a b EX 100|SET a b PX 100000|SET a b EXAT 1999999999|SET a b pxat 1999999999999|"
    "SETEX a 100 b|PSETEX a 99999 b",
    "SET a b|EXPIRE a 100|PEXPIRE a 100000|EXPIREAT a 1999999999|PEXPIREAT a 1999999999999|EXPIREAT a 1000",
    "SET a b|GETEX a EX 100|GETEX a PX 99999|GETEX a EXAT 1999999999|GETEX a PXAT 1999999999999|"
    "GETEX a PERSIST|GETEX a",
    "PUBLISH a b|SET k v|PUBLISH c d", "MULTI|PUBLISH a b|EXEC|SET k v", "MULTI|PUBLISH a b|SET k v|EXEC",
    "SET a b|GETEX a EXAT 1000",
    "SET a b|GETDEL a|GETDEL a",
    "SADD s 1 2 3|SPOP s 3|SADD s 1|SPOP s",
    "LPUSH l a b c|RPUSH m 1 2 3|LMPOP 1 l LEFT COUNT 1|LMPOP 1 l RIGHT|LMPOP 2 l m LEFT COUNT 10|"
    "LMPOP 2 l m RIGHT COUNT 9",
    "LPUSH l a b c|BLPOP l 0|BRPOP l 0|BLMPOP 0 1 l LEFT COUNT 5|LPUSH l a b|BLMOVE l m LEFT RIGHT 0|"
    "BRPOPLPUSH l m 0",
    "ZADD z 1 a 2 b 3 c|ZMPOP 1 z MIN|ZMPOP 1 z MAX COUNT 1|ZMPOP 2 y z MIN COUNT 10|ZMPOP 1 z MIN",
    "ZADD z 1 a 2 b 3 c|BZPOPMIN z 0|BZPOPMAX z 0|BZMPOP 0 1 z MIN COUNT 5",
    "FLUSHALL|SET a b|FLUSHDB|SWAPDB 0 1",
    "SET f 1|INCRBYFLOAT f 1.5|HINCRBYFLOAT h f 1.5",
    "SET a b|RENAME a c|COPY c d|MOVE c 1|PERSIST d|UNLINK d|SET c 1|DEL c",
    "SET a 1|SETNX a 2|SET a 3 XX|SET a 4 NX|MSETNX a 1 b 2|GETSET a 5|APPEND a 6|SETRANGE a 0 x|SETBIT b 1 1|INCR n",
    "HSET h a 1|HSETNX h a 2|HINCRBY h b 1|HDEL h a|HDEL h nothing|LREM l 0 x|LTRIM l 0 1",
]
"""Each joined by |."""


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Of this file alone: a real server that was followed once answers ROLE in another way."""
    need("redis-server")
    real = RealServer(tmp_path_factory.mktemp("real"))
    ours = OurServer(tmp_path_factory.mktemp("ours"), Parameters(enable_debug_command=b"yes")).start()
    yield real.path, ours.path
    ours.stop()
    real.stop()


@pytest.fixture
def both(own_servers: tuple[str, str]) -> tuple[str, str]:
    for path in own_servers:
        with Wire(path) as wire:
            wire.call("FLUSHALL")
    return own_servers


class Follower:
    """A connection that has sent SYNC."""

    def __init__(self, path: str) -> None:
        self.wire: Final = Wire(path)
        self.wire.send_raw(b"SYNC\r\n")
        self._file: Final = self.wire.socket.makefile("rb")
        line = self._file.readline()
        while line == b"\n":  # the real server keeps the connection alive while it prepares
            line = self._file.readline()
        assert line.startswith(b"$"), line
        self.copy: Final = self._file.read(int(line[1:]))

    def request(self) -> list[bytes]:
        """The next one that is no PING, in small letters where Redis's own rewriting has chosen them."""
        while True:
            count = int(self._file.readline()[1:])
            words = []
            for _ in range(count):
                size = int(self._file.readline()[1:])
                words.append(self._file.read(size + 2)[:-2])
            words[0] = words[0].lower()
            if words != [b"ping"]:
                return [MOMENT.sub(b"<ms>", word) for word in words]

    def until_sentinel(self) -> list[list[bytes]]:
        found = []
        while True:
            request = self.request()
            if request[-1] == SENTINEL:
                return found
            found.append(request)

    def close(self) -> None:
        self._file.close()
        self.wire.close()


def followed(path: str, lines: str) -> list[list[bytes]]:
    with Wire(path) as wire:
        wire.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        wire.call("SET", "before", "1")
        follower = Follower(path)
        for line in lines.split("|"):
            wire.call(*line.split())
        wire.call("SELECT", 0)
        wire.call("SET", "x", SENTINEL)
        found = follower.until_sentinel()
        follower.close()
    return found


@pytest.mark.parametrize("lines", LINES)
def test_the_same_commands_follow(both: tuple[str, str], lines: str) -> None:
    real, ours = (followed(path, lines) for path in both)
    assert real == ours


def test_what_expires_is_deleted_for_those_who_follow(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            wire.call("SET", "foo", "bar", "PX", "1")
            follower = Follower(path)
            until(lambda wire=wire: wire.call("GET", "foo") is None, "it expires")  # type: ignore[misc]
            wire.call("SET", "x", SENTINEL)
            found.append(follower.until_sentinel())
            follower.close()
            wire.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    assert found[0] == found[1]


def test_restored_values_follow_with_the_moment_of_their_expiry(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("SET", "k", "v")
            payload = wire.call("DUMP", "k")
            assert isinstance(payload, bytes)
            follower = Follower(path)
            wire.call("RESTORE", "a", "100000", payload)
            wire.call("RESTORE", "b", "1999999999999", payload, "absttl")
            wire.call("RESTORE", "c", "0", payload)
            wire.call("RESTORE", "c", "1000", payload, "REPLACE", "ABSTTL")
            wire.call("SET", "x", SENTINEL)
            found.append(follower.until_sentinel())
            follower.close()
    assert found[0] == found[1]


def test_who_follows_gets_no_second_copy_and_no_answers(both: tuple[str, str]) -> None:
    """redis-cli sends SYNC twice where it was typed at its prompt, and a replica tells how far it is."""
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
            follower = Follower(path)
            follower.wire.send_raw(b"SYNC\r\nPSYNC ? -1\r\nREPLCONF ACK 5\r\n")
            until(lambda wire=wire: b"cmd=replconf" in bytes(wire.call("CLIENT", "LIST")), "all were run")  # type: ignore
            wire.call("SET", "x", SENTINEL)
            found.append(follower.until_sentinel())
            follower.close()
    assert found[0] == found[1]


def test_acknowledgements_are_never_answered(both: tuple[str, str]) -> None:
    for path in both:
        with Wire(path) as wire:
            wire.send("REPLCONF", "ACK", "5")
            wire.send("REPLCONF", "GETACK", "*")
            assert wire.call("PING") == b"PONG"
            assert wire.call("REPLCONF", "LISTENING-PORT", "7000") == b"OK"


def test_who_follows_is_shown(both: tuple[str, str]) -> None:
    shown = []
    for path in both:
        with Wire(path) as wire:
            follower = Follower(path)
            until(lambda wire=wire: b"state=online" in bytes(wire.call("INFO", "replication")),  # type: ignore
                  "it follows")
            info = wire.call("INFO", "replication")
            clients = wire.call("CLIENT", "LIST", "TYPE", "replica")
            assert isinstance(info, bytes)
            assert isinstance(clients, bytes)
            shown.append((b"connected_slaves:1\r\nslave0:ip=" in info, b" flags=S" in clients, clients.count(b"\n")))
            assert wire.call("CLIENT", "KILL", "TYPE", "slave") == 1
            assert follower.wire.socket.gettimeout() == TIMEOUT_S
            follower.close()
            until(lambda wire=wire: b"connected_slaves:0" in bytes(wire.call("INFO", "replication")),  # type: ignore
                  "it follows no more")
            assert wire.call("SET", "k", "v") == Status(b"OK")
    assert shown[0] == shown[1] == (True, True, 1)
