"""A job manager over memory with a clock that stands still: what the tests of the engine share."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from heroredis.clock import ManualClock
from heroredis.extension import Committing
from jobs.handover import Handover
from jobs.job import Job
from jobs.limits import Limits
from jobs.manager import JobManager
from jobs.memory_queue import MemoryQueue
from jobs.memory_store import MemoryStore
from jobs.options import JobOptions


def defer(commit: Committing, action: Callable[[], None]) -> None:
    commit.add_callback(lambda done: action())


class World:
    """One store, and the manager that works on it now; `restart` is a new process over the same store."""

    def __init__(self, held: bool = False, limits: Limits | None = None) -> None:
        self.limits = limits or Limits(losses=0)
        self.clock = ManualClock(1_000_000)
        self.store = MemoryStore(held)
        self.queue = MemoryQueue()
        self.manager = self.manager_over_the_same_store()

    def manager_over_the_same_store(self) -> JobManager:
        self.queue = MemoryQueue()
        return JobManager(self.store, self.queue, self.clock, defer, random.Random(1), self.limits)

    def restart(self, orderly: bool = False) -> None:
        """`orderly`: the old manager hands over to the new one."""
        left = msgspec.msgpack.encode(self.manager.hand_over(b"end")) if orderly else b""
        self.manager = self.manager_over_the_same_store()
        self.manager.recover(msgspec.msgpack.decode(left, type=Handover) if orderly else None)

    def new(self, topic: str = "t", **options: object) -> Job:
        job, _ = self.manager.create(topic, b"p", JobOptions(**options), "test")  # type: ignore[arg-type]
        return job

    def claim(self, topic: str = "t", worker: str = "w", owner: int = 0, lease_ms: int = 0) -> Job:
        job = self.manager.claim(topic, worker, owner, lease_ms)
        assert job is not None
        return job

    def now(self, job_id: int) -> Job:
        job = self.manager.find(job_id)
        assert job is not None
        return job

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass and do what is due."""
        self.clock.advance(milliseconds)
        self.manager.due()

    def state(self, job_id: int) -> tuple[str, str]:
        job = self.now(job_id)
        return job.state, job.reason
