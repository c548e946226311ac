"""Jobs in memory: the double of OurDBStore for tests, with the same promises except the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from heroredis.extension import Committing
from jobs.job import Job, decode, encode


class MemoryCommit:
    """Done at once, or when the test says so."""

    def __init__(self, done: bool) -> None:
        self.done = done
        self.error: BaseException | None = None
        self._callbacks: list[Callable[[Committing], None]] = []

    def add_callback(self, callback: Callable[[Committing], None], /) -> None:
        if self.done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def finish(self, error: BaseException | None = None) -> None:
        self.done = True
        self.error = error
        for callback in self._callbacks:
            callback(self)


class MemoryStore:
    """`held` = True keeps commits open until `release`, as a slow disk does."""

    def __init__(self, held: bool = False) -> None:
        self._held = held
        self._open: MemoryCommit | None = None
        self._versions: dict[int, list[bytes]] = {}
        self._next = 1

    def next_id(self) -> int:
        return self._next

    def add(self, job: Job) -> None:
        self._versions[job.job_id] = [encode(job)]
        self._next = max(self._next, job.job_id + 1)

    def add_all(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.add(job)

    def append(self, job: Job) -> None:
        self._versions[job.job_id].append(encode(job))

    def commit(self) -> Committing:
        if not self._held:
            return MemoryCommit(True)
        if self._open is None:
            self._open = MemoryCommit(False)
        return self._open

    def release(self, error: BaseException | None = None) -> None:
        """End the open commit."""
        commit, self._open = self._open, None
        if commit is not None:
            commit.finish(error)

    def get(self, job_id: int) -> Job | None:
        versions = self._versions.get(job_id)
        return decode(versions[-1]) if versions else None

    def history(self, job_id: int, depth: int) -> list[Job]:
        versions = self._versions.get(job_id, [])
        return [decode(record) for record in reversed(versions[-depth:])]

    def newest(self) -> Iterator[Job]:
        for job_id in sorted(self._versions):
            yield decode(self._versions[job_id][-1])

    def close(self) -> None:
        return None
