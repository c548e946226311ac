"""Where jobs are kept: every version of every job, in order, on disk when a commit has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mypy_extensions import mypyc_attr

from heroredis.extension import Committing
from jobs.job import Job
from jobs.notes import Note
from jobs.promise import Promise
from jobs.states import ENDED

Ended = Callable[[str, str, int, Job | None], None]
"""Topic and state, of how many jobs, and the job itself where it has extra facts."""


@mypyc_attr(allow_interpreted_subclasses=True)
class JobStore:
    """Appends are seen by `get` at once and are durable when the commit that covers them is done.

    Jobs and notes share one line of record ids and one log, so that a batch may hold both.
    """

    def next_id(self) -> int:
        """The id that the next new job or note gets; ids are never used twice."""
        raise NotImplementedError

    def add(self, job: Job) -> None:
        """Append the first version of a job whose id is `next_id()`."""
        raise NotImplementedError

    def add_all(self, jobs: list[Job]) -> None:
        """Append several new jobs: after a crash all of them are there, or none."""
        raise NotImplementedError

    def append(self, job: Job) -> None:
        """Append a later version."""
        raise NotImplementedError

    def put(self, note: Note, record_id: int = 0) -> int:
        """Append a note, new (0) or as the next version of a record; its record id."""
        raise NotImplementedError

    def remove(self, record_id: int) -> None:
        """Append the end of a job or note: it is no longer found, its history stays."""
        raise NotImplementedError

    def begin(self) -> None:
        """Until `end` everything appended belongs together: after a crash all of it is there, or nothing."""
        raise NotImplementedError

    def end(self) -> Committing:
        """Close what `begin` opened; the commit that covers it."""
        raise NotImplementedError

    def in_batch(self) -> bool:
        """Whether `begin` was called, and not yet `end`."""
        raise NotImplementedError

    def commit(self) -> Committing:
        raise NotImplementedError

    def taken_back(self) -> tuple[Committing, list[tuple[int, Job | Note | None]]]:
        """What a full disk took back since this was asked last: record ids with job, note or None for an end, in their
        order. And what ends when it takes something back again: until this is asked then, all that is appended is
        taken back as well."""
        return Promise(), []

    def get(self, job_id: int) -> Job | None:
        """The newest version; None when there is no such job."""
        raise NotImplementedError

    def history(self, job_id: int, depth: int) -> list[Job]:
        """Versions, newest first."""
        raise NotImplementedError

    def notes(self, record_id: int, depth: int) -> list[Note]:
        """Versions of a note, newest first."""
        raise NotImplementedError

    def newest(self) -> Iterator[Job]:
        """The newest version of every job, in the order of ids."""
        raise NotImplementedError

    def records(self) -> Iterator[tuple[int, Job | Note]]:
        """The newest version of every job and note, in the order of ids."""
        raise NotImplementedError

    def unfinished(self, ended: Ended) -> Iterator[tuple[int, Job | Note]]:
        """What a start needs: `ended` is told of every job that has ended, in no order; the newest version of all other
        jobs and of the notes comes in the order of ids."""
        for record_id, found in self.records():
            if isinstance(found, Job) and found.state in ENDED:
                ended(found.topic, found.state, 1, None if found.extra is None else found)
            else:
                yield record_id, found

    def of(self, record_ids: list[int]) -> Iterator[tuple[int, Job | Note]]:
        """The newest versions of these jobs and notes, in this order, of those that are there."""
        found = dict(self.records())
        for record_id in record_ids:
            if record_id in found:
                yield record_id, found[record_id]

    def last_lsn(self) -> int:
        """The sequence number of the newest record; each record has the next one."""
        raise NotImplementedError

    def durable_lsn(self) -> int:
        """Records up to this number are on disk."""
        raise NotImplementedError

    def changes(self, since: int) -> Iterator[tuple[int, int, int, Job | Note | None]]:
        """What is on disk with sequence numbers above `since`, in order: (number, record id, Unix ms, job, note or
        None for an end). May be read on another thread. Raises TooOld."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
