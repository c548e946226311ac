"""Who may speak, and how: AUTH and the limits before it, HTTP refused, ends of connections, the Unix socket's file."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from heroredis.clock import ManualClock
from heroredis.parameters import Parameters
from heroredis.server import Server
from heroredis.session.idle import IdleClients
from heroredis.transport import RedisListener
from tests.differential.harness import Failure, OurServer, Status, Tagged, Wire, encode, until

NO_AUTH = Failure(b"NOAUTH Authentication required.")
WRONG = Failure(b"WRONGPASS invalid username-password pair or user is disabled.")
PASSWORD = b"correct horse"


@contextlib.contextmanager
def running(folder: Path, **values: bytes) -> Iterator[OurServer]:
    server = OurServer(folder, Parameters(**values)).start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[OurServer]:
    with running(tmp_path, requirepass=PASSWORD) as server:
        yield server


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[OurServer]:
    with running(tmp_path) as server:
        yield server


REFUSED = [("GET", "a"), ("SET", "a", "b"), ("PING",), ("CLIENT", "LIST"), ("SHUTDOWN",), ("MULTI",),
           ("SUBSCRIBE", "a"), ("COMMAND",), ("SELECT", "1"), ("INFO",)]


@pytest.mark.parametrize("request_", REFUSED, ids=" ".join)
def test_nothing_runs_before_the_login(locked: OurServer, request_: tuple[str, ...]) -> None:
    with Wire(locked.path) as wire:
        assert wire.call(*request_) == NO_AUTH
        assert wire.call("AUTH", "wrong") == WRONG
        assert wire.call(*request_) == NO_AUTH
        assert wire.call("AUTH", PASSWORD) == Status(b"OK")
        assert wire.call("PING") == Status(b"PONG")


def test_before_the_login_requests_that_are_none_are_told_so_as_redis_does(locked: OurServer) -> None:
    with Wire(locked.path) as wire:
        assert wire.call("NOPE") == Failure(b"ERR unknown command 'NOPE', with args beginning with: ")
        assert wire.call("CONFIG", "NOPE") == Failure(b"ERR unknown subcommand 'NOPE'. Try CONFIG HELP.")
        assert wire.call("CONFIG") == Failure(b"ERR wrong number of arguments for 'config' command")
        assert wire.call("EXEC") == Failure(b"EXECABORT Transaction discarded because of: " + NO_AUTH)


def test_hello_logs_in(locked: OurServer) -> None:
    with Wire(locked.path) as wire:
        refused = wire.call("HELLO", 3)
        assert isinstance(refused, Failure)
        assert refused.startswith(b"NOAUTH HELLO must be called with the client already authenticated")
        assert wire.call("HELLO", 3, "AUTH", "default", "wrong") == WRONG
        assert wire.call("HELLO", 3, "AUTH", "other", PASSWORD) == WRONG
        assert wire.call("GET", "a") == NO_AUTH
        greeting = wire.call("HELLO", 3, "AUTH", "default", PASSWORD, "SETNAME", "me")
        assert isinstance(greeting, Tagged)
        assert wire.call("CLIENT", "GETNAME") == b"me"


def test_wrong_passwords_are_counted(locked: OurServer) -> None:
    with Wire(locked.path) as wire:
        for password in ("", "wrong", PASSWORD + b"x", PASSWORD[:-1], b"\xff\x00"):
            assert wire.call("AUTH", password) == WRONG
    assert locked.server.stats.security_events == 5


def test_reset_logs_out(locked: OurServer) -> None:
    with Wire(locked.path) as wire:
        wire.call("AUTH", PASSWORD)
        assert wire.call("RESET") == Status(b"RESET")
        assert wire.call("GET", "a") == NO_AUTH
        assert wire.call("MSET", *["x"] * 30) == Failure(b"ERR Protocol error: unauthenticated multibulk length")
        assert wire.at_end()


@pytest.mark.parametrize(("data", "reason"), [
    (encode(*["x"] * 11), b"unauthenticated multibulk length"), (b"*1\r\n$16385\r\n", b"unauthenticated bulk length"),
    (encode(*["x" * 16384] * 5)[:-2], b"request larger than client-query-buffer-limit"),
    (b"x" * 65537, b"too big inline request"),
])
def test_limits_before_the_login(locked: OurServer, data: bytes, reason: bytes) -> None:
    with Wire(locked.path) as wire:
        send_in_parts(wire, data, len(data))
        assert wire.read() == Failure(b"ERR Protocol error: " + reason)
        assert wire.at_end()


def test_requests_sent_along_with_the_login_have_its_limits(locked: OurServer) -> None:
    requests = [encode("AUTH", PASSWORD), encode("SET", "large", "x" * 100_000), encode("DEL", *["x"] * 100)]
    for size in (1 << 20, 1000, 7):
        stream = b"".join(requests)
        with Wire(locked.path) as wire:
            sender = threading.Thread(target=send_in_parts, args=(wire, stream, size))
            sender.start()
            assert [wire.read() for _ in range(3)] == [Status(b"OK"), Status(b"OK"), 0]
            sender.join()


def send_in_parts(wire: Wire, data: bytes, size: int) -> None:
    """Until the server closes the connection."""
    with contextlib.suppress(OSError):
        for at in range(0, len(data), size):
            wire.send_raw(data[at : at + size])


def test_who_does_not_log_in_is_sent_away(tmp_path: Path) -> None:
    server = OurServer(tmp_path, Parameters(requirepass=PASSWORD), auth_timeout_s=0.01).start()
    with Wire(server.path) as wire:
        assert wire.at_end()
    server.stop()
    assert server.server.stats.security_events == 1


@pytest.mark.parametrize("first", ["POST / HTTP/1.1", "GET / HTTP/1.1", "PUT /x HTTP/1.1", "HEAD / HTTP/1.0",
                                   "OPTIONS * HTTP/1.1", "Host: x"])
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_an_http_request_is_refused(ours: OurServer, first: str, size: int) -> None:
    data = f"{first}\r\nhost: 127.0.0.1\r\n\r\nSET stolen value\r\n".encode()
    with Wire(ours.path) as wire:
        send_in_parts(wire, data, size)
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                assert isinstance(wire.read(), Failure)
    with Wire(ours.path) as wire:
        assert wire.call("EXISTS", "stolen") == 0
    assert ours.server.stats.security_events == 1


def test_quit_answers_and_closes(ours: OurServer) -> None:
    with Wire(ours.path) as wire:
        wire.send_raw(encode("PING") + encode("QUIT", "now") + encode("SET", "a", "b"))
        assert [wire.read(), wire.read()] == [Status(b"PONG"), Status(b"OK")]
        assert wire.at_end()
    with Wire(ours.path) as wire:
        assert wire.call("EXISTS", "a") == 0


def test_client_kill(ours: OurServer) -> None:
    with Wire(ours.path) as killer, Wire(ours.path) as one, Wire(ours.path) as two, Wire(ours.path) as waiting:
        numbers = [wire.call("CLIENT", "ID") for wire in (one, two, waiting, killer)]
        assert all(isinstance(number, int) for number in numbers)
        waiting.send("BLPOP", "q", 0)
        until(lambda: ours.server.blocking.count == 1, "a client should wait")
        assert killer.call("CLIENT", "KILL", "ID", str(numbers[0])) == 1
        assert one.at_end()
        assert killer.call("CLIENT", "KILL", "ID", str(numbers[2])) == 1
        assert waiting.at_end()
        assert killer.call("CLIENT", "KILL", "ID", str(numbers[0])) == 0
        assert two.call("PING") == Status(b"PONG")
        killer.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        assert killer.read() == 2  # its own answer is still sent
        assert killer.at_end()
        assert two.at_end()
    until(lambda: not ours.server.clients, "all clients should be gone")
    assert ours.server.blocking.count == 0


def test_the_unix_socket_is_for_its_owner_alone(ours: OurServer) -> None:
    facts = os.stat(ours.path)
    assert stat.S_ISSOCK(facts.st_mode)
    assert stat.S_IMODE(facts.st_mode) == 0o600


def test_the_unix_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert os.path.exists(server.path)
    assert not os.path.exists(server.path)


def test_a_socket_that_somebody_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "ours.sock"))
    assert (tmp_path / "ours.sock").exists()
    with running(tmp_path) as server, Wire(server.path) as wire:
        assert wire.call("PING") == Status(b"PONG")


def test_a_living_server_is_left_alone(ours: OurServer) -> None:
    second = RedisListener(ours.server, host="127.0.0.1", port=0, unix_path=ours.path)
    with pytest.raises(OSError, match="another server listens"):
        ours.run(second.start)
    with Wire(ours.path) as wire:
        assert wire.call("PING") == Status(b"PONG")


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path, ours: OurServer) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    second = RedisListener(Server(), host="127.0.0.1", port=0, unix_path=str(path))
    with pytest.raises(FileExistsError):
        ours.run(second.start)
    assert path.read_text() == "data"


def test_a_socket_that_another_server_has_taken_over_is_not_removed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        with running(tmp_path) as server:
            os.unlink(server.path)
            other.bind(server.path)
        assert os.path.exists(server.path)


def test_silent_connections_are_ended() -> None:
    """Not those that wait or listen. The clock of the test is what passes."""
    clock = ManualClock(1_000_000)
    server = Server(clock=clock, parameters=Parameters(timeout=b"10"))
    hung_up: list[str] = []
    for name in ("silent", "busy", "blocked", "listener"):
        client = server.new_client(name, name, lambda: None)
        client.wake = functools.partial(hung_up.append, name)
        client.is_blocked = name == "blocked"
        if name == "listener":
            client.channels[b"a"] = None
        server.clients[client.client_id] = client
    idle = IdleClients(server)
    clock.advance(9_000)
    for client in server.clients.values():
        if client.addr == "busy":
            client.active_ms = clock.now_ms()
    idle.look(clock.now_ms())
    assert hung_up == []
    clock.advance(1_500)
    idle.look(clock.now_ms())
    assert hung_up == ["silent"]
