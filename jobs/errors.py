"""What the job system refuses, each with the first word of its Redis error. A refusal changes nothing."""

from __future__ import annotations

from heroredis.extension import Committing, JobNotFound, JobRefused

__all__ = ["BadOption", "BadState", "InvalidParams", "JobNotFound", "JobRefused", "NotStored", "Refused", "StaleToken",
           "TooOld"]


class BadOption(JobRefused):
    """An argument that cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__("ERR", message)


class BadState(JobRefused):
    """The job's state does not allow it."""

    def __init__(self, job_id: int, state: str, wanted: str) -> None:
        super().__init__("BADSTATE", f"job {job_id} is {state}, it cannot be {wanted}")


class StaleToken(JobRefused):
    """The attempt that the token stands for is over."""

    def __init__(self, job_id: int, why: str = "") -> None:
        super().__init__("STALE", f"token of job {job_id} is no longer valid" + (f": {why}" if why else ""))


class Refused(JobRefused):
    """A rule or a limit forbids it."""

    def __init__(self, message: str) -> None:
        super().__init__("REFUSED", message)


class NotStored(JobRefused):
    """The disk failed: whether it was kept is unknown."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("IOERR", str(cause))


class TooOld(JobRefused):
    """The events behind a cursor are gone."""

    def __init__(self, message: str) -> None:
        super().__init__("TOOOLD", message)


class InvalidParams(ValueError):
    """The params of a job are not what its handler reads."""


def no_job(job_id: int) -> JobNotFound:
    return JobNotFound(f"no job with id {job_id}")


def stored(commit: Committing) -> None:
    """NotStored when the commit failed."""
    if commit.error is not None:
        raise NotStored(commit.error)
