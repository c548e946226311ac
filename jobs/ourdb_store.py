"""Jobs in OurDB: one record per version. Damaged records are reported and stepped over, never served."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from heroredis.extension import Committing
from jobs.job import Job, decode, encode
from ourdb import CorruptRecord, NotFound, OurDB

logger = logging.getLogger("heroredis.jobs")


class OurDBStore:
    """A JobStore over an open OurDB, which it closes."""

    def __init__(self, db: OurDB) -> None:
        self.db: Final = db

    def next_id(self) -> int:
        return self.db.next_id

    def add(self, job: Job) -> None:
        given = self.db.append(encode(job))
        if given != job.job_id:
            raise RuntimeError(f"the store gave id {given} to job {job.job_id}")

    def add_all(self, jobs: list[Job]) -> None:
        self.db.append_batch([(encode(job), 0) for job in jobs])

    def append(self, job: Job) -> None:
        self.db.append(encode(job), job.job_id)

    def commit(self) -> Committing:
        return self.db.commit()

    def get(self, job_id: int) -> Job | None:
        try:
            return decode(self.db.get(job_id))
        except NotFound:
            return None
        except (CorruptRecord, ValueError) as error:
            logger.error("job %d cannot be read: %s", job_id, error)
            return None

    def history(self, job_id: int, depth: int) -> list[Job]:
        try:
            versions = self.db.get_history(job_id, depth)
        except NotFound:
            return []
        return [decode(version.data) for version in versions if version.data is not None]

    def newest(self) -> Iterator[Job]:
        for job_id in self.db.ids():
            job = self.get(job_id)
            if job is not None:
                yield job

    def close(self) -> None:
        self.db.close()
