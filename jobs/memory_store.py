"""Jobs in memory: the double of OurDBStore for tests, with the same promises except the disk."""

from __future__ import annotations

from collections.abc import Iterator

from heroredis.extension import Committing
from jobs.job import Job, decode, encode
from jobs.notes import KeyNote, Note, decode_note, encode_note, is_note
from jobs.promise import Promise
from jobs.store import JobStore
from ourdb import StoreFull


class MemoryStore(JobStore):
    """`held` = True keeps commits open until `release`, as a slow disk does."""

    def __init__(self, held: bool = False) -> None:
        self._held = held
        self._open: Promise | None = None
        self._versions: dict[int, list[bytes | None]] = {}
        self._log: list[tuple[int, bytes | None]] = []
        self._durable = 0
        self._depth = 0
        self._promise: Promise | None = None
        self._next = 1
        self._watch: Promise | None = None
        self._lost: list[tuple[int, bytes | None]] = []

    def next_id(self) -> int:
        return self._next

    def _keep(self, record: bytes | None, record_id: int) -> int:
        found = record_id or self._next
        self._next = max(self._next, found + 1)
        self._versions.setdefault(found, []).append(record)
        self._log.append((found, record))
        return found

    def add(self, job: Job) -> None:
        self._keep(encode(job), job.job_id)

    def add_all(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.add(job)

    def append(self, job: Job) -> None:
        if job.job_id not in self._versions:
            raise KeyError(job.job_id)
        self._keep(encode(job), job.job_id)

    def put(self, note: Note, record_id: int = 0) -> int:
        return self._keep(encode_note(note), record_id)

    def remove(self, record_id: int) -> None:
        if self._newest(record_id) is None:
            raise KeyError(record_id)
        self._keep(None, record_id)

    def begin(self) -> None:
        self._depth += 1

    def end(self) -> Committing:
        self._depth -= 1
        if self._depth:
            return self.commit()
        promise, self._promise = self._promise, None
        commit = self.commit()
        if promise is not None:
            commit.add_callback(lambda ended: promise.finish(ended.error))
        return commit

    def in_batch(self) -> bool:
        return self._depth > 0

    def commit(self) -> Committing:
        if self._depth:
            self._promise = self._promise or Promise()
            return self._promise
        if not self._held:
            self._durable = len(self._log)
            return Promise(True)
        if self._open is None:
            self._open = Promise(False)
        return self._open

    def release(self, error: BaseException | None = None) -> None:
        """End the open commit."""
        commit, self._open = self._open, None
        self._durable = len(self._log)
        if commit is not None:
            commit.finish(error)

    def crash(self) -> None:
        """Lose what no commit has covered, as the power does."""
        self._open = None
        self._watch = None
        self._drop()
        self._next = max(self._versions, default=0) + 1

    def _drop(self) -> None:
        for record_id, _ in reversed(self._log[self._durable :]):
            versions = self._versions[record_id]
            versions.pop()
            if not versions:
                del self._versions[record_id]
        del self._log[self._durable :]

    def fill_up(self) -> None:
        """The disk is full: what no commit has covered is taken back."""
        commit, self._open = self._open, None
        self._lost += self._log[self._durable :]
        self._drop()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.finish()
        if commit is not None:
            commit.finish(StoreFull("the disk is full, nothing of the batch was kept"))

    def taken_back(self) -> tuple[Committing, list[tuple[int, Job | Note | None]]]:
        self._watch = Promise()
        lost, self._lost = self._lost, []
        return self._watch, [(record_id, None if data is None else _decoded(data)) for record_id, data in lost]

    def get(self, job_id: int) -> Job | None:
        found = self._newest(job_id)
        return found if isinstance(found, Job) else None

    def _newest(self, record_id: int) -> Job | Note | None:
        versions = self._versions.get(record_id)
        return _decoded(versions[-1]) if versions else None

    def _history(self, record_id: int, depth: int) -> list[Job | Note]:
        found = [_decoded(record) for record in reversed(self._versions.get(record_id, []))]
        return [one for one in found if one is not None][:depth]

    def history(self, job_id: int, depth: int) -> list[Job]:
        return [job for job in self._history(job_id, depth) if isinstance(job, Job)]

    def notes(self, record_id: int, depth: int) -> list[Note]:
        return [note for note in self._history(record_id, depth) if not isinstance(note, Job)]

    def newest(self) -> Iterator[Job]:
        for _, found in self.records():
            if isinstance(found, Job):
                yield found

    def records(self) -> Iterator[tuple[int, Job | Note]]:
        for record_id in sorted(self._versions):
            found = self._newest(record_id)
            if found is not None:
                yield record_id, found

    def last_lsn(self) -> int:
        return len(self._log)

    def durable_lsn(self) -> int:
        return self._durable

    def changes(self, since: int) -> Iterator[tuple[int, int, int, Job | Note | None]]:
        for at in range(since, self._durable):
            record_id, record = self._log[at]
            found = _decoded(record)
            yield at + 1, record_id, 0 if found is None or isinstance(found, KeyNote) else found.at, found

    def close(self) -> None:
        return None


def _decoded(record: bytes | None) -> Job | Note | None:
    if record is None:
        return None
    return decode_note(record) if is_note(record) else decode(record)
