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
    assert await site.ids("ada or two") == [3, 1]
    assert await site.ids("topic:mail", count=2) == [3, 2]
    assert await site.ids("", at=1) == []
    assert (await site.call("GET", "/api/count?q=topic:mail"))[1] == {"count": 3}
    status, answered = await site.call("GET", "/api/jobs?q=sate:new")
    assert status == 422
    assert answered["error"]["message"].startswith("query, character 1")


async def test_acts_are_in_the_history(site: Site) -> None:
    job = await site.jobs.create_job("t", "x")
    path = f"/api/jobs/{job.job_id}"
    status, shown = await site.call("POST", path + "/cancel", {"reason": "no need"})
    assert (status, shown["reason"], shown["error"]) == (200, "cancelled", "no need")
    assert (await site.call("POST", path + "/retry"))[1]["state"] == "new"
    assert (await site.call("POST", path + "/retry"))[0] == 409
    assert [version.by for version in await site.jobs.get_history(job.job_id)] == ["http 127.0.0.1"] * 2 + ["api"]
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


async def test_events_are_told_and_narrowed(site: Site) -> None:
    async with site.http.get(site.url + "/api/events", params={"q": "topic:b"}) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        await site.jobs.create_job("a")
        await site.jobs.create_job("b", "hello")
        lines = [await asyncio.wait_for(stream.content.readline(), 10) for _ in range(3)]
    assert lines[:2] == [b"event: job\n", b"id: 2\n"]
    assert json.loads(lines[2].removeprefix(b"data: "))["params"] == "hello"


async def test_metrics(site: Site) -> None:
    await site.jobs.create_job("t")
    status, text = await site.call("GET", "/metrics")
    assert status == 200
    assert 'heroredis_jobs_created_total{topic="t"} 1\n' in text
    assert 'heroredis_jobs{topic="t",state="new"} 1\n' in text
    assert (await site.call("GET", "/api/topics/t/details"))[1]["created_total"] == 1
