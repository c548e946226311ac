"""The file in which the totals of the metrics go on over a restart, and over a crash.

It names the last record of the log that is counted in it: what the log holds beyond that is counted again at the next
start, so that a server that was killed has forgotten nothing and counts nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from jobs.accounting import ENOUGH
from jobs.errors import JobRefused, TooOld
from jobs.job import Job
from jobs.manager import JobManager
from jobs.metrics import Metrics
from jobs.search import SLICE
from jobs.states import ACTIVE, ENDED, NEW, Reason

logger = logging.getLogger("heroredis.jobs")
PORTION: Final = 2000
"""Records of the log that are counted before the loop has its turn."""


class Recount:
    """Totals from the versions that the log holds, in its order."""

    def __init__(self) -> None:
        self.metrics: Final = Metrics()
        self.unsure: Final[list[Job]] = []
        """Starts whose jobs waited from before what was looked at: their history tells for how long."""
        self._ready: Final[dict[int, int]] = {}
        """Since when jobs that have not ended could begin; -1 = they have begun before."""

    def add(self, job: Job) -> None:
        self.metrics.on_job(job)
        if job.state == NEW and (job.version == 1 or job.job_id in self._ready):
            self._ready[job.job_id] = ready_at(job, self._ready.get(job.job_id, job.created_at))
        elif job.state == ACTIVE and not job.reason:
            ready = self._ready.get(job.job_id)
            if ready is None:
                if job.attempts == 1:
                    self.unsure.append(job)
            elif ready >= 0:
                self.metrics.waited(job.topic, job.started_at - ready)
            self._ready[job.job_id] = -1
        elif job.state in ENDED:
            self._ready.pop(job.job_id, None)

    def add_history(self, versions: Sequence[Job], started: Job) -> None:
        """A start that `unsure` names, with the versions of its job, newest first."""
        ready = started.created_at
        for job in reversed(versions):
            if job.version >= started.version:
                break
            ready = ready_at(job, ready)
        if ready >= 0:
            self.metrics.waited(started.topic, started.started_at - ready)


def ready_at(job: Job, before: int) -> int:
    """Since when a job could begin, by a version of it and what was known before; -1 = it has begun once."""
    if job.started_at:
        return -1
    if job.run_at:
        return max(job.run_at, job.created_at)
    if job.reason == Reason.PROMOTED:
        return min(before, job.at)
    return job.at if job.reason == Reason.REQUEUED else before


class Totals:
    """`restore` before the manager begins to count, `recount` then."""

    def __init__(self, manager: JobManager, path: Path) -> None:
        self.is_stopping = False
        self._manager: Final = manager
        self._path: Final = path
        self._reached = 0
        """Up to this record the log is counted."""
        self._end = 0
        """What comes behind this record is told to the metrics anyhow."""
        self._to_be_told: frozenset[tuple[int, int]] = frozenset()

    def restore(self) -> None:
        """Take what the file says. Whatever changes from now on has to be told to the manager's metrics."""
        store = self._manager.store
        self._reached = self._end = store.last_lsn()
        self._to_be_told = frozenset((job.job_id, job.version) for job in self._manager.untold())
        if not self._path.exists():
            return
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=dict[str, object])
            self._manager.metrics.restore(kept)
        except (OSError, ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
            logger.warning("the totals of %s cannot be read, counting begins anew: %s", self._path, error)
            return
        reached = kept.get("lsn")
        if isinstance(reached, int) and 0 <= reached < self._end:
            self._reached = reached

    async def recount(self) -> bool:
        """Count what was not in the file any more; whether all of it is counted."""
        if self._reached == self._end:
            return True
        found = Recount()
        try:
            await self._manager.flushed()
            while self._reached < self._end:
                if self.is_stopping:
                    return False
                await asyncio.to_thread(self._count, found)
        except TooOld as gone:
            logger.warning("what happened before the server was killed is not in the totals: %s", gone.text)
        except JobRefused as refused:
            logger.warning("the totals lack what happened before the server was killed: %s", refused.text)
            return False
        for number, job in enumerate(found.unsure, 1):
            found.add_history(self._manager.history(job.job_id, ENOUGH), job)
            if number % SLICE == 0:
                await asyncio.sleep(0)
                if self.is_stopping:
                    return False
        self._manager.metrics.merge(found.metrics)
        return True

    def _count(self, found: Recount) -> None:
        """A portion; on another thread."""
        last = self._reached
        for number, _, _, one in islice(self._manager.store.changes(last), PORTION):
            if number > self._end:
                last = self._end
                break
            last = number
            if isinstance(one, Job) and (one.job_id, one.version) not in self._to_be_told:
                found.add(one)
        self._reached = self._end if last == self._reached else last  # behind these are only records that are gone

    async def save(self) -> None:
        """A few kilobytes. Written once all that is counted in them is on disk."""
        manager = self._manager
        reached = manager.store.last_lsn()
        kept = manager.metrics.kept(manager.untold())
        try:
            await manager.flushed()
            await asyncio.to_thread(_write, self._path, msgspec.json.encode({**kept, "lsn": reached}))
        except (OSError, JobRefused) as error:
            logger.warning("the totals could not be kept: %s", error)


def _write(path: Path, data: bytes) -> None:
    """In the place of the old file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
