"""Six deliberate bugs, each a store or a disk that is wrong in one way. They stand around the real ones, which know
nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from heroredis.extension import Committing
from jobs.job import Job
from jobs.notes import Note
from jobs.ourdb_store import OurDBStore
from jobs.promise import Promise
from jobs.states import ACTIVE, DONE, ENDED
from jobs.store import JobStore
from ourdb import OurDB
from ourdb.checksum import crc32
from ourdb.files import File
from ourdb.record import CRC, HEADER, HEADER_SIZE, SEGMENT_HEADER_SIZE, read_segment_head
from tests.crash.lossy_files import LossyFiles

SEGMENT: Final = 16 * 1024
"""Small, so that every round begins some new segments."""


class Passing(JobStore):
    """A JobStore that hands everything on."""

    def __init__(self, inner: JobStore) -> None:
        self.inner: Final = inner

    def next_id(self) -> int:
        return self.inner.next_id()

    def add(self, job: Job) -> None:
        self.inner.add(job)

    def add_all(self, jobs: list[Job]) -> None:
        self.inner.add_all(jobs)

    def append(self, job: Job) -> None:
        self.inner.append(job)

    def put(self, note: Note, record_id: int = 0) -> int:
        return self.inner.put(note, record_id)

    def remove(self, record_id: int) -> None:
        self.inner.remove(record_id)

    def begin(self) -> None:
        self.inner.begin()

    def end(self) -> Committing:
        return self.inner.end()

    def commit(self) -> Committing:
        return self.inner.commit()

    def taken_back(self) -> tuple[Committing, list[tuple[int, Job | Note | None]]]:
        return self.inner.taken_back()

    def get(self, job_id: int) -> Job | None:
        return self.inner.get(job_id)

    def history(self, job_id: int, depth: int) -> list[Job]:
        return self.inner.history(job_id, depth)

    def notes(self, record_id: int, depth: int) -> list[Note]:
        return self.inner.notes(record_id, depth)

    def newest(self) -> Iterator[Job]:
        return self.inner.newest()

    def records(self) -> Iterator[tuple[int, Job | Note]]:
        return self.inner.records()

    def last_lsn(self) -> int:
        return self.inner.last_lsn()

    def durable_lsn(self) -> int:
        return self.inner.durable_lsn()

    def changes(self, since: int) -> Iterator[tuple[int, int, int, Job | Note | None]]:
        return self.inner.changes(since)

    def close(self) -> None:
        self.inner.close()


class AnswersBeforeTheSync(Passing):
    """Every commit has ended as soon as it is asked for."""

    def commit(self) -> Committing:
        self.inner.commit()
        return Promise(True)


class UsesIdsAgain(Passing):
    """After a restart new jobs get the ids of those that have ended."""

    def __init__(self, inner: JobStore) -> None:
        super().__init__(inner)
        self._free: Final = [job.job_id for job in inner.newest() if job.state in ENDED]

    def next_id(self) -> int:
        return self._free[0] if self._free else self.inner.next_id()

    def add(self, job: Job) -> None:
        if job.job_id == self.inner.next_id():
            self.inner.add(job)
        else:
            self._free.remove(job.job_id)
            self.inner.append(job)

    def add_all(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.job_id in self._free:
                self._free.remove(job.job_id)
            self.inner.append(job)


class QueuesCompletedJobsAgain(Passing):
    """At the start a job that is done is taken for what it was before."""

    def records(self) -> Iterator[tuple[int, Job | Note]]:
        for record_id, found in self.inner.records():
            if isinstance(found, Job) and found.state == DONE:
                yield record_id, self.inner.history(record_id, 2)[1]
            else:
                yield record_id, found


class LosesLeases(Passing):
    """At the start a job that is leased to somebody is not seen."""

    def records(self) -> Iterator[tuple[int, Job | Note]]:
        for record_id, found in self.inner.records():
            if not isinstance(found, Job) or found.state != ACTIVE or not found.lease_until:
                yield record_id, found


class BelievesEverything(LossyFiles):
    """Reads records as if no CRC were there to be checked: a wrong one is put right when the segment is opened."""

    def open(self, name: str, *, write: bool = False, create: bool = False) -> File:
        path = self.folder / name
        if name.endswith(".db") and path.is_file() and not create:
            path.write_bytes(with_right_sums(path.read_bytes(), name))
        return super().open(name, write=write, create=create)


def with_right_sums(contents: bytes, name: str) -> bytes:
    whole = bytearray(contents)
    salt = read_segment_head(contents, int(name.partition(".")[0]), name)[0].salt
    for start, end in _records(contents):
        whole[start : start + 4] = CRC.pack(crc32(contents[start + 4 : end], salt))
    return bytes(whole)


class DropsTheLastRecord(LossyFiles):
    """The last record of a segment does not get into it when the next one is begun."""

    def open(self, name: str, *, write: bool = False, create: bool = False) -> File:
        if create and name.endswith(".db"):
            for before in sorted(self.folder.glob("*.db"))[-1:]:
                records = list(_records(before.read_bytes()))
                if records:
                    with open(before, "r+b") as file:
                        file.truncate(records[-1][0])
        return super().open(name, write=write, create=create)


def _records(contents: bytes) -> Iterator[tuple[int, int]]:
    """Where each record of a segment begins and ends."""
    start = SEGMENT_HEADER_SIZE
    while start + HEADER_SIZE <= len(contents):
        end = start + HEADER_SIZE + HEADER.unpack_from(contents, start)[4]
        if end > len(contents):
            return
        yield start, end
        start = end


def _sound(inner: JobStore) -> JobStore:
    return inner


STORES: Final[dict[str, Callable[[JobStore], JobStore]]] = {
    "ack before fsync": AnswersBeforeTheSync, "id reuse": UsesIdsAgain, "completed job queued again":
    QueuesCompletedJobsAgain, "lost lease": LosesLeases,
}
DISKS: Final[dict[str, type[LossyFiles]]] = {
    "no CRC": BelievesEverything, "last record dropped at rotation": DropsTheLastRecord,
}
BUGS: Final = (*STORES, *DISKS)


def open_store(folder: Path, bug: str, sync_s: float) -> JobStore:
    """The job store of a server that has this bug ("" = none) and whose disk loses what is not synced."""
    files = DISKS.get(bug, LossyFiles)(folder, sync_s)
    return STORES.get(bug, _sound)(OurDBStore(OurDB(folder, files=files, segment_size=SEGMENT)))
