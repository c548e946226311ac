"""The HTTP API over a real job manager: create with options, search, act, bulk, logs, events, metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from heroredis import Config, ServerFactory
from jobs.manager import JobManager
from jobs.ourdb_store import OurDBStore


class Site:
    def __init__(self, url: str, http: aiohttp.ClientSession, jobs: JobManager) -> None:
        self.url = url.rstrip("/")
        self.http = http
        self.jobs = jobs

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answered:
            text = await answered.text()
            return answered.status, json.loads(text) if text.startswith("{") else text

    async def ids(self, query: str, **more: object) -> list[int]:
        words = {"q": query, **{name: str(value) for name, value in more.items()}}
        async with self.http.get(self.url + "/api/jobs", params=words) as answered:
            assert answered.status == 200
            return [job["id"] for job in (await answered.json())["jobs"]]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    config = Config(data_dir=str(tmp_path / "data"), enable_redis=False, enable_webdav=False)
    config.ui.port = 0
    config.jobs.worker_count = 0
    async with ServerFactory(config) as factory, aiohttp.ClientSession() as http:
        yield Site(factory.listening[0].url, http, factory.job_manager)


async def test_create_with_options_and_search(site: Site) -> None:
    status, made = await site.call("POST", "/api/jobs", {
        "topic": "mail", "params": {"to": "ada"}, "priority": 5, "retries": 2, "tags": ["vip"], "meta": {"a": [1]},
        "timeout": 1.5, "delay": 60, "idempotency": "once"})
    assert status == 201
    assert (await site.call("POST", "/api/jobs", {"topic": "x", "idempotency": "once"}))[1] == made
    job = (await site.call("GET", f"/api/jobs/{made['id']}"))[1]
    assert (job["priority"], job["max_attempts"], job["tags"], job["timeout_ms"], job["meta"], job["reason"]) == (
        5, 3, ["vip"], 1500, '{"a":[1]}', "delayed")
    await site.jobs.create_jobs("mail", ["one", "two"])
    assert await site.ids("topic:mail") == [3, 2, 1]
    assert made["job"]["state"] == "new"
    await site.jobs.complete_job(made["id"], "sent")
    again = (await site.call("POST", "/api/jobs", {"topic": "x", "idempotency": "once"}))[1]
    assert (again["id"], again["job"]["state"], again["job"]["result"]) == (made["id"], "done", "sent")
    assert (await site.call("POST", "/api/jobs", {"topic": "other"}))[1] == {"id": 4}
    status, answered = await site.call("POST", "/api/jobs", {"topic": "x", "delay": 5, "run_at": 2e9})
    assert (status, answered["error"]["message"]) == (422, "give DELAY or AT, not both")
    assert await site.ids("ada or two") == [3, 1]
    assert await site.ids("topic:mail", count=2) == [3, 2]
    assert await site.ids("", at=1) == []
    assert (await site.call("GET", "/api/count?q=topic:mail"))[1] == {"count": 3}
    status, answered = await site.call("GET", "/api/jobs?q=sate:new")
    assert status == 422
    assert answered["error"]["message"].startswith("query, character 1")


async def test_each_failed_attempt_is_in_the_history_with_its_error(site: Site) -> None:
    job = await site.jobs.create_job("t", "x", retries=1, backoff="fixed:0")
    for error in ("first", b"\xff"):
        await site.jobs.update_job_status(job.job_id, "active")
        await site.jobs.fail_job(job.job_id, error)
    rows = (await site.call("GET", f"/api/jobs/{job.job_id}/history"))[1]["history"]
    assert [(row["state"], row.get("error", "-"), row.get("traceback", "-")) for row in rows] == [
        ("error", "\\xff", None), ("active", "-", "-"), ("new", "first", None), ("active", "-", "-"), ("new", "-", "-")]


async def test_acts_are_in_the_history(site: Site) -> None:
    job = await site.jobs.create_job("t", "x")
    path = f"/api/jobs/{job.job_id}"
    status, shown = await site.call("POST", path + "/cancel", {"reason": "no need"})
    assert (status, shown["reason"], shown["error"]) == (200, "cancelled", "no need")
    assert (await site.call("POST", path + "/retry"))[1]["state"] == "new"
    assert (await site.call("POST", path + "/retry"))[0] == 409
    assert [version.by for version in await site.jobs.get_history(job.job_id)] == ["http 127.0.0.1"] * 2 + ["api"]
    rows = (await site.call("GET", path + "/history"))[1]["history"]
    assert [row["changed"] for row in rows] == [
        ["state", "reason", "error", "ended_at"], ["state", "reason", "error", "ended_at"], []]
    assert (await site.call("GET", path + "/history?count=1"))[1]["history"] == rows[:1]
    site.jobs.claim("t", "w")
    site.jobs.log(job.job_id, "half way", "w")
    lines = (await site.call("GET", path + "/logs"))[1]["lines"]
    assert [(line["line"], line["by"]) for line in lines] == [("half way", "w")]
    assert (await site.call("DELETE", path))[0] == 409
    await site.jobs.complete_job(job.job_id)
    assert (await site.call("DELETE", path))[0] == 204
    assert (await site.call("GET", path))[0] == 404


async def test_bulk_and_the_rule_of_the_own_site(site: Site) -> None:
    await site.jobs.create_jobs("t", ["a", "b", "c"])
    order = {"action": "cancel", "q": "topic:t not b", "dry_run": True}
    assert (await site.call("POST", "/api/bulk", order))[1] == {"matched": 2, "changed": 0, "refusal": None}
    assert (await site.call("POST", "/api/bulk", {**order, "dry_run": False}))[1]["changed"] == 2
    assert await site.ids("state:new") == [2]
    foreign = {"Origin": "http://evil.example"}
    assert (await site.call("POST", "/api/bulk", order, **foreign))[0] == 403
    assert (await site.call("DELETE", "/api/jobs/1", **foreign))[0] == 403
    plain = {"Content-Type": "text/plain"}
    assert (await site.call("POST", "/api/jobs/1/retry", **plain))[0] == 403
    for body in ({"action": "explode", "q": ""}, {"q": ""}, {"action": "retry", "q": "", "x": 1}):
        assert (await site.call("POST", "/api/bulk", body))[0] in (400, 422)


class Stream:
    """Server-sent events as a browser reads them."""

    def __init__(self, answered: aiohttp.ClientResponse) -> None:
        self._answered = answered
        self.last_id = 0

    async def next(self) -> dict[str, Any]:
        """The next message that has data; the ids of the others are kept."""
        while True:
            lines = (await asyncio.wait_for(self._answered.content.readuntil(b"\n\n"), 20)).decode().splitlines()
            facts = dict(line.split(": ", 1) for line in lines if line)
            self.last_id = int(facts["id"])
            if "data" in facts:
                return {"kind": facts["event"], **json.loads(facts["data"])}

    async def names(self, count: int) -> list[tuple[str, int]]:
        told = [await self.next() for _ in range(count)]
        return [(one["event"], one["id"]) for one in told]


async def test_events_are_told_and_narrowed(site: Site) -> None:
    async with site.http.get(site.url + "/api/events", params={"q": "topic:b"}) as answered:
        assert answered.headers["Content-Type"].startswith("text/event-stream")
        stream = Stream(answered)
        await site.jobs.create_job("a")
        await site.jobs.create_job("b", "hello")
        told = await stream.next()
    assert (told["kind"], told["event"], told["id"], told["topic"], told["by"]) == ("job", "created", 2, "b", "api")
    assert (told["job"]["params"], told["job"]["state"]) == ("hello", "new")
    assert stream.last_id == told["seq"] == 2


async def test_who_comes_again_with_the_last_id_misses_nothing_also_over_a_restart(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enable_redis=False, enable_webdav=False)
    config.ui.port = 0
    config.jobs.worker_count = 0
    async with ServerFactory(config) as factory, aiohttp.ClientSession() as http:
        jobs = factory.job_manager
        await jobs.create_jobs("t", ["1", "2"])
        async with http.get(factory.listening[0].url + "api/events", params={"since": "0"}) as answered:
            stream = Stream(answered)
            assert await stream.names(2) == [("created", 1), ("created", 2)]
        jobs.claim("t", "w")
        await jobs.complete_job(1, "r")
        await jobs.pause_topic("t")
    async with ServerFactory(config) as factory, aiohttp.ClientSession() as http:
        url = factory.listening[0].url + "api/events"
        async with http.get(url, headers={"Last-Event-ID": str(stream.last_id)}, params={"since": "0"}) as answered:
            again = Stream(answered)
            assert await again.names(3) == [("started", 1), ("completed", 1), ("paused", 0)]
            job = await factory.job_manager.create_job("u")
            assert await again.names(1) == [("created", job.job_id)]


async def test_cursors_that_no_event_has(site: Site) -> None:
    manager = site.jobs
    for _ in range(3):
        job = await manager.create_job("t")
        await manager.cancel_job(job.job_id)
    store = manager.store
    assert isinstance(store, OurDBStore)
    await asyncio.to_thread(store.db.compact, versions=1)
    status, body = await site.call("GET", "/api/events?since=1")
    assert (status, body["error"]["code"]) == (410, "TOOOLD")
    assert "begin again at 0" in body["error"]["message"]
    status, body = await site.call("GET", "/api/events?since=1000")
    assert (status, body["error"]["code"]) == (422, "ERR")
    for wrong in ("x", "-1"):
        assert (await site.call("GET", f"/api/events?since={wrong}"))[0] == 400
        assert (await site.call("GET", "/api/events", **{"Last-Event-ID": wrong}))[0] == 400
    async with site.http.get(site.url + "/api/events?since=0") as answered:
        assert await Stream(answered).names(3) == [("cancelled", 1), ("cancelled", 2), ("cancelled", 3)]


async def test_an_open_stream_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enable_redis=False, enable_webdav=False)
    config.ui.port = 0
    config.jobs.grace = "1h"
    factory = ServerFactory(config)
    await factory.start()
    async with aiohttp.ClientSession() as http, http.get(factory.listening[0].url + "api/events") as answered:
        await answered.content.readuntil(b"\n\n")
        await asyncio.wait_for(factory.stop(), 30)
        assert await answered.content.read() == b""


async def test_what_an_attempt_has_cost(site: Site) -> None:
    await site.jobs.create_job("t")
    site.jobs.claim("t", "w")
    site.jobs.measured(1, None, 1500, 4096)
    await site.jobs.complete_job(1, "r")
    job = (await site.call("GET", "/api/jobs/1"))[1]
    assert (job["state"], job["result"], job["cpu_us"], job["max_rss"]) == ("done", "r", 1500, 4096)
    assert job["queue_wait_ms"] == job["started_at"] - job["created_at"]
    assert job["wall_ms"] == job["ended_at"] - job["started_at"]
    rows = (await site.call("GET", "/api/jobs/1/history"))[1]["history"]
    assert [(row["state"], row["cpu_us"]) for row in rows] == [("done", 1500), ("active", None), ("new", None)]


async def test_metrics(site: Site) -> None:
    await site.jobs.create_job("t")
    status, text = await site.call("GET", "/metrics")
    assert status == 200
    async with site.http.get(site.url + "/metrics") as answered:
        assert answered.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'heroredis_jobs_created_total{topic="t"} 1\n' in text
    assert 'heroredis_jobs{topic="t",state="new"} 1\n' in text
    assert "\nheroredis_jobs_stuck 0\n" in text
    assert (await site.call("GET", "/api/topics/t/details"))[1]["created_total"] == 1
