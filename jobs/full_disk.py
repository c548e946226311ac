"""What a full disk took back: the working set follows the store again.

What running attempts have come to has happened, and is written again until there is room: starts, log lines, ends,
returns, and what expires. Everything else was refused, and is as before.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from heroredis.extension import Clock, Committing
from jobs.admission import Defer
from jobs.job import Job, replace
from jobs.limits import Limits
from jobs.notes import KeyNote, Note, ScheduleNote, TrailNote
from jobs.queue import JobQueue
from jobs.recovery import Recovery
from jobs.states import ACTIVE, ENDED, NEW, Reason
from jobs.store import JobStore

AGAIN_MS: Final = 1000
"""Between two tries to write what a full disk did not take."""
Versions = list[Job | Note | None]


def happened(before: str, versions: Versions) -> list[Job]:
    """Those of a job's versions that are facts, whoever was told what, and what they stand on: the last of them begins
    or ends an attempt, or is an expiry. `before` is the state that the disk has."""
    jobs: list[Job] = []
    facts = 0
    for version in versions:
        if not isinstance(version, Job):
            break
        jobs.append(version)
        if (before == ACTIVE) != (version.state == ACTIVE) or version.reason == Reason.EXPIRED:
            facts = len(jobs)
        before = version.state
    return jobs[:facts]


class FullDisk(Recovery):
    """Goes on after a full disk, without a restart."""

    def __init__(self, store: JobStore, queue: JobQueue, clock: Clock, defer: Defer,
                 rng: random.Random | None = None, limits: Limits | None = None) -> None:
        super().__init__(store, queue, clock, defer, rng, limits)
        self.on_schedule_lost: Callable[[int, ScheduleNote, Note | None], None] = lambda record_id, lost, kept: None
        """The latest of a schedule was taken back; what the disk has of it, None = nothing."""
        self.on_taken_back: Callable[[], None] = lambda: None

    def watch_full(self) -> None:
        """Look at what was taken back, and be called when something is taken back again."""
        again, lost = self.store.taken_back()
        self._defer(again, self.watch_full)
        if lost:
            self.on_taken_back()
            self._take_back(lost)

    def _take_back(self, lost: list[tuple[int, Job | Note | None]]) -> None:
        records: dict[int, Versions] = {}
        for record_id, found in lost:
            records.setdefault(record_id, []).append(found)
        jobs: list[int] = []
        for record_id, versions in records.items():
            kept = self.store.get(record_id)
            if kept is None and not isinstance(versions[0], Job):
                self._notes_taken_back(record_id, versions)
            elif kept is not None:  # else it was being made: who makes it is told
                jobs.append(record_id)
        now = self._clock.now_ms()
        topics = {self._job_taken_back(job_id, records[job_id], now): None for job_id in jobs}
        for record_id, found in lost:
            if isinstance(found, TrailNote) and self.find(found.job_id) is not None:
                self._unwritten.setdefault(found.job_id, []).append((record_id, found))
        if self._unwritten:
            self.is_full = True
            self._write_at = self._monotonic_ms() + AGAIN_MS
            self.on_schedule()
        for topic in topics:
            if topic:
                self._pushed(topic)

    # Notes

    def _notes_taken_back(self, record_id: int, versions: Versions) -> None:
        found = self.store.notes(record_id, 1)
        kept = found[0] if found else None
        lost = versions[0] if versions[0] is not None else kept
        if lost is not None and not isinstance(lost, Job):
            self._note_taken_back(record_id, lost, kept)

    def _note_taken_back(self, record_id: int, lost: Note, kept: Note | None) -> None:
        """`kept` is what the disk has of the note, None = nothing."""
        if isinstance(lost, ScheduleNote):
            self.on_schedule_lost(record_id, lost, kept)
        elif isinstance(lost, KeyNote):
            if isinstance(kept, KeyNote):
                self.keys.note_is_there(kept, record_id)
            else:
                self.keys.note_is_gone(lost, record_id)

    # Jobs

    def _job_taken_back(self, job_id: int, versions: Versions, now: int) -> str:
        """The topic in whose line it stands again, if it does; empty = none."""
        kept = self.store.get(job_id)
        if kept is None:
            return ""
        facts = happened(kept.state, versions)
        if facts:
            self._unwritten.setdefault(job_id, []).extend((job_id, fact) for fact in facts)
        if facts and facts[-1].state in ENDED:
            self._ending[job_id] = None
        else:
            self._ending.pop(job_id, None)
        if len(facts) == len(versions):
            return ""  # memory is what is going to be on disk
        wanted = facts[-1] if facts else kept
        seen = [version for version in versions if isinstance(version, Job)]
        last = seen[-1] if seen else kept
        is_deleted = last.reason == Reason.DELETED
        if is_deleted:
            self.tally.enter(wanted.topic, wanted.state)
        else:
            self.tally.move(wanted.topic, last.state, wanted.state)
        if wanted.extra is not None:
            self.keys.forget(last)
            self.keys.restore(wanted, wanted.state in ENDED, now)
        stood = last.state == NEW and not is_deleted and self.queue.remove(last)
        if wanted.state == NEW:
            was_edited = not is_deleted and all(version.reason == Reason.EDITED for version in seen)
            return self._waits_again(wanted, now, stood or not was_edited)
        if wanted.state == ACTIVE:
            self._runs_on(wanted)
        else:
            self._has_ended(wanted)
        self._tell_report(wanted)
        return ""

    def _waits_again(self, job: Job, now: int, stands: bool) -> str:
        """`stands` is False for one that stood in no line before, although it could."""
        if job.extra is not None and job.extra.expires_at:
            self.schedule.add(job.extra.expires_at, job.job_id)
            self.on_schedule()
        waits = job.run_at > now
        if waits:
            self.schedule.add(job.run_at, job.job_id)
            self.on_schedule()
        self.live[job.job_id] = shown = job if waits or not job.run_at else replace(job, run_at=0)
        self.queue.show(shown)
        self._tell_report(shown)
        if waits or not stands:
            return ""
        if job.reason == Reason.PROMOTED:
            self.queue.push(shown, at_head=True)
        else:
            self.queue.put_back(shown)
        return job.topic

    def _runs_on(self, job: Job) -> None:
        """With the lease that is on disk, as after a restart, and all that is known of the attempt."""
        held = self.live[job.job_id]
        running = replace(job, extra=held.extra, max_attempts=held.max_attempts, backoff=held.backoff)
        self.live[job.job_id] = running
        self.queue.show(running)
        if job.lease_until and job.job_id in self._leases:
            self._lease(job.job_id, job.lease_until - job.at)

    def _has_ended(self, job: Job) -> None:
        if self.live.pop(job.job_id):
            self.queue.hide(job)

    # Writing again

    def _write_first(self, job_id: int) -> None:
        for record_id, found in self._unwritten.pop(job_id, ()):
            if not isinstance(found, Job):
                self.store.put(found, record_id)
                if self.on_append is not None:
                    self.on_append([found])
                continue
            self.store.append(found)
            if self.on_append is not None:
                self.on_append([found])
            if found.state in ENDED:
                if job_id in self._ending:
                    self._ending[job_id] = found
                commit = self.store.commit()
                if commit.done:
                    self._ended(found, commit.error)
                else:
                    self._landing_of(commit).ended.append(found)

    def write_again(self) -> None:
        """All that a full disk did not take and that has happened all the same."""
        for job_id in list(self._unwritten):
            self._write_first(job_id)
        commit = self.store.commit()
        self._write_at = self._monotonic_ms() + AGAIN_MS
        self._defer(commit, lambda: self._has_room(commit))

    def _has_room(self, commit: Committing) -> None:
        if commit.error is None and not self._unwritten:
            self.is_full = False
            for topic in self.tally.topics():
                if self.queue.length(topic):
                    self._pushed(topic)
