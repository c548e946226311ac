"""INFO: the sections and fields of Redis are all there, in its order, and those that count, count alike."""

from __future__ import annotations

import pytest

from tests.differential.harness import Wire, blocked_clients, until


def told(wire: Wire, *sections: str) -> dict[str, dict[str, str]]:
    text = wire.call("INFO", *sections)
    assert isinstance(text, bytes)
    found: dict[str, dict[str, str]] = {}
    for line in text.decode().splitlines():
        if line.startswith("# "):
            found[line[2:]] = {}
        elif line:
            name, _, value = line.partition(":")
            found[list(found)[-1]][name] = value
    return found


@pytest.mark.parametrize("sections", ["", "all", "everything", "default", "SERVER clients", "nope", "commandstats",
                                      "server all", "default latencystats", "replication cpu modules cluster"])
def test_the_same_sections_in_the_same_order(both: tuple[str, str], sections: str) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            found.append(list(told(wire, *sections.split())))
    assert found[0] == found[1]


def test_no_field_is_missing(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("SET", "k", "v")
            found.append(told(wire, "everything"))
    real, ours = found
    assert {title: [name for name in facts if name not in ours[title]] for title, facts in real.items()
            if title not in ("Commandstats", "Latencystats", "Errorstats", "Persistence")} == {
                title: [] for title in ("Server", "Clients", "Memory", "Stats", "Replication", "CPU", "Modules",
                                        "Cluster", "Keyspace")}


COUNTED = ("total_reads_processed", "total_writes_processed", "total_net_input_bytes", "total_commands_processed",
           "keyspace_hits", "keyspace_misses", "total_error_replies", "expired_keys")


def test_the_same_is_counted(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("CONFIG", "RESETSTAT")
            wire.send_raw(b"PING\r\nSET k v\r\nGET k\r\nGET none\r\nNOPE\r\nCONFIG NOPE\r\nGET\r\n")
            for _ in range(7):
                wire.read()
            wire.call("SET", "k", "v", "PXAT", "1")
            wire.call("EXISTS", "k")
            stats = told(wire, "stats")["Stats"]
            found.append({name: stats[name] for name in COUNTED})
    assert found[0] == found[1]


def test_a_wait_that_is_ended_with_an_error_is_a_failed_call(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire, Wire(path) as waiting:
            wire.call("CONFIG", "RESETSTAT")
            number = waiting.call("CLIENT", "ID")
            assert isinstance(number, int)
            waiting.send("BLPOP", "k", "0")
            until(lambda path=path: blocked_clients(path) == 1, "it waits")  # type: ignore[misc]
            wire.call("CLIENT", "UNBLOCK", number, "ERROR")
            waiting.read()
            stats = told(wire, "commandstats", "errorstats")
            calls = stats["Commandstats"]["cmdstat_blpop"].split(",")
            found.append((calls[0], calls[3:], stats["Errorstats"]))
    assert found[0] == found[1]


def test_what_is_freed_lazily_is_counted(both: tuple[str, str]) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            wire.call("CONFIG", "RESETSTAT")
            for kind, member in (("SADD", "member"), ("SADD", ""), ("HSET", "")):
                words = [word for number in range(600) for word in ([f"{member}{number}"] + ["x"] * (kind == "HSET"))]
                wire.call(kind, "k", *words)
                wire.call("UNLINK", "k")
            wire.call("SADD", "k", "a")
            wire.call("UNLINK", "k", "none")
            wire.call("MSET", "a", "1", "b", "2")
            wire.call("FLUSHDB", "ASYNC")
            wire.call("MSET", "a", "1", "b", "2")
            wire.call("FLUSHALL")
            while told(wire, "memory")["Memory"]["lazyfree_pending_objects"] != "0":
                pass
            found.append(told(wire, "memory")["Memory"]["lazyfreed_objects"])
    assert found == ["5", "5"]
