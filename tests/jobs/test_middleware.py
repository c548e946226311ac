"""Middleware around creating and running: its order, what it can change, and the trace context that it carries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heroredis import Config, Handlers, Job, ServerFactory
from jobs.errors import BadOption, Refused
from jobs.middleware import Create, Middleware, NewJobs, Run, RunInThread, Stack, Tracing, traceparent
from jobs.notes import ScheduleNote
from jobs.options import JobOptions
from tests.jobs.world import World


class Noted(Middleware):
    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    def create(self, new: NewJobs, go_on: Create) -> Sequence[Job]:
        self.seen.append(f"{self.name} before create of {len(new.params)}")
        if new.topic == "forbidden":
            raise Refused("not here")
        new.options = replace(new.options, tags=(*new.options.tags, self.name))
        made = go_on(new)
        self.seen.append(f"{self.name} after create")
        return made

    async def run(self, job: Job, go_on: Run) -> Any:
        self.seen.append(f"{self.name} before run")
        try:
            return await go_on(job)
        finally:
            self.seen.append(f"{self.name} after run")

    def run_in_thread(self, job: Job, go_on: RunInThread) -> Any:
        self.seen.append(f"{self.name} in thread")
        return f"{go_on()} {self.name}"


def config_in(folder: Path) -> Config:
    config = Config(data_dir=str(folder / "data"), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.worker_count = 1
    return config


async def test_the_first_one_is_the_outermost(tmp_path: Path) -> None:
    seen: list[str] = []
    handlers = Handlers()
    handlers.middleware(Noted("a", seen))
    handlers.middleware(Noted("b", seen))

    @handlers.on("async")
    async def on_loop(job: Job) -> str:
        seen.append("handler")
        return "done"

    @handlers.on("plain")
    def in_thread(job: Job) -> str:
        return "done"

    async with ServerFactory(config_in(tmp_path), handlers=handlers) as factory:
        manager = factory.job_manager
        job = await manager.create_job("async", "x", tags=["own"])
        ended = await manager.wait(job.job_id, 10)
        assert ended is not None
        assert (ended.tags, ended.result) == (("own", "a", "b"), b"done")
        assert seen == ["a before create of 1", "b before create of 1", "b after create", "a after create",
                        "a before run", "b before run", "handler", "b after run", "a after run"]
        seen.clear()
        [first, second] = await manager.create_jobs("plain", ["x", "y"])
        await manager.wait(first.job_id, 10)
        ended = await manager.wait(second.job_id, 10)
        assert ended is not None
        assert ended.result == b"done b a"
        assert seen[0] == "a before create of 2"
        assert seen.count("a in thread") == 2
        with pytest.raises(Refused):
            await manager.create_job("forbidden")
        assert manager.stats("forbidden").new == 0


async def test_a_trace_goes_from_job_to_job(tmp_path: Path) -> None:
    handlers = Handlers()
    handlers.middleware(Tracing())
    seen: dict[str, str] = {}

    @handlers.on("first")
    async def first(job: Job) -> str:
        seen["first"] = traceparent()
        return str((await factory.job_manager.create_job("second")).job_id)

    @handlers.on("second")
    def second(job: Job) -> None:
        seen["second"] = traceparent()

    async with ServerFactory(config_in(tmp_path), handlers=handlers) as factory:
        manager = factory.job_manager
        given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        job = await manager.create_job("first", meta={"traceparent": given, "other": 1})
        ended = await manager.wait(job.job_id, 10)
        assert ended is not None
        assert json.loads(ended.meta) == {"traceparent": given, "other": 1}
        await manager.wait(int(ended.result or b"0"), 10)
        assert {trace[:36] for trace in seen.values()} == {given[:36]}
        assert len({given, *seen.values()}) == 3
        alone = await manager.create_job("elsewhere")
        assert json.loads(alone.meta)["traceparent"][:36] != given[:36]
    assert traceparent() == ""


class Broken(Middleware):
    def __init__(self) -> None:
        self.failures = 2

    def create(self, new: NewJobs, go_on: Create) -> Sequence[Job]:
        if self.failures:
            self.failures -= 1
            raise ValueError("a bug of the program")
        return go_on(new)


def test_middleware_that_fails_stops_no_schedule(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.manager.stack = Stack()
    world.manager.stack.add(Broken())
    world.manager.schedules.set(ScheduleNote("n", "t", b"p", every_ms=1000), "hand")
    for _ in range(4):
        world.pass_ms(1000)
    assert world.manager.stats("t").new == 2
    assert "schedule n made no job" in caplog.text


def test_tracing_leaves_it_to_others_to_refuse_metadata() -> None:
    world = World()
    world.manager.stack = Stack()
    world.manager.stack.add(Tracing())
    for meta in (b"[1]", b"{", b"5"):
        with pytest.raises(BadOption, match="META must be a JSON object"):
            world.manager.create("t", b"", JobOptions(meta=meta))
