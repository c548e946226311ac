"""One folder, two servers: a real redis-server starts on what we wrote, and we start on what it wrote."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from heroredis.parameters import Parameters
from heroredis.persistence.files import open_folder
from heroredis.server import Server
from tests.conftest import need
from tests.differential.harness import TIMEOUT_S, Failure, OurServer, Status, Wire, until
from tests.persistence.busy import FORMS

CHOICES: Final = {
    "KEY": ("s", "l", "h", "l2", "m", "z"), "STRING": ("s",), "LIST": ("l", "l2"), "HASH": ("h",), "MEMBERS": ("m",),
    "SCORES": ("z",), "TEXT": ("x", "y", "z", "1", "", "\0\r\n", "x" * 100), "DB": ("0", "1", "9"), "ONE": ("1", "7"),
    "SPAN": ("3600000", "7200000"),
}


def commands(seed: int, count: int) -> Iterator[list[str]]:
    """Those that both servers have."""
    rng = random.Random(seed)
    registry = Server().registry
    known = [form for form in FORMS if registry.find(form.split()[0].encode()) is not None]
    for _ in range(count):
        name, *rest = rng.choice(known).split()
        yield [name, *(rng.choice(CHOICES[word]) if word in CHOICES else word for word in rest)]


def drive(wire: Wire, seed: int) -> None:
    """Many writes of every kind, some in transactions, and larger values."""
    for number, command in enumerate(commands(seed, 1500)):
        if number % 97 == 0:
            wire.call("MULTI")
        wire.call(*command)
        if number % 97 == 5:
            wire.call("EXEC")
    wire.call("EXEC")
    for index in (0, 1):
        wire.call("SELECT", index)
        wire.call("RPUSH", "long", *range(500))
        wire.call("SADD", "numbers", *range(600))
        wire.call("SADD", "words", *(f"word-{number}" for number in range(200)))
        wire.call("ZADD", "scores", *(text for number in range(300) for text in (number / 7, f"member-{number}")))
        wire.call("ZADD", "ends", "inf", "last", "-inf", "first", "1e300", "far", "0.1", "near")
        wire.call("HSET", "wide", *(text for number in range(300) for text in (f"field-{number}", "v" * number)))
        wire.call("SET", "expires", "later", "EX", 5000)
        wire.call("EXPIRE", "long", 5000)
        wire.call("APPEND", "appended", "a")
        wire.call("APPEND", "appended", "\0\xff")


class Redis:
    """A real redis-server whose files are in `folder`."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self.path: Final = str(socket)
        self._process: Final = subprocess.Popen(
            [need("redis-server"), "--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "yes",
             "--aof-use-rdb-preamble", "no", "--dir", str(folder), "--enable-debug-command", "yes"],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("redis-server did not start on this folder")

    def _answers(self) -> bool:
        try:
            with Wire(self.path) as wire:
                return wire.call("PING") == Status(b"PONG")
        except OSError:
            return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(TIMEOUT_S)


def facts(path: str) -> tuple[object, object]:
    """The digest of everything, and when one key expires."""
    with Wire(path) as wire:
        digest = wire.call("DEBUG", "DIGEST")
        assert not isinstance(digest, Failure), digest
        wire.call("SELECT", 1)
        return digest, wire.call("PEXPIRETIME", "expires")


def rewritten(path: str) -> None:
    """Rewrite and wait for the end of it."""
    with Wire(path) as wire:
        before = wire.call("DEBUG", "DIGEST")
        assert b"started" in bytes(wire.call("BGREWRITEAOF"))  # type: ignore[arg-type]
        until(lambda: b"aof_rewrite_in_progress:0" in bytes(wire.call("INFO", "persistence")),  # type: ignore[arg-type]
              "the rewrite ends")
        assert b"aof_last_bgrewrite_status:ok" in bytes(wire.call("INFO", "persistence"))  # type: ignore[arg-type]
        wire.call("SET", "after", "the rewrite")
        assert wire.call("DEBUG", "DIGEST") != before


class Ours:
    """A server of ours whose files are in `folder`."""

    def __init__(self, folder: Path, socket: Path) -> None:
        socket.mkdir()
        self._server: Final = OurServer(socket, Parameters(appendonly=b"yes", enable_debug_command=b"yes"))
        self._server.server.persistence.use(open_folder(folder / "appendonlydir"), open_folder(folder))
        self.path: Final = self._server.path
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


def written_by(kind: type[Ours] | type[Redis], folder: Path, socket: Path, seed: int,
               rewrite: bool) -> tuple[object, object]:
    """Let a server of this kind fill the folder; what it then holds."""
    folder.mkdir()
    server = kind(folder, socket)
    try:
        with Wire(server.path) as wire:
            drive(wire, seed)
        if rewrite:
            rewritten(server.path)
        return facts(server.path)
    finally:
        server.stop()


def read_by(kind: type[Ours] | type[Redis], folder: Path, socket: Path) -> tuple[object, object]:
    server = kind(folder, socket)
    try:
        return facts(server.path)
    finally:
        server.stop()


@pytest.mark.parametrize(("seed", "rewrite"), [(1, False), (2, True)])
def test_a_real_server_reads_what_we_wrote(tmp_path: Path, seed: int, rewrite: bool) -> None:
    need("redis-server")
    folder = tmp_path / "data"
    expected = written_by(Ours, folder, tmp_path / "ours", seed, rewrite)
    check = subprocess.run([need("redis-check-aof"), str(folder / "appendonlydir" / "appendonly.aof.manifest")],
                           capture_output=True, text=True, check=False)
    assert "All AOF files and manifest are valid" in check.stdout, check.stdout
    assert read_by(Redis, folder, tmp_path / "real.sock") == expected


@pytest.mark.parametrize(("seed", "rewrite"), [(3, False), (4, True)])
def test_we_read_what_a_real_server_wrote(tmp_path: Path, seed: int, rewrite: bool) -> None:
    need("redis-server")
    folder = tmp_path / "data"
    expected = written_by(Redis, folder, tmp_path / "real.sock", seed, rewrite)
    assert read_by(Ours, folder, tmp_path / "ours") == expected
