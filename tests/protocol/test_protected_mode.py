"""Protected mode: without a password only this machine is let in. The peer's address is given by a fake transport."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import pytest

from heroredis.parameters import Parameters
from heroredis.server import Server
from heroredis.transport import Connection, RedisListener


class FakeTransport:
    """Says who the peer is, and remembers what was written to it."""

    def __init__(self, peer: object) -> None:
        self.written = b""
        self.closed = False
        self._peer: Final = peer

    def get_extra_info(self, name: str) -> object:
        return {"peername": self._peer, "sockname": ("10.0.0.1", 6379)}.get(name)

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.closed = True


def answer(server: Server, peer: object) -> bytes:
    """What a peer is told that connects and sends PING."""
    transport = FakeTransport(peer)
    connection = Connection(RedisListener(server, host="127.0.0.1", port=0, unix_path=""))
    connection.connection_made(cast("asyncio.Transport", transport))
    if not transport.closed:
        connection.data_received(b"PING\r\n")
    return transport.written


@pytest.mark.parametrize(("peer", "is_local"), [
    (("127.0.0.1", 5), True), (("127.8.8.8", 5), True), (("::1", 5, 0, 0), True), (("10.0.0.2", 5), False),
    (("fe80::1", 5, 0, 0), False), (("128.0.0.1", 5), False), (("::ffff:10.0.0.2", 5, 0, 0), False),
])
def test_only_this_machine_comes_in_without_a_password(peer: tuple[object, ...], is_local: bool) -> None:
    server = Server()
    told = answer(server, peer)
    if is_local:
        assert told == b"+PONG\r\n"
    else:
        assert told.startswith(b"-DENIED Redis is running in protected mode")
        assert told.endswith(b"\r\n")
        assert server.stats.rejected_connections == 1
        assert not server.clients


def test_a_password_or_the_switch_lets_others_in() -> None:
    other = ("10.0.0.2", 5)
    assert answer(Server(parameters=Parameters(requirepass=b"x")), other) == b"-NOAUTH Authentication required.\r\n"
    assert answer(Server(parameters=Parameters(protected_mode=b"no")), other) == b"+PONG\r\n"
    server = Server()
    server.users.set(b"default", [b"off"])
    assert answer(server, other) == b"-NOAUTH Authentication required.\r\n"
