"""JobManager: what programs, the UI and WebDAV call; the changes of state themselves are Lifecycle's.

Awaiting calls return once the disk has what they answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Final, cast

from heroredis.extension import Clock, Committing, JobView
from jobs.counts import Counts
from jobs.errors import BadOption, no_job
from jobs.job import Job, params_bytes, to_json
from jobs.lifecycle import Defer, Lifecycle, stored
from jobs.options import PLAIN, JobOptions
from jobs.queue import JobQueue
from jobs.states import ACTIVE, ENDED, NEW, STATES
from jobs.store import JobStore

SCAN_LIMIT: Final = 20_000
"""Ended jobs that one listing looks at; a cursor goes on from there."""


class JobManager(Lifecycle):
    """Create, read, steer and await jobs. Refusals are JobRefused, whose `code` is the word of the Redis error."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None) -> None:
        super().__init__(store, queue, clock, defer, rng)
        self._ends: Final[dict[int, list[asyncio.Future[None]]]] = {}
        self._awaited: Committing | None = None
        self._awaiting: list[asyncio.Future[None]] = []

    async def create_job(self, topic: str, params: object = b"", *, delay: float = 0, priority: int | None = None,
                         retries: int | None = None, timeout: float = 0, backoff: str | None = None,
                         tags: Sequence[str] = (), meta: object = None, by: str = "api") -> Job:
        """A new job, once it is on disk. `delay` and `timeout` in seconds; params are bytes, text, or JSON values."""
        options = PLAIN
        if delay or timeout or tags or retries is not None or priority is not None or meta is not None or backoff:
            options = JobOptions(
                delay_ms=round(delay * 1000), timeout_ms=round(timeout * 1000), retries=retries, tags=tuple(tags),
                priority=PLAIN.priority if priority is None else priority, backoff=backoff or PLAIN.backoff,
                meta=b"" if meta is None else params_bytes(meta),
            )
        job, commit = self.create(topic, params, options, by)
        await self._committed(commit)
        return job

    async def create_jobs(self, topic: str, params_list: Sequence[object], *, by: str = "api") -> list[Job]:
        """Several new jobs, kept together or not at all."""
        if not params_list:
            return []
        jobs, commit = self.create_many(topic, params_list, PLAIN, by)
        await self._committed(commit)
        return jobs

    async def _committed(self, commit: Committing) -> None:
        if not commit.done:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._awaited is not commit:
                waiting: list[asyncio.Future[None]] = []
                self._awaited = commit
                self._awaiting = waiting
                self._defer(commit, lambda: _release(waiting))
            self._awaiting.append(future)
            await future
        stored(commit)

    async def get_job(self, job_id: int) -> Job | None:
        """The job as it is now; None when there is none."""
        return self.find(job_id)

    async def get_history(self, job_id: int, depth: int = 100) -> list[Job]:
        """Versions, newest first; empty when there is no such job."""
        return self.history(job_id, depth)

    async def update_job_status(self, job_id: int, state: str, *, by: str = "api") -> Job:
        """Set a state by hand, as the table of transitions allows it. Raises JobNotFound, BadState."""
        if state not in STATES:
            raise BadOption(f"state {state!r} does not exist, give one of {', '.join(STATES)}")
        await self._committed(self.set_state(job_id, str(state), by))
        return self._now(job_id)

    async def complete_job(self, job_id: int, result: object = b"", token: str | None = None, *,
                           by: str = "api") -> Job:
        """-> done, once it is on disk. Raises JobNotFound, BadState, StaleToken."""
        await self._committed(self.finish(job_id, params_bytes(result), by, token))
        return self._now(job_id)

    async def fail_job(self, job_id: int, error: object = b"", token: str | None = None, *, by: str = "api",
                       dead: bool = False) -> Job:
        """-> error, or back to new when attempts are left and it is not `dead`."""
        await self._committed(self.fail(job_id, params_bytes(error), by, token, final=dead))
        return self._now(job_id)

    def _now(self, job_id: int) -> Job:
        job = self.find(job_id)
        if job is None:
            raise no_job(job_id)
        return job

    async def wait(self, job_id: int, timeout: float | None = None) -> Job | None:
        """The job once it is done or error, None when `timeout` seconds have passed. Raises JobNotFound."""
        job = self._now(job_id)
        if job.state in ENDED and not self.is_ending(job_id):
            return job
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ends.setdefault(job_id, []).append(future)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return None
        finally:
            waiting = self._ends.get(job_id)
            if waiting is not None and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._ends[job_id]
        return self.find(job_id)

    def release_waiters(self, job_id: int) -> None:
        """The job has ended, on disk too."""
        if self._ends:
            for future in self._ends.pop(job_id, ()):
                if not future.done():
                    future.set_result(None)

    # Listings

    def topics(self) -> dict[str, Counts]:
        return self.tally.topics()

    def list_jobs(self, topic: str | None = None, state: str | None = None, cursor: int = 0,
                  count: int = 50) -> tuple[int, list[Job]]:
        """Jobs, newest first, with ids below `cursor` (0 = from the newest); the next cursor, 0 = end."""
        found: list[Job] = []
        for seen, job_id in enumerate(self._ids_below(cursor, state), 1):
            job = self.find(job_id)
            if job is not None and (topic is None or job.topic == topic) and (state is None or job.state == state):
                found.append(job)
            if len(found) >= count or seen >= SCAN_LIMIT:
                return (job_id if job_id > 1 else 0), found
        return 0, found

    def _ids_below(self, cursor: int, state: str | None) -> Iterator[int]:
        if state in (NEW, ACTIVE):
            return iter(sorted((i for i in self.live if not cursor or i < cursor), reverse=True))
        last = self.store.next_id() - 1
        return iter(range(min(last, cursor - 1) if cursor else last, 0, -1))

    def to_json(self, job: JobView) -> bytes:
        return to_json(cast("Job", job))


def _release(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
    waiting.clear()
