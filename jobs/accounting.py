"""What a job's attempts have cost, worked out from its history when somebody asks: nothing of it is kept twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from jobs.job import Job
from jobs.states import ACTIVE, ERROR, NEW, Reason

ENOUGH: Final = 32
"""Versions that are looked at for one job; an attempt that has more of them is accounted from what is there."""


class Accounting(NamedTuple):
    """Of the latest attempt that has begun, as far as it is known; durations in ms, the processor's time in µs, memory
    in bytes. `queue_wait_ms`: from the moment at which it could begin."""

    queue_wait_ms: int | None = None
    wall_ms: int | None = None
    cpu_us: int | None = None
    max_rss: int | None = None


NOTHING: Final = Accounting()


def accounted(versions: Iterable[Job]) -> list[Accounting]:
    """For each version of a job, oldest first, what was known then."""
    known = NOTHING
    before: Job | None = None
    ready_at: int | None = None
    rows: list[Accounting] = []
    for job in versions:
        was = "" if before is None else before.state
        if job.state == NEW:
            if was != NEW:
                ready_at = job.at if before is not None or job.version == 1 else None
            if job.run_at:
                ready_at = max(job.at, job.run_at)
            elif job.reason == Reason.PROMOTED and ready_at is not None:
                ready_at = min(ready_at, job.at)
        if job.state == ACTIVE and was == NEW:
            known = NOTHING if ready_at is None else Accounting(max(0, job.at - ready_at))
        elif job.state != ACTIVE and was == ACTIVE and before is not None:
            known = known._replace(wall_ms=max(0, job.at - before.started_at))
            if job.more.max_rss or job.more.cpu_us:
                known = known._replace(cpu_us=job.more.cpu_us, max_rss=job.more.max_rss)
        rows.append(known)
        before = job
    return rows


def accounted_newest_first(versions: list[Job]) -> list[Accounting]:
    rows = accounted(reversed(versions))
    rows.reverse()
    return rows


def failed_attempts(versions: list[Job]) -> list[Job]:
    """Of the versions of a job, newest first, those with which attempts have failed, oldest first."""
    found: list[Job] = []
    for job in reversed(versions):
        if job.reason != Reason.RETRY and (job.state != ERROR or job.reason == Reason.DELETED):
            continue
        if not found or found[-1].started_at != job.started_at or found[-1].error != job.error:
            found.append(job)
    return found
