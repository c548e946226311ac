"""One suite for every JobStore: what the manager relies on, whatever keeps the jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.job import Job
from jobs.job_record import Extra
from jobs.memory_store import MemoryStore
from jobs.notes import TopicNote, TrailNote
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


def test_notes_have_ids_and_histories_of_their_own(store: JobStore) -> None:
    store.add(Job(job_id=1, topic="t"))
    first = store.put(TrailNote(1, "a"))
    store.put(TrailNote(1, "b"), first)
    assert (first, store.next_id()) == (2, 3)
    assert [note.line for note in store.notes(first, 9) if isinstance(note, TrailNote)] == ["b", "a"]
    assert (store.get(first), store.history(first, 9), store.notes(1, 9)) == (None, [], [])
    assert [(record_id, type(found).__name__) for record_id, found in store.records()] == [(1, "Job"), (2, "TrailNote")]
    assert [job.job_id for job in store.newest()] == [1]


def test_a_start_is_told_of_ends_and_gets_the_rest(store: JobStore) -> None:
    for number, state in enumerate(["new", "done", "active", "error", "done"], 1):
        extra = Extra(idempotency=b"k", idempotency_until=9, max_rss=5 << 20) if number == 5 else None
        store.add(Job(job_id=number, topic=f"t{number}"))
        store.append(Job(job_id=number, topic=f"t{number}", state=state, version=2, extra=extra, meta=b"\x00\xc0"))
    store.put(TopicNote("t1", True))
    store.remove(2)
    store.append(Job(job_id=1, topic="t1", version=3))
    on_disk = threading.Event()
    store.commit().add_callback(lambda done: on_disk.set())
    assert on_disk.wait(10)
    ended: list[tuple[str, str, int]] = []
    found = list(store.unfinished(
        lambda topic, state, number, job: ended.extend([(topic, state, 0 if job is None else job.job_id)] * number)))
    assert [(record_id, found.version if isinstance(found, Job) else 0) for record_id, found in found] == [
        (1, 3), (3, 2), (6, 0)]
    assert [end[:2] for end in sorted(ended)] == [("t4", "error"), ("t5", "done")]
    assert ("t5", "done", 5) in ended


def test_what_was_removed_is_found_in_its_history_only(store: JobStore) -> None:
    store.add(Job(job_id=1, topic="t"))
    store.remove(1)
    assert (store.get(1), list(store.newest()), store.next_id()) == (None, [], 2)
    assert [job.topic for job in store.history(1, 9)] == ["t"]


def test_a_batch_is_seen_at_once_and_may_hold_jobs_and_notes(store: JobStore) -> None:
    store.add(Job(job_id=1, topic="t"))
    store.begin()
    commit = store.commit()
    store.add(Job(job_id=2, topic="u"))
    note = store.put(TopicNote("u", True))
    store.begin()
    store.append(Job(job_id=1, topic="t", version=2))
    store.remove(2)
    store.end()
    store.add(Job(job_id=4, topic="v"))
    one = store.get(1)
    assert one is not None
    assert (one.version, store.get(2), note, store.next_id()) == (2, None, 3, 5)
    store.end()
    assert [record_id for record_id, _ in store.records()] == [1, 3, 4]
    assert store.notes(3, 1) == [TopicNote("u", True)]
    ended: list[BaseException | None] = []
    commit.add_callback(lambda done: ended.append(done.error))
    store.close()
    assert ended == [None]


def test_changes_come_in_order_with_their_numbers_once_they_are_durable(store: JobStore) -> None:
    store.add(Job(job_id=1, topic="t"))
    store.put(TopicNote("t", True))
    store.append(Job(job_id=1, topic="t", version=2))
    store.remove(1)
    durable: list[int] = []
    ended = threading.Event()
    store.commit().add_callback(lambda done: ended.set())
    assert ended.wait(10)
    durable.append(store.durable_lsn())
    assert (store.last_lsn(), durable) == (4, [4])
    seen = [(lsn, record_id, type(found).__name__) for lsn, record_id, _, found in store.changes(0)]
    assert seen == [(1, 1, "Job"), (2, 2, "TopicNote"), (3, 1, "Job"), (4, 1, "NoneType")]
    assert [lsn for lsn, _, _, _ in store.changes(2)] == [3, 4]


def test_ends_are_counted_whatever_their_ids_and_topics(tmp_path: Path) -> None:
    db = OurDB(tmp_path, durability="no")
    store = OurDBStore(db)
    topics = ["a", "t" * 31, "t" * 32, "t" * 255, "\u00e4" * 40]
    for start in (1, 120, 250, 65_530, 70_000):
        if start > db.next_id:
            db.reserve_ids(start)
        for number in range(start, start + 12):
            store.add(Job(job_id=number, topic=topics[number % 5], state=["done", "error", "new"][number % 3]))
    db.flush()
    told: dict[tuple[str, str], int] = {}

    def ended(topic: str, state: str, number: int, job: Job | None) -> None:
        told[topic, state] = told.get((topic, state), 0) + number
    kept = [record_id for record_id, _ in store.unfinished(ended)]
    jobs = list(store.newest())
    assert kept == [job.job_id for job in jobs if job.state == "new"]
    wanted: dict[tuple[str, str], int] = {}
    for job in jobs:
        if job.state != "new":
            wanted[job.topic, job.state] = wanted.get((job.topic, job.state), 0) + 1
    assert (told, len(jobs)) == (wanted, 60)
    store.close()


def test_a_store_knows_whether_a_batch_is_open(store: JobStore) -> None:
    seen = [store.in_batch()]
    store.begin()
    store.begin()
    store.end()
    seen.append(store.in_batch())
    store.end()
    assert [*seen, store.in_batch()] == [False, True, False]
