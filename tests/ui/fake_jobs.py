"""A small job service in memory, so that the UI is tested without the job system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from heroredis.extension import JobRefused


@dataclass(frozen=True)
class FakeJob:
    job_id: int
    topic: str
    params: bytes
    state: str = "new"
    reason: str = "created"
    result: bytes | None = None
    error: bytes | None = None
    traceback: bytes | None = None
    attempts: int = 0
    max_attempts: int = 3
    priority: int = 0
    created_at: int = 1_700_000_000_000
    run_at: int = 1_700_000_000_000
    started_at: int = 0
    ended_at: int = 0
    worker: str = ""
    tags: tuple[str, ...] = ()
    version: int = 1
    at: int = 1_700_000_000_000
    by: str = "ui"


@dataclass
class FakeStats:
    new: int = 0
    active: int = 0
    done: int = 0
    error: int = 0


@dataclass(frozen=True)
class FakeCost:
    queue_wait_ms: int | None = None
    wall_ms: int | None = 7
    cpu_us: int | None = None
    max_rss: int | None = None


class FakeJobs:
    def __init__(self) -> None:
        self.versions: dict[int, list[FakeJob]] = {}
        self.callbacks: list[Callable[[Any], None]] = []
        self.refuse: JobRefused | None = None

    async def create_job(self, topic: str, params: bytes, **options: Any) -> FakeJob:
        if self.refuse is not None:
            raise self.refuse
        if not topic:
            raise JobRefused("INVALID", "the topic is empty")
        job = FakeJob(job_id=len(self.versions) + 1, topic=topic, params=params)
        self.versions[job.job_id] = [job]
        self._tell(job)
        return job

    def change(self, job_id: int, **fields: Any) -> FakeJob:
        last = self.versions[job_id][0]
        job = replace(last, version=last.version + 1, at=last.at + 1000, **fields)
        self.versions[job_id].insert(0, job)
        self._tell(job)
        return job

    def _tell(self, job: FakeJob) -> None:
        for callback in list(self.callbacks):
            callback(job)

    async def get_job(self, job_id: int) -> FakeJob | None:
        found = self.versions.get(job_id)
        return found[0] if found else None

    async def get_history(self, job_id: int, depth: int = 100) -> list[FakeJob]:
        return self.versions.get(job_id, [])[:depth]

    def accounting(self, job_id: int) -> FakeCost:
        return FakeCost()

    def costs(self, versions: list[FakeJob]) -> list[FakeCost]:
        return [FakeCost() for _ in versions]

    def list_jobs(
        self, topic: str | None = None, state: str | None = None, cursor: int = 0, count: int = 50
    ) -> tuple[int, list[FakeJob]]:
        found = [
            versions[0]
            for number, versions in sorted(self.versions.items(), reverse=True)
            if (not cursor or number < cursor)
            and topic in (None, versions[0].topic)
            and state in (None, versions[0].state)
        ]
        page = found[:count]
        return (page[-1].job_id if len(found) > count else 0), page

    def stats(self, topic: str | None = None) -> FakeStats:
        stats = FakeStats()
        for versions in self.versions.values():
            if topic in (None, versions[0].topic):
                setattr(stats, versions[0].state, getattr(stats, versions[0].state) + 1)
        return stats

    def topics(self) -> dict[str, FakeStats]:
        return {topic: self.stats(topic) for topic in {versions[0].topic for versions in self.versions.values()}}

    def subscribe(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def to_json(self, job: Any) -> bytes:
        return msgspec.json.encode({"id": job.job_id, "topic": job.topic, "state": job.state})
