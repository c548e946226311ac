"""While keys are loaded clients may connect, and are told so; what starts after a crash is what was acknowledged."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heroredis.factory import ServerFactory, StartError
from heroredis.parameters import Parameters
from heroredis.settings import Config
from heroredis.testing import ServerProcess
from ourdb.faulty import Disk, FaultyFile, FaultyFiles, Inode
from tests.differential.harness import Failure, OurServer, Status, Wire
from tests.persistence.house import BASE, MANIFEST
from tests.persistence.test_recovery import requests

LOADING = Failure(b"LOADING Redis is loading the dataset in memory")
StartServer = Callable[..., ServerProcess]


class SlowFile(FaultyFile):
    """Stops at the second slice until the test lets it go on; the loop goes on meanwhile because the slice is short."""

    def __init__(self, turns: threading.Semaphore, disk: Disk, name: str, inode: Inode) -> None:
        super().__init__(disk, name, inode)
        self._turns = turns

    def read(self, size: int, offset: int) -> bytes:
        if offset and size > 100:
            assert self._turns.acquire(timeout=20)
        return super().read(size, offset)


class SlowFiles(FaultyFiles):
    def __init__(self, turns: threading.Semaphore, disk: Disk) -> None:
        super().__init__(disk)
        self._turns = turns

    def open(self, name: str, *, write: bool = False, create: bool = False) -> FaultyFile:
        super().open(name, write=write, create=create)
        return SlowFile(self._turns, self.disk, name, self.disk.files[name])


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[OurServer, threading.Semaphore]]:
    """A server that has been told that keys are to be loaded, and has not begun."""
    disk = Disk()
    disk.put(BASE, requests(("SELECT", 0), *[("SET", f"key-{number}", "x" * 100) for number in range(1000)]))
    disk.put(MANIFEST, f"file {BASE} seq 1 type b\n".encode())
    turns = threading.Semaphore(0)
    ours = OurServer(tmp_path, Parameters(appendonly=b"yes"))
    ours.server.persistence.use(SlowFiles(turns, disk), FaultyFiles(Disk()))
    yield ours, turns
    ours.stop()


def test_clients_are_told_that_keys_are_being_loaded(slow: tuple[OurServer, threading.Semaphore]) -> None:
    ours, turns = slow
    ours._thread.start()
    assert ours.server.persistence.size_to_load() > 100_000
    ours.run(ours.server.persistence.begin_loading)
    ours.run(ours.listener.start)
    with Wire(ours.path) as wire:
        for command in (("GET", "key-1"), ("SET", "a", "1"), ("PING",), ("DBSIZE",), ("JOB.STATS",)):
            reply = wire.call(*command)
            assert reply == LOADING or command[0].startswith("JOB")
        assert wire.call("SELECT", 0) == Status(b"OK")
        info = wire.call("INFO", "persistence")
        assert isinstance(info, bytes)
        assert b"loading:1" in info
        assert b"loading_total_bytes:" in info
        assert wire.call("MULTI") == Status(b"OK")
        assert wire.call("SET", "a", "1") == LOADING
        assert wire.call("EXEC") == Failure(b"EXECABORT Transaction discarded because of previous errors.")
        for _ in range(100):
            turns.release()
        ours.run(ours.server.start)
        assert wire.call("DBSIZE") == 1000
        info = wire.call("INFO", "all")
        assert isinstance(info, bytes)
        assert b"loading:0" in info
        assert b"cmdstat_set:calls=0" in info or b"cmdstat_set" not in info


def test_kill_9_keeps_every_acknowledged_key(start_server: StartServer) -> None:
    arguments = ["--no-ui", "--no-webdav", "--no-jobs", "--appendfsync", "always"]
    server = start_server(*arguments)
    acknowledged = 0
    for _ in range(3):
        with Wire(server.unix_path) as wire:
            kill = threading.Timer(0.3, server.kill)
            kill.start()
            try:
                while True:
                    for number in range(acknowledged, acknowledged + 20):
                        wire.send("RPUSH", "l", number)
                    for _ in range(20):
                        assert wire.read() == acknowledged + 1
                        acknowledged += 1
            except (EOFError, OSError):
                pass
            kill.join()
        server.start()
        with Wire(server.unix_path) as wire:
            found = wire.call("LRANGE", "l", 0, -1)
            assert isinstance(found, list)
            assert found[:acknowledged] == [b"%d" % number for number in range(acknowledged)]
            assert wire.call("LTRIM", "l", 0, acknowledged - 1) == Status(b"OK")
    assert acknowledged > 20


def test_what_cannot_be_loaded_refuses_to_start(tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_bytes(f"file {BASE} seq 1 type b\n".encode())
    (folder / BASE).write_bytes(b"REDIS0010")
    config = Config(data_dir=str(tmp_path), enable_redis=False, enable_ui=False, enable_webdav=False)
    with pytest.raises(StartError, match=r"cannot be loaded: .*RDB preamble"):
        asyncio.run(ServerFactory(config).start())


def test_keys_of_the_job_system_are_neither_journaled_nor_loaded(start_server: StartServer) -> None:
    server = start_server("--no-ui", "--no-webdav", "--no-jobs")
    with Wire(server.unix_path) as wire:
        wire.call("RPUSH", "heroqueue:t", "plain")
        wire.call("SET", "a", "1")
    server.stop()
    server.arguments.remove("--no-jobs")
    server.start()
    with Wire(server.unix_path) as wire:
        assert wire.call("KEYS", "*") == [b"a"]
        assert wire.call("JOB.CREATE", "t", "x") == 1
        assert wire.call("LPOP", "heroqueue:t") == b"1"
    server.kill()
    written = b"".join(path.read_bytes() for path in (server.data_dir / "appendonlydir").iterdir())
    assert written.count(b"heroqueue") == 1
    assert b"herojobs" not in written
    assert "1 commands of the append-only files are on keys that belong to" in server.log_path.read_text()
    server.start()
