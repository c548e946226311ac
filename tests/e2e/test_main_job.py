"""The main job as a user sees it: redis-cli in, a mail in the outbox, the whole life in the history."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from heroredis.testing import ServerProcess

ROOT = Path(__file__).parents[2]
Start = Callable[..., ServerProcess]


def _map(flat: Any) -> dict[str, Any]:
    """The map behind a RESP2 flat array or a RESP3 map."""
    pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
    return {key.decode(): value for key, value in pairs}


def _finished(client: redis.Redis, job_id: int) -> dict[str, Any]:
    return _map(client.execute_command("JOB.WAIT", job_id, 10_000))


@pytest.fixture
def server(start_server: Start) -> ServerProcess:
    return start_server("--handlers", str(ROOT / "examples" / "handlers.py"), "--no-ui", "--no-webdav")


@pytest.fixture
def client(server: ServerProcess) -> redis.Redis:
    return redis.Redis(port=server.port)


def test_an_email_job_ends_as_a_real_message_in_the_outbox(server: ServerProcess, client: redis.Redis) -> None:
    job_id = client.execute_command("JOB.CREATE", "email", '{"to":"user@example.com","subject":"Hello"}')
    assert job_id == 1
    job = _finished(client, job_id)
    assert job["state"] == b"done"
    assert job["result"]
    assert 0 < job["created_at"] <= job["started_at"] <= job["ended_at"]
    messages = list((server.data_dir / "outbox").glob("*.eml"))
    assert len(messages) == 1
    message = email.message_from_bytes(messages[0].read_bytes(), policy=email.policy.default)
    assert (message["To"], message["Subject"]) == ("user@example.com", "Hello")
    assert message["Date"]
    assert message["Message-ID"]
    assert not message.defects


def test_history_tells_who_and_when(client: redis.Redis) -> None:
    job_id = client.execute_command("JOB.CREATE", "email", '{"to":"user@example.com","subject":"Hello"}')
    _finished(client, job_id)
    versions = [_map(version) for version in client.execute_command("JOB.HISTORY", job_id)]
    assert [version["state"] for version in versions] == [b"done", b"active", b"new"]
    assert [version["at"] for version in versions] == sorted((version["at"] for version in versions), reverse=True)
    assert all(version["by"] for version in versions)


def test_a_waiting_job_is_visible_as_redis_keys_and_taken_by_hand(client: redis.Redis) -> None:
    job_id = client.execute_command("JOB.CREATE", "by-hand", "any \x00 bytes")
    assert client.lrange("heroqueue:by-hand", 0, -1) == [b"%d" % job_id]
    shown = json.loads(client.get(f"herojobs:by-hand:{job_id}") or b"")
    assert (shown["id"], shown["topic"], shown["state"]) == (job_id, "by-hand", "new")
    [fetched] = client.execute_command("JOB.FETCH", 1, 0, "by-hand")
    assert _map(fetched)["params"] == b"any \x00 bytes"
    assert client.llen("heroqueue:by-hand") == 0
    assert json.loads(client.get(f"herojobs:by-hand:{job_id}") or b"")["state"] == "active"
    answer = client.execute_command("JOB.COMPLETE", job_id, "well", "TOKEN", _map(fetched)["token"])
    assert answer in (b"OK", "OK", True)
    assert client.get(f"herojobs:by-hand:{job_id}") is None
    assert _map(client.execute_command("JOB.GET", job_id))["result"] == b"well"


def test_params_that_a_handler_cannot_read_are_named_invalid(client: redis.Redis) -> None:
    job = _finished(client, client.execute_command("JOB.CREATE", "email", "not json"))
    assert (job["state"], job["reason"]) == (b"error", b"invalid")
    assert job["error"]


def test_a_lost_connection_gives_its_jobs_back(server: ServerProcess, client: redis.Redis) -> None:
    job_id = client.execute_command("JOB.CREATE", "remote", "x")
    with redis.Redis(port=server.port) as worker:
        assert worker.execute_command("JOB.FETCH", 1, 0, "remote")
        assert client.llen("heroqueue:remote") == 0
    [again] = client.execute_command("JOB.FETCH", 1, 5_000, "remote")
    assert _map(again)["id"] == job_id


def test_after_kill_9_everything_acknowledged_is_there(start_server: Start, tmp_path: Path) -> None:
    first = start_server("--data-dir", str(tmp_path / "data"), "--no-ui", "--no-webdav")
    with redis.Redis(port=first.port) as client:
        ids = client.execute_command("JOB.MCREATE", "later", "a", "b", "c")
        assert client.execute_command("JOB.FETCH", 1, 0, "later")
        client.execute_command("JOB.CREATE", "finished", "d")
        client.execute_command("JOB.COMPLETE", 4, "r")
        first.kill()
    second = start_server("--data-dir", str(tmp_path / "data"), "--no-ui", "--no-webdav")
    with redis.Redis(port=second.port) as client:
        assert ids == [1, 2, 3]
        waiting = [int(job_id) for job_id in client.lrange("heroqueue:later", 0, -1)]
        assert sorted(waiting) == ids
        assert _map(client.execute_command("JOB.GET", 4))["result"] == b"r"
        assert client.execute_command("JOB.CREATE", "later", "e") == 5
