"""For tests of programs that use jobs: the whole job system in memory, on a clock that stands still until it is moved.

    bench = JobBench(handlers)
    await sign_up(bench.manager, "ada@example.com")             # the program under test creates jobs
    bench.assert_enqueued("email", {"to": "ada@example.com"})
    [job] = await bench.drain()                                 # runs what is due, with the real handlers
    await bench.advance(3600)                                   # an hour passes: delays, retries, leases, schedules

No disk, no thread of its own, no sleeping. Retries, backoff, timeouts, unique keys and history are the product's own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from heroredis.extension import Committing, ManualClock
from jobs.handlers import Handlers
from jobs.job import Job, params_bytes
from jobs.limits import Limits
from jobs.manager import JobManager
from jobs.memory_queue import MemoryQueue
from jobs.memory_store import MemoryStore
from jobs.states import NEW
from jobs.worker import WorkerPool

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""


class JobBench:
    """One job system. `start_ms` is the time at which its clock stands; `seed` makes jitter repeatable."""

    def __init__(self, handlers: Handlers | None = None, *, start_ms: int = START_MS, seed: int = 0,
                 limits: Limits | None = None) -> None:
        self.handlers: Final = handlers or Handlers()
        self.clock: Final = ManualClock(start_ms)
        self.store: Final = MemoryStore()
        self._seed: Final = seed
        self._limits: Final = limits
        self.queue = MemoryQueue()
        self.manager = self._new_manager()
        self.pool = WorkerPool(self.manager, self.handlers, 1, 1)

    def _new_manager(self) -> JobManager:
        made = JobManager(self.store, self.queue, self.clock, _defer, random.Random(self._seed), self._limits)
        made.defaults_of = self.handlers.defaults
        made.stack = None if self.handlers.stack.is_empty else self.handlers.stack
        made.on_end = lambda job: made.release_waiters(job.job_id)
        return made

    def restart(self) -> None:
        """The server crashes and starts again: what was running is back in line."""
        self.queue = MemoryQueue()
        self.manager = self._new_manager()
        self.pool = WorkerPool(self.manager, self.handlers, 1, 1)
        self.manager.recover()

    # Running

    async def run_one(self, topic: str | None = None) -> Job | None:
        """Run the next job that is due (of a topic, or of any that has a handler); how it is afterwards, or None."""
        self.manager.due()
        worker = self.pool.workers[0]
        for name in self.handlers.topics() if topic is None else [topic]:
            job = self.manager.claim(name, worker.name)
            if job is not None:
                await worker.work_on(job)
                return self.manager.find(job.job_id)
        return None

    async def drain(self, topic: str | None = None, limit: int = 1000) -> list[Job]:
        """Run what is due, and what that creates, until nothing is due; each as it was after it ran. RuntimeError
        after `limit` runs, because jobs seem to create each other without end."""
        ran: list[Job] = []
        while (job := await self.run_one(topic)) is not None:
            ran.append(job)
            if len(ran) >= limit:
                raise RuntimeError(f"{limit} jobs ran and there are still more; do they create each other?")
        return ran

    async def advance(self, seconds: float, run: bool = True) -> list[Job]:
        """Let time pass, stopping at each moment at which something is due; runs it unless `run` is false."""
        left = max(0, round(seconds * 1000))
        ran: list[Job] = []
        while True:
            step = self.manager.next_due_ms()
            step = left if step < 0 else min(step, left)
            self.clock.advance(step)
            left -= step
            while self.manager.due():
                continue
            if run:
                ran += await self.drain()
            if left == 0 and self.manager.next_due_ms() != 0:
                return ran

    # Looking

    def enqueued(self, topic: str | None = None) -> list[Job]:
        """The jobs that wait, due or not, oldest first."""
        return [job for job in self.manager.live.values()
                if job.state == NEW and (topic is None or job.topic == topic)]

    def _matching(self, topic: str, params: object) -> list[Job]:
        return [job for job in self.enqueued(topic) if params is ... or job.params == params_bytes(params)]

    def assert_enqueued(self, topic: str, params: object = ..., *, count: int | None = None) -> list[Job]:
        """Such jobs wait (`count` of them, or at least one); they are returned. Params as `create_job` takes them."""
        found = self._matching(topic, params)
        if (not found) if count is None else (len(found) != count):
            wanted = "at least one" if count is None else str(count)
            waiting = ", ".join(f"{job.topic} {job.params[:80]!r}" for job in self.enqueued()) or "nothing"
            raise AssertionError(f"{len(found)} jobs of {topic} are enqueued as asked for, wanted: {wanted}; enqueued "
                                 f"is: {waiting}")
        return found

    def refute_enqueued(self, topic: str, params: object = ...) -> None:
        """No such job waits."""
        found = self._matching(topic, params)
        if found:
            raise AssertionError(f"{len(found)} jobs of {topic} are enqueued, the first with params "
                                 f"{found[0].params[:80]!r}")


def _defer(commit: Committing, action: Callable[[], None]) -> None:
    commit.add_callback(lambda done: action())
