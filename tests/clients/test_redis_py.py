"""redis-py, synchronous and asyncio, RESP2 and RESP3, as an application uses it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio

from heroredis.testing import ServerProcess


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request: pytest.FixtureRequest, heroredis_server: ServerProcess) -> Iterator[redis.Redis]:
    with redis.Redis(port=heroredis_server.port, protocol=request.param) as connection:
        connection.flushall()
        yield connection


def test_strings_with_every_option_of_set(client: redis.Redis) -> None:
    assert client.set("greeting", "hello") is True
    assert client.set("greeting", "again", nx=True) is None
    assert client.set("greeting", "again", xx=True, get=True) == b"hello"
    assert client.set("greeting", "soon gone", px=60_000) is True
    assert 0 < client.pttl("greeting") <= 60_000
    assert client.incrby("hits", 5) == 5
    assert client.incrbyfloat("ratio", 0.5) == 0.5
    assert client.mget("greeting", "hits", "none") == [b"soon gone", b"5", None]


def test_hash_replies_have_the_client_s_own_types(client: redis.Redis) -> None:
    assert client.hset("user:1", mapping={"name": "Ada", "age": 36}) == 2
    assert client.hgetall("user:1") == {b"name": b"Ada", b"age": b"36"}
    assert client.hincrby("user:1", "age", 1) == 37
    assert dict(client.hscan_iter("user:1")) == {b"name": b"Ada", b"age": b"37"}


def test_transaction_is_retried_when_a_watched_key_changes(client: redis.Redis) -> None:
    client.set("stock", 10)
    attempts = []

    def take_one(pipe: redis.client.Pipeline) -> None:
        stock = int(pipe.get("stock"))
        attempts.append(stock)
        if len(attempts) == 1:
            client.set("stock", 5)
        pipe.multi()
        pipe.set("stock", stock - 1)

    client.transaction(take_one, "stock")
    assert attempts == [10, 5]
    assert client.get("stock") == b"4"


def test_a_blocked_pop_is_woken_by_another_connection(client: redis.Redis, heroredis_server: ServerProcess) -> None:
    popped: list[object] = []
    waiter = threading.Thread(target=lambda: popped.append(client.blpop(["queue"], timeout=10)))
    waiter.start()
    with redis.Redis(port=heroredis_server.port) as other:
        while other.info("clients")["blocked_clients"] == 0:
            pass
        other.rpush("queue", "work")
    waiter.join(timeout=10)
    assert [tuple(answer) for answer in popped if answer] == [(b"queue", b"work")]


def test_pubsub_messages_arrive_in_order(client: redis.Redis, heroredis_server: ServerProcess) -> None:
    subscriber = client.pubsub(ignore_subscribe_messages=False)
    subscriber.subscribe("news")
    assert subscriber.get_message(timeout=5) == {"type": "subscribe", "pattern": None, "channel": b"news", "data": 1}
    with redis.Redis(port=heroredis_server.port) as publisher:
        assert [publisher.publish("news", text) for text in ("one", "two")] == [1, 1]
    messages = [subscriber.get_message(timeout=5) for _ in range(2)]
    assert [message["data"] for message in messages if message] == [b"one", b"two"]
    subscriber.close()


def test_scan_iter_sees_every_key_once_the_set_is_quiet(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"key:{number}", number)
        assert pipe.execute() == [True] * 500
    assert set(client.scan_iter(match="key:*", count=50)) == {b"key:%d" % number for number in range(500)}


def test_unix_socket(heroredis_server: ServerProcess) -> None:
    with redis.Redis(unix_socket_path=heroredis_server.unix_path) as connection:
        assert connection.ping() is True


@pytest.mark.parametrize("protocol", [2, 3])
async def test_asyncio_client(protocol: int, heroredis_server: ServerProcess) -> None:
    async with redis.asyncio.Redis(port=heroredis_server.port, protocol=protocol) as connection:
        await connection.flushall()
        async with connection.pipeline(transaction=True) as pipe:
            answers = await pipe.rpush("list", "a", "b", "c").lrange("list", 0, -1).execute()
        assert answers == [3, [b"a", b"b", b"c"]]
        assert await connection.blmove("list", "other", 1, "LEFT", "RIGHT") == b"a"
        assert await connection.lrange("other", 0, -1) == [b"a"]


def test_an_error_reply_is_the_client_s_exception(client: redis.Redis) -> None:
    client.rpush("list", "a")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.get("list")
