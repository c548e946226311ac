"""Commands with a shorter way for their commonest form: both ways take the same arguments and answer the same."""

from __future__ import annotations

import inspect
import random
import re

import pytest

from heroredis.errors import RedisError
from heroredis.parameters import Parameters
from heroredis.registry import Entry
from heroredis.server import Server

VALUES = [b"k", b"2", b"v", b"7.5"]
SHORTENED = sorted(name for name, entry in Server().registry.commands.items()
                   if entry.command is not None and (entry.command.quick or entry.command.listed))


def long_way(entry: Entry) -> None:
    entry.run_one = entry.run_two = entry.run_three = entry.run
    entry.run_list = None


def answer(server: Server, request: list[bytes]) -> str:
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", repr(server.execute(0, request)))
    except RedisError as error:
        return repr(error)


def test_the_commonest_writes_have_one() -> None:
    assert {"SET",
            "MSET", "LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "SPOP", "HSET", "ZADD", "ZPOPMIN"} <= set(SHORTENED)


@pytest.mark.parametrize("name", SHORTENED)
def test_both_ways_answer_the_same(name: str) -> None:
    servers = [Server(parameters=Parameters(**{"enable-debug-command": b"yes"})) for _ in range(2)]
    for server in servers:
        server.rng.seed(5)
    entry = servers[1].registry.commands[name]
    command = entry.command
    assert command is not None
    if command.quick is not None:
        names = list(inspect.signature(command.quick).parameters)
        assert names == list(inspect.signature(command.run).parameters)[: len(names)]
        assert [entry.run_one, entry.run_two, entry.run_three][command.quick_count - 1] is command.quick
    long_way(entry)
    rng = random.Random(name)
    setups = [[b"DEL", b"k"], [b"SET", b"k", b"x"], [b"RPUSH", b"k", b"a", b"b"], [b"SADD", b"k", b"1", b"2", b"v"],
              [b"HSET", b"k", b"2", b"1"], [b"ZADD", b"k", b"1", b"v", b"2", b"w"]]
    for _ in range(300):
        if rng.random() < 0.3:
            requests = [[b"DEL", b"k"], rng.choice(setups)]
        else:
            requests = [[name.encode(), *rng.choices(VALUES, k=rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 6, 8]))]]
        for request in requests:
            one, two = (answer(server, request) for server in servers)
            assert one == two, request
    one, two = (answer(server, [b"DEBUG", b"DIGEST"]) for server in servers)
    assert one == two
    assert "ERR" not in one
