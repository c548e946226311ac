"""Where waiting jobs stand in line, and where live jobs are shown. It changes no state of a job."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from jobs.job import Job


@mypyc_attr(allow_interpreted_subclasses=True)
class JobQueue:
    """One line per topic, lower priority numbers first, within one priority first in first out."""

    def push(self, job: Job, *, at_head: bool = False) -> None:
        """Put a job in line; `at_head` = before all others of its priority."""
        raise NotImplementedError

    def put_back(self, job: Job) -> None:
        """Put a job in line where its id belongs: before the later ones of its priority."""
        raise NotImplementedError

    def restore(self, topic: str, job_ids: list[int]) -> None:
        """At a start: these stand in line, in this order."""
        raise NotImplementedError

    def pop(self, topic: str) -> int | None:
        """The id of the next job of a topic."""
        raise NotImplementedError

    def remove(self, job: Job) -> bool:
        """Take a job out of the line; whether it stood there."""
        raise NotImplementedError

    def clear(self, topic: str) -> None:
        """Take all jobs of a topic out of the line."""
        raise NotImplementedError

    def length(self, topic: str) -> int:
        raise NotImplementedError

    def waiting(self, topic: str) -> list[int]:
        """The ids in line, next first."""
        raise NotImplementedError

    def show(self, job: Job) -> None:
        """A live job (new or active) was made or has changed."""
        raise NotImplementedError

    def show_resting(self, job: Job) -> None:
        """The same for a job that only waits and is in the store: it need not be held."""
        raise NotImplementedError

    def hide(self, job: Job) -> None:
        """A job has ended."""
        raise NotImplementedError
