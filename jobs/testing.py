"""For tests of programs that use jobs: the whole job system in memory, on a clock that stands still until it is moved.

    bench = JobBench(handlers)
    await sign_up(bench.manager, "ada@example.com")             # the program under test creates jobs
    bench.assert_enqueued("email", {"to": "ada@example.com"})
    [job] = await bench.drain()                                 # runs what is due, with the real handlers
    await bench.advance(3600)                                   # an hour passes: delays, retries, leases, schedules
    job = await bench.perform("email", {"to": "x"})             # one handler by itself

No disk, no thread of its own, no sleeping. Retries, backoff, timeouts, unique keys and history are the product's own.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from heroredis.extension import ManualClock
from jobs.bench_client import AsyncBenchClient, BenchClient, Door, defer
from jobs.client import AsyncClient, Client
from jobs.handlers import Handlers
from jobs.job import Job, params_bytes
from jobs.limits import Limits
from jobs.manager import JobManager
from jobs.memory_queue import MemoryQueue
from jobs.memory_store import MemoryStore
from jobs.states import ERROR, NEW, Reason
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
        self._door: Door | None = None

    def _new_manager(self) -> JobManager:
        made = JobManager(self.store, self.queue, self.clock, defer, random.Random(self._seed), self._limits)
        made.defaults_of = self.handlers.defaults
        made.stack = None if self.handlers.stack.is_empty else self.handlers.stack
        made.on_end = lambda job: made.release_waiters(job.job_id)
        return made

    def restart(self) -> None:
        """The server crashes and starts again: what was running is back in line."""
        self.queue = MemoryQueue()
        self.manager = self._new_manager()
        self.pool = WorkerPool(self.manager, self.handlers, 1, 1)
        self._door = None
        self.manager.recover()

    # Programs that speak to a server

    def client(self, name: str = "") -> Client:
        """For programs that make their jobs through `jobs.client`: a Client of this bench, without a socket."""
        return BenchClient(self._opened, name)

    def async_client(self, name: str = "") -> AsyncClient:
        """The same for asyncio."""
        return AsyncBenchClient(self._opened, name)

    def _opened(self) -> Door:
        if self._door is None:
            self._door = Door(self.manager, self.pool, self.clock)
        return self._door

    # Running

    async def run_one(self, topic: str | None = None, *, raising: bool = False) -> Job | None:
        """Run the next job that is due (of a topic, or of any that has a handler); how it is afterwards, or None.
        `raising`: an attempt that fails is an AssertionError with its traceback."""
        self.manager.due()
        for name in self.handlers.topics() if topic is None else [topic]:
            job = self.manager.claim(name, self.pool.workers[0].name)
            if job is not None:
                return await self._run(job, raising)
        return None

    async def perform(self, topic: str, params: object = b"", *, raising: bool = False, **options: Any) -> Job:
        """Run the handler of a topic on a job of its own, at once, whatever else waits; how the job is afterwards.
        `options` are those of `create_job`. LookupError when the topic has no handler."""
        if topic not in self.handlers.topics():
            raise LookupError(f"topic {topic} has no handler; there are {', '.join(self.handlers.topics()) or 'none'}")
        job = await self.manager.create_job(topic, params, **options)
        self.manager.queue.remove(job)
        return await self._run(self.manager.start(self.manager.live[job.job_id], self.pool.workers[0].name), raising)

    async def _run(self, job: Job, raising: bool) -> Job:
        await self.pool.workers[0].work_on(job)
        ended = self.manager.find(job.job_id)
        if ended is None:
            return job
        is_failed = ended.reason == Reason.RETRY or (ended.state == ERROR and ended.reason != Reason.DISCARDED)
        if raising and is_failed:
            said = b"\n".join(text for text in (ended.error, ended.traceback) if text).decode("utf-8", "replace")
            raise AssertionError(f"job {job.job_id} of {job.topic} with params {job.params[:80]!r} failed "
                                 f"({ended.reason}): {said}")
        return ended

    async def drain(self, topic: str | None = None, limit: int = 1000, *, raising: bool = False) -> list[Job]:
        """Run what is due, and what that creates, until nothing is due; each as it was after it ran. RuntimeError
        after `limit` runs, because jobs seem to create each other without end. `raising` as in `run_one`."""
        ran: list[Job] = []
        while (job := await self.run_one(topic, raising=raising)) is not None:
            ran.append(job)
            if len(ran) >= limit:
                raise RuntimeError(f"{limit} jobs ran and there are still more; do they create each other?")
        return ran

    async def advance(self, seconds: float, run: bool = True, *, raising: bool = False) -> list[Job]:
        """Let time pass, stopping at each moment at which something is due; runs it unless `run` is false. `raising`
        as in `run_one`."""
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
                ran += await self.drain(raising=raising)
            if left == 0 and self.manager.next_due_ms() != 0:
                return ran

    # Looking

    def enqueued(self, topic: str | None = None) -> list[Job]:
        """The jobs that wait, due or not, oldest first."""
        return [job for job in self.manager.live.values()
                if job.state == NEW and (topic is None or job.topic == topic)]

    def _matching(self, topic: str, params: object, wanted: Wanted) -> list[Job]:
        return [job for job in self.enqueued(topic) if (params is ... or job.params == params_bytes(params))
                and wanted.fits(job, self.clock.now_ms())]

    def assert_enqueued(self, topic: str, params: object = ..., *, count: int | None = None,
                        containing: Mapping[str, object] | None = None, tags: Sequence[str] = (),
                        priority: int | None = None, delay: float | None = None) -> list[Job]:
        """Such jobs wait (`count` of them, or at least one); they are returned. Params as `create_job` takes them;
        `containing`: they are a JSON object with these members at least. `tags` are those that a job has at least,
        `delay` the seconds until it is due (0 = it is)."""
        found = self._matching(topic, params, Wanted(containing, tags, priority, delay))
        if (not found) if count is None else (len(found) != count):
            wanted = "at least one" if count is None else str(count)
            raise AssertionError(f"{len(found)} jobs of {topic} are enqueued as asked for, wanted: {wanted}; enqueued "
                                 f"is: {self._shown()}")
        return found

    def _shown(self) -> str:
        now = self.clock.now_ms()
        return ", ".join(
            f"{job.topic} {job.params[:80]!r}" + (f" in {(job.run_at - now) / 1000:g} s" if job.run_at > now else "")
            + (f" tags {','.join(job.tags)}" if job.tags else "") for job in self.enqueued()) or "nothing"

    def refute_enqueued(self, topic: str, params: object = ..., *, containing: Mapping[str, object] | None = None,
                        tags: Sequence[str] = (), priority: int | None = None, delay: float | None = None) -> None:
        """No such job waits."""
        found = self._matching(topic, params, Wanted(containing, tags, priority, delay))
        if found:
            raise AssertionError(f"{len(found)} jobs of {topic} are enqueued, the first with params "
                                 f"{found[0].params[:80]!r}")


class Wanted:
    """What a job is to have beyond its topic and params."""

    def __init__(self, containing: Mapping[str, object] | None, tags: Sequence[str], priority: int | None,
                 delay: float | None) -> None:
        self._members: Final = None if containing is None else _object(params_bytes(dict(containing)))
        self._tags: Final = set(tags)
        self._priority: Final = priority
        self._delay_ms: Final = None if delay is None else round(delay * 1000)

    def fits(self, job: Job, now: int) -> bool:
        return (self._tags <= set(job.tags) and self._priority in (None, job.priority)
                and self._delay_ms in (None, max(0, job.run_at - now)) and self._has_members(job))

    def _has_members(self, job: Job) -> bool:
        held, wanted = _object(job.params), self._members
        return wanted is None or (held is not None and all(name in held and held[name] == value
                                                           for name, value in wanted.items()))


def _object(params: bytes) -> dict[str, object] | None:
    """Params as a JSON object; None when they are none."""
    try:
        return msgspec.json.decode(params, type=dict[str, object])
    except msgspec.DecodeError:
        return None
