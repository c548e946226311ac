"""The only place where a job changes its state, over the table TRANSITIONS; JobManager is its public form.

Synchronous core on the server's loop. A new job is shown, handed out and answered only after its record is on disk.
"""

from __future__ import annotations

import random
from typing import Final

from msgspec import structs

from heroredis.extension import Clock, Committing
from jobs.admission import Admission, Defer
from jobs.errors import BadState, StaleToken, no_job
from jobs.job import Job, replace
from jobs.job_record import DEFAULT_BACKOFF
from jobs.limits import Limits, cut
from jobs.notes import Note
from jobs.options import FAR_FUTURE_MS
from jobs.queue import JobQueue
from jobs.retry import delay_ms
from jobs.states import (
    ACTIVE,
    COMPLETE,
    DONE,
    ENDED,
    ERROR,
    EXPIRE,
    FAIL,
    GIVE_BACK,
    NEW,
    POISON,
    RETRY,
    SNOOZE,
    START,
    VERBS,
    Reason,
)
from jobs.store import JobStore

EMBEDDED: Final = 0
NEVER_AGAIN: Final = frozenset({Reason.INVALID, Reason.DISCARDED})
"""Failures that another attempt would only repeat."""
LEAST_SNOOZE_MS: Final = 1000
"""A job may be put off for less while it has fewer versions than this: then for as many ms as it has."""
SPARED_MS: Final = 500
"""For so long heartbeats are listened to after the server stood still, before leases end."""
SLICE: Final = 500
"""Appointments that are kept in one go; the loop does other work before the next ones."""


class Lifecycle(Admission):
    """Every change of a job's state."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None, limits: Limits | None = None) -> None:
        super().__init__(store, queue, clock, defer, rng, limits)
        self._unwritten: Final[dict[int, list[tuple[int, Job | Note]]]] = {}
        """What a full disk has taken back of jobs and is written again: their next versions and log lines."""
        self._write_at = 0
        self._spared_until = -1
        """No lease ends before."""

    # The one way from state to state

    def _change(self, job: Job, after: Job, event: str) -> None:
        """Append the next version and bring line, shown key and counts in order."""
        before = job.state
        state = after.state
        if self._transitions[event].get(before) != state:
            raise BadState(job.job_id, before, VERBS[event])
        if self._unwritten:
            self._write_first(job.job_id)
        self.store.append(after)
        if self.on_append is not None:
            self.on_append([after])
        self.tally.move(job.topic, before, state)
        if state in (DONE, ERROR):
            self.live.pop(job.job_id)
            self._disown(job.job_id)
            if job.extra is not None:
                self.keys.ended(job)
            if before == NEW and not job.run_at:
                self.queue.remove(job)
            self.queue.hide(after)
        else:
            self.live[job.job_id] = after
            if state == ACTIVE:
                self.queue.show(after)

    def start(self, job: Job, worker: str, owner: int = EMBEDDED, lease_ms: int = 0) -> Job:
        """new -> active. The record is written before long; the caller commits once for all it starts."""
        now = self._clock.now_ms()
        is_embedded = owner == EMBEDDED and not lease_ms
        after = job.started(now, worker, f"{self._embedded if is_embedded else self._connected}{job.job_id}-"
                            f"{job.version + 1}", now + lease_ms if lease_ms else 0)
        if job.extra is not None and (job.extra.progress or job.extra.max_rss):
            after = replace(after, extra=structs.replace(job.extra, progress=0, progress_text="", cpu_us=0,
                                                                  max_rss=0))
        self._change(job, after, START)
        if self.is_counting and not job.started_at:
            self.metrics.on_first_start(job, now)
        if lease_ms:
            self._lease(job.job_id, lease_ms)
        elif owner != EMBEDDED:
            self._owners[job.job_id] = owner
            self._held.setdefault(owner, {})[job.job_id] = None
        if job.timeout_ms and not is_embedded and owner not in self.timekeepers:
            self._limits[job.job_id] = self._deadline(job.job_id, job.timeout_ms)
        self._tell(after)
        return after

    def _lease(self, job_id: int, lease_ms: int) -> None:
        self._leases[job_id] = self._deadline(job_id, lease_ms)

    def _deadline(self, job_id: int, milliseconds: int) -> int:
        at = self._monotonic_ms() + milliseconds
        self.deadlines.add(at, job_id)
        self.on_schedule()
        return at

    def _monotonic_ms(self) -> int:
        return int(self._clock.monotonic() * 1000 + 0.5)

    def claim(self, topic: str, worker: str, owner: int = EMBEDDED, lease_ms: int = 0) -> Job | None:
        """Take the next job of a topic and start it; None when nobody stands in line, or the topic is paused."""
        if (self.paused and topic in self.paused) or self.is_full:
            return None
        while True:
            job_id = self.queue.pop(topic)
            if job_id is None:
                return None
            job = self.live.get(job_id)
            if job is not None and job.state == NEW and (job.extra is None or not self._expired(job)):
                return self.start(job, worker, owner, lease_ms)

    def finish(self, job_id: int, result: bytes, by: str, token: str | None = None) -> Committing:
        """-> done; durable when the commit is. Raises JobNotFound, BadState, StaleToken, Refused."""
        job = self._checked(job_id, COMPLETE, token)
        if len(result) > self.limits.result:
            self.limits.check_result(result)
        now = self._clock.now_ms()
        return self._end(job, job.done(now, by, result), COMPLETE)

    def fail(self, job_id: int, error: bytes, by: str, token: str | None = None, *, traceback: bytes | None = None,
             reason: str = Reason.FAILED, final: bool = False, retry_ms: int = -1, event: str = FAIL) -> Committing:
        """-> error, or back to new for another attempt when there are attempts left and `final` is not set.
        `retry_ms` overrules the job's backoff."""
        job = self._checked(job_id, event, token)
        now = self._clock.now_ms()
        if reason in NEVER_AGAIN:
            final = True
        if not final and job.state == ACTIVE and job.attempts - job.losses < job.max_attempts:
            if retry_ms < 0:
                retry_ms = delay_ms(job.backoff, job.attempts - job.losses, self._rng)
            after = replace(job, state=NEW, reason=Reason.RETRY, error=cut(error), traceback=traceback,
                            run_at=now + min(retry_ms, FAR_FUTURE_MS), worker="", version=job.version + 1, at=now,
                            by=by, token="", lease_until=0)
            return self._queue_again(job, after, RETRY)
        if reason == Reason.FAILED and job.state == ACTIVE:
            reason = Reason.DEAD
        attempts = job.attempts - 1 if reason == Reason.INVALID and job.state == ACTIVE else job.attempts
        after = replace(job, state=ERROR, reason=reason, error=cut(error), traceback=traceback, ended_at=now,
                        version=job.version + 1, at=now, by=by, token="", lease_until=0, attempts=attempts)
        return self._end(job, after, event)

    def handled_with(self, job_id: int, token: str | None, retries: int, backoff: str) -> None:
        """What the handler elsewhere that has run a job says for jobs that were made without it; kept with the version
        that ends the attempt. Empty backoff = nothing."""
        job = self.live.get(job_id)
        if job is None or job.state != ACTIVE or token not in (None, job.token):
            return
        says_none = job.max_attempts == 1 and not (job.extra is not None and job.extra.runs_once)
        self.live[job_id] = replace(job, max_attempts=retries + 1 if says_none else job.max_attempts,
                                    backoff=backoff if backoff and job.backoff == DEFAULT_BACKOFF else job.backoff)

    def snooze(self, job_id: int, wait_ms: int, by: str, token: str | None = None) -> Committing:
        """active -> new for some time; the attempt does not count. The more versions a job has the longer it waits at
        least: one that is put off again and again for no time at all keeps neither the loop nor the disk busy."""
        job = self._checked(job_id, SNOOZE, token)
        now = self._clock.now_ms()
        wait_ms = max(wait_ms, min(job.version, LEAST_SNOOZE_MS))
        after = replace(job, state=NEW, reason=Reason.SNOOZED, run_at=now + min(wait_ms, FAR_FUTURE_MS),
                        attempts=job.attempts - 1,
                        worker="", version=job.version + 1, at=now, by=by, token="", lease_until=0)
        return self._queue_again(job, after, SNOOZE)

    def _expired(self, job: Job) -> bool:
        """Whether a job was not started in time; it has ended then."""
        now = self._clock.now_ms()
        if not 0 < job.more.expires_at <= now or job.started_at:
            return False
        after = replace(job, state=ERROR, reason=Reason.EXPIRED, error=b"it was not started in time", ended_at=now,
                        version=job.version + 1, at=now, by="server")
        self._end(job, after, EXPIRE)
        return True

    def _end(self, job: Job, after: Job, event: str) -> Committing:
        self._change(job, after, event)
        commit = self.store.commit()
        if commit.done:
            self._ended(after, commit.error)
        else:
            self._ending[job.job_id] = after
            self._landing_of(commit).ended.append(after)
        return commit

    def _write_first(self, job_id: int) -> None:
        """What is still to be written of a job, before what follows on it."""
        raise NotImplementedError

    def write_again(self) -> None:
        """All that a full disk did not take and that has happened all the same."""
        raise NotImplementedError

    def _queue_again(self, job: Job, after: Job, event: str, at_head: bool = False) -> Committing:
        self._change(job, after, event)
        self._disown(job.job_id)
        commit = self.store.commit()
        self._line_up(after, self._clock.now_ms(), at_head)
        self._tell(after)
        return commit

    def _give_back(self, job: Job, by: str, reason: str, is_lost: bool) -> Committing:
        """An attempt is over without an end, and does not count: the job goes to the head of its line. One whose
        workers are lost again and again is set aside."""
        now = self._clock.now_ms()
        losses = job.losses + 1 if is_lost else job.losses
        if is_lost and 0 < self.limits.losses <= losses:
            after = replace(job, state=ERROR, reason=Reason.POISON, error=self._last_words(job, losses), ended_at=now,
                            version=job.version + 1, at=now, by=by, token="", losses=losses, lease_until=0)
            return self._end(job, after, POISON)
        after = replace(job, state=NEW, reason=reason, worker="", version=job.version + 1, at=now, by=by, token="",
                        lease_until=0, losses=losses, attempts=job.attempts if is_lost else job.attempts - 1)
        return self._queue_again(job, after, GIVE_BACK, at_head=True)

    def _last_words(self, job: Job, losses: int) -> bytes:
        """The error of a job that is set aside."""
        return b"its workers were lost %d times, the last was %b" % (losses, job.worker.encode())

    def _checked(self, job_id: int, event: str, token: str | None) -> Job:
        job = self.live.get(job_id)
        if job is None:
            job = self.store.get(job_id) if job_id not in self._unsynced else None
            if job is None:
                raise no_job(job_id)
            if job_id in self._ending and job.state not in ENDED:  # a full disk has taken it back, for now
                raise BadState(job_id, "ending", VERBS[event])
        if token is not None and (job.state != ACTIVE or token != job.token):
            raise StaleToken(job_id, "the job was cancelled" if job.reason == Reason.CANCELLED else "")
        if job.state not in self._transitions[event]:
            raise BadState(job_id, job.state, VERBS[event])
        return job

    # Time and losses

    def due(self, limit: int = SLICE) -> bool:
        """Line up what was waiting for this moment, end what has expired; leases that are over give their jobs back.
        Whether there is more to do at once."""
        now = self._clock.now_ms()
        if self.is_full and self._monotonic_ms() >= self._write_at:
            self.write_again()
        monotonic = self._monotonic_ms()
        if monotonic >= self._spared_until:
            for job_id in self.deadlines.due(monotonic, limit):
                self._deadline_passed(job_id)
        for job_id in self.schedule.due(now, limit):
            job = self.live.get(job_id)
            if job is None or job.state != NEW:
                continue
            if job.extra is not None and self._expired(job):
                continue
            if 0 < job.run_at <= now:
                self._line_up(job, now)
        return self.schedule.is_due(now)

    def held_up(self) -> None:
        """The server itself stood still: for a moment no lease and no remote attempt ends, so that what their workers
        have said meanwhile is heard first. A server that is always late ends them all the same."""
        monotonic = self._monotonic_ms()
        if monotonic > self._spared_until + SPARED_MS:
            self._spared_until = monotonic + SPARED_MS

    def next_due_ms(self) -> int:
        """Milliseconds until `due` has something to do, -1 = never."""
        wall, deadline = self.schedule.next_at(), self.deadlines.next_at()
        waits = []
        if wall is not None:
            waits.append(max(0, wall - self._clock.now_ms()))
        if deadline is not None:
            waits.append(max(0, max(deadline, self._spared_until) - self._monotonic_ms()))
        if self.is_full:
            waits.append(max(0, self._write_at - self._monotonic_ms()))
        return min(waits, default=-1)

    def _deadline_passed(self, job_id: int) -> None:
        job = self.live.get(job_id)
        if job is None or job.state != ACTIVE:
            return
        monotonic = self._monotonic_ms()
        if 0 < self._limits.get(job_id, 0) <= monotonic:
            self.fail(job_id, b"ran longer than %d ms" % job.timeout_ms, "server", reason=Reason.TIMEOUT)
        elif 0 < self._leases.get(job_id, 0) <= monotonic:
            self._give_back(job, "lease", Reason.RETURNED, True)

    def owner_gone(self, owner: int, by: str, *, is_lost: bool = True) -> int:
        """A connection is gone: its jobs return at once. How many. `is_lost` False = it is we who end it."""
        held = list(self._held.get(owner, ()))
        for job_id in reversed(held):
            self._give_back(self.live[job_id], by, Reason.RETURNED, is_lost)
        return len(held)

    def _disown(self, job_id: int) -> None:
        owner = self._owners.pop(job_id, None) if self._owners else None
        if owner is not None:
            held = self._held[owner]
            held.pop(job_id, None)
            if not held:
                del self._held[owner]
        elif self._leases:
            self._leases.pop(job_id, None)
        if self._limits:
            self._limits.pop(job_id, None)
        if self._lines:
            self._lines.pop(job_id, None)

    def line_up_again(self, job: Job, *, at_head: bool) -> None:
        """A new job to the end or head of its line, wherever it stood; a delay is over."""
        self.queue.remove(job)
        if job.run_at and self.is_counting:
            self.metrics.could_begin(job, self._clock.now_ms())
        after = replace(job, run_at=0)
        self.live[job.job_id] = after
        self._line_up(after, self._clock.now_ms(), at_head)

    def give_back(self, job_id: int, by: str) -> None:
        """One running attempt is given up, as at an orderly stop."""
        job = self.live.get(job_id)
        if job is not None and job.state == ACTIVE:
            self._give_back(job, by, Reason.RETURNED, False)

    def release(self, job_id: int, by: str, token: str | None = None) -> Committing:
        """An attempt that was not begun is given back by who took it, and does not count."""
        return self._give_back(self._checked(job_id, GIVE_BACK, token), by, Reason.RETURNED, False)
