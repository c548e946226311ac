"""Schedules: what makes jobs again and again, as data that is kept in the store and steered while the server runs.

A run and the schedule's next moment are one batch: a crash makes a run neither twice nor never.
"""

from __future__ import annotations

import heapq
import logging
from typing import Final

from msgspec.structs import replace

from heroredis.extension import Committing
from jobs.errors import BadOption, JobRefused
from jobs.full_disk import AGAIN_MS
from jobs.notes import Note, ScheduleNote
from jobs.options import MAX_TOPIC_BYTES, JobOptions, check_topic
from jobs.steering import Steering
from jobs.timetable import SHORTEST_MS, Cron, Every, Timetable, check_start, zone_of

logger = logging.getLogger("heroredis.jobs")
MISSED: Final = ("skip", "once", "all")
ON_TIME_MS: Final = 60_000
"""A run that is at most so late is not missed."""
AT_ONCE: Final = 100
"""Jobs that are made before the loop does something else."""


def timetable_of(note: ScheduleNote) -> Timetable:
    if note.cron:
        return Cron(note.cron, note.timezone, note.start_at)
    return Every(note.every_ms, note.start_at)


def options_of(note: ScheduleNote, moment: int) -> JobOptions:
    """The options of the job that is made for a moment."""
    return JobOptions(
        priority=note.priority, retries=None if note.retries < 0 else note.retries, backoff=note.backoff,
        timeout_ms=note.timeout_ms, expire_ms=note.expire_ms, tags=note.tags, meta=note.meta, schedule=note.name,
        scheduled_for=moment,
    )


def _start_of(every_ms: int, held: ScheduleNote | None, now: int) -> int:
    """One interval from now, or as before where the interval is the same: a program that sets its schedules each time
    it starts does not put them off each time."""
    if held is not None and held.every_ms == every_ms and held.start_at <= now + every_ms:
        return held.start_at
    return now + every_ms


class Schedules:
    """The schedules over one manager, by name."""

    def __init__(self, manager: Steering) -> None:
        self._manager: Final = manager
        manager.on_schedule_lost = self.taken_back
        self._notes: Final[dict[str, ScheduleNote]] = {}
        self._records: Final[dict[str, int]] = {}
        self._timetables: Final[dict[str, Timetable]] = {}
        self._heap: Final[list[tuple[int, str]]] = []
        self._last_now = 0
        self._full_until = 0
        """A full disk did not take what a run has made: none is tried again before (Unix ms)."""

    # Steering

    def set(self, wanted: ScheduleNote, by: str) -> Committing:
        """Make a schedule, or replace the one of this name. Raises BadOption."""
        self._check(wanted)
        now = self._manager.now_ms()
        held = self._notes.get(wanted.name)
        if wanted.every_ms and not wanted.start_at:
            wanted = replace(wanted, start_at=_start_of(wanted.every_ms, held, now))
        timetable = timetable_of(wanted)
        note = replace(
            wanted, next_at=0 if wanted.paused else timetable.after(now), by=by, set_by=by, at=now,
            last_at=held.last_at if held else 0, last_job=held.last_job if held else 0, runs=held.runs if held else 0)
        self._timetables[note.name] = timetable
        return self._keep(note)

    def _check(self, note: ScheduleNote) -> None:
        check_topic(note.topic)
        if not note.name or len(note.name.encode("utf-8", "surrogateescape")) > MAX_TOPIC_BYTES:
            raise BadOption(f"a schedule's name has 1 to {MAX_TOPIC_BYTES} bytes")
        if note.cron and note.every_ms:
            raise BadOption("give CRON or EVERY, not both")
        if not note.cron and not note.every_ms:
            raise BadOption(f"give CRON or EVERY, an interval of at least {SHORTEST_MS} ms")
        zone_of(note.timezone)  # nothing depends on it beside EVERY, but a wrong one is a mistake
        check_start(note.start_at)
        if note.missed not in MISSED:
            raise BadOption(f"MISSED {note.missed!r} does not exist, give one of {', '.join(MISSED)}")
        options_of(note, 0).check()
        self._manager.limits.check_params(note.params)

    def pause(self, name: str, by: str) -> Committing:
        """No runs until `resume`; what would have run meanwhile is not made up for."""
        return self._keep(replace(self.need(name), paused=True, next_at=0, by=by, at=self._manager.now_ms()))

    def resume(self, name: str, by: str) -> Committing:
        note = self.need(name)
        if not note.paused:
            return self._manager.store.commit()
        now = self._manager.now_ms()
        timetable = self._timetables.get(name) or timetable_of(note)
        self._timetables[name] = timetable
        return self._keep(replace(note, paused=False, next_at=timetable.after(now), by=by, at=now))

    def delete(self, name: str, by: str) -> Committing:
        """The jobs that it has made stay."""
        note = self.need(name)
        store = self._manager.store
        store.begin()
        self._manager.put_note(replace(note, paused=True, next_at=0, by=by, at=self._manager.now_ms()),
                               self._records[name])
        store.remove(self._records.pop(name))
        self._timetables.pop(name, None)
        del self._notes[name]
        return store.end()

    def _keep(self, note: ScheduleNote) -> Committing:
        self._notes[note.name] = note
        self._records[note.name] = self._manager.put_note(note, self._records.get(note.name, 0))
        self._line_up(note)
        return self._manager.store.commit()

    def _line_up(self, note: ScheduleNote) -> None:
        if note.next_at and not note.paused:
            heapq.heappush(self._heap, (note.next_at, note.name))
            self._manager.on_schedule()

    # Looking

    def get(self, name: str) -> ScheduleNote | None:
        return self._notes.get(name)

    def need(self, name: str) -> ScheduleNote:
        note = self._notes.get(name)
        if note is None:
            raise BadOption(f"no schedule with the name {name!r}")
        return note

    def all(self) -> list[ScheduleNote]:
        return [self._notes[name] for name in sorted(self._notes)]

    # Time

    def restore(self, record_id: int, note: ScheduleNote) -> None:
        """At start."""
        if not note.set_by:
            note = replace(note, set_by=note.by)
        try:
            self._timetables[note.name] = timetable_of(note)
        except JobRefused as refused:  # its time zone is no longer known here
            logger.error("schedule %s is paused: %s", note.name, refused.text)
            note = replace(note, paused=True)
        self._notes[note.name] = note
        self._records[note.name] = record_id
        self._line_up(note)

    def records(self) -> list[int]:
        """Where they are kept."""
        return list(self._records.values())

    def taken_back(self, record_id: int, lost: ScheduleNote, kept: Note | None) -> None:
        """A full disk did not take the latest of a schedule."""
        if lost.by == "server":
            self._full_until = self._manager.now_ms() + AGAIN_MS
        if isinstance(kept, ScheduleNote):
            self.restore(record_id, kept)
        elif self._records.get(lost.name) == record_id:  # not another of this name that was to be deleted before
            del self._records[lost.name]
            self._timetables.pop(lost.name, None)
            del self._notes[lost.name]

    def next_at(self) -> int | None:
        return max(self._heap[0][0], self._full_until) if self._heap else None

    def due(self, now: int) -> bool:
        """Make the jobs whose moment has come. Whether there is more to do at once."""
        if now < self._last_now:
            self._clock_set_back(now)
            self._full_until = min(self._full_until, now + AGAIN_MS)
        self._last_now = now
        if now < self._full_until:
            return False
        left = AT_ONCE
        while left > 0 and self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            note = self._notes.get(name)
            if note is not None and note.next_at == at and not note.paused:
                left -= self._run(note, now) + 1
        return bool(self._heap) and self._heap[0][0] <= now

    def _run(self, note: ScheduleNote, now: int) -> int:
        """How many jobs were to be made."""
        moments, following = self._moments(note, now)
        manager = self._manager
        manager.store.begin()
        try:
            job_id = note.last_job
            for moment in moments:
                try:
                    job, _ = manager.create(note.topic, note.params, options_of(note, moment), f"schedule {note.name}")
                except JobRefused as refused:
                    logger.warning("schedule %s made no job: %s", note.name, refused.text)
                    continue
                except Exception:
                    # A program's middleware: the schedule goes on with its next moment.
                    logger.exception("schedule %s made no job", note.name)
                    continue
                job_id = job.job_id
            self._keep(replace(note, next_at=following, last_at=moments[-1] if moments else note.last_at,
                               last_job=job_id, runs=note.runs + len(moments), at=now, by="server"))
        finally:
            manager.store.end()
        return len(moments)

    def _moments(self, note: ScheduleNote, now: int) -> tuple[list[int], int]:
        """The moments to run for now, by the policy for missed ones, and the next one."""
        timetable = self._timetables[note.name]
        if note.missed == "all":
            moments = [note.next_at]
            while len(moments) < AT_ONCE and (following := timetable.after(moments[-1])) <= now:
                moments.append(following)
            return moments, timetable.after(moments[-1])
        latest = max(timetable.until(now), note.next_at)
        if note.missed == "skip" and now - latest > ON_TIME_MS:
            return [], timetable.after(now)
        return [latest], timetable.after(now)

    def _clock_set_back(self, now: int) -> None:
        """Intervals are about time that passes: after the wall clock was set back they do not wait it out."""
        for name, timetable in list(self._timetables.items()):
            note = self._notes[name]
            if not isinstance(timetable, Every):
                continue
            was_given = note.start_at != note.at + timetable.every_ms  # else it is one interval from when it was set
            has_begun = note.runs > 0 or note.start_at <= now or not was_given
            if has_begun and not note.paused and note.next_at - now > timetable.every_ms:
                start = now + timetable.every_ms
                self._timetables[name] = Every(timetable.every_ms, start)
                self._keep(replace(note, start_at=start, next_at=start, at=now, by="server"))
