"""redis-cli shows the same of heroredis as of the real server, in all its modes that end by themselves."""

from __future__ import annotations

import subprocess
from typing import Final

import pytest

from tests.conftest import need
from tests.differential.harness import Wire

SETUP: Final = (
    "SET k vvvvv", "RPUSH l a b c d e", "SADD s x", "HSET h a b c d", "ZADD z 1 a 2.5 b", "SET other:k 1")
ALONE: Final = [
    "--json HGETALL h", "-3 HGETALL h", "-3 --no-raw HGETALL h", "--csv HGETALL h", "--csv -3 HGETALL h",
    "--json ZRANGE z 0 -1 WITHSCORES", "-2 --json ZRANGE z 0 -1 WITHSCORES", "--quoted-json LRANGE l 0 -1",
    "--no-raw LRANGE l 0 -1", "-d , LRANGE l 0 -1", "-D END LRANGE l 0 -1", "-r 3 -i 0.01 INCR n", "-n 3 DBSIZE",
    "-n 99 DBSIZE", "-e NOPE", "NOPE", "--pass wrong GET k", "--user default --pass x GET k", "-c GET k",
    "--user nobody --pass x --no-auth-warning GET k", "--scan --pattern none*", "--json ACL GETUSER default",
    "-3 --json COMMAND INFO get", "-3 SMEMBERS s", "-3 --json CONFIG GET maxmemory", "--json GET none",
    "-3 --json SMISMEMBER s x y", "-3 --json ZSCORE z b", "--no-raw DEBUG PROTOCOL double", "--hotkeys",
    "-3 --no-raw DEBUG PROTOCOL attrib", "-3 --no-raw DEBUG PROTOCOL map", "-3 --json DEBUG PROTOCOL verbatim",
]
IN_ANY_ORDER: Final = ["--scan", "--scan --pattern *k", "--scan --quoted-pattern \"*k\" --count 2", "--bigkeys",
                       "--bigkeys -i 0.01"]
"""Whose lines come in the order of SCAN, which is each server's own."""
FED: Final = {
    "-x SET fed": b"line\n", "-X TAG SET fed TAG EX 100": b"a\0b\n", "--pipe": b"SET a 1\r\nNOPE\r\nGET a\r\n",
    "": b"SELECT 3\nSET a 1\nGET a\nMULTI\nGET a\nEXEC\nCLIENT GETNAME\nHGETALL none\n3 INCR n\nDISCARD\n\"x\nDBSIZE\n",
}
"""What comes on standard input."""


def shown(path: str, arguments: str, text: bytes = b"") -> tuple[int, bytes]:
    with Wire(path) as wire:
        wire.call("FLUSHALL")
        for line in SETUP:
            wire.call(*line.split())
    done = subprocess.run([need("redis-cli"), "-s", path, *arguments.split()], input=text, capture_output=True,
                          timeout=30, check=False)
    return done.returncode, (done.stdout + done.stderr).replace(path.encode(), b"<path>")


@pytest.mark.parametrize("arguments", ALONE)
def test_shows_the_same(both: tuple[str, str], arguments: str) -> None:
    assert shown(both[0], arguments) == shown(both[1], arguments)


@pytest.mark.parametrize("arguments", IN_ANY_ORDER)
def test_shows_the_same_in_its_own_order(both: tuple[str, str], arguments: str) -> None:
    real, ours = (sorted(line for line in shown(path, arguments)[1].splitlines() if b"so far" not in line)
                  for path in both)
    assert real == ours


@pytest.mark.parametrize("arguments", FED)
def test_takes_the_same(both: tuple[str, str], arguments: str) -> None:
    assert shown(both[0], arguments, FED[arguments]) == shown(both[1], arguments, FED[arguments])
