"""Records are packed as msgspec packs them, byte by byte, and no text is mistaken for another."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.job import Job, decode, encode, replace
from jobs.job_record import Extra
from jobs.packing import MOST, Packer

EDGES = [number + step for power in (5, 7, 8, 15, 16, 31, 32) for number in (2**power, -(2**power))
         for step in (-1, 0, 1)]
INTEGERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-300, 300), st.sampled_from(EDGES))
TEXTS = st.one_of(st.text(max_size=40), st.sampled_from(
    ["", "mail", "x" * 31, "x" * 32, "ä" * 16, "x" * 256, "x" * 70_000]))
DATA = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"x" * 255, b"x" * 256, b"x" * 40_000, b"x" * 70_000]))
EXTRAS = st.builds(Extra, expires_at=st.integers(0, 2**60), unique=st.binary(max_size=5),
                   progress_text=st.text(max_size=5))
JOBS = st.builds(
    Job, job_id=INTEGERS, topic=TEXTS, state=TEXTS, reason=TEXTS, params=DATA, result=st.none() | DATA,
    error=st.none() | DATA, traceback=st.none() | DATA, attempts=INTEGERS, max_attempts=INTEGERS, priority=INTEGERS,
    created_at=INTEGERS, run_at=INTEGERS, started_at=INTEGERS, ended_at=INTEGERS, worker=TEXTS,
    tags=st.lists(TEXTS, max_size=3).map(tuple), version=INTEGERS, at=INTEGERS, by=TEXTS, token=TEXTS,
    lease_until=INTEGERS, losses=INTEGERS, timeout_ms=INTEGERS, backoff=TEXTS, meta=DATA, extra=st.none() | EXTRAS)


@settings(max_examples=300, deadline=None)
@given(st.lists(JOBS, min_size=1, max_size=3))
@example([Job()])
def test_a_record_is_what_msgspec_writes(jobs: list[Job]) -> None:
    packer = Packer()
    for job in jobs:
        record = packer.pack(job)
        assert record == encode(job)
        assert decode(record) == job


def test_many_texts_are_not_mixed_up() -> None:
    packer = Packer()
    for number in range(MOST + 10):
        job = Job(topic=f"topic {number}", worker=f"worker {number % 7}")
        assert packer.pack(job) == encode(job)
    assert packer.pack(Job(topic="topic 0")) == encode(Job(topic="topic 0"))


def test_what_cannot_be_packed_leaves_nothing_behind() -> None:
    packer = Packer()
    for job in (Job(topic="\ud800"), Job(token="\udfff"), Job(at=2**64)):
        with pytest.raises((ValueError, OverflowError)):
            packer.pack(job)
    job = replace(Job(), topic="mail", params=b"p")
    assert packer.pack(job) == encode(job)
