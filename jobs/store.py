"""Where jobs are kept: every version of every job, in order, on disk when a commit has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from heroredis.extension import Committing
from jobs.job import Job


class JobStore(Protocol):
    """Appends are seen by `get` at once and are durable when the commit that covers them is done."""

    def next_id(self) -> int:
        """The id that the next new job gets; ids are never used twice."""
        ...

    def add(self, job: Job) -> None:
        """Append the first version of a job whose id is `next_id()`."""
        ...

    def add_all(self, jobs: list[Job]) -> None:
        """Append several new jobs: after a crash all of them are there, or none."""
        ...

    def append(self, job: Job) -> None:
        """Append a later version."""
        ...

    def commit(self) -> Committing: ...

    def get(self, job_id: int) -> Job | None:
        """The newest version; None when there is no such job."""
        ...

    def history(self, job_id: int, depth: int) -> list[Job]:
        """Versions, newest first."""
        ...

    def newest(self) -> Iterator[Job]:
        """The newest version of every job, in the order of ids."""
        ...

    def close(self) -> None: ...
