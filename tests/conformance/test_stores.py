"""One suite for every JobStore: what the manager relies on, whatever keeps the jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.job import Job
from jobs.memory_store import MemoryStore
from jobs.ourdb_store import OurDBStore
from jobs.store import JobStore
from ourdb import OurDB


@pytest.fixture(params=["memory", "ourdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    made: JobStore = MemoryStore() if request.param == "memory" else OurDBStore(OurDB(tmp_path))
    yield made
    made.close()


def test_ids_count_up_and_the_first_version_is_found(store: JobStore) -> None:
    for expected in (1, 2, 3):
        assert store.next_id() == expected
        store.add(Job(job_id=expected, topic="t", params=b"\x00\xff"))
    assert store.get(2) == Job(job_id=2, topic="t", params=b"\x00\xff")
    assert store.get(4) is None


def test_history_is_newest_first_and_bounded(store: JobStore) -> None:
    store.add(Job(job_id=1, topic="t"))
    for version in range(2, 6):
        store.append(Job(job_id=1, topic="t", version=version))
    assert [job.version for job in store.history(1, 3)] == [5, 4, 3]
    assert [job.version for job in store.history(1, 100)] == [5, 4, 3, 2, 1]
    assert store.history(9, 5) == []
    newest = store.get(1)
    assert newest is not None
    assert newest.version == 5


def test_several_at_once_and_the_newest_of_all(store: JobStore) -> None:
    store.add_all([Job(job_id=number, topic="t") for number in (1, 2, 3)])
    store.append(Job(job_id=2, topic="t", version=2, state="done"))
    assert [(job.job_id, job.version) for job in store.newest()] == [(1, 1), (2, 2), (3, 1)]
    assert store.next_id() == 4


def test_a_commit_ends_without_error(store: JobStore) -> None:
    store.add(Job(job_id=1, topic="t"))
    ended: list[BaseException | None] = []
    commit = store.commit()
    commit.add_callback(lambda done: ended.append(done.error))
    store.close()
    assert ended == [None]
