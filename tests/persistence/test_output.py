"""Writing and syncing: who waits for what, slow syncs, full disks and syncs that fail."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heroredis.parameters import Parameters
from ourdb.faulty import Disk, FaultyFile, FaultyFiles, Inode
from tests.differential.harness import Failure, OurServer, Status, Wire, until
from tests.persistence.house import INCREMENT, Kept, again, contents


class Gate:
    """Holds each sync until the test lets it go."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()

    def pass_(self) -> None:
        self.waiting.set()
        assert self.open.wait(20)
        self.waiting.clear()


class GatedFile(FaultyFile):
    def __init__(self, gate: Gate, disk: Disk, name: str, inode: Inode) -> None:
        super().__init__(disk, name, inode)
        self._gate = gate

    def sync(self) -> None:
        self._gate.pass_()
        super().sync()


class GatedFiles(FaultyFiles):
    def __init__(self, gate: Gate, disk: Disk) -> None:
        super().__init__(disk)
        self._gate = gate

    def open(self, name: str, *, write: bool = False, create: bool = False) -> FaultyFile:
        super().open(name, write=write, create=create)
        return GatedFile(self._gate, self.disk, name, self.disk.files[name])


class Running:
    """A server with a loop in a thread, its keys on a disk in memory."""

    def __init__(self, folder: Path, **parameters: bytes) -> None:
        self.disk = Disk()
        self.gate = Gate()
        self.ours = OurServer(folder, Parameters(**{"appendonly": b"yes", **parameters}))
        self.ours.server.persistence.use(GatedFiles(self.gate, self.disk), FaultyFiles(Disk()))
        self.failures: list[BaseException] = []
        self.ours.server.commits.on_failure = self.failures.append
        self.ours.start()

    def wire(self) -> Wire:
        return Wire(self.ours.path)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def run(**parameters: bytes) -> Running:
        started.append(Running(tmp_path, **parameters))
        return started[-1]

    yield run
    for each in started:
        each.gate.open.set()
        each.disk.fail_write = None
        each.disk.space = None
        each.ours.stop()


def has_no_reply(wire: Wire) -> bool:
    wire.socket.setblocking(False)
    try:
        wire.socket.recv(1)
    except BlockingIOError:
        return True
    finally:
        wire.socket.settimeout(20)
    return False


def test_always_answers_after_the_sync_in_order_and_others_go_on(start: Start) -> None:
    running = start(appendfsync=b"always")
    with running.wire() as writer, running.wire() as reader, running.wire() as second:
        running.gate.open.clear()
        writer.send("SET", "a", 1)
        writer.send("GET", "a")
        writer.send("INCR", "a")
        assert running.gate.waiting.wait(20)
        second.send("SET", "b", 1)
        assert reader.call("GET", "a") == b"2"
        assert has_no_reply(writer)
        assert has_no_reply(second)
        before = running.disk.syncs
        running.gate.open.set()
        assert [writer.read(), writer.read(), writer.read()] == [Status(b"OK"), b"1", 2]
        assert second.read() == Status(b"OK")
        assert running.disk.syncs <= before + 2
        synced = running.disk.files[INCREMENT].synced
        assert synced == bytes(running.disk.now[INCREMENT]) != b""


def test_transactions_and_waiting_commands_wait_for_the_sync_too(start: Start) -> None:
    running = start(appendfsync=b"always")
    with running.wire() as waiting, running.wire() as wire:
        waiting.send("BLPOP", "l", 0)
        wire.call("PING")
        until(lambda: running.ours.server.blocking.count == 1, "the client waits")
        running.gate.open.clear()
        wire.send("MULTI")
        wire.send("RPUSH", "l", "x", "y")
        wire.send("SET", "a", 1)
        wire.send("EXEC")
        assert [wire.read(), wire.read(), wire.read()] == [Status(b"OK"), Status(b"QUEUED"), Status(b"QUEUED")]
        assert running.gate.waiting.wait(20)
        assert has_no_reply(waiting)
        assert has_no_reply(wire)
        running.gate.open.set()
        assert wire.read() == [2, Status(b"OK")]
        assert waiting.read() == [b"l", b"x"]


def test_everysec_never_waits_and_writes_before_it_syncs(start: Start) -> None:
    running = start()
    with running.wire() as wire:
        running.gate.open.clear()
        assert wire.call("SET", "a", 1) == Status(b"OK")
        until(lambda: b"SET" in running.disk.now[INCREMENT], "the write is in the file")
        assert running.gate.waiting.wait(20)
        assert wire.call("SET", "b", 1) == Status(b"OK")
        assert running.disk.files[INCREMENT].synced == b""
        running.gate.open.set()
        until(lambda: b"$1\r\nb\r\n" in running.disk.files[INCREMENT].synced, "the later write is synced")


@pytest.mark.parametrize("policy", [b"always", b"everysec", b"no"])
def test_a_full_disk_refuses_writes_until_there_is_room(start: Start, policy: bytes) -> None:
    running = start(appendfsync=policy)
    with running.wire() as wire:
        assert wire.call("SET", "a", 1) == Status(b"OK")
        until(lambda: b"SET" in running.disk.now[INCREMENT], "the write is in the file")
        size = len(running.disk.now[INCREMENT])
        running.disk.space = 10
        first = wire.call("SET", "b", "x" * 50)
        refusal = Failure(b"MISCONF Errors writing to the AOF file: No space left on device")
        assert first == (refusal if policy == b"always" else Status(b"OK"))
        until(lambda: wire.call("SET", "c", "x") == refusal, "writes are refused")
        assert wire.call("GET", "a") == b"1"
        assert len(running.disk.now[INCREMENT]) == size
        assert b"aof_last_write_status:err" in bytes(wire.call("INFO", "persistence"))  # type: ignore[arg-type]
        running.disk.space = None
        until(lambda: wire.call("SET", "d", "x") == Status(b"OK"), "writes go on")
        until(lambda: b"$1\r\nd\r\n" in running.disk.now[INCREMENT], "the write is in the file")
        assert not running.failures
    twin = Kept(running.disk.copy()).start()
    assert {b"a", b"b", b"d"} <= set(twin.data()[0])
    assert twin.data() == contents(running.ours.server)
    twin.stop()


def test_a_failed_sync_under_always_acknowledges_nothing_and_ends_the_server(start: Start) -> None:
    running = start(appendfsync=b"always")
    with running.wire() as wire:
        assert wire.call("SET", "a", 1) == Status(b"OK")
        running.disk.fail_sync = OSError(errno.EIO, "Input/output error")
        reply = wire.call("SET", "b", 1)
        assert isinstance(reply, Failure)
        assert reply.startswith(b"IOERR the outcome is unknown")
        until(lambda: bool(running.failures), "the server is told")
        assert wire.call("SET", "c", 1) == Failure(b"MISCONF Errors writing to the AOF file: Input/output error")
        assert wire.call("GET", "b") == b"1"
    assert list(Kept(running.disk.copy()).start().data()[0]) == [b"a"]


def test_a_failed_sync_under_everysec_refuses_writes(start: Start) -> None:
    running = start()
    running.disk.fail_sync = OSError(errno.EIO, "Input/output error")
    with running.wire() as wire:
        wire.call("SET", "a", 1)
        until(lambda: isinstance(wire.call("SET", "b", 1), Failure), "writes are refused")
        assert not running.failures


def test_a_slow_sync_is_counted(start: Start) -> None:
    kept = Kept()
    gate = Gate()
    kept.server.persistence.use(GatedFiles(gate, kept.disk), FaultyFiles(Disk()))
    kept.start()
    output = kept.server.persistence.output
    kept.call("SET", "a", 1)
    kept.flush()
    gate.open.clear()
    kept.clock.advance(1000)
    output.tick()
    assert gate.waiting.wait(20)
    kept.call("SET", "b", 1)
    kept.flush()
    assert output.delayed_syncs == 0
    kept.clock.advance(2001)
    output.tick()
    output.tick()
    assert output.delayed_syncs == 1
    assert output.pending() > 0
    gate.open.set()
    kept.stop()
    assert list(again(kept).data()[0]) == [b"a", b"b"]


def test_the_policy_can_be_changed_while_running(start: Start) -> None:
    running = start()
    with running.wire() as wire:
        wire.call("SET", "a", 1)
        assert wire.call("CONFIG", "SET", "appendfsync", "always") == Status(b"OK")
        wire.call("SET", "b", 1)
        assert running.disk.files[INCREMENT].synced == bytes(running.disk.now[INCREMENT]) != b""
        wire.call("CONFIG", "SET", "appendfsync", "no")
        running.gate.open.clear()
        assert wire.call("SET", "c", 1) == Status(b"OK")
