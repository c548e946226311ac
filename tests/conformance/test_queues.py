"""One suite for every JobQueue: order, priorities, taking out, showing and hiding."""

from __future__ import annotations

import random

import pytest

from heroredis.clock import ManualClock
from heroredis.keyspace.space import Space
from jobs.job import Job
from jobs.memory_queue import MemoryQueue
from jobs.queue import JobQueue
from jobs.redis_queue import RedisJobManager

JOBS = {number: Job(job_id=number, topic="t", priority=priority)
        for number, priority in enumerate([100, 100, 5, 200, 5, 100, 0, 255], 1)}


@pytest.fixture(params=["memory", "redis"])
def queue(request: pytest.FixtureRequest) -> JobQueue:
    if request.param == "memory":
        return MemoryQueue()
    return RedisJobManager(Space(1, ManualClock()).databases[0], JOBS.get)


def test_lower_priority_numbers_first_and_first_in_first_out_within(queue: JobQueue) -> None:
    for job in JOBS.values():
        queue.push(job)
    assert queue.waiting("t") == [7, 3, 5, 1, 2, 6, 4, 8]
    assert queue.length("t") == 8
    assert [queue.pop("t") for _ in range(9)] == [7, 3, 5, 1, 2, 6, 4, 8, None]
    assert queue.length("t") == 0


def test_a_returned_job_goes_before_all_of_its_priority(queue: JobQueue) -> None:
    for number in (1, 2, 3):
        queue.push(JOBS[number])
    queue.push(JOBS[6], at_head=True)
    queue.push(JOBS[5], at_head=True)
    assert queue.waiting("t") == [5, 3, 6, 1, 2]


def test_a_job_goes_back_to_where_its_id_belongs(queue: JobQueue) -> None:
    for number in (3, 6, 4):
        queue.push(JOBS[number])
    for number in (2, 8, 7, 1, 5):
        queue.put_back(JOBS[number])
    assert queue.waiting("t") == [7, 3, 5, 1, 2, 6, 4, 8]
    queue.push(Job(job_id=9, topic="t", priority=255))
    assert queue.waiting("t") == [7, 3, 5, 1, 2, 6, 4, 8, 9]


def test_taking_out(queue: JobQueue) -> None:
    queue.push(JOBS[1])
    queue.push(JOBS[2])
    assert queue.remove(JOBS[1])
    assert not queue.remove(JOBS[1])
    assert queue.waiting("t") == [2]
    assert queue.waiting("other") == []
    assert queue.pop("other") is None


def test_a_line_is_made_anew_at_a_start(queue: JobQueue) -> None:
    for number in (1, 3, 5):
        queue.show_resting(JOBS[number])
    queue.restore("t", [3, 5, 1])
    assert queue.waiting("t") == [3, 5, 1]
    queue.push(JOBS[7])
    queue.push(JOBS[2])
    assert queue.waiting("t") == [7, 3, 5, 1, 2]
    queue.hide(JOBS[3])
    assert queue.remove(JOBS[5])
    assert queue.length("t") == 4


def test_topics_have_lines_of_their_own(queue: JobQueue) -> None:
    queue.push(JOBS[1])
    assert queue.length("u") == 0
    assert queue.pop("u") is None
    assert queue.pop("t") == 1


def test_hiding_what_was_never_shown_is_harmless(queue: JobQueue) -> None:
    queue.show(JOBS[1])
    queue.hide(JOBS[1])
    queue.hide(JOBS[1])
    assert queue.length("t") == 0


def test_clearing_one_line(queue: JobQueue) -> None:
    queue.push(JOBS[1])
    queue.push(JOBS[2])
    queue.clear("t")
    queue.clear("t")
    assert (queue.length("t"), queue.pop("t")) == (0, None)
    queue.push(JOBS[3])
    assert queue.waiting("t") == [3]


def test_any_job_is_taken_out_wherever_it_stands(queue: JobQueue) -> None:
    for taken in JOBS.values():
        for job in JOBS.values():
            queue.push(job, at_head=job.job_id % 3 == 0)
        before = queue.waiting("t")
        assert queue.remove(taken)
        assert queue.waiting("t") == [number for number in before if number != taken.job_id]
        assert not queue.remove(taken)
        queue.clear("t")
    for number in (8, 2, 6, 1, 7):
        queue.show_resting(JOBS[number])
    queue.restore("t", [8, 2, 6, 1, 7])
    for number in (1, 8, 7, 2, 6):
        assert queue.remove(JOBS[number]), number
    assert queue.length("t") == 0


@pytest.mark.parametrize("seed", range(8))
def test_a_line_is_in_order_whatever_comes_and_goes(seed: int) -> None:
    rng = random.Random(seed)
    jobs = {number: Job(job_id=number, topic="t", priority=rng.choice([5, 100, 100, 200])) for number in range(1, 400)}
    queues: list[JobQueue] = [MemoryQueue(), RedisJobManager(Space(1, ManualClock()).databases[0], jobs.get)]
    for job in jobs.values():
        act = rng.random()
        at_head = act < 0.1
        other = jobs[rng.randint(1, job.job_id)]
        for queue in queues:
            queue.push(job, at_head=at_head)
            if 0.2 < act < 0.4:
                queue.pop("t")
        if 0.4 < act < 0.6 and sum(queue.remove(other) for queue in queues) == len(queues):
            jobs[other.job_id] = Job(job_id=other.job_id, topic="t", priority=rng.choice([5, 100, 200]))
            for queue in queues:
                queue.push(jobs[other.job_id])
        assert queues[0].waiting("t") == queues[1].waiting("t")


def test_many_jobs_of_one_priority_before_a_long_line_are_put_there_without_looking_through_it() -> None:
    jobs = {number: Job(job_id=number, topic="t", priority=100 if number <= 5000 else 7) for number in range(1, 6001)}
    looked_at: list[int] = []

    def find(job_id: int) -> Job | None:
        looked_at.append(job_id)
        return jobs.get(job_id)

    queue = RedisJobManager(Space(1, ManualClock()).databases[0], find)
    for job in jobs.values():
        queue.push(job)
    assert len(looked_at) < 1100
    assert queue.waiting("t") == [*range(5001, 6001), *range(1, 5001)]
