"""Conversations about the connections themselves: replies switched off, pauses, monitors, the slow log."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.differential.conversation import compare
from tests.differential.harness import Wire

CONVERSATIONS: Final[dict[str, list[str]]] = {
    "replies off": [
        "a! CLIENT REPLY OFF", "a! SET k 1", "a! NOPE", "a! GET", "a! CLIENT REPLY SKIP", "a! INCR k",
        "a: CLIENT REPLY ON", "a: GET k",
    ],
    "one reply skipped": [
        "a! CLIENT REPLY SKIP", "a! SET k 1", "a: INCR k", "a! CLIENT REPLY SKIP", "a! NOPE", "a: GET k",
        "a! CLIENT REPLY SKIP", "a! CLIENT REPLY SKIP", "a! INCR k", "a: GET k",
    ],
    "wrong reply modes": ["a: CLIENT REPLY", "a: CLIENT REPLY NOPE", "a: CLIENT REPLY ON x"],
    "a skipped blocking command": [
        "a! CLIENT REPLY SKIP", "a! BLPOP q 0", "b: RPUSH q 1", "a: PING", "b: LLEN q",
    ],
    "messages come while replies are off": [
        "a: SUBSCRIBE c", "a! CLIENT REPLY OFF", "b: PUBLISH c hello", "a<", "a! PING", "b: PUBLISH c again", "a<",
    ],
    "writes are paused": [
        "a: CLIENT PAUSE 100000 WRITE", "b: GET k", "b: PING", "b! SET k 1", "b! GET k", "c! PUBLISH x y",
        "a: GET k", "a: CLIENT UNPAUSE", "b<", "b<", "c<", "a: GET k",
    ],
    "a transaction with writes is paused": [
        "b: MULTI", "b: SET k 1", "a: CLIENT PAUSE 100000 WRITE", "b! EXEC", "c: MULTI", "c: GET k", "c: EXEC",
        "a: GET k", "a: CLIENT UNPAUSE", "b<",
    ],
    "a pause begins behind its transaction": [
        "a: MULTI", "a: SET k 1", "a: CLIENT PAUSE 100000 WRITE", "a: SET k 2", "a: EXEC", "b! SET k 3", "a: GET k",
        "a: CLIENT UNPAUSE", "b<",
    ],
    "a pause of everything ends": ["a: CLIENT PAUSE 50", "b! SET k 1", "b<", "b: GET k"],
    "the longer pause wins": [
        "a: CLIENT PAUSE 100000 WRITE", "a: CLIENT PAUSE 1 WRITE", "b! SET k 1", "a: GET k", "a: CLIENT UNPAUSE", "b<",
    ],
    "errors come at once in a pause": ["a: CLIENT PAUSE 100000 WRITE", "b: SET k", "b: NOPE", "a: CLIENT UNPAUSE"],
    "wrong pauses": [
        "a: CLIENT PAUSE", "a: CLIENT PAUSE x", "a: CLIENT PAUSE -1", "a: CLIENT PAUSE 1 NOPE",
        "a: CLIENT PAUSE 1 WRITE x", "a: CLIENT UNPAUSE x",
    ],
    "expired keys stay in a pause": [
        "a: MULTI", "a: SET k 1 PX 1", "a: CLIENT PAUSE 100000 WRITE", "a: EXEC", "b! BLPOP q 0.05", "a: RANDOMKEY",
        "a: DBSIZE", "a: CLIENT UNPAUSE", "b<", "a: RANDOMKEY", "a: DBSIZE",
    ],
    "a postponed client is not unblocked": [
        "a: CLIENT PAUSE 100000 WRITE", "b! SET k 1", "a: GET k", "a: CLIENT UNPAUSE", "b<",
    ],
    "monitor": [
        "m: MONITOR", "a: SET k 1", "m<",
        'a: ECHO "a\\x00b \\"c\\" \\\\\\\\"', "m<", "a: SELECT 1", "m<", "a: GET k", "m<",
        "a: NOPE", "a: GET", "a: CONFIG GET maxmemory", "a: AUTH secret", "m<", "a: AUTH default secret", "m<",
        "a! HELLO 2 AUTH default secret SETNAME x", "m<",
        "c: MULTI", "c: SET k 2", "c: EXEC", "m<", "m<", "m<", "c: SUBSCRIBE c", "m<",
        "c: UNSUBSCRIBE c", "m<", "c: SELECT 0", "m<", "b! BLPOP q 0", "m<", "c: PING", "m<",
        "c: RPUSH q 1", "m<", "b<",
    ],
    "a monitor sees the end of what is refused": [
        "m: MONITOR", "a: MULTI", "m<", "a: EXEC x", "m<", "a: MULTI", "m<", "a: GET", "a: EXEC", "m<", "a: EXEC", "m<",
    ],
    "monitor inside a transaction": ["m: MULTI", "m: MONITOR", "m: EXEC"],
    "a monitor is reset": ["m: MONITOR", "m: RESET", "a: SET k 1", "m: PING"],
    "slow log": [
        "a: CONFIG SET slowlog-log-slower-than 0", "a: SLOWLOG RESET", "a: SET k 1", "a: RPUSH s 3 4",
        "a: AUTH secret", "a: CONFIG SET requirepass ''", "a: MULTI", "a: GET k", "a: EXEC",
        "a: SET k " + "x" * 200, "a: RPUSH s " + " ".join(map(str, range(40))), "a: CONFIG SET slowlog-max-len 9",
        "a: GET k k", "a: SLOWLOG LEN", "a: ACL GETUSER nobody", "a: ACL DELUSER nobody",
        "a: CONFIG SET slowlog-max-len 128",
        "a: CONFIG SET slowlog-log-slower-than 10000",
    ],
    "how a subcommand was written": [
        "a: client pause 1 all x", "a: Client Pause 1 all x", "a: acl cat a b", "a: slowlog Get 1 2",
        "a: pubsub channels a b", "a: acl genpass 1 2",
    ],
    "wrong slow logs": [
        "a: SLOWLOG GET x", "a: SLOWLOG GET -2", "a: SLOWLOG GET 1 2", "a: SLOWLOG LEN x", "a: SLOWLOG NOPE",
        "a: SLOWLOG",
    ],
}


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_same_conversation(both: tuple[str, str], name: str, resp: int) -> None:
    if resp == 2 or name != "messages come while replies are off":
        compare(both, CONVERSATIONS[name], a=resp, b=resp, m=resp)


def test_the_slow_log_holds_the_same(both: tuple[str, str]) -> None:
    logs = []
    for path in both:
        with Wire(path) as wire:
            wire.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
            wire.call("CLIENT", "SETNAME", "me")
            wire.call("SLOWLOG", "RESET")
            for line in CONVERSATIONS["slow log"][2:-5]:
                wire.call(*line[3:].replace("''", "").split(" "))
            wire.call("BLPOP", "none", "0.01")
            wire.call("SLOWLOG", "GET", 2)
            found = wire.call("SLOWLOG", "GET", -1)
            wire.call("CONFIG", "SET", "slowlog-log-slower-than", 10000)
            assert isinstance(found, list)
            first = found[-1][0]
            logs.append([[entry[0] - first, *entry[3:4], *entry[5:]] for entry in found])
    assert logs[0] == logs[1]


COUNTED: Final = [
    "SET k 1", "GET k", "GET none", "GET", "NOPE", "LPUSH k 1", "HGET none f", "MGET k none other", "EXISTS k none",
    "CONFIG GET nope", "CONFIG NOPE", "MULTI", "SET k 2", "LPUSH k x", "GET k", "EXEC", "MULTI", "SET", "EXEC", "EXEC",
    "MULTI", "MULTI", "DISCARD", "AUTH x", "INCR k", "INCR k", "INCR k", "TTL none", "TYPE k", "GETDEL none",
    "BLPOP none 0.01", "EXPIRE k 100", "CLIENT KILL ID 0", "SELECT 99", "PUBLISH x y", "DEL k k", "SCAN 0", "KEYS *",
    "STRLEN k", "CONFIG", "CLIENT", "CLIENT NOPE", "DEBUG ERROR X", "DEBUG ERROR", "ACL GETUSER nobody",
    "OBJECT ENCODING none", "MEMORY USAGE none", "OBJECT ENCODING k", "MEMORY USAGE k",
    "BZPOPMIN none 0.01", "ZADD z 1 a", "BZPOPMAX z 1", "BLMPOP 0.01 1 none LEFT", "BZMPOP 0.01 1 none MIN",
]


def test_calls_and_errors_are_counted_the_same(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("CONFIG", "RESETSTAT")
            for line in COUNTED:
                wire.call(*line.split(" "))
            info = wire.call("INFO", "everything")
            assert isinstance(info, bytes)
            text = info.decode()
            counts = re.findall(r"(cmdstat_(?!info)\S+?):calls=(\d+),.*rejected_calls=(\d+),failed_calls=(\d+)", text)
            errors = re.findall(r"(errorstat_\w+:count=\d+|total_error_replies:\d+|keyspace_[hm]i\w+:\d+)", text)
            found.append(sorted([*(" ".join(count) for count in counts), *errors]))
            wire.call("CONFIG", "RESETSTAT")
            again = wire.call("INFO", "commandstats")
            assert isinstance(again, bytes)
            assert b"cmdstat_get:" not in again
    assert found[0] == found[1]


def test_inside_of_exec_the_transaction_is_shown(both: tuple[str, str]) -> None:
    shown = []
    for path in both:
        with Wire(path) as wire:
            for line in ("MULTI", "CLIENT INFO", "PING"):
                wire.call(*line.split(" "))
            replies = wire.call("EXEC")
            after = wire.call("CLIENT", "INFO")
            assert isinstance(replies, list)
            assert isinstance(replies[0], bytes)
            assert isinstance(after, bytes)
            shown.append([re.findall(rb"(flags|multi)=(\S+)", text) for text in (replies[0], after)])
    assert shown[0] == shown[1]
