"""The only place where a job changes its state, over the table TRANSITIONS; JobManager is its public form.

Synchronous core on the server's loop. A new job is shown, handed out and answered only after its record is on disk.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from heroredis.extension import Clock, Committing
from jobs.counts import Counts, Tally
from jobs.errors import BadState, NotStored, StaleToken, no_job
from jobs.job import Job, params_bytes
from jobs.options import PLAIN, JobOptions, check_topic
from jobs.queue import JobQueue
from jobs.retry import delay_ms
from jobs.schedule import Schedule
from jobs.states import ACTIVE, DONE, ENDED, ERROR, NEW, TRANSITIONS, VERBS, Reason
from jobs.store import JobStore

logger = logging.getLogger("heroredis.jobs")
HAND_LEASE_MS: Final = 60_000
MAX_LOSSES: Final = 100
EMBEDDED: Final = 0
Defer = Callable[[Committing, Callable[[], None]], None]
Subscriber = Callable[[Job], None]


class Landing:
    """What one commit brings once it has ended: jobs that begin to exist, and ends that may be told."""

    def __init__(self, commit: Committing) -> None:
        self.commit: Final = commit
        self.made: Final[list[Job]] = []
        self.ended: Final[list[Job]] = []


class Lifecycle:
    """Jobs over a store (the truth) and a queue (who is next). `defer` calls back on the loop after a commit."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None) -> None:
        self.store: Final = store
        self.queue: Final = queue
        self.tally: Final = Tally()
        self.live: Final[dict[int, Job]] = {}
        """New and active jobs whose first record is on disk."""
        self.schedule: Final = Schedule()
        self.retries_of: Callable[[str], int] = lambda topic: 0
        self.on_push: Callable[[str], None] = lambda topic: None
        self.on_end: Callable[[Job], None] = lambda job: None
        self.on_schedule: Callable[[], None] = lambda: None
        self._clock: Final = clock
        self._defer: Final = defer
        self._rng: Final = rng or random.Random()
        self._epoch: Final = os.urandom(4).hex()
        self._unsynced: Final[dict[int, Job]] = {}
        self._owners: Final[dict[int, int]] = {}
        self._held: Final[dict[int, dict[int, None]]] = {}
        self._ending: Final[set[int]] = set()
        self._landing: Landing | None = None
        self._subscribers: Final[list[Subscriber]] = []

    # Start

    def recover(self) -> int:
        """Rebuild the working set from the store: new jobs stand in line again, active ones return. How many live."""
        now = self._clock.now_ms()
        for job in self.store.newest():
            self.tally.enter(job.topic, job.state)
            if job.state in ENDED:
                continue
            self.live[job.job_id] = job
            if job.state == ACTIVE and job.lease_until > now:
                self.queue.show(job)
                self.schedule.add(job.lease_until, job.job_id)
            elif job.state == ACTIVE:
                self._give_back(job, "server", Reason.RETURNED)
            else:
                self._line_up(job, now)
        self.store.commit()
        return len(self.live)

    # Creating

    def create(self, topic: str, params: object, options: JobOptions = PLAIN,
               by: str = "api") -> tuple[Job, Committing]:
        """A new job and the commit after which it exists. Raises BadOption."""
        [job] = jobs = [self._make(topic, params, options, by, self.store.next_id())]
        self.store.add(job)
        return job, self._admit_after(jobs)

    def create_many(self, topic: str, params: Sequence[object], options: JobOptions = PLAIN,
                    by: str = "api") -> tuple[list[Job], Committing]:
        """Several new jobs that exist together or not at all."""
        first = self.store.next_id()
        jobs = [self._make(topic, one, options, by, first + at) for at, one in enumerate(params)]
        self.store.add_all(jobs)
        return jobs, self._admit_after(jobs)

    def _make(self, topic: str, params: object, options: JobOptions, by: str, job_id: int) -> Job:
        if not self.tally.knows(topic):
            check_topic(topic)
        if options is not PLAIN:
            options.check()
        now = self._clock.now_ms()
        run_at = max(options.run_at, now + options.delay_ms if options.delay_ms else 0)
        retries = self.retries_of(topic) if options.retries is None else options.retries
        return Job(
            job_id=job_id, topic=topic, params=params_bytes(params), max_attempts=retries + 1,
            priority=options.priority, created_at=now, run_at=run_at, tags=options.tags, at=now, by=by,
            reason=Reason.DELAYED if run_at > now else "", timeout_ms=options.timeout_ms, backoff=options.backoff,
            meta=options.meta,
        )

    def _admit_after(self, jobs: list[Job]) -> Committing:
        for job in jobs:
            self._unsynced[job.job_id] = job
        commit = self.store.commit()
        if commit.done:
            self._admit(jobs, commit)
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
        self._admit(landing.made, landing.commit)
        for job in landing.ended:
            self._ended(job, landing.commit)

    def _admit(self, jobs: list[Job], commit: Committing) -> None:
        """The records are on disk: show the jobs and put them in line."""
        now = self._clock.now_ms()
        for job in jobs:
            del self._unsynced[job.job_id]
            if commit.error is not None:
                continue
            self.live[job.job_id] = job
            self.tally.enter(job.topic, NEW)
            self._line_up(job, now)
            self._tell(job)

    def _line_up(self, job: Job, now: int, at_head: bool = False) -> None:
        self.queue.show(job)
        if job.run_at > now:
            self.schedule.add(job.run_at, job.job_id)
            self.on_schedule()
        else:
            self.queue.push(job, at_head=at_head)
            self.on_push(job.topic)

    # The one way from state to state

    def _change(self, job: Job, after: Job, state: str) -> Job:
        """Append the next version and bring line, shown key and counts in order."""
        before = job.state
        if state not in TRANSITIONS[before]:
            raise BadState(job.job_id, before, VERBS[state])
        self.store.append(after)
        self.tally.move(job.topic, before, state)
        if state in ENDED:
            self.live.pop(job.job_id, None)
            self._disown(job.job_id)
            if before == NEW:
                self.queue.remove(job)
            self.queue.hide(after)
        else:
            self.live[job.job_id] = after
            if state == ACTIVE:
                self.queue.show(after)
        return after

    def start(self, job: Job, worker: str, owner: int = EMBEDDED, lease_ms: int = 0) -> Job:
        """new -> active. The record is written before long; the caller commits once for all it starts."""
        now = self._clock.now_ms()
        attempts = job.attempts + 1
        lease_until = now + lease_ms if lease_ms else 0
        after = replace(
            job, state=ACTIVE, reason="", attempts=attempts, started_at=now, worker=worker, version=job.version + 1,
            at=now, by=worker, token=f"{self._epoch}-{job.job_id}-{attempts}", lease_until=lease_until, run_at=0,
        )
        self._change(job, after, ACTIVE)
        if lease_until:
            self.schedule.add(lease_until, job.job_id)
            self.on_schedule()
        else:
            self._owners[job.job_id] = owner
            self._held.setdefault(owner, {})[job.job_id] = None
        self._tell(after)
        return after

    def claim(self, topic: str, worker: str, owner: int = EMBEDDED, lease_ms: int = 0) -> Job | None:
        """Take the next job of a topic and start it; None when nobody stands in line."""
        while True:
            job_id = self.queue.pop(topic)
            if job_id is None:
                return None
            job = self.live.get(job_id)
            if job is not None and job.state == NEW:
                return self.start(job, worker, owner, lease_ms)

    def finish(self, job_id: int, result: bytes, by: str, token: str | None = None) -> Committing:
        """-> done; durable when the commit is. Raises JobNotFound, BadState, StaleToken."""
        job = self._checked(job_id, DONE, token)
        now = self._clock.now_ms()
        after = replace(job, state=DONE, reason="", result=result, error=None, traceback=None, ended_at=now,
                        version=job.version + 1, at=now, by=by, token="", lease_until=0)
        return self._end(job, after)

    def fail(self, job_id: int, error: bytes, by: str, token: str | None = None, *, traceback: bytes | None = None,
             reason: str = Reason.FAILED, final: bool = False) -> Committing:
        """-> error, or back to new for another attempt when there are attempts left and `final` is not set."""
        job = self._checked(job_id, ERROR, token)
        now = self._clock.now_ms()
        if not final and job.state == ACTIVE and job.attempts < job.max_attempts:
            wait = delay_ms(job.backoff, job.attempts, self._rng)
            after = replace(job, state=NEW, reason=Reason.RETRY, error=error, traceback=traceback, run_at=now + wait,
                            worker="", version=job.version + 1, at=now, by=by, token="", lease_until=0)
            return self._queue_again(job, after)
        after = replace(job, state=ERROR, reason=reason, error=error, traceback=traceback, ended_at=now,
                        version=job.version + 1, at=now, by=by, token="", lease_until=0)
        return self._end(job, after)

    def _end(self, job: Job, after: Job) -> Committing:
        self._change(job, after, after.state)
        commit = self.store.commit()
        if commit.done:
            self._ended(after, commit)
        else:
            self._ending.add(job.job_id)
            self._landing_of(commit).ended.append(after)
        return commit

    def _ended(self, job: Job, commit: Committing) -> None:
        self._ending.discard(job.job_id)
        if commit.error is None:
            self._tell(job)
        self.on_end(job)

    def is_ending(self, job_id: int) -> bool:
        """Whether the end of a job is on its way to the disk."""
        return job_id in self._ending

    def _queue_again(self, job: Job, after: Job, at_head: bool = False) -> Committing:
        self._change(job, after, NEW)
        self._disown(job.job_id)
        commit = self.store.commit()
        self._line_up(after, self._clock.now_ms(), at_head)
        self._tell(after)
        return commit

    def _give_back(self, job: Job, by: str, reason: str) -> Committing:
        """An attempt was lost, not failed: the job goes to the head of its line."""
        now = self._clock.now_ms()
        losses = job.losses + 1
        if losses > MAX_LOSSES:
            after = replace(job, state=ERROR, reason=Reason.LOST, error=b"its workers were lost %d times" % losses,
                            ended_at=now, version=job.version + 1, at=now, by=by, token="", losses=losses)
            return self._end(job, after)
        after = replace(job, state=NEW, reason=reason, worker="", version=job.version + 1, at=now, by=by, token="",
                        lease_until=0, losses=losses)
        return self._queue_again(job, after, at_head=True)

    def _checked(self, job_id: int, state: str, token: str | None) -> Job:
        job = self.live.get(job_id)
        if job is None:
            job = self.store.get(job_id) if job_id not in self._unsynced else None
            if job is None:
                raise no_job(job_id)
        if token is not None and (job.state != ACTIVE or token != job.token):
            raise StaleToken(job_id)
        if state not in TRANSITIONS[job.state]:
            raise BadState(job_id, job.state, VERBS[state])
        return job

    def set_state(self, job_id: int, state: str, by: str) -> Committing:
        """A state set by hand; new -> active takes a lease of 60 s."""
        job = self._checked(job_id, state, None)
        if state == DONE:
            return self.finish(job_id, b"" if job.result is None else job.result, by)
        if state == ERROR:
            return self.fail(job_id, b"set by hand", by, final=True)
        if state == ACTIVE:
            self.queue.remove(job)
            self.start(job, by, lease_ms=HAND_LEASE_MS)
            return self.store.commit()
        now = self._clock.now_ms()
        after = replace(job, state=NEW, reason="", error=None, traceback=None, ended_at=0, run_at=0, worker="",
                        token="", lease_until=0, version=job.version + 1, at=now, by=by)
        return self._queue_again(job, after)

    def cancel(self, job_id: int, by: str, why: bytes = b"cancelled") -> Committing:
        """A new job -> error with the reason cancelled."""
        job = self._checked(job_id, ERROR, None)
        if job.state != NEW:
            raise BadState(job_id, job.state, "cancelled")
        return self.fail(job_id, why, by, reason=Reason.CANCELLED, final=True)

    # Time and losses

    def due(self) -> None:
        """Line up what was waiting for this moment; leases that have ended give their jobs back."""
        now = self._clock.now_ms()
        for job_id in self.schedule.due(now):
            job = self.live.get(job_id)
            if job is None:
                continue
            if job.state == NEW and 0 < job.run_at <= now:
                waiting = replace(job, run_at=0)
                self.live[job_id] = waiting
                self._line_up(waiting, now)
            elif job.state == ACTIVE and 0 < job.lease_until <= now:
                self._give_back(job, "lease", Reason.RETURNED)

    def owner_gone(self, owner: int, by: str) -> int:
        """A connection (or the embedded pool) is gone: its jobs return at once. How many."""
        held = list(self._held.get(owner, ()))
        for job_id in reversed(held):
            self._give_back(self.live[job_id], by, Reason.RETURNED)
        return len(held)

    def _disown(self, job_id: int) -> None:
        owner = self._owners.pop(job_id, None)
        if owner is not None:
            held = self._held[owner]
            held.pop(job_id, None)
            if not held:
                del self._held[owner]

    def line_up_again(self, job: Job, *, at_head: bool) -> None:
        """A new job to the end or head of its line, wherever it stood; a delay is over."""
        self.queue.remove(job)
        self.live[job.job_id] = replace(job, run_at=0)
        self.queue.push(job, at_head=at_head)
        self.on_push(job.topic)

    def give_back(self, job_id: int, by: str) -> None:
        """One running attempt is given up, as at an orderly stop."""
        job = self.live.get(job_id)
        if job is not None and job.state == ACTIVE:
            self._give_back(job, by, Reason.RETURNED)

    # Looking

    def find(self, job_id: int) -> Job | None:
        job = self.live.get(job_id)
        if job is None and job_id not in self._unsynced:
            job = self.store.get(job_id)
        return job

    def history(self, job_id: int, depth: int) -> list[Job]:
        return [] if job_id in self._unsynced else self.store.history(job_id, depth)

    def stats(self, topic: str | None = None) -> Counts:
        return self.tally.total() if topic is None else self.tally.of(topic)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Hear of every change after it can be seen; returns how to stop."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)
        return unsubscribe

    def _tell(self, job: Job) -> None:
        for callback in list(self._subscribers) if self._subscribers else ():
            callback(job)


def stored(commit: Committing) -> None:
    """NotStored when the commit failed."""
    if commit.error is not None:
        raise NotStored(commit.error)
