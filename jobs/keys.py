"""Unique keys (per topic) and idempotency keys (of the whole system), each with the job that holds it.

Rebuilt from the jobs and notes of the store at start; it changes no job.
"""

from __future__ import annotations

import heapq
from typing import Final

from jobs.job import Job
from jobs.notes import KeyNote


class Holder:
    """Who holds a key until when (Unix ms, 0 = while the job is new or active): a job, or `count` jobs that were made
    together and have successive ids, of which `job_id` is the first."""

    def __init__(self, job_id: int, until: int, topic: str, note: int = 0, count: int = 1) -> None:
        self.job_id: Final = job_id
        self.until: Final = until
        self.topic: Final = topic
        self.note: Final = note
        """The record that keeps the key of a deleted job."""
        self.count: Final = count


class Keys:
    """Both kinds of keys; a key that is over is forgotten when it is looked for, or by `sweep`."""

    def __init__(self) -> None:
        self._unique: Final[dict[tuple[str, bytes], Holder]] = {}
        self._same: Final[dict[bytes, Holder]] = {}
        self._ends: Final[list[tuple[int, bytes]]] = []
        self._unique_ends: Final[list[tuple[int, str, bytes, int]]] = []
        """Until when deleted jobs keep unique keys: topic, key, and the record that keeps it."""
        self._notes: Final[dict[int, int]] = {}
        """Deleted jobs whose keys are kept, with the records that keep them."""
        self._over: Final[list[int]] = []
        """Records that keep keys no longer: `sweep` hands them out."""

    def holder(self, topic: str, key: bytes, now: int) -> int:
        """The job that holds a unique key of a topic, 0 = nobody."""
        held = self._unique.get((topic, key))
        if held is None:
            return 0
        if 0 < held.until <= now:
            del self._unique[topic, key]
            return 0
        return held.job_id

    def earlier(self, key: bytes, now: int) -> Holder | None:
        """The job that was made with an idempotency key."""
        self._forget_some(now)
        held = self._same.get(key)
        return held if held is not None and held.until > now else None

    def _forget_some(self, now: int) -> None:
        """Two at a time, so that more go than come."""
        for _ in range(2):
            if not self._ends or self._ends[0][0] > now:
                return
            self._forget_next(now)

    def _forget_next(self, now: int) -> None:
        key = heapq.heappop(self._ends)[1]
        held = self._same.get(key)
        if held is not None and held.until <= now:
            del self._same[key]
            self._drop_note(held)

    def _drop_note(self, held: Holder) -> None:
        """Nobody needs the record of a key any more, if it has one."""
        if held.note:
            self._over.append(held.note)
            self._notes.pop(held.job_id, None)

    def take(self, job: Job) -> None:
        """A job was made or is live again: it holds its keys."""
        more = job.more
        if more.unique:
            self._unique[job.topic, more.unique] = Holder(job.job_id, more.unique_until, job.topic)
        held = self._same.get(more.idempotency)
        if more.idempotency and (held is None or held.until <= job.at):  # one that is over may not be forgotten yet
            self.keep(more.idempotency, Holder(job.job_id, more.idempotency_until, job.topic, 0, more.batch or 1))

    def keep_note(self, note: KeyNote, record_id: int) -> None:
        """The holder is deleted, its key is kept by a note."""
        holder = Holder(note.job_id, note.until, note.topic, record_id, note.count)
        if note.is_unique:
            held = self._unique.get((note.topic, note.key))
            if held is None or 0 < held.until < note.until:
                self._unique[note.topic, note.key] = holder
            heapq.heappush(self._unique_ends, (note.until, note.topic, note.key, record_id))
        else:
            self.keep(note.key, holder)

    def note_is_gone(self, note: KeyNote, record_id: int) -> None:
        """A full disk did not take the note: its job is not deleted either, and holds its keys again."""
        held = self._unique.get((note.topic, note.key)) if note.is_unique else self._same.get(note.key)
        if held is not None and held.note == record_id:
            if note.is_unique:
                del self._unique[note.topic, note.key]
            else:
                del self._same[note.key]
        if self._notes.get(note.job_id) == record_id:
            del self._notes[note.job_id]
        ends = [end for end in self._unique_ends if end[3] != record_id]
        if len(ends) < len(self._unique_ends):
            self._unique_ends[:] = ends
            heapq.heapify(self._unique_ends)

    def note_is_there(self, note: KeyNote, record_id: int) -> None:
        """A full disk did not take its end. Whoever holds the key now goes on to."""
        held = self._unique.get((note.topic, note.key)) if note.is_unique else self._same.get(note.key)
        if held is None:
            self.keep_note(note, record_id)
        elif held.note != record_id:
            self._over.append(record_id)

    def keep(self, key: bytes, holder: Holder) -> None:
        """Of two that a start finds, in any order, the one who holds it longer: the other's time was over before."""
        held = self._same.get(key)
        if held is not None and held.until > holder.until:
            self._drop_note(holder)
            return
        if held is not None and held.until < holder.until:
            self._drop_note(held)
        self._same[key] = holder
        if holder.note:
            self._notes[holder.job_id] = holder.note
        heapq.heappush(self._ends, (holder.until, key))

    def note_of(self, job_id: int) -> int:
        """The record that keeps the key of a deleted job, 0 = none does."""
        return self._notes.get(job_id, 0)

    def ended(self, job: Job) -> None:
        """A job has ended: its unique key is free, unless it has a time of its own."""
        more = job.more
        if more.unique and not more.unique_until:
            self._release(job)

    def forget(self, job: Job) -> None:
        """A job never came to be: none of its keys is held."""
        more = job.more
        if more.unique:
            self._release(job)
        held = self._same.get(more.idempotency)
        if held is not None and held.job_id == job.job_id:
            del self._same[more.idempotency]

    def _release(self, job: Job) -> None:
        name = (job.topic, job.more.unique)
        held = self._unique.get(name)
        if held is not None and held.job_id == job.job_id:
            del self._unique[name]

    def restore(self, job: Job, ended: bool, now: int) -> None:
        """At start: the keys that a job still holds."""
        more = job.more
        if more.unique and (more.unique_until > now or not (more.unique_until or ended)):
            self._unique[job.topic, more.unique] = Holder(job.job_id, more.unique_until, job.topic)
        if more.idempotency_until > now:
            self.keep(more.idempotency, Holder(job.job_id, more.idempotency_until, job.topic, 0, more.batch or 1))

    def notes(self) -> list[int]:
        """The records that keep keys, or that nobody has swept away yet."""
        return [*self._notes.values(), *self._over, *(note for _, _, _, note in self._unique_ends)]

    def unique(self) -> list[tuple[str, bytes, int, int]]:
        """Topic, key, job, until when."""
        return [(topic, key, held.job_id, held.until) for (topic, key), held in self._unique.items()]

    def same(self) -> list[tuple[bytes, int, int, str, int, int]]:
        """Idempotency key, job, until when, topic, record of the key, jobs made under it."""
        return [(key, held.job_id, held.until, held.topic, held.note, held.count) for key, held in self._same.items()]

    def take_over(self, unique: list[tuple[str, bytes, int, int]],
                  same: list[tuple[bytes, int, int, str, int, int]], now: int) -> None:
        """At start: the same again, without what is over."""
        for topic, key, job_id, until in unique:
            if until == 0 or until > now:
                self._unique[topic, key] = Holder(job_id, until, topic)
        for key, job_id, until, topic, note, count in same:
            if until > now:
                self.keep(key, Holder(job_id, until, topic, note, count))

    def sweep(self, now: int) -> list[int]:
        """Forget the keys whose time is over; the notes that nobody needs any more."""
        while self._unique_ends and self._unique_ends[0][0] <= now:
            _, topic, name, note = heapq.heappop(self._unique_ends)
            self.holder(topic, name, now)
            self._over.append(note)
        while self._ends and self._ends[0][0] <= now:
            self._forget_next(now)
        notes = list(self._over)
        self._over.clear()
        return notes
