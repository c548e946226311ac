"""How the share's threads reach the jobs: one short call on the server's loop per request or page of a listing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final, TypeVar

from wsgidav.dav_error import DAVError

from heroredis.extension import JobService, JobView

T = TypeVar("T")
TIMEOUT_S: Final = 10
LISTED: Final = 10_000
PAGE: Final = 500
PAGES: Final = 60
HTTP_UNAVAILABLE: Final = 503
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
        """Run `question` on the loop and wait for its answer; 503 when the server is ending or too busy."""
        answer: Future[T] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(question())
            except Exception as error:
                # It belongs to the thread that asked.
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(run)
            return answer.result(TIMEOUT_S)
        except (TimeoutError, RuntimeError) as error:
            answer.cancel()
            raise DAVError(HTTP_UNAVAILABLE, "the jobs do not answer") from error

    def topics(self) -> list[str]:
        return self._ask(lambda: list(self._jobs.topics()))

    def has_topic(self, topic: str) -> bool:
        return self._ask(lambda: topic in self._jobs.topics())

    def listing(self, topic: str, state: str) -> list[Shown]:
        """The newest jobs of a topic in one state, or in all, as files. Page by page: Redis goes on in between."""
        found: list[Shown] = []
        cursor = 0
        for _ in range(PAGES):
            cursor, page = self._ask(partial(self._page, topic, None if state == ALL else state, cursor))
            found += page
            if cursor == 0 or len(found) >= LISTED:
                break
        return found[:LISTED]

    def _page(self, topic: str, state: str | None, cursor: int) -> tuple[int, list[Shown]]:
        further, jobs = self._jobs.list_jobs(topic, state, cursor, PAGE)
        return further, [self._shown(job) for job in jobs]

    def _shown(self, job: JobView) -> Shown:
        return Shown(job.job_id, job.topic, job.state, self._jobs.to_json(job), job.at, job.created_at)

    def find(self, job_id: int) -> Shown | None:
        def look() -> Shown | None:
            job = self._jobs.find(job_id)
            return None if job is None else self._shown(job)
        return self._ask(look)
