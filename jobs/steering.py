"""What people and running attempts ask of a job beyond its way through the states: cancel, retry, edit, promote,
delete, pause, leases, progress and log lines. Each act is in the job's history with who did it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from msgspec import structs

from heroredis.extension import Clock, Committing
from jobs.admission import Defer
from jobs.errors import BadOption, no_job
from jobs.full_disk import FullDisk
from jobs.job import Job, encode, replace
from jobs.job_record import NO_EXTRA, Extra
from jobs.lifecycle import SLICE
from jobs.limits import MAX_LINE, MAX_LINES, Limits
from jobs.notes import KeyNote, Note, TopicNote, TrailNote
from jobs.options import check_whole
from jobs.promise import Promise
from jobs.queue import JobQueue
from jobs.states import (
    ACTIVE,
    BY_HAND,
    CANCEL,
    DELETE,
    DONE,
    EDIT,
    ERROR,
    EXTEND,
    FAIL,
    NEW,
    POISON,
    PROMOTE,
    REPORT,
    REQUEUE,
    Reason,
)
from jobs.store import JobStore

HAND_LEASE_MS: Final = 60_000
KIB: Final = 1024
LONGEST_LEASE_MS: Final = 1 << 50
DIED: Final = b"the worker process ended by "
"""How the error of an attempt begins that has cost its worker process."""
MOST_VERSIONS: Final = 1000
LAST_LINES: Final = 10
"""Log lines that the error of a job shows which is set aside."""


class Steering(FullDisk):
    """Acts on single jobs and on topics."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None, limits: Limits | None = None) -> None:
        super().__init__(store, queue, clock, defer, rng, limits)
        self.on_revoke: Callable[[Job], None] = lambda job: None
        """A running attempt is being taken from who runs it."""
        self.on_measure: Callable[[Job], None] = lambda job: None
        """One is going to be taken: what it has used until now is noted, where that is known."""
        self.embedded: Callable[[], list[tuple[str, Job | None]]] = list
        """The embedded workers and what each works on."""
        self.embedded_topics: Callable[[], list[str]] = list
        self.later: Callable[[Callable[[], None]], None] = lambda action: action()
        """Do something in the loop's next turn."""
        self._topic_records: Final[dict[str, int]] = {}
        self.is_quiet = False
        """The server's own workers take no jobs."""

    def set_state(self, job_id: int, state: str, by: str) -> Committing:
        """A state set by hand; new -> active takes a lease of 60 s."""
        job = self._checked(job_id, BY_HAND[state], None)
        if state == DONE:
            return self.finish(job_id, b"" if job.result is None else job.result, by)
        if state == ERROR:
            return self.fail(job_id, b"set by hand", by, reason=Reason.FAILED, final=True)
        if state == ACTIVE:
            self.queue.remove(job)
            self.start(job, by, lease_ms=HAND_LEASE_MS)
            return self.store.commit()
        return self.requeue(job_id, by)

    def requeue(self, job_id: int, by: str) -> Committing:
        """A job that has ended as error (or is running) runs again, with all its attempts, and expires no more. Raises
        Refused when another job holds its unique key."""
        job = self._about_to_go(job_id, REQUEUE)
        now = self._clock.now_ms()
        more = job.more
        if more.unique and self.keys.holder(job.topic, more.unique, now) != job_id:
            self._check_unique(job.topic, more.unique, now)
            self.keys.take(job)
        after = replace(job, state=NEW, reason=Reason.REQUEUED, error=None, traceback=None, ended_at=0, run_at=0,
                        worker="", token="", lease_until=0, attempts=0, losses=0, version=job.version + 1, at=now,
                        by=by)
        if more.expires_at:
            after = replace(after, extra=structs.replace(more, expires_at=0))
        if job.state == ACTIVE:
            self.on_revoke(job)
        elif self.is_counting:
            self.metrics.could_begin(job, now)
        return self._queue_again(job, after, REQUEUE)

    def cancel(self, job_id: int, by: str, why: bytes = b"cancelled") -> Committing:
        """A new or active job -> error with the reason cancelled. Who runs it is told; its result is refused."""
        job = self._about_to_go(job_id, CANCEL)
        if job.state == ACTIVE:
            self.on_revoke(job)
        return self.fail(job_id, why, by, reason=Reason.CANCELLED, final=True, event=CANCEL)

    def _about_to_go(self, job_id: int, event: str) -> Job:
        """A job that is taken from its worker, if it has one, with what the attempt has used."""
        job = self._checked(job_id, event, None)
        if job.state == ACTIVE:
            self.on_measure(job)
            return self.live[job_id]
        return job

    def died_with(self, job_id: int, error: bytes, by: str, traceback: bytes | None, retry_ms: int = -1,
                  token: str | None = None, final: bool = False) -> Committing:
        """The worker process that ran a job has died: its attempt has failed; a job that has cost too many of them is
        set aside, whatever attempts are left."""
        job = self._checked(job_id, FAIL, token)
        most, deaths = self.limits.losses, 1
        if most > 0 and not final and job.attempts - job.losses < job.max_attempts:
            for version in self.history(job_id, MOST_VERSIONS):
                if version.reason == Reason.REQUEUED or deaths >= most:
                    break
                if version.reason == Reason.RETRY and (version.error or b"").startswith(DIED):
                    deaths += 1
            if deaths >= most:
                return self.fail(job_id, self._last_words(job, deaths), by, reason=Reason.POISON, traceback=traceback,
                                 final=True, event=POISON)
        return self.fail(job_id, error if error.startswith(DIED) else DIED + error, by, reason=Reason.CRASHED,
                         traceback=traceback, retry_ms=retry_ms, final=final)

    def measured(self, job_id: int, token: str | None, cpu_us: int, max_rss: int) -> None:
        """What the running attempt has used; it is kept with the version that ends the attempt."""
        job = self.live.get(job_id)
        if job is not None and job.state == ACTIVE and token in (None, job.token):
            self.live[job_id] = replace(job, extra=structs.replace(job.more, cpu_us=cpu_us,
                                                                           max_rss=max_rss // KIB * KIB))

    def edit(self, job_id: int, by: str, params: bytes | None = None, priority: int = -1) -> Committing:
        """Other params or another priority for a job that has not begun."""
        job = self._checked(job_id, EDIT, None)
        if params is not None:
            self.limits.check_params(params)
        check_whole("PRIORITY", priority)
        if not -1 <= priority <= 255:
            raise BadOption(f"PRIORITY {priority} is out of range, give 0 to 255")
        stood = priority not in (-1, job.priority) and self.queue.remove(job)
        after = replace(job, params=job.params if params is None else params, version=job.version + 1,
                        priority=job.priority if priority < 0 else priority, at=self._clock.now_ms(), by=by,
                        reason=Reason.EDITED)
        self._change(job, after, EDIT)
        self.queue.show(after)
        if stood:
            self.queue.push(after)
        self._tell(after)
        return self.store.commit()

    def promote(self, job_id: int, by: str) -> Committing:
        """A waiting job to the head of its line (within its priority); a delay is over."""
        job = self._checked(job_id, PROMOTE, None)
        now = self._clock.now_ms()
        self.queue.remove(job)
        if job.run_at and self.is_counting:
            self.metrics.could_begin(job, now)
        after = replace(job, reason=Reason.PROMOTED, run_at=0, version=job.version + 1, at=now, by=by)
        return self._queue_again(job, after, PROMOTE, at_head=True)

    # Deleting

    def delete(self, job_id: int, by: str, *, keep_result: bool = False) -> Committing:
        """A job that is not running is no longer found; its versions stay until they are compacted away. `keep_result`:
        it can still be looked up as long as its idempotency key is kept, if it has one."""
        self.store.begin()
        try:
            self._delete(self._checked(job_id, DELETE, None), by, keep_result)
        finally:
            commit = self.store.end()
        return commit

    def _delete(self, job: Job, by: str, keep_result: bool = False) -> None:
        now = self._clock.now_ms()
        after = replace(job, reason=Reason.DELETED, params=b"", result=None, traceback=None, version=job.version + 1,
                        at=now, by=by, token="")
        if self._unwritten:
            self._write_first(job.job_id)
        self.store.append(after)
        if self.on_append is not None:
            self.on_append([after])
        self.store.remove(job.job_id)
        more = job.more
        if more.trail:
            self.store.remove(more.trail)
        if self.live.pop(job.job_id):
            self.queue.remove(job)
            self.queue.hide(after)
        keeps_unique = keep_result and more.unique_until > now and self.keys.holder(
            job.topic, more.unique, now) == job.job_id
        self.keys.forget(job)
        if keeps_unique:
            kept = KeyNote(more.unique, job.job_id, more.unique_until, job.topic, is_unique=True)
            self.keys.keep_note(kept, self.store.put(kept))
        if more.idempotency and more.idempotency_until > now:
            kept = KeyNote(more.idempotency, job.job_id, more.idempotency_until, job.topic,
                           encode(job) if keep_result else b"", count=more.batch or 1)
            self.keys.keep_note(kept, self.store.put(kept))
        for record_id in self.keys.sweep(now):
            self.store.remove(record_id)
        self.tally.leave(job.topic, job.state)
        self._tell(after)
        self.on_end(after)

    def purge(self, topic: str, by: str) -> tuple[int, Committing]:
        """Delete all waiting jobs of a topic. How many, and the commit after which they are gone."""
        job_ids = [job.job_id for job in self.live.values() if job.topic == topic and job.state == NEW]
        self.queue.clear(topic)
        done = Promise()
        self._purge_slice(job_ids, by, done, len(job_ids) if self.store.in_batch() else SLICE)
        return len(job_ids), done

    def _purge_slice(self, job_ids: list[int], by: str, done: Promise, size: int) -> None:
        """Some of them; the others in the next turns of the loop, so that it does not stall. What belongs to a batch is
        not divided."""
        self.store.begin()
        try:
            for job_id in job_ids[:size]:
                job = self.live.get(job_id)
                if job is not None and job.state == NEW:
                    self._delete(job, by)
        finally:
            commit = self.store.end()
        rest = job_ids[size:]
        if rest:
            self.later(lambda: self._purge_slice(rest, by, done, size))
        else:
            self._defer(commit, lambda: done.finish(commit.error))

    # Topics

    def pause(self, topic: str, by: str) -> Committing:
        """Hand out no more jobs of a topic; running ones go on."""
        return self._set_paused(topic, True, by)

    def resume(self, topic: str, by: str) -> Committing:
        commit = self._set_paused(topic, False, by)
        if self.queue.length(topic):
            self.on_push(topic)
        return commit

    def _set_paused(self, topic: str, paused: bool, by: str) -> Committing:
        if paused != (topic in self.paused):
            record_id = self._topic_records.get(topic, 0)
            note = TopicNote(topic, paused, by, self._clock.now_ms())
            record_id = self.put_note(note, record_id)
            self._topic_records[topic] = record_id
            self._mark(topic, paused, record_id)
        return self.store.commit()

    def _mark(self, topic: str, paused: bool, record_id: int) -> None:
        if paused:
            self.paused[topic] = record_id
        else:
            self.paused.pop(topic, None)

    def _note_taken_back(self, record_id: int, lost: Note, kept: Note | None) -> None:
        if not isinstance(lost, TopicNote):
            super()._note_taken_back(record_id, lost, kept)
            return
        paused = isinstance(kept, TopicNote) and kept.paused
        if kept is None:
            self._topic_records.pop(lost.topic, None)
        if paused != (lost.topic in self.paused):
            self._mark(lost.topic, paused, record_id)
            self._pushed(lost.topic)

    def put_note(self, note: Note, record_id: int) -> int:
        """Append a note, new (0) or as the next version of a record; its record."""
        record_id = self.store.put(note, record_id)
        if self.on_append is not None:
            self.on_append([note])
        return record_id

    # Running attempts

    def extend(self, job_id: int, lease_ms: int, token: str | None = None) -> Committing:
        """A heartbeat: the lease ends `lease_ms` from now. A job that its connection holds needs none, and keeps
        none."""
        job = self._checked(job_id, EXTEND, token)
        if not 1 <= lease_ms <= LONGEST_LEASE_MS:
            raise BadOption("give a lease of at least 1 ms")
        if job_id not in self._leases:
            return self.store.commit()
        self._lease(job_id, lease_ms)
        now = self._clock.now_ms()
        if lease_ms > job.lease_until - job.at:
            # Only a longer one goes to the disk: after a restart every lease begins anew with the length that is there.
            after = replace(job, lease_until=now + lease_ms, at=now, version=job.version + 1, by=job.worker,
                            reason=Reason.EXTENDED)
            self._change(job, after, EXTEND)
        return self.store.commit()

    def progress(self, job_id: int, percent: int, text: str, by: str, token: str | None = None) -> Committing:
        """How far a running attempt is, with a word about it."""
        job = self._checked(job_id, REPORT, token)
        check_whole("progress", percent)
        if not 0 <= percent <= 100:
            raise BadOption(f"progress {percent} is out of range, give 0 to 100")
        extra = job.extra or NO_EXTRA
        if (percent, text) != (extra.progress, extra.progress_text):
            extra = structs.replace(extra, progress=percent, progress_text=text[:MAX_LINE])
            self._report(job, extra, TrailNote(job_id, text[:MAX_LINE], percent, self._clock.now_ms(), by))
        return self.store.commit()

    def log(self, job_id: int, line: str, by: str, token: str | None = None) -> Committing:
        """One line of a running attempt's log, kept with the job."""
        job = self._checked(job_id, REPORT, token)
        extra = job.extra or NO_EXTRA
        self._report(job, extra, TrailNote(job_id, line[:MAX_LINE], -1, self._clock.now_ms(), by))
        return self.store.commit()

    def _report(self, job: Job, extra: Extra, note: TrailNote) -> None:
        """Keep a line, up to the limit; the job's own record follows with its next change."""
        lines = self._lines.get(job.job_id, -1)
        if lines < 0:
            lines = len(self.store.notes(extra.trail, MAX_LINES)) if extra.trail else 0
        self._lines[job.job_id] = lines + 1
        if lines < MAX_LINES:
            trail = self.put_note(note, extra.trail)
            if not extra.trail:
                extra = structs.replace(extra, trail=trail)
        after = replace(job, extra=extra)
        self.live[job.job_id] = after
        self.queue.show(after)
        self._tell_report(after)

    def trail(self, job_id: int, count: int = MAX_LINES) -> list[TrailNote]:
        """Log lines and steps of progress, the last `count`, oldest first. Raises JobNotFound."""
        job = self.find(job_id)
        if job is None:
            raise no_job(job_id)
        if not job.more.trail:
            return []
        return [note for note in reversed(self.store.notes(job.more.trail, count)) if isinstance(note, TrailNote)]

    def _last_words(self, job: Job, losses: int) -> bytes:
        said = super()._last_words(job, losses)
        lines = [note.line for note in self.trail(job.job_id, LAST_LINES) if note.percent < 0]
        return said + b"; its last log lines:\n" + "\n".join(lines).encode() if lines else said

    # Who works

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def leased(self) -> list[Job]:
        """The running jobs that are held by a lease."""
        return [self.live[job_id] for job_id in self._leases if job_id in self.live]

    def held(self) -> list[tuple[str, Job]]:
        """The running jobs that connections and leases hold, each with its worker."""
        found = [self.live.get(job_id) for job_id in (*self._owners, *self._leases)]
        return [(job.worker, job) for job in found if job is not None]

    def held_by(self, owner: int) -> list[int]:
        """The running jobs of a connection."""
        return list(self._held.get(owner, ()))

    # Start

    def _notes_to_keep(self) -> list[int]:
        return super()._notes_to_keep() + list(self._topic_records.values())

    def _recover_note(self, record_id: int, note: Note) -> None:
        if isinstance(note, TopicNote):
            self._topic_records[note.topic] = record_id
            self._mark(note.topic, note.paused, record_id)
        elif isinstance(note, KeyNote):
            self.keys.keep_note(note, record_id)
        elif isinstance(note, TrailNote):
            job = self.live.get(note.job_id)
            if job is not None and not job.more.trail:
                self.live[note.job_id] = replace(job, extra=structs.replace(job.more, trail=record_id))
