"""DEBUG: who may, and what it does to a server beside answering."""

from __future__ import annotations

import pytest

from heroredis.clock import ManualClock
from heroredis.errors import RedisError
from heroredis.parameters import Parameters
from heroredis.server import Server
from heroredis.session.client import Client
from heroredis.session.context import Context


def run(server: Server, address: str, *words: bytes) -> object:
    client = Client(7, address, "127.0.0.1:6379", 0, lambda: None)
    entry = server.registry.find(b"DEBUG")
    assert entry is not None
    assert entry.command is not None
    return entry.command.run(Context(server, client), *words)


@pytest.mark.parametrize(("allowed", "address", "is_run"), [
    (b"no", "127.0.0.1:5", False), (b"local", "10.0.0.9:5", False), (b"local", "127.0.0.1:5", True),
    (b"yes", "10.0.0.9:5", True)])
def test_who_may(allowed: bytes, address: str, is_run: bool) -> None:
    server = Server(parameters=Parameters(enable_debug_command=allowed))
    if is_run:
        assert run(server, address, b"DIGEST-VALUE") == []
    else:
        with pytest.raises(RedisError, match="DEBUG command not allowed"):
            run(server, address, b"DIGEST-VALUE")


def test_nothing_expires_actively_when_told_so() -> None:
    clock = ManualClock()
    server = Server(clock, Parameters(enable_debug_command=b"yes"))
    server.execute(0, [b"SET", b"k", b"v", b"PX", b"10"])
    server.execute(0, [b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"])
    clock.advance(20)
    assert server.space.expire_due(10) == 0
    assert server.execute(0, [b"DBSIZE"]) == 1
    server.execute(0, [b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"])
    assert server.space.expire_due(10) == 1
    assert server.execute(0, [b"DBSIZE"]) == 0


@pytest.mark.parametrize("options", [(), (b"NOFLUSH", b"MERGE")])
def test_a_reload_keeps_the_digest_and_makes_values_anew(options: tuple[bytes, ...]) -> None:
    server = Server(parameters=Parameters(enable_debug_command=b"yes"))
    for line in (b"SET s 5", b"RPUSH l a b c", b"HSET h f v", b"SADD t 3 1 2", b"EXPIRE t 100", b"APPEND a x",
                 b"APPEND a y"):
        server.execute(0, line.split())
    before = server.execute(0, [b"DEBUG", b"DIGEST"])
    held = dict(server.space.databases[0].data)
    server.execute(0, [b"DEBUG", b"RELOAD", *options])
    after = server.execute(0, [b"DEBUG", b"DIGEST"])
    assert before.text == after.text  # type: ignore[attr-defined]
    assert all(server.space.databases[0].data[key] is not value for key, value in held.items() if key in b"lht")
    assert server.execute(0, [b"TTL", b"t"]) == 100


@pytest.mark.parametrize("word", [b"SEGFAULT", b"PANIC", b"OOM", b"ASSERT", b"RESTART", b"CRASH-AND-RECOVER"])
def test_nobody_can_crash_it(word: bytes) -> None:
    server = Server(parameters=Parameters(enable_debug_command=b"yes"))
    with pytest.raises(RedisError, match="does not end, crash or restart"):
        server.execute(0, [b"DEBUG", word])
