"""All services together: what one does, the others show."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from heroredis.testing import ServerProcess

ROOT = Path(__file__).parents[2]


def fetch(url: str, body: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/json"} if body else {}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
        return bytes(answer.read())


def test_a_job_made_in_the_ui_is_seen_by_redis_and_by_webdav(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--handlers", str(ROOT / "examples" / "handlers.py"))
    ui, dav = server.url("ui"), server.url("webdav")
    made = json.loads(fetch(ui + "api/jobs", b'{"topic": "echo", "params": "by the ui"}'))
    client = redis.Redis(port=server.port)
    client.execute_command("JOB.WAIT", made["id"], 10_000)
    by_dav = json.loads(fetch(f"{dav}jobs/echo/done/{made['id']}.json"))
    by_api = json.loads(fetch(f"{ui}api/jobs/{made['id']}"))
    assert {**by_api, **by_dav} == by_api
    assert (by_api["state"], by_api["result"]) == ("done", "by the ui")
    history = json.loads(fetch(f"{ui}api/jobs/{made['id']}/history"))["history"]
    assert [version["state"] for version in history] == ["done", "active", "new"]
    assert json.loads(fetch(ui + "api/stats"))["done"] == 1


def test_jobs_switched_off_leave_ordinary_keys(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--no-jobs", "--no-webdav")
    client = redis.Redis(port=server.port)
    assert client.rpush("heroqueue:x", "1") == 1
    assert client.rename("heroqueue:x", "y")
    assert b"switched off" in fetch(server.url("ui"))


def test_foreign_writes_on_job_keys_are_refused(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--no-ui", "--no-webdav")
    client = redis.Redis(port=server.port)
    client.execute_command("JOB.CREATE", "t", "x")
    client.set("plain", "1")
    attempts = [
        ("RENAME", "heroqueue:t", "y"), ("RENAME", "plain", "heroqueue:t"), ("EXPIRE", "herojobs:t:1", "1"),
        ("LMOVE", "heroqueue:t", "y", "LEFT", "LEFT"), ("COPY", "plain", "herojobs:t:1", "REPLACE"),
        ("MSET", "plain", "2", "herojobs:t:1", "{}"), ("SET", "herojobs:t:9", "{}"),
        ("SET", "herojobs:t:1", "nonsense"), ("DEL", "plain", "heroqueue:t"),
        ("APPEND", "herojobs:t:1", "x"), ("RPOP", "heroqueue:t"), ("DEL", "heroqueue:t"),
    ]
    for attempt in attempts:
        with pytest.raises(redis.ResponseError, match=r"^REFUSED"):
            client.execute_command(*attempt)
    for command in ("FLUSHDB", "FLUSHALL"):
        client.execute_command(command)
    client.execute_command("SWAPDB", "0", "1")
    assert client.lrange("heroqueue:t", 0, -1) == [b"1"]
    assert json.loads(client.get("herojobs:t:1") or b"")["state"] == "new"
    assert client.get("plain") is None
    other = redis.Redis(port=server.port, db=1)
    other.set("herojobs:t:1", "mine")
    with pytest.raises(redis.ResponseError, match=r"^REFUSED"):
        other.execute_command("MOVE", "herojobs:t:1", "0")
    assert json.loads(client.get("herojobs:t:1") or b"")["state"] == "new"


def test_plain_redis_is_enough_for_a_worker(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--no-ui", "--no-webdav")
    client = redis.Redis(port=server.port)
    for params in ("a", "b", "c", "d"):
        client.execute_command("JOB.CREATE", "t", params)
    assert client.blpop(["heroqueue:t"], 5) == (b"heroqueue:t", b"1")
    assert json.loads(client.get("herojobs:t:1") or b"")["state"] == "active"
    assert client.set("herojobs:t:1", '{"state": "done", "result": {"n": 1}}')
    assert client.get("herojobs:t:1") is None
    assert client.lpop("heroqueue:t") == b"2"
    assert client.set("herojobs:t:2", '{"state": "error", "error": "broke"}')
    assert client.delete("herojobs:t:3") == 1
    assert client.lrange("heroqueue:t", 0, -1) == [b"4"]
    assert client.lrem("heroqueue:t", 0, "4") == 1
    assert client.rpush("heroqueue:t", "4", "1", "77", "junk") == 1
    states = {}
    for job_id in (1, 2, 3, 4):
        job = client.execute_command("JOB.GET", job_id)
        pairs = job if isinstance(job, dict) else dict(zip(job[::2], job[1::2], strict=True))
        states[job_id] = (pairs[b"state"], pairs[b"reason"], pairs[b"result"], pairs[b"error"])
    assert states == {
        1: (b"done", b"", b'{"n": 1}', None), 2: (b"error", b"dead", None, b"broke"),
        3: (b"error", b"cancelled", None, b"its key was deleted"), 4: (b"new", b"", None, None),
    }
