"""A job service that holds a list: what the share shows, without a job system behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from heroredis.extension import JobView


@dataclass(frozen=True)
class FakeJob:
    job_id: int
    topic: str
    state: str = "done"
    reason: str = ""
    params: bytes = b""
    result: bytes | None = None
    error: bytes | None = None
    traceback: bytes | None = None
    attempts: int = 1
    max_attempts: int = 1
    priority: int = 0
    created_at: int = 1_700_000_000_000
    run_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    worker: str = ""
    tags: tuple[str, ...] = ()
    version: int = 1
    at: int = 1_700_000_001_000
    by: str = ""


@dataclass
class FakeStats:
    new: int = 0
    active: int = 0
    done: int = 0
    error: int = 0


@dataclass
class FakeJobs:
    """Only reading works: the share must not call anything else."""

    jobs: list[FakeJob] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)

    def find(self, job_id: int) -> FakeJob | None:
        return next((job for job in self.jobs if job.job_id == job_id), None)

    def list_jobs(self, topic: str | None = None, state: str | None = None, cursor: int = 0,
                  count: int = 50) -> tuple[int, list[FakeJob]]:
        self.pages.append(count)
        left = [job for job in reversed(self.jobs) if (topic is None or job.topic == topic)
                and (state is None or job.state == state) and (not cursor or job.job_id < cursor)]
        return (left[count - 1].job_id if len(left) > count else 0), left[:count]

    def topics(self) -> dict[str, FakeStats]:
        return {job.topic: FakeStats() for job in self.jobs}

    def stats(self, topic: str | None = None) -> FakeStats:
        return FakeStats()

    def to_json(self, job: JobView) -> bytes:
        return json.dumps({"id": job.job_id, "topic": job.topic, "state": job.state}).encode()

    def subscribe(self, callback: Callable[[JobView], None]) -> Callable[[], None]:
        raise AssertionError("the share reads only")

    async def create_job(self, topic: str, params: object = b"") -> JobView:
        raise AssertionError("the share reads only")

    async def create_jobs(self, topic: str, params_list: Sequence[object]) -> Sequence[JobView]:
        raise AssertionError("the share reads only")

    async def get_job(self, job_id: int) -> JobView | None:
        return self.find(job_id)

    async def get_history(self, job_id: int, depth: int = 100) -> Sequence[JobView]:
        raise AssertionError("the share reads only")

    async def wait(self, job_id: int, timeout: float | None = None) -> JobView | None:
        raise AssertionError("the share reads only")
