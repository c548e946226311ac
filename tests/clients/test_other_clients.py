"""node-redis, coredis, valkey-glide and hiredis-py as their users use them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import coredis
import glide
import hiredis
import pytest

from heroredis.testing import ServerProcess

SCRIPT = Path(__file__).with_name("node_redis_session.mjs")
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def test_node_redis_session(heroredis_server: ServerProcess, node_redis_folder: Path) -> None:
    done = subprocess.run(["node", str(SCRIPT), str(heroredis_server.port), str(node_redis_folder)],
                          text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, seen in found.items():
        assert seen == {
            "set": "OK", "get": "value", "hash": {"name": "Ada", "year": "1843"},
            "zset": [{"value": "a", "score": 1.5}, {"value": "b", "score": 2}], "members": ["x", "y"],
            "transaction": ["OK", 2], "popped": {"key": f"nr{name[-1]}:queue", "element": "job"}, "message": "hello",
            "error": WRONG_TYPE,
        }, name


async def test_coredis_session(heroredis_server: ServerProcess) -> None:
    async with coredis.Redis(port=heroredis_server.port, decode_responses=True) as client:  # RESP3 always
        key = "co"
        assert await client.set(f"{key}:key", "value", ex=100)
        assert await client.get(f"{key}:key") == "value"
        await client.hset(f"{key}:hash", {"name": "Ada"})
        assert await client.hgetall(f"{key}:hash") == {"name": "Ada"}
        await client.zadd(f"{key}:zset", {"a": 1.5, "b": 2})
        assert [tuple(pair) for pair in await client.zrange(f"{key}:zset", 0, -1, withscores=True)] == [
            ("a", 1.5), ("b", 2.0)]
        await client.sadd(f"{key}:set", {"x", "y"})
        assert await client.smembers(f"{key}:set") == {"x", "y"}
        with pytest.raises(coredis.exceptions.WrongTypeError):
            await client.lpush(f"{key}:key", ["x"])
        assert {name async for name in client.scan_iter(match=f"{key}:*")} == {
            f"{key}:key", f"{key}:hash", f"{key}:zset", f"{key}:set"}


@pytest.mark.parametrize("version", [glide.ProtocolVersion.RESP2, glide.ProtocolVersion.RESP3])
async def test_valkey_glide_session(heroredis_server: ServerProcess, version: glide.ProtocolVersion) -> None:
    client = await glide.GlideClient.create(glide.GlideClientConfiguration(
        [glide.NodeAddress("127.0.0.1", heroredis_server.port)], protocol=version))
    try:
        key = f"gl{version.value}"
        assert await client.set(f"{key}:key", "value") == "OK"
        assert await client.get(f"{key}:key") == b"value"
        await client.hset(f"{key}:hash", {"name": "Ada"})
        assert await client.hgetall(f"{key}:hash") == {b"name": b"Ada"}
        await client.zadd(f"{key}:zset", {"a": 1.5, "b": 2})
        assert await client.zrange_withscores(f"{key}:zset", glide.RangeByIndex(0, -1)) == {b"a": 1.5, b"b": 2.0}
        await client.sadd(f"{key}:set", ["x", "y"])
        assert await client.smembers(f"{key}:set") == {b"x", b"y"}
        batch = glide.Batch(is_atomic=True)
        batch.set(f"{key}:n", "1")
        batch.incr(f"{key}:n")
        assert await client.exec(batch, raise_on_error=True) == ["OK", 2]
        with pytest.raises(glide.RequestError, match=r"WRONGTYPE|WrongType|wrong kind"):
            await client.lpush(f"{key}:key", ["x"])
    finally:
        await client.close()


def test_hiredis_reads_what_is_answered(heroredis_server: ServerProcess) -> None:
    import socket

    reader = hiredis.Reader()
    with socket.create_connection(("127.0.0.1", heroredis_server.port), 10) as connection:
        connection.sendall(b"".join(hiredis.pack_command(words) for words in (
            ("HELLO", "3"), ("SET", "hi:key", "v"), ("SADD", "hi:set", "x"), ("SMEMBERS", "hi:set"), ("GET", "nothing"),
            ("HGETALL", "nothing"), ("CLIENT", "TRACKINGINFO"), ("GETBIT", "hi:key", 1))))
        answers: list[object] = []
        while len(answers) < 8:
            reader.feed(connection.recv(65536))
            while (answer := reader.gets()) is not False:
                answers.append(answer)
    assert answers[1:6] == [b"OK", 1, {b"x"}, None, {}] or answers[1:6] == [b"OK", 1, [b"x"], None, {}]
    assert isinstance(answers[6], dict)
    assert answers[7] == 1
