"""MIGRATE of both servers to a peer that answers from a script: what it is told, what they answer, what they keep."""

from __future__ import annotations

import socket
import threading
from typing import Final

import pytest

from tests.differential.harness import TIMEOUT_S, Argument, Wire, same

FILL: Final = ["SET a text", "RPUSH b 1 2 3", "HSET h f v", "ZADD z 1.5 m", "SADD s x", "SET long " + "y" * 500]
REFUSED: Final = "-BUSYKEY Target key name already exists."
CASES: Final[list[tuple[str, list[str]]]] = [
    ("a 0 5000", ["+OK", "+OK"]),
    ("b -1 5000", ["+OK"]),
    ("h 3 5000 COPY", ["+OK", "+OK"]),
    ("z 0 0 REPLACE", ["+OK", "+OK"]),
    ("long 0 5000 COPY REPLACE", ["+OK", "+OK"]),
    ("a 0 5000 AUTH secret", ["+OK", "+OK", "+OK"]),
    ("a 0 5000 AUTH2 user secret", ["+OK", "+OK", "+OK"]),
    ("a 0 5000 AUTH keys COPY", ["+OK", "+OK", "+OK"]),
    ("a 0 5000", ["+OK", REFUSED]),
    ("a 0 5000", ["-ERR DB index is out of range", "+OK"]),
    ("a 0 5000 AUTH x", ["-WRONGPASS no", "-NOAUTH no", "-NOAUTH no"]),
    ("'' 0 5000 KEYS a b h", ["+OK", "+OK", "+OK", "+OK"]),
    ("'' 0 5000 KEYS a nope b", ["+OK", "+OK", "+OK"]),
    ("'' 0 5000 KEYS a b h", ["+OK", "+OK", REFUSED, "+OK"]),
    ("'' 0 5000 COPY KEYS a b", ["+OK", REFUSED, "+OK"]),
    ("'' 0 5000 REPLACE KEYS a b s", ["-ERR no", "+OK", "+OK", "+OK"]),
    ("a 0 100", ["+OK"]),
    ("'' 0 100 KEYS a b h", ["+OK", "+OK", "+OK"]),
    ("a 0 100", []),
]


class Peer:
    """Accepts one connection, answers its script at once, and keeps what it is sent."""

    def __init__(self, script: list[str]) -> None:
        self._listener: Final = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT_S)
        self.port: Final = self._listener.getsockname()[1]
        self.told = b""
        self._script: Final = script
        self._over: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        taken, _ = self._listener.accept()
        with taken:
            taken.settimeout(0.02)
            taken.sendall("".join(f"{line}\r\n" for line in self._script).encode())
            over = False
            while not over:
                over = self._over.is_set()
                try:
                    while data := taken.recv(1 << 16):
                        self.told += data
                except TimeoutError:
                    pass

    def end(self) -> bytes:
        self._over.set()
        self._thread.join()
        self._listener.close()
        return self.told


def words(line: str) -> list[Argument]:
    return ["" if word == "''" else word for word in line.split(" ")]


@pytest.mark.parametrize(("request_line", "script"), CASES, ids=[
    f"{line} {' '.join(script)[:30]}" for line, script in CASES])
def test_the_same_is_carried(both: tuple[str, str], request_line: str, script: list[str]) -> None:
    found = []
    for path in both:
        peer = Peer(script)
        with Wire(path) as wire:
            for line in FILL:
                wire.call(*words(line))
            wire.call("CONFIG", "SET", "notify-keyspace-events", "")
            steps = [wire.call("MIGRATE", "127.0.0.1", peer.port, *words(request_line))]
            left = wire.call("KEYS", "*")
            assert isinstance(left, list)
            steps.append(sorted(left, key=repr))
        steps.append(peer.end())
        found.append(steps)
    assert same(found[0], found[1]), f"\n  real: {found[0]!r}\n  ours: {found[1]!r}"


def test_the_time_that_is_left_is_carried_too(both: tuple[str, str]) -> None:
    for path in both:
        peer = Peer(["+OK", "+OK"])
        with Wire(path) as wire:
            wire.call("SET", "a", "text", "PX", "100000")
            assert wire.call("MIGRATE", "127.0.0.1", peer.port, "a", 0, 5000) == b"OK"
        sent = peer.end().split(b"\r\n")
        assert 90000 < int(sent[sent.index(b"a") + 2]) <= 100000


def test_nobody_is_there(both: tuple[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for path in both:
        with Wire(path) as wire:
            wire.call("SET", "a", "text")
            reply = wire.call("MIGRATE", "127.0.0.1", port, "a", 0, 100)
            assert reply == b"IOERR error or timeout writing to target instance"
            assert wire.call("MIGRATE", "no host", port, "a", 0, 100) == (
                b"IOERR error or timeout connecting to the client")
            assert wire.call("GET", "a") == b"text"


def test_from_one_to_the_other_and_back(both: tuple[str, str]) -> None:
    """Through a peer that hands each request on, for the servers of these tests have no port."""
    with Wire(both[0]) as real, Wire(both[1]) as ours:
        for giver, taker in ((ours, real), (real, ours)):
            for line in FILL:
                giver.call(*words(line))
            digest = giver.call("DEBUG", "DIGEST")
            peer = Peer(["+OK"] * 7)
            keys = [line.split(" ")[1] for line in FILL]
            assert giver.call("MIGRATE", "127.0.0.1", peer.port, "", 0, 5000, "KEYS", *keys) == b"OK"
            assert giver.call("DBSIZE") == 0
            taker.send_raw(peer.end())
            assert [taker.read() for _ in range(7)] == [b"OK"] * 7
            assert taker.call("DEBUG", "DIGEST") == digest
            taker.call("FLUSHALL")
