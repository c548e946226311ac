"""Sessions on real sockets: order of replies that wait for the disk, slow peers, turns, and the end of connections."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from heroredis.command import command
from heroredis.encoding import encoded
from heroredis.execute import FAIRNESS, Session
from heroredis.parameters import Parameters
from heroredis.reply import Committing, Durable
from heroredis.server import Server
from heroredis.session.client import Client
from heroredis.session.context import Context
from tests.differential.harness import TIMEOUT_S, Failure, OurServer, Status, Tagged, Wire, encode, until


class Commit:
    """A commit that ends when the test says so, on another thread."""

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None
        self._callbacks: list[Callable[[Committing], None]] = []

    def add_callback(self, callback: Callable[[Committing], None], /) -> None:
        self._callbacks.append(callback)

    def end(self, error: BaseException | None = None) -> None:
        self.error = error
        self.done = True
        thread = threading.Thread(target=lambda: [callback(self) for callback in self._callbacks])
        thread.start()
        thread.join()


class Disk:
    """Hands one commit per name to DURABLE."""

    def __init__(self) -> None:
        self.commits: Final[dict[bytes, Commit]] = {}

    def durable(self, ctx: Context, name: bytes) -> object:
        return Durable(name, self.commits.setdefault(name, Commit()))


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[OurServer]:
    server = OurServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def disk(ours: OurServer) -> Disk:
    found = Disk()
    ours.server.registry.add(command("DURABLE", "Waits for a commit.", group="generic", since="1.0.0", flags="write")(
        lambda ctx, name: found.durable(ctx, name)))
    return found


def nothing_has_come(ours: OurServer, wire: Wire) -> bool:
    """Whether `wire` got no byte, after the server has gone through all that it was sent before."""
    with Wire(ours.path) as other:
        other.call("PING")
    wire.socket.setblocking(False)
    try:
        wire.socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    finally:
        wire.socket.settimeout(TIMEOUT_S)
    return False


def all_run(ours: OurServer, count: int) -> None:
    until(lambda: ours.server.stats.commands >= count, f"{count} commands should have run")


def test_replies_behind_a_commit_wait_for_it_and_keep_their_order(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as wire:
        wire.send_raw(b"".join(encode(*request) for request in (
            ("PING", "0"), ("DURABLE", "a"), ("PING", "1"), ("DURABLE", "b"), ("PING", "2"), ("DURABLE", "a"),
            ("PING", "3"))))
        assert wire.read() == b"0"
        all_run(ours, 7)
        assert nothing_has_come(ours, wire)
        disk.commits[b"b"].end()
        assert nothing_has_come(ours, wire)
        disk.commits[b"a"].end()
        assert [wire.read() for _ in range(6)] == [b"a", b"1", b"b", b"2", b"a", b"3"]
        assert wire.call("DURABLE", "a") == b"a"  # done already: nothing to wait for


def test_another_connection_does_not_wait(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as one, Wire(ours.path) as two:
        one.send("DURABLE", "a")
        all_run(ours, 1)
        assert two.call("PING") == b"PONG"
        two.send("DURABLE", "a")
        all_run(ours, 3)
        disk.commits[b"a"].end()
        assert [one.read(), two.read()] == [b"a", b"a"]


def test_a_commit_that_fails_is_told(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as wire:
        wire.send_raw(encode("DURABLE", "a") + encode("DURABLE", "b") + encode("PING"))
        all_run(ours, 3)
        disk.commits[b"a"].end(OSError("disk full"))
        failure = wire.read()
        assert isinstance(failure, Failure)
        assert failure.startswith(b"IOERR")
        assert bytes(failure).endswith(b"disk full")
        disk.commits[b"b"].end()
        assert [wire.read(), wire.read()] == [b"b", Status(b"PONG")]


def test_exec_waits_for_the_commits_of_its_commands(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as wire:
        wire.send_raw(b"".join(encode(*request) for request in (
            ("MULTI",), ("PING", "1"), ("DURABLE", "a"), ("PING", "2"), ("EXEC",), ("PING", "3"))))
        assert [wire.read() for _ in range(4)] == [Status(b"OK"), *[Status(b"QUEUED")] * 3]
        all_run(ours, 6)
        assert nothing_has_come(ours, wire)
        disk.commits[b"a"].end()
        assert [wire.read(), wire.read()] == [[b"1", b"a", b"2"], b"3"]


def test_quit_and_kill_end_the_connection_behind_what_waits(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as wire, Wire(ours.path) as killed, Wire(ours.path) as killer:
        number = killed.call("CLIENT", "ID")
        assert isinstance(number, int)
        wire.send_raw(encode("DURABLE", "a") + encode("QUIT") + encode("PING"))
        killed.send("DURABLE", "a")
        all_run(ours, 4)
        assert killer.call("CLIENT", "KILL", "ID", number) == 1
        assert nothing_has_come(ours, wire)
        disk.commits[b"a"].end()
        assert [wire.read(), wire.read()] == [b"a", Status(b"OK")]
        assert wire.at_end()
        assert killed.read() == b"a"
        assert killed.at_end()


@pytest.mark.parametrize("request_", ["PING", "BLPOP none 0", "SUBSCRIBE news"])
def test_who_is_killed_sees_the_end_before_the_killer_can_be_told(ours: OurServer, request_: str) -> None:
    """Or what it sends in between would reset the connection, instead of ending it."""
    with Wire(ours.path) as killed:
        killed.send(*request_.split())
        all_run(ours, 1)
        if not request_.startswith("BLPOP"):
            killed.read()
        killed.socket.settimeout(0)
        client, = ours.server.clients.values()

        def kill_and_look() -> bytes:
            ours.server.end_client(client)
            return killed.socket.recv(1)

        assert ours.run(kill_and_look) == b""


def test_a_message_comes_behind_the_reply_that_waits(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path, 3) as subscriber, Wire(ours.path) as publisher:
        subscriber.call("SUBSCRIBE", "news")
        subscriber.send("DURABLE", "a")
        until(lambda: disk.commits.get(b"a") is not None, "the command should have run")
        assert publisher.call("PUBLISH", "news", "1") == 1
        assert nothing_has_come(ours, subscriber)
        disk.commits[b"a"].end()
        assert subscriber.read() == b"a"
        assert subscriber.read() == Tagged(">", [b"message", b"news", b"1"])


def test_a_connection_that_ends_first_harms_nobody(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as gone:
        gone.send("DURABLE", "a")
        all_run(ours, 1)
    with Wire(ours.path) as wire:
        wire.send("DURABLE", "a")
        all_run(ours, 2)
        disk.commits[b"a"].end()
        assert wire.read() == b"a"
        until(lambda: len(ours.listener.connections) == 1, "the first connection should be gone")


def test_a_peer_that_does_not_read_stops_being_served(ours: OurServer) -> None:
    value = b"x" * 100_000
    with Wire(ours.path) as slow, Wire(ours.path) as other:
        slow.call("SET", "large", value)
        sender = threading.Thread(target=slow.send_raw, args=(encode("GET", "large") * 3000,))
        sender.start()
        until(lambda: any(connection._session is not None and connection._session.stalled
                          for connection in list(ours.listener.connections)), "the session should be stalled")
        assert other.call("PING") == b"PONG"
        before = other.call("INFO", "stats")
        after = other.call("INFO", "stats")
        assert gets_of(after) == gets_of(before) + 1  # only the INFO between them
        assert all(slow.read() == value for _ in range(3000))
        sender.join()


def test_a_peer_that_does_not_read_can_be_killed(ours: OurServer) -> None:
    with Wire(ours.path) as slow, Wire(ours.path) as other:
        number = slow.call("CLIENT", "ID")
        assert isinstance(number, int)
        slow.call("SET", "large", b"x" * 3_000_000)
        slow.send_raw(encode("GET", "large") * 3)
        until(lambda: any(connection._session is not None and connection._session.stalled
                          for connection in list(ours.listener.connections)), "the session should be stalled")
        assert other.call("CLIENT", "KILL", "ID", number) == 1
        until(lambda: len(ours.listener.connections) == 1, "the connection should be gone")


@pytest.mark.parametrize("count", [1, FAIRNESS, 5 * FAIRNESS])
def test_all_that_was_sent_before_the_end_is_run_and_answered(ours: OurServer, count: int) -> None:
    with Wire(ours.path) as wire:
        sender = threading.Thread(target=wire.send_raw, args=(encode("INCR", "n") * count,))
        sender.start()
        assert wire.read() == 1
        sender.join()
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.read() for _ in range(count - 1)] == list(range(2, count + 1))
        assert wire.at_end()
    until(lambda: not ours.listener.connections, "the connection should be gone")


@pytest.mark.parametrize("last", [True, False])
def test_large_replies_are_sent_before_the_end(ours: OurServer, last: bool) -> None:
    value = b"x" * 5_000_000
    with Wire(ours.path) as wire:
        wire.call("SET", "large", value)
        wire.send_raw(encode("GET", "large") * 2 + (encode("QUIT") if last else b""))
        if not last:
            wire.socket.shutdown(socket.SHUT_WR)
        all_run(ours, 3)
        assert [wire.read(), wire.read()] == [value, value]
        if last:
            assert wire.read() == Status(b"OK")
        assert wire.at_end()


def test_replies_that_wait_for_a_commit_are_sent_behind_the_end_of_input(ours: OurServer, disk: Disk) -> None:
    with Wire(ours.path) as wire:
        wire.send_raw(encode("DURABLE", "a") + encode("PING"))
        wire.socket.shutdown(socket.SHUT_WR)
        all_run(ours, 2)
        disk.commits[b"a"].end()
        assert [wire.read(), wire.read()] == [b"a", Status(b"PONG")]
        assert wire.at_end()


def test_a_waiting_command_ends_with_the_input(ours: OurServer) -> None:
    with Wire(ours.path) as wire:
        wire.send_raw(encode("PING") + encode("BLPOP", "q", 0))
        assert wire.read() == Status(b"PONG")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.at_end()
    until(lambda: not ours.listener.connections, "the connection should be gone")
    assert ours.server.blocking.count == 0


def gets_of(info: object) -> int:
    assert isinstance(info, bytes)
    return int(info.partition(b"total_commands_processed:")[2].partition(b"\r")[0])


def test_a_sender_far_ahead_of_its_turns_is_read_no_further(ours: OurServer) -> None:
    blocks = 150
    block = encode("PING") * 10_000
    with Wire(ours.path) as fast:
        sender = threading.Thread(target=fast.send_raw, args=(block * blocks,))
        sender.start()
        most = 0
        for _ in range(blocks):
            most = max(most, *(connection._session.reader.buffered() if connection._session else 0
                               for connection in list(ours.listener.connections)))
            assert fast._file.read(7 * 10_000) == b"+PONG\r\n" * 10_000
        sender.join()
    assert most < 10 * 1024 * 1024  # what one turn of the loop reads comes on top of the 1 MiB


class Turns:
    """A loop of which only `call_soon` is needed: it keeps what is to be run later."""

    def __init__(self) -> None:
        self.later: Final[list[Callable[[], None]]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.later.append(callback)


def test_a_turn_is_a_thousand_commands() -> None:
    server = Server()
    turns = Turns()
    server.loop = turns  # type: ignore[assignment]
    written: list[bytes] = []
    session = Session(server, Client(1, "", "", 0, lambda: None), written.append)
    session.received(encode("PING") * (2 * FAIRNESS + 10))
    assert written == [b"+PONG\r\n" * FAIRNESS]
    session.received(encode("ECHO", "last"))
    while turns.later:
        turns.later.pop(0)()
    assert written == [b"+PONG\r\n" * FAIRNESS] * 2 + [b"+PONG\r\n" * 10 + encoded(b"last", 2)]


def test_the_last_command_is_shown(ours: OurServer) -> None:
    with Wire(ours.path) as one, Wire(ours.path) as two:
        one.call("CLIENT", "SETNAME", "one")
        one.call("GET", "x")
        listed = two.call("CLIENT", "LIST")
        assert isinstance(listed, bytes)
        lines = {line.split(b" ")[4]: line for line in listed.splitlines()}
        assert b" cmd=get " in lines[b"name=one"]
        assert b" cmd=client|list " in lines[b"name="]


@contextlib.contextmanager
def server_with(folder: Path, **values: bytes) -> Iterator[OurServer]:
    server = OurServer(folder, Parameters(**values)).start()
    try:
        yield server
    finally:
        server.stop()


def test_maxclients(tmp_path: Path) -> None:
    with server_with(tmp_path, maxclients=b"2") as server, Wire(server.path) as one, Wire(server.path):
        one.call("PING")
        with Wire(server.path) as third:
            assert third.read() == Failure(b"ERR max number of clients reached")
            assert third.at_end()
    with server_with(tmp_path, maxclients=b"2") as server, Wire(server.path) as one:
        with Wire(server.path) as two:
            two.call("PING")
        until(lambda: len(server.server.clients) == 1, "the second client should be gone")
        with Wire(server.path) as again:
            assert again.call("PING") == Status(b"PONG")
        assert one.call("PING") == Status(b"PONG")
