"""JobWorkers: they take waiting jobs, run their handlers beside the loop's other work, and report the end.

A push wakes a worker at once; the poll interval is only the safety net.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from jobs.endings import Endings
from jobs.errors import InvalidParams, JobRefused
from jobs.failure import RanTooLong, described, ends_program, facts_of
from jobs.handlers import Handler, Handlers, result_bytes
from jobs.job import Job
from jobs.manager import JobManager
from jobs.middleware import Stack
from jobs.outcomes import Outcome
from jobs.run import EmbeddedRun, Reports, Run
from jobs.states import Reason
from jobs.threads import HandlerThreads
from jobs.turns import Turns, first_of
from jobs.watchdog import Watchdog

logger = logging.getLogger("heroredis.jobs")
BEAT_S: Final = 0.2
NEVER: Final = float("inf")
PATIENCE_S: Final = 5.0
"""How long a coroutine may go on that was cancelled."""
AGAIN_S: Final = 0.1
"""After which a worker that has failed is replaced."""


class JobWorker:
    """One worker: at most one job at a time."""

    def __init__(self, name: str, pool: WorkerPool) -> None:
        self.name: Final = name
        self.job: Job | None = None
        self.run_of_job: Run | None = None
        self.is_revoked = False
        """The job was taken away while its handler runs."""
        self.is_retired = False
        """It is one too many, and ends after its job."""
        self.over_since = NEVER
        """When its job was taken away, by the loop's clock."""
        self.scope: asyncio.Timeout | None = None
        self._pool: Final = pool

    async def run(self) -> None:
        """Take jobs until the pool stops."""
        pool = self._pool
        turns = pool.turns
        fresh = True
        while not pool.stopping and not self.is_retired:
            if turns.is_over():
                if not await turns.next(pool.wait_for_work):
                    continue
                fresh = True
            job = pool.next_job(self.name)
            if job is None:
                await pool.wait_for_work()
                fresh = True
                continue
            if fresh:
                fresh = False
                pool.wake_another()
            self.job = job
            handler = pool.handlers.get(job.topic)
            if handler is not None and handler.takes_job and pool.stack is None and not job.timeout_ms \
                    and not pool.careful:
                # The straight path: what _work does, without a coroutine of its own.
                try:
                    result = result_bytes(await handler.function(job))
                except BaseException as error:
                    self._went_wrong(job, handler, error)
                else:
                    self._pool.endings.finish(self.name, job, result)
            else:
                await self._work(job, handler)
            self.job = None
            if self.is_revoked or self.run_of_job is not None:
                self.is_revoked = False
                self.over_since = NEVER
                self.run_of_job = None

    async def work_on(self, job: Job) -> None:
        """Run one job that was claimed for this worker."""
        self.job = job
        try:
            await self._work(job, self._pool.handlers.get(job.topic))
        finally:
            self.job = None
            self.run_of_job = None

    async def _work(self, job: Job, handler: Handler | None) -> None:
        if handler is None:
            self._pool.manager.give_back(job.job_id, self.name)
            return
        try:
            if self._pool.careful:
                await self._pool.started_on_disk()
            if self._pool.stack is not None:
                result = result_bytes(await self._pool.stack.run(job, lambda given: self._call(handler, given)))
            elif handler.is_plain and not job.timeout_ms:
                result = result_bytes(await handler.function(*handler.arguments(job)))
            else:
                result = result_bytes(await self._call(handler, job))
        except BaseException as error:
            self._went_wrong(job, handler, error)
        else:
            self._pool.endings.finish(self.name, job, result)

    def _went_wrong(self, job: Job, handler: Handler, error: BaseException) -> None:
        """The handler has raised. Whatever it is, SystemExit too, it ends the job and nothing else."""
        if isinstance(error, InvalidParams):
            self._pool.endings.fail(self.name, job, str(error), None, Reason.INVALID, final=True)
        elif isinstance(error, Outcome):
            self._pool.endings.steered(self.name, job, error)
        elif isinstance(error, RanTooLong):
            self._pool.endings.fail(self.name, job, str(error), error, Reason.TIMEOUT, handler)
        elif isinstance(error, asyncio.CancelledError):
            self._interrupted(job)
        elif ends_program(error):
            raise error
        else:
            self._pool.endings.fail(self.name, job, described(error), error, Reason.FAILED, handler)

    def _interrupted(self, job: Job) -> None:
        """The task was cancelled: by the end of the server, because the job was taken away, or by the handler."""
        if self._pool.stopping:
            if self.job is not None:  # else it was given up, and somebody else may have the job
                self._pool.manager.give_back(job.job_id, self.name)
            raise asyncio.CancelledError
        if not self.is_revoked:
            self._pool.endings.fail(self.name, job, "the handler cancelled itself", None, Reason.FAILED)
            return
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()

    def _limit(self, handler: Handler, job: Job) -> float:
        return job.timeout_ms / 1000 if job.timeout_ms else handler.timeout

    async def _call(self, handler: Handler, job: Job) -> object:
        if handler.wants_run:
            self.run_of_job = EmbeddedRun(job, self.name, self._pool.reports, asyncio.get_running_loop())
        arguments = handler.arguments(job, self.run_of_job)
        limit = self._limit(handler, job)
        scope = self.scope = asyncio.timeout(limit or None)
        try:
            async with scope:
                if handler.is_async:
                    return await handler.function(*arguments)
                return await self._in_thread(handler, job, arguments)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise RanTooLong(limit) from error
        finally:
            self.scope = None

    def is_stubborn(self, now: float) -> bool:
        """Whether its coroutine does not let itself be cancelled."""
        since = self.over_since
        if self.scope is not None and self.scope.expired():
            since = min(since, self.scope.when() or since)
        return now - since >= self._pool.patience_s

    def give_up(self) -> None:
        """Its job ends without the coroutine, which goes on; the worker is of no more use."""
        job, self.job = self.job, None
        if job is None:
            return
        logger.warning("job %d is over, but its coroutine goes on: it does not let itself be cancelled; another worker "
                       "takes its place", job.job_id, extra=facts_of(job))
        handler = self._pool.handlers.get(job.topic)
        if handler is not None and not self.is_revoked:
            late = RanTooLong(self._limit(handler, job))
            self._pool.endings.fail(self.name, job, str(late), late, Reason.TIMEOUT, handler)

    async def _in_thread(self, handler: Handler, job: Job, arguments: list[object]) -> object:
        stack = self._pool.stack
        function = handler.function if stack is None else stack.in_thread(job, handler.function)
        return await self._pool.threads().call(
            function, tuple(arguments),
            lambda: logger.warning("job %d is over, but its function goes on in a thread", job.job_id,
                                   extra=facts_of(job)))

    def revoke(self, task: asyncio.Task[None]) -> None:
        """The job was taken away: stop its coroutine, tell its thread."""
        self.is_revoked = True
        self.over_since = asyncio.get_running_loop().time()
        if self.run_of_job is not None:
            self.run_of_job.is_cancelled = True
        task.cancel()


class WorkerPool:
    """The workers of one server, and the topics where work waits."""

    def __init__(self, manager: JobManager, handlers: Handlers, count: int, poll_interval_s: float,
                 stuck_ms: int = 0) -> None:
        self.manager: Final = manager
        self.endings: Final = Endings(manager)
        self.reports: Final = Reports(manager.progress, manager.log, manager.create)
        self.watchdog: Final = Watchdog(handlers.codes(), self.running, stuck_ms, elsewhere=manager.held)
        self.turns: Final = Turns(manager.monotonic)
        self.handlers: Final = handlers
        self.stack: Stack | None = None if handlers.stack.is_empty else handlers.stack
        self.patience_s = PATIENCE_S
        self.stopping = False
        self.quiet = False
        """No job is taken, running ones go on."""
        self.careful = 0
        """So many jobs begin only when their start is on disk: after a crash, in which one of them may have ended the
        server. That is counted then, however soon it does so again."""
        self.workers: Final = [JobWorker(f"worker-{number}", self) for number in range(1, count + 1)]
        self._last_number = count
        self._poll_interval_s: Final = poll_interval_s
        self._ready: Final[dict[str, None]] = {}
        self._idle: Final[list[asyncio.Future[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._given_up: Final[set[asyncio.Task[None]]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._threads: HandlerThreads | None = None
        self.elsewhere: Final[set[str]] = set()
        """Topics that the server's own worker processes look after."""
        self._unhandled: Final[set[str]] = set()

    def start(self) -> None:
        if self.workers and self.handlers.topics():
            self.watchdog.start()
        for worker in self.workers:
            self._begin(worker)
        self._poll()

    def _add(self) -> None:
        if not self.stopping:
            self._last_number += 1
            self.workers.append(JobWorker(f"worker-{self._last_number}", self))
            self._begin(self.workers[-1])

    def _begin(self, worker: JobWorker) -> None:
        task = asyncio.get_running_loop().create_task(worker.run(), name=worker.name)
        self._tasks.append(task)
        task.add_done_callback(lambda ended: self._left(worker, task))

    def _left(self, worker: JobWorker, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.stopping:
            self._fell(worker, error)
        elif worker.is_retired:
            self.workers.remove(worker)
            self._tasks.remove(task)
            self._given_up.discard(task)

    def _fell(self, worker: JobWorker, error: BaseException) -> None:
        """It has failed outside of any handler: its job fails with that, and another one takes its place."""
        job = worker.job
        facts = {} if job is None else facts_of(job)
        logger.error("%s failed, and is replaced", worker.name, exc_info=error, extra=facts)
        place = self.workers.index(worker)
        self.workers.pop(place)
        self._given_up.discard(self._tasks.pop(place))
        if not worker.is_retired:
            asyncio.get_running_loop().call_later(AGAIN_S, self._add)
        if job is not None:
            self.endings.fell(worker.name, job, error)

    def size(self) -> int:
        """Workers, without those that end after their job."""
        return sum(not worker.is_retired for worker in self.workers)

    def resize(self, count: int) -> None:
        """So many workers from now on."""
        staying = [worker for worker in self.workers if not worker.is_retired]
        for worker in staying[count:]:
            worker.is_retired = True
        if not self.workers and count and self.handlers.topics():
            self.watchdog.start()
        for _ in range(count - len(staying)):
            self._add()
        if self._threads is not None:
            self._threads.resize(max(1, count))
        self.wake_all()

    def wake_all(self) -> None:
        idle = list(self._idle)
        self._idle.clear()
        for future in idle:
            if not future.done():
                future.set_result(None)

    def _poll(self) -> None:
        """The safety net: look whether work waits that no push told of."""
        self.watchdog.beat()
        self.watchdog.check_stuck(self.manager.now_ms())
        for topic in self.handlers.topics():
            if topic not in self.manager.paused and self.manager.queue.length(topic):
                self.pushed(topic)
        self._give_up_stubborn()
        self._timer = asyncio.get_running_loop().call_later(min(self._poll_interval_s, BEAT_S), self._poll)

    def _give_up_stubborn(self) -> None:
        now = asyncio.get_running_loop().time()
        for place, worker in enumerate(list(self.workers)):
            if worker.job is not None and worker.is_stubborn(now):
                worker.give_up()
                self._given_up.add(self._tasks[place])
                if not worker.is_retired:
                    worker.is_retired = True
                    self._add()

    def pushed(self, topic: str) -> None:
        """A job stands in line; wake a worker for it."""
        if self.handlers.get(topic) is None:
            if topic not in self._unhandled and topic not in self.elsewhere:
                self._unhandled.add(topic)
                logger.warning("topic %s has no handler here: its jobs wait for one, or for a remote worker", topic)
            return
        self._ready[topic] = None
        self._wake()

    def _wake(self) -> None:
        while self._idle:
            future = self._idle.pop()
            if not future.done():
                future.set_result(None)
                return

    def wake_another(self) -> None:
        """Where more work waits, one more worker may come for it."""
        if self._idle:
            for topic in self._ready:
                if self.manager.queue.length(topic):
                    self._wake()
                    return

    def next_job(self, worker: str) -> Job | None:
        """The next job of the topics that take turns."""
        ready = self._ready
        while ready and not self.quiet:
            topic = first_of(ready)
            job = self.manager.claim(topic, worker)
            if job is None:
                del ready[topic]
                continue
            if len(ready) > 1:
                del ready[topic]
                ready[topic] = None
            self.manager.store.commit()
            return job
        return None

    async def started_on_disk(self) -> None:
        self.careful -= 1
        with contextlib.suppress(JobRefused):  # no reason for the job not to run, as without care
            await self.manager.flushed()

    async def wait_for_work(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        await future

    def threads(self) -> HandlerThreads:
        if self._threads is None:
            self._threads = HandlerThreads(max(1, len(self.workers)))
        return self._threads

    def revoke(self, job: Job) -> None:
        """A running job was taken away; where one of ours works on it, it is stopped."""
        for worker, task in zip(self.workers, self._tasks, strict=False):
            if worker.job is not None and worker.job.token == job.token:
                worker.revoke(task)

    def running(self) -> list[tuple[str, Job]]:
        return [(worker.name, worker.job) for worker in self.workers if worker.job is not None]

    async def stop(self, grace_s: float) -> None:
        """Take no more jobs, let running ones end within `grace_s` seconds, give the rest back."""
        self.stopping = True
        self.watchdog.stop()
        if self._timer is not None:
            self._timer.cancel()
        self.wake_all()
        waited_for = [task for task in self._tasks if task not in self._given_up]
        if waited_for:
            _, late = await asyncio.wait(waited_for, timeout=max(0.0, grace_s))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        for _, job in self.running():
            self.manager.give_back(job.job_id, "server")
        if self._threads is not None:
            self._threads.close()
