"""JobManager: what programs, the UI and WebDAV call; the changes of state themselves are Lifecycle's.

Awaiting calls return once the disk has what they answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from heroredis.extension import Blocking, Clock, Committing, JobView
from jobs.accounting import ENOUGH, NOTHING, Accounting, accounted_newest_first, failed_attempts
from jobs.admission import Defer, release
from jobs.bulk import Done, bulk
from jobs.counts import Counts
from jobs.errors import BadOption, no_job, stored
from jobs.feed import Feed, Page
from jobs.job import Job, params_bytes, to_json
from jobs.lifecycle import SLICE
from jobs.limits import Limits
from jobs.metrics import exposition
from jobs.middleware import NewJobs, Stack
from jobs.notes import Note, ScheduleNote
from jobs.options import PLAIN, JobOptions, Moment, chosen, milliseconds, moment_ms
from jobs.query import Query
from jobs.queue import JobQueue
from jobs.schedules import Schedules
from jobs.search import Search
from jobs.states import ACTIVE, ENDED, NEW, STATES
from jobs.steering import Steering
from jobs.store import JobStore

ALL_VERSIONS: Final = 10_000
END: Final = "end"
"""What a connection waits for that waits for the end of a job, with the id of the job."""
SCAN_LIMIT: Final = 20_000
"""Ended jobs that one listing looks at; a cursor goes on from there."""


class JobManager(Steering):
    """Create, read, steer and await jobs. Refusals are JobRefused, whose `code` is the word of the Redis error."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None, limits: Limits | None = None) -> None:
        super().__init__(store, queue, clock, defer, rng, limits)
        self.schedules: Final = Schedules(self)
        self.stack: Stack | None = None
        self.feed: Feed | None = None
        """All changes in order; a server has it."""
        self.search: Final = Search(self.find, self.history, lambda: self.store.next_id() - 1, clock)
        self.blocking: Blocking | None = None
        """The connections that wait for something, where there are any."""
        self.gauges: Callable[[], list[tuple[str, str, int]]] = list
        """What a server adds to the metrics: names, what they are, values."""
        self._ends: Final[dict[int, list[asyncio.Future[None]]]] = {}
        self._awaited: Committing | None = None
        self._awaiting: list[asyncio.Future[None]] = []
        self._new_future: Callable[[], asyncio.Future[None]] = asyncio.Future
        self.watch_full()

    def create(self, topic: str, params: object, options: JobOptions = PLAIN,
               by: str = "api") -> tuple[Job, Committing]:
        if self.stack is None:
            return super().create(topic, params, options, by)
        [job], commit = self._through(self.stack, NewJobs(topic, [params], options, by))
        return job, commit

    def create_many(self, topic: str, params: Sequence[object], options: JobOptions = PLAIN,
                    by: str = "api") -> tuple[list[Job], Committing]:
        if self.stack is None:
            return super().create_many(topic, params, options, by)
        return self._through(self.stack, NewJobs(topic, list(params), options, by, is_batch=True))

    def _through(self, stack: Stack, new: NewJobs) -> tuple[list[Job], Committing]:
        """Create with the program's middleware around it."""
        jobs = list(stack.create(new, self._created))
        return jobs, self.store.commit() if new.commit is None else new.commit

    def _created(self, new: NewJobs) -> list[Job]:
        if new.is_batch:
            jobs, new.commit = super().create_many(new.topic, new.params, new.options, new.by)
            return jobs
        job, new.commit = super().create(new.topic, new.params[0], new.options, new.by)
        return [job]

    async def create_job(self, topic: str, params: object = b"", *, delay: float = 0, run_at: Moment = None,
                         priority: int | None = None, retries: int | None = None, timeout: float = 0,
                         backoff: str | None = None, expire: float = 0, unique: str | bytes = b"",
                         unique_ttl: float = 0, idempotency: str | bytes = b"", idempotency_ttl: float = 0,
                         tags: Sequence[str] = (), meta: object = None, by: str = "api") -> Job:
        """A new job, once it is on disk; the earlier one when the idempotency key was used before. Params are bytes,
        text, or JSON values; times in seconds; `run_at` is a datetime or Unix seconds. Raises BadOption, Refused."""
        options = PLAIN
        if (delay or timeout or tags or retries is not None or priority is not None or meta is not None or backoff
                or run_at is not None or expire or unique or idempotency or unique_ttl or idempotency_ttl):
            options = chosen(
                delay=delay, run_at=run_at, priority=priority, retries=retries, timeout=timeout, backoff=backoff,
                expire=expire, unique=unique, unique_ttl=unique_ttl, idempotency=idempotency,
                idempotency_ttl=idempotency_ttl, tags=tags, meta=meta)
        job, commit = self.create(topic, params, options, by)
        if not commit.done:
            await self._end_of(commit)
        if commit.error is not None:
            await self._committed(commit)
        return job

    async def create_jobs(self, topic: str, params_list: Sequence[object], *, by: str = "api", delay: float = 0,
                          run_at: Moment = None, priority: int | None = None, retries: int | None = None,
                          timeout: float = 0, backoff: str | None = None, expire: float = 0, unique: str | bytes = b"",
                          unique_ttl: float = 0, idempotency: str | bytes = b"", idempotency_ttl: float = 0,
                          tags: Sequence[str] = (), meta: object = None) -> list[Job]:
        """Several new jobs with the same options, kept together or not at all. The idempotency key is that of the call:
        a repeated one answers the jobs of the earlier call. A unique key is for one job. Raises as create_job."""
        if not params_list:
            return []
        options = chosen(
            delay=delay, run_at=run_at, priority=priority, retries=retries, timeout=timeout, backoff=backoff,
            expire=expire, unique=unique, unique_ttl=unique_ttl, idempotency=idempotency,
            idempotency_ttl=idempotency_ttl, tags=tags, meta=meta)
        jobs, commit = self.create_many(topic, params_list, PLAIN if options == PLAIN else options, by)
        await self._committed(commit)
        return jobs

    async def _committed(self, commit: Committing) -> None:
        if not commit.done:
            await self._end_of(commit)
        elif commit.error is not None:
            await asyncio.sleep(0)  # first of all the working set follows a full disk
        stored(commit)

    def _end_of(self, commit: Committing) -> asyncio.Future[None]:
        """One of the futures that are released together when the commit has ended."""
        if self._awaited is not commit:
            waiting: list[asyncio.Future[None]] = []
            self._awaited = commit
            self._awaiting = waiting
            self._new_future = asyncio.get_running_loop().create_future
            self._defer(commit, lambda: release(waiting))
        future = self._new_future()
        self._awaiting.append(future)
        return future

    async def flushed(self) -> None:
        """Everything done so far is on disk."""
        await self._committed(self.store.commit())

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

    async def cancel_job(self, job_id: int, why: object = "cancelled", *, by: str = "api") -> Job:
        """A new or running job -> error with the reason cancelled. Raises JobNotFound, BadState."""
        await self._committed(self.cancel(job_id, by, params_bytes(why)))
        return self._now(job_id)

    async def retry_job(self, job_id: int, *, by: str = "api") -> Job:
        """A job that ended as error runs again, with all its attempts. Raises JobNotFound, BadState, Refused."""
        await self._committed(self.requeue(job_id, by))
        return self._now(job_id)

    async def delete_job(self, job_id: int, *, by: str = "api") -> None:
        """A job that is not running is no longer found. Raises JobNotFound, BadState."""
        await self._committed(self.delete(job_id, by))

    async def edit_job(self, job_id: int, *, params: object = None, priority: int | None = None,
                       by: str = "api") -> Job:
        """Other params or another priority for a job that has not begun. Raises JobNotFound, BadState, BadOption."""
        await self._committed(self.edit(job_id, by, None if params is None else params_bytes(params),
                                        -1 if priority is None else priority))
        return self._now(job_id)

    async def promote_job(self, job_id: int, *, by: str = "api") -> Job:
        """A waiting job to the head of its line, its delay is over. Raises JobNotFound, BadState."""
        await self._committed(self.promote(job_id, by))
        return self._now(job_id)

    async def pause_topic(self, topic: str, *, by: str = "api") -> None:
        """Hand out no more jobs of a topic, also after a restart; running ones go on."""
        await self._committed(self.pause(topic, by))

    async def resume_topic(self, topic: str, *, by: str = "api") -> None:
        await self._committed(self.resume(topic, by))

    async def purge_topic(self, topic: str, *, by: str = "api") -> int:
        """Delete all waiting jobs of a topic; how many."""
        count, commit = self.purge(topic, by)
        await self._committed(commit)
        return count

    async def set_schedule(self, name: str, topic: str, params: object = b"", *, cron: str = "", every: float = 0,
                           timezone: str = "UTC", missed: str = "skip", start: Moment = None, paused: bool = False,
                           priority: int = PLAIN.priority, retries: int | None = None, backoff: str = "",
                           timeout: float = 0, expire: float = 0, tags: Sequence[str] = (), meta: object = None,
                           by: str = "api") -> ScheduleNote:
        """Make or replace a schedule: `cron` in a time zone, or `every` so many seconds. Raises BadOption."""
        note = ScheduleNote(
            name, topic, params_bytes(params), cron=cron, every_ms=milliseconds("EVERY", every), timezone=timezone,
            missed=missed, start_at=moment_ms(start), paused=paused, priority=priority,
            retries=-1 if retries is None else retries, backoff=backoff, timeout_ms=milliseconds("TIMEOUT", timeout),
            expire_ms=milliseconds("EXPIRE", expire), tags=tuple(tags),
            meta=b"" if meta is None else params_bytes(meta))
        await self._committed(self.schedules.set(note, by))
        return self.schedules.need(name)

    async def list_schedules(self) -> list[ScheduleNote]:
        """All of them by name, with their next and last runs."""
        return self.schedules.all()

    async def delete_schedule(self, name: str, *, by: str = "api") -> None:
        """The jobs that it has made stay. Raises BadOption when there is none of this name."""
        await self._committed(self.schedules.delete(name, by))

    async def pause_schedule(self, name: str, *, by: str = "api") -> None:
        await self._committed(self.schedules.pause(name, by))

    async def resume_schedule(self, name: str, *, by: str = "api") -> None:
        """Runs that fell into the pause are not made up for."""
        await self._committed(self.schedules.resume(name, by))

    def accounting(self, job_id: int) -> Accounting:
        """What the latest attempt of a job has cost, as far as it is known."""
        rows = accounted_newest_first(self.history(job_id, ENOUGH))
        return rows[0] if rows else NOTHING

    def costs(self, versions: Sequence[JobView]) -> list[Accounting]:
        """What was known at each of these versions of a job, newest first."""
        return accounted_newest_first([cast("Job", job) for job in versions])

    def attempt_errors(self, job_id: int) -> list[Job]:
        """The versions with which failed attempts ended, oldest first: each has its error and traceback."""
        return failed_attempts(self.history(job_id, ALL_VERSIONS))

    def _now(self, job_id: int) -> Job:
        job = self.find(job_id)
        if job is None:
            raise no_job(job_id)
        return job

    async def wait(self, job_id: int, timeout: float | None = None) -> Job | None:
        """The job once it is done or error, None after `timeout` seconds. JobNotFound: there is none (any more)."""
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
        return self._now(job_id)

    def newest_event(self) -> int:
        """The cursor behind everything that is on disk."""
        return self.store.durable_lsn()

    async def events_after(self, cursor: int, count: int = 100, wait: float = 0) -> Page:
        """All changes behind a cursor, in order, waiting so many seconds for the first. Raises BadOption, TooOld."""
        if self.feed is None:
            raise BadOption("there is no feed of events without a server")
        return await self.feed.after(cursor, count, wait)

    def _someone_waits(self) -> bool:
        return bool(self._ends) or self.blocking is None or self.blocking.waits_for(END)

    def release_waiters(self, job_id: int) -> None:
        """The job has ended, on disk too."""
        if self._ends:
            release(self._ends.pop(job_id, []))

    # Time

    def due(self, limit: int = SLICE) -> bool:
        more = super().due(limit)
        if self.schedules.next_at() is None:
            return more
        return self.schedules.due(self._clock.now_ms()) or more

    def next_due_ms(self) -> int:
        wait, at = super().next_due_ms(), self.schedules.next_at()
        if at is None:
            return wait
        until = max(0, at - self._clock.now_ms())
        return until if wait < 0 else min(wait, until)

    def _notes_to_keep(self) -> list[int]:
        return super()._notes_to_keep() + self.schedules.records()

    def _recover_note(self, record_id: int, note: Note) -> None:
        if isinstance(note, ScheduleNote):
            self.schedules.restore(record_id, note)
        else:
            super()._recover_note(record_id, note)

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

    def details(self, topic: str) -> dict[str, object]:
        """Totals, rates and durations of a topic; docs/protocol.md names them."""
        return self.metrics.detail(topic, self._clock.now_ms())

    def metrics_text(self) -> str:
        """All metrics as Prometheus reads them."""
        indexer = self.search.indexer
        return exposition(self.metrics, self.topics(), len(self.live), -1 if indexer is None else indexer.behind,
                          self.gauges())

    async def search_jobs(self, query: str, cursor: int = 0, count: int = 50) -> tuple[int, list[Job]]:
        """Jobs that fit a query (docs/query.md), newest first, as list_jobs. Raises QueryError, Refused."""
        page = await self.search.page(self.search.parse(query), cursor, count)
        return page.cursor, page.jobs

    def fits(self, query: str) -> Callable[[JobView], bool]:
        """Whether a job fits a query; relative moments count from now."""
        wanted = self.search.parse(query)
        return lambda job: wanted.fits(cast("Job", job))

    async def count_jobs(self, query: str) -> int:
        """How many jobs fit a query."""
        return await self.search.count(self.search.parse(query))

    async def jobs_as_of(self, moment_ms: int, query: str = "", cursor: int = 0,
                         count: int = 50) -> tuple[int, list[Job]]:
        """Jobs as they were at a moment, as far as their history is kept."""
        page = await self.search.as_of(moment_ms, self.search.parse(query), cursor, count)
        return page.cursor, page.jobs

    async def bulk(self, action: str, query: str | Query, *, by: str = "api", dry_run: bool = False) -> Done:
        """Retry, cancel or delete all jobs that fit a query and whose state allows it; `dry_run` only counts."""
        wanted = self.search.parse(query) if isinstance(query, str) else query
        return await bulk(self.search, action, wanted, lambda job_id: self._act(action, job_id, by), self._committed,
                          dry_run)

    def _act(self, action: str, job_id: int, by: str) -> Committing:
        if action == "retry":
            return self.requeue(job_id, by)
        if action == "cancel":
            return self.cancel(job_id, by)
        return self.delete(job_id, by)

    def to_json(self, job: JobView) -> bytes:
        return to_json(cast("Job", job))
