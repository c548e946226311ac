"""What a start does: the working set made anew from the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobs.handover import FORMAT, Handover
from jobs.job import Job, replace
from jobs.lifecycle import Lifecycle
from jobs.notes import Note
from jobs.states import ACTIVE, NEW, Reason
from jobs.store import Ended

LINE: Final = 1 << 48
"""A place in a line as one number: twice the priority (and one for who was not promoted), times this, and the id."""


class Recovery(Lifecycle):
    """Jobs that wait rest in the store until their turn comes: a long line costs little memory."""

    def recover(self, handover: Handover | None = None) -> int:
        """Rebuild the working set from the store: new jobs stand in line again, active ones return. How many live. What
        the last stop handed over saves looking at what has ended."""
        now = self._clock.now_ms()
        interrupted: list[int] = []
        lines: dict[str, list[int]] = {}
        for record_id, found in self._to_recover(handover, now):
            if not isinstance(found, Job):
                self._recover_note(record_id, found)
            elif found.state == NEW:
                self._recover_waiting(found, now, lines)
            elif self._recover_active(found, now):
                interrupted.append(record_id)
        for topic, places in lines.items():
            places.sort()
            self.queue.restore(topic, [place % LINE for place in places])
            self._pushed(topic)
        for job_id in reversed(interrupted):
            job = self.live[job_id]
            self._give_back(job, "server", Reason.RETURNED, job.token.startswith("e"))
        for record_id in self.keys.sweep(now):
            self.store.remove(record_id)
        self.store.commit()
        return len(self.live)

    def _to_recover(self, handover: Handover | None, now: int) -> Iterator[tuple[int, Job | Note]]:
        if handover is None:
            ended: Ended = lambda topic, state, number, job: self._recover_end(topic, state, number, job, now)  # noqa: E731
            return self.store.unfinished(ended)
        for topic, done, error in handover.ended:
            self.tally.restore(topic, done, error)
        self.keys.take_over(handover.unique, handover.same, now)
        return self.store.of(handover.kept)

    def hand_over(self, mark: bytes) -> Handover:
        """For the next start, when nothing changes any more; `mark` names the end of the store."""
        ended = [(topic, counts.done, counts.error) for topic, counts in self.tally.topics().items()]
        kept = sorted({*self.live.ids(), *self._notes_to_keep()})
        return Handover(FORMAT, mark, [one for one in ended if one[1] or one[2]], kept, self.keys.unique(),
                        self.keys.same())

    def _notes_to_keep(self) -> list[int]:
        """The records of notes that a start has to read."""
        return self.keys.notes() + [job.more.trail for job in self.live.awake() if job.more.trail]

    def _recover_end(self, topic: str, state: str, number: int, job: Job | None, now: int) -> None:
        """`job` is given where it carries keys."""
        self.tally.enter(topic, state, number)
        if job is not None:
            self.keys.restore(job, True, now)

    def _recover_waiting(self, job: Job, now: int, lines: dict[str, list[int]]) -> None:
        """It rests in the store until its turn comes. `lines` gets priority and id of those that stand in line."""
        self.tally.enter(job.topic, NEW)
        if job.extra is not None:
            self.keys.restore(job, False, now)
            if job.extra.expires_at:
                self.schedule.add(job.extra.expires_at, job.job_id)
        if job.run_at > now:
            self.schedule.add(job.run_at, job.job_id)
        else:
            line = lines.get(job.topic)
            if line is None:
                line = lines[job.topic] = []
            line.append((2 * job.priority + (job.reason != Reason.PROMOTED)) * LINE + job.job_id)
        if 0 < job.run_at <= now:  # a job that stands in line waits for no time, wherever the clock is set
            if self.is_counting:
                self.metrics.could_begin(job, max(job.run_at, job.created_at))
            self.live[job.job_id] = replace(job, run_at=0)
            self.queue.show(self.live[job.job_id])
        else:
            self.live.rest(job.job_id)
            self.queue.show_resting(job)

    def _recover_active(self, job: Job, now: int) -> bool:
        """Whether it was running for somebody who is gone."""
        self.tally.enter(job.topic, ACTIVE)
        if job.extra is not None:
            self.keys.restore(job, False, now)
        self.live[job.job_id] = job
        if not job.lease_until:
            return True
        # Heartbeats are not on disk: the worker gets the time of its lease once more.
        self.queue.show(job)
        self._lease(job.job_id, job.lease_until - job.at)
        return False

    def _recover_note(self, record_id: int, note: Note) -> None:
        """What is kept beside jobs is the business of the classes above."""
