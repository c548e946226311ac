"""Creating jobs: what a new job needs, and letting it in once its record is on disk.

The ground floor of the job manager: the working set, and how its changes are told. It starts and ends no job.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from typing import Final

from heroredis.extension import Clock, Committing
from jobs.counts import Counts, Tally
from jobs.errors import Refused
from jobs.job import Job, decode, params_bytes, replace
from jobs.job_record import DEFAULT_BACKOFF, DEFAULT_PRIORITY, FORMAT, Extra
from jobs.keys import Holder, Keys
from jobs.limits import Limits
from jobs.live import Live
from jobs.metrics import Metrics
from jobs.notes import KeyNote, Note
from jobs.options import PLAIN, JobOptions, check_topic
from jobs.queue import JobQueue
from jobs.schedule import Schedule
from jobs.states import DONE, NEW, TRANSITIONS, Reason
from jobs.store import JobStore
from ourdb import StoreFull

Defer = Callable[[Committing, Callable[[], None]], None]
Subscriber = Callable[[Job], None]


def release(waiting: list[asyncio.Future[None]]) -> None:
    """All who wait for the same go on."""
    for future in waiting:
        if not future.done():
            future.set_result(None)
    waiting.clear()


class Landing:
    """What one commit brings once it has ended: jobs that begin to exist, and ends that may be told."""

    def __init__(self, commit: Committing) -> None:
        self.commit: Final = commit
        self.made: Final[list[Job]] = []
        self.ended: Final[list[Job]] = []


class Admission:
    """Jobs over a store (the truth) and a queue (who is next). `defer` calls back on the loop after a commit."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None, limits: Limits | None = None) -> None:
        self.store: Final = store
        self.queue: Final = queue
        self.limits: Final = limits or Limits()
        self.tally: Final = Tally()
        self._transitions: Final[dict[str, dict[str, str]]] = TRANSITIONS
        self.live: Final = Live(store.get)
        """New and active jobs whose first record is on disk."""
        self.paused: Final[dict[str, int]] = {}
        """Topics whose jobs are not handed out, with the record that says so."""
        self.schedule: Final = Schedule()
        """Appointments by the wall clock."""
        self.deadlines: Final = Schedule()
        """Ends of leases and of remote attempts, by the monotonic clock."""
        self.keys: Final = Keys()
        self.defaults_of: Callable[[str], tuple[int, str]] = lambda topic: (0, DEFAULT_BACKOFF)
        """Retries and backoff of a topic's handler."""
        self.on_push: Callable[[str], None] = lambda topic: None
        self.on_end: Callable[[Job], None] = lambda job: None
        self.on_schedule: Callable[[], None] = lambda: None
        self.on_append: Callable[[list[Job | Note]], None] | None = None
        """Told of every version that was appended, while somebody follows the events."""
        self._clock: Final = clock
        self._defer: Final = defer
        self._rng: Final = rng or random.Random()
        epoch = os.urandom(4).hex()
        self._embedded: Final = f"e{epoch}-"
        """With what the tokens of our own workers begin, and those of others."""
        self._connected: Final = f"c{epoch}-"
        self._unsynced: Final[dict[int, Job]] = {}
        self._owners: Final[dict[int, int]] = {}
        self._held: Final[dict[int, dict[int, None]]] = {}
        self._leases: Final[dict[int, int]] = {}
        self._limits: Final[dict[int, int]] = {}
        """When the attempt of a remote worker has to be over, as the leases in monotonic ms."""
        self._lines: Final[dict[int, int]] = {}
        """How many log lines the running attempts have."""
        self._ending: Final[dict[int, Job | None]] = {}
        """Jobs whose end is on its way to the disk, with it; None = a full disk did not take it, for now."""
        self.is_full = False
        """What running attempts have come to is not written yet, the disk was full: no job is started before."""
        self.timekeepers: Final[set[int]] = set()
        """Owners that watch over the time of their attempts themselves."""
        self._landing: Landing | None = None
        self._subscribers: tuple[Subscriber, ...] = ()
        self.metrics: Final = Metrics()
        self.is_counting = False
        """Whether `metrics` hears of changes."""

    # Creating

    def create(self, topic: str, params: object, options: JobOptions = PLAIN,
               by: str = "api") -> tuple[Job, Committing]:
        """A new job and the commit after which it exists; the earlier job when the idempotency key was used before.
        Raises BadOption, Refused."""
        if options is not PLAIN:
            options.check()
            if options.idempotency:
                held = self.keys.earlier(options.idempotency, self._clock.now_ms())
                if held is not None:
                    return self._earlier(held, held.job_id), self.store.commit()
        job = self._make(topic, params, options, by, self.store.next_id())
        self.store.add(job)
        return job, self._admit_after([job])

    def create_many(self, topic: str, params: Sequence[object], options: JobOptions = PLAIN,
                    by: str = "api") -> tuple[list[Job], Committing]:
        """Several new jobs that exist together or not at all; the earlier ones, however many were made, when the
        idempotency key was used before. Raises BadOption, Refused."""
        others = options
        if options is not PLAIN:
            options, others = options.of_batch(len(params))
            if options.idempotency:
                held = self.keys.earlier(options.idempotency, self._clock.now_ms())
                if held is not None:
                    earlier = [self._earlier(held, held.job_id + at) for at in range(held.count)]
                    return earlier, self.store.commit()
        first = self.store.next_id()
        jobs = [self._make(topic, one, others if at else options, by, first + at) for at, one in enumerate(params)]
        self.store.add_all(jobs)
        return jobs, self._admit_after(jobs)

    def _earlier(self, held: Holder, job_id: int) -> Job:
        """A job that was made under a key that was used before; what is deleted still has its id."""
        job = self._unsynced.get(job_id) or self.find(job_id)
        return job or Job(job_id=job_id, topic=held.topic, state=DONE, reason=Reason.DELETED)

    def _make(self, topic: str, params: object, options: JobOptions, by: str, job_id: int) -> Job:
        if not self.tally.knows(topic):
            check_topic(topic)
        given = params_bytes(params)
        if len(given) > self.limits.params:
            self.limits.check_params(given)
        now = self._clock.now_ms()
        if options is PLAIN:
            default_retries, default_backoff = self.defaults_of(topic)
            return Job(FORMAT, job_id, topic, NEW, "", given, None, None, None, 0, default_retries + 1,
                       DEFAULT_PRIORITY, now, 0, 0, 0, "", (), 1, now, by, "", 0, 0, 0, default_backoff)
        run_at = now + options.delay_ms if options.delay_ms else options.run_at
        extra = self._extra(topic, options, now, run_at) if options.has_extra else None
        retries, backoff = options.retries, options.backoff
        if retries is None or not backoff:
            handlers_retries, handlers_backoff = self.defaults_of(topic)
            retries = handlers_retries if retries is None else retries
            backoff = backoff or handlers_backoff
        return Job(
            job_id=job_id, topic=topic, params=given, max_attempts=retries + 1, priority=options.priority,
            created_at=now, run_at=run_at, tags=options.tags, at=now, by=by,
            reason=Reason.DELAYED if run_at > now else "", timeout_ms=options.timeout_ms, backoff=backoff,
            meta=options.meta, extra=extra,
        )

    def _extra(self, topic: str, options: JobOptions, now: int, run_at: int) -> Extra:
        if options.unique:
            self._check_unique(topic, options.unique, now)
        return options.extra(now, run_at)

    def _check_unique(self, topic: str, key: bytes, now: int) -> None:
        holder = self.keys.holder(topic, key, now)
        if holder:
            raise Refused(f"unique key {key.decode('utf-8', 'backslashreplace')!r} of topic {topic} is held by "
                          f"job {holder}")

    def _admit_after(self, jobs: list[Job]) -> Committing:
        for job in jobs:
            self._unsynced[job.job_id] = job
            if job.extra is not None:
                self.keys.take(job)
        if self.on_append is not None:
            self.on_append(list(jobs))
        commit = self.store.commit()
        if commit.done:
            self._admit(jobs, commit.error)
        else:
            self._landing_of(commit).made.extend(jobs)
        return commit

    def _landing_of(self, commit: Committing) -> Landing:
        """What waits for a commit: one callback for all jobs that share it."""
        landing = self._landing
        if landing is None or landing.commit is not commit:
            landing = Landing(commit)
            self._landing = landing
            self._defer(commit, lambda: self._landed(landing))
        return landing

    def _landed(self, landing: Landing) -> None:
        if self._landing is landing:
            self._landing = None
        error = landing.commit.error
        self._admit(landing.made, error)
        for job in landing.ended:
            self._ended(job, error)

    def _ended(self, job: Job, error: BaseException | None) -> None:
        """The end of a job is on disk, or failed to get there."""
        if error is not None and isinstance(error, StoreFull):
            return  # what was taken back is looked at before
        if self._ending.get(job.job_id) is job:
            del self._ending[job.job_id]
        if error is None:
            self._tell(job)
        if self._someone_waits():
            self.on_end(job)

    def _someone_waits(self) -> bool:
        """Whether anybody may wait for the end of a job."""
        return True

    def is_ending(self, job_id: int) -> bool:
        """Whether the end of a job is on its way to the disk."""
        return job_id in self._ending

    def _admit(self, jobs: list[Job], error: BaseException | None) -> None:
        """The records are on disk, or failed to get there: show the jobs and put them in line."""
        now = self._clock.now_ms()
        lined_up: dict[str, None] = {}
        for job in jobs:
            del self._unsynced[job.job_id]
            if error is not None:
                if job.extra is not None:
                    self.keys.forget(job)
                continue
            self.tally.enter(job.topic, NEW)
            if self.live.held() >= self.limits.held and not 0 < job.run_at <= now:
                self.live.rest(job.job_id)
            else:
                self.live[job.job_id] = job
            if self._stand(job, now):
                lined_up[job.topic] = None
            if job.extra is not None and job.extra.expires_at:
                self.schedule.add(job.extra.expires_at, job.job_id)
                self.on_schedule()
            self._tell(job)
        for topic in lined_up:
            self._pushed(topic)

    def _line_up(self, job: Job, now: int, at_head: bool = False) -> None:
        if self._stand(job, now, at_head):
            self._pushed(job.topic)

    def _pushed(self, topic: str) -> None:
        if not self.paused or topic not in self.paused:
            self.on_push(topic)

    def _stand(self, job: Job, now: int, at_head: bool = False) -> bool:
        """Show a new job and put it in line, or on the schedule; whether it stands in line. Told by `_pushed`."""
        if job.run_at > now:
            self._show(job)
            self.schedule.add(job.run_at, job.job_id)
            self.on_schedule()
            return False
        if job.run_at:  # a job that stands in line waits for no time, wherever the clock is set
            if self.is_counting:
                self.metrics.could_begin(job, max(job.run_at, job.created_at))
            job = replace(job, run_at=0)
            self.live[job.job_id] = job
        self._show(job)
        self.queue.push(job, at_head=at_head)
        return True

    def _show(self, job: Job) -> None:
        if self.live.resting and self.live.rests(job.job_id):
            self.queue.show_resting(job)
        else:
            self.queue.show(job)

    # Looking

    def find(self, job_id: int) -> Job | None:
        job = self.live.get(job_id)
        if job is None and job_id not in self._unsynced:
            job = self.store.get(job_id)
            if job is None:
                note = self.keys.note_of(job_id)
                return self._kept(note) if note else None
        return job

    def _kept(self, record_id: int) -> Job | None:
        """A job that is gone, as its idempotency key keeps it."""
        now = self._clock.now_ms()
        for note in self.store.notes(record_id, 1):
            if isinstance(note, KeyNote) and note.record and note.until > now:
                return decode(note.record)
        return None

    def history(self, job_id: int, depth: int) -> list[Job]:
        return [] if job_id in self._unsynced else self.store.history(job_id, depth)

    def stats(self, topic: str | None = None) -> Counts:
        return self.tally.total() if topic is None else self.tally.of(topic)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Hear of every change after it can be seen; returns how to stop."""
        self._subscribers = (*self._subscribers, callback)

        def unsubscribe() -> None:
            left = list(self._subscribers)
            if callback in left:
                left.remove(callback)
                self._subscribers = tuple(left)
        return unsubscribe

    def _tell(self, job: Job) -> None:
        if self.is_counting:
            self.metrics.on_job(job)
        for callback in self._subscribers:
            callback(job)

    def _tell_report(self, job: Job) -> None:
        """A running job shows something new, which is no version of it and counts as nothing."""
        for callback in self._subscribers:
            callback(job)

    def untold(self) -> list[Job]:
        """The versions that are written and not told yet, because the disk does not have them."""
        ends = [job for job in self._ending.values() if job is not None]
        return [*self._unsynced.values(), *ends]
