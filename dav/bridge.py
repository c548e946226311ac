"""How the share's threads reach the jobs: one call on the server's loop per request or listing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from heroredis.extension import JobService

T = TypeVar("T")
TIMEOUT_S: Final = 10
LISTED: Final = 10_000
STATES: Final = ("new", "active", "done", "error")
ALL: Final = "all"


class Shown:
    """One job as a file: its id, its JSON, and when this version was made (Unix ms)."""

    def __init__(self, job_id: int, topic: str, state: str, text: bytes, at: int, created_at: int) -> None:
        self.job_id: Final = job_id
        self.topic: Final = topic
        self.state: Final = state
        self.text: Final = text
        self.at: Final = at
        self.created_at: Final = created_at


class JobFiles:
    """Snapshots of the jobs for other threads."""

    def __init__(self, jobs: JobService, loop: asyncio.AbstractEventLoop) -> None:
        self._jobs: Final = jobs
        self._loop: Final = loop

    def _ask(self, question: Callable[[], T]) -> T:
        """Run `question` on the loop and wait for its answer."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(question())
            except Exception as error:
                # It belongs to the thread that asked.
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return answer.result(TIMEOUT_S)

    def topics(self) -> list[str]:
        return self._ask(lambda: list(self._jobs.topics()))

    def listing(self, topic: str, state: str) -> list[Shown]:
        """The newest jobs of a topic in one state, or in all, as files."""
        def collect() -> list[Shown]:
            found: list[Shown] = []
            cursor = 0
            while True:
                cursor, jobs = self._jobs.list_jobs(topic, None if state == ALL else state, cursor, LISTED)
                found += [Shown(j.job_id, j.topic, j.state, self._jobs.to_json(j), j.at, j.created_at) for j in jobs]
                if cursor == 0 or len(found) >= LISTED:
                    return found[:LISTED]
        return self._ask(collect)

    def find(self, job_id: int) -> Shown | None:
        def look() -> Shown | None:
            job = self._jobs.find(job_id)
            if job is None:
                return None
            return Shown(job.job_id, job.topic, job.state, self._jobs.to_json(job), job.at, job.created_at)
        return self._ask(look)
