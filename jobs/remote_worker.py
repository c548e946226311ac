"""`heroredis worker URL MODULE_OR_FILE[:NAME]`: runs handlers on another machine, or in another process.

One connection takes jobs and holds them: when it breaks, the server gives them back at once. A second one reports.
With `--lease` the jobs are held by time instead, and heartbeats keep them. Handlers with isolation="process" run in
worker processes, each of which has a connection of its own for its jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from heroredis.extension import LoadError, configure_logs, leave, load_handlers
from jobs import requests
from jobs.async_client import AsyncClient
from jobs.attempt import Attempt, attempt_of
from jobs.deputy import RemoteJobs
from jobs.failure import RanTooLong, described, ends_program, facts_of
from jobs.handlers import Handler, Handlers
from jobs.job import Job
from jobs.process_pool import ProcessOptions, ProcessPool
from jobs.reporting import Reporter, fetched
from jobs.requests import Request
from jobs.threads import HandlerThreads
from jobs.watchdog import Watchdog
from jobs.wire import ClientError, NotConnected, OutcomeUnknown, parse_url

logger = logging.getLogger("heroredis.worker")
WAIT_S: Final = 60.0
HEARTBEAT_S: Final = 5.0
MOST_THREADS: Final = 256
"""Made when they are needed: more jobs at a time may be wanted later."""
PULSE_S: Final = 0.2
PATIENCE_S: Final = 5.0
"""How long a coroutine may go on that was cancelled."""
LAST_S: Final = 2.0
"""For what is given back at the end."""


class RemoteWorker:
    """Up to `concurrency` jobs at a time, and one in each worker process. `lease` in seconds, 0 = the connection holds
    them; then `heartbeat` seconds lie between two looks whether jobs were cancelled. `processes`: how many worker
    processes, if there are handlers for them; by default as many as `concurrency`. ValueError when they could not load
    the handlers."""

    def __init__(self, url: str, handlers: Handlers, *, concurrency: int = 1, lease: float = 0, name: str = "",
                 topics: Sequence[str] = (), processes: ProcessOptions | None = None,
                 heartbeat: float = HEARTBEAT_S, patience: float = PATIENCE_S) -> None:
        self.name: Final = name or f"{socket.gethostname()}-{os.getpid()}"
        self.handlers: Final = handlers.part(False, topics)
        self.running: Final[dict[asyncio.Task[None], Attempt]] = {}
        self._late: Final[set[asyncio.Task[ClientError | None]]] = set()
        self._concurrency = concurrency
        self._lease: Final = lease
        self._heartbeat: Final = heartbeat
        self._patience: Final = patience
        self._watchdog: Final = Watchdog(self.handlers.codes(), self._working, 0)
        self._fetcher: Final = AsyncClient(url, name=self.name, attempts=1, on_lost=self._lost)
        self._reporter: Final = Reporter(AsyncClient(url, name=self.name))
        self._stopping = asyncio.Event()
        self._room: Final = asyncio.Event()
        self._takes: Final = asyncio.Event()
        self._takes.set()
        self._threads: Final = HandlerThreads(max(concurrency, MOST_THREADS))
        self._jobs: Final = RemoteJobs(self._reporter, lambda name: self._connect(url, name), lease, self._takes)
        self.processes: Final = self._pool_of(handlers.part(True, topics), processes or ProcessOptions(concurrency))

    def _pool_of(self, handlers: Handlers, options: ProcessOptions) -> ProcessPool | None:
        if not handlers.topics():
            return None
        if not options.handlers:
            handlers.source()
        pool = ProcessPool(self._jobs, handlers, options, f"{self.name}-")
        self._jobs.on_closed = pool.closed
        return pool

    def _connect(self, url: str, name: str) -> AsyncClient:
        """For the jobs of one worker process."""
        client = AsyncClient(url, name=name, attempts=1, on_lost=lambda: self._lost_by(client))
        return client

    def stop(self) -> None:
        """Take no more jobs; `run` returns when the running ones have ended."""
        self._stopping.set()

    def quiet(self) -> None:
        """Take no more jobs until `work`; running ones go on."""
        self._takes.clear()

    def work(self) -> None:
        self._takes.set()

    def resize(self, change: int) -> None:
        """So many jobs more or fewer at a time, at least one; worker processes, too."""
        self._concurrency = max(1, self._concurrency + change)
        self._room.set()
        if self.processes is not None:
            self.processes.resize(max(1, self.processes.count + change))

    async def run(self, grace_s: float = 10) -> None:
        """Work until `stop` is called, then let running jobs end within `grace_s` seconds; the rest goes back."""
        self._watchdog.start()
        tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._pulse())]
        if self.handlers.topics():
            tasks.append(asyncio.create_task(self._take()))
        if self.processes is not None:
            self.processes.start()
        await self._stopping.wait()
        for task in tasks[2:]:
            task.cancel()
        await asyncio.gather(self._finish(grace_s), *([] if self.processes is None else [self.processes.stop(grace_s)]))
        for task in tasks[:2]:
            task.cancel()
        self._watchdog.stop()
        await asyncio.gather(self._give_back(), self._jobs.close(LAST_S))
        await self._fetcher.close()
        await self._reporter.client.close()
        self._threads.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self, grace_s: float) -> None:
        if self.running:
            await asyncio.wait(set(self.running), timeout=grace_s)

    async def _take(self) -> None:
        topics = self.handlers.topics()
        while True:
            await self._takes.wait()
            free = self._concurrency - len(self.running)
            if free <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            jobs = await fetched(self._fetcher, self._reporter.outage, topics, free, WAIT_S, self._lease, self.name)
            topics = [*topics[1:], topics[0]]  # whose turn it is: no long line keeps the others waiting
            for job in jobs:
                attempt = attempt_of(job)
                if not self._takes.is_set():  # it came while we were told to be quiet
                    await self._reporter.release(attempt.job)
                    continue
                task = asyncio.create_task(self._work(attempt))
                self.running[task] = attempt
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        attempt = self.running.pop(task, None)
        self._room.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("a worker task failed", exc_info=error)
            if attempt is not None:
                self._tell(requests.fail(attempt.job.job_id, described(error), attempt.job.token))

    def _tell(self, report: Request[None]) -> None:
        late = asyncio.get_running_loop().create_task(self._reporter.report(report))
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    def _working(self) -> list[tuple[str, Job]]:
        return [(self.name, attempt.job) for attempt in list(self.running.values())]

    def _cancel(self, task: asyncio.Task[None], attempt: Attempt) -> None:
        """The job was taken away."""
        attempt.is_cancelled = True
        attempt.over_at = min(attempt.over_at, asyncio.get_running_loop().time())
        task.cancel()

    async def _pulse(self) -> None:
        """The loop is alive; and what does not let itself be cancelled keeps no place."""
        while True:
            self._watchdog.beat()
            now = asyncio.get_running_loop().time()
            for task, attempt in list(self.running.items()):
                if now - attempt.over_at >= self._patience:
                    self._give_up(task, attempt)
            await asyncio.sleep(PULSE_S)

    def _give_up(self, task: asyncio.Task[None], attempt: Attempt) -> None:
        logger.warning("job %d is over, but its coroutine goes on: it does not let itself be cancelled",
                       attempt.job.job_id, extra=facts_of(attempt.job))
        del self.running[task]
        self._room.set()
        handler = self.handlers.get(attempt.job.topic)
        if handler is not None and not attempt.is_cancelled:
            self._tell(attempt.failed(RanTooLong(self._limit(handler, attempt)), handler))

    def _lost(self) -> None:
        """The connection that holds our jobs is broken."""
        if not self._lease:
            self._abandon()

    def _lost_by(self, client: AsyncClient) -> None:
        """The same, for the one of a process."""
        if self.processes is not None and not self._lease:
            for job in self._jobs.held_through(client):
                self.processes.revoke(job)

    def _abandon(self) -> None:
        """The jobs are ours no longer: the server has given them back."""
        for task, attempt in list(self.running.items()):
            self._cancel(task, attempt)

    async def _give_back(self) -> None:
        """What has not ended in time goes back in line, and does not count."""
        left = dict(self.running)
        self._abandon()
        if left:
            await asyncio.wait(left, timeout=LAST_S)
            released = [self._reporter.release(attempt.job) for attempt in left.values()]
            with contextlib.suppress(TimeoutError):  # the end of the connection, or of the lease, gives them back, too
                async with asyncio.timeout(LAST_S):
                    await asyncio.gather(*released)

    async def _work(self, attempt: Attempt) -> None:
        handler = self.handlers.get(attempt.job.topic)
        if handler is None:
            await self._reporter.release(attempt.job)
            return
        loop = asyncio.get_running_loop()
        asked: deque[Request[Any]] = deque()
        reports: set[asyncio.Task[ClientError | None]] = set()

        def begin() -> None:
            while asked:
                task = loop.create_task(self._reporter.report(asked.popleft()))
                reports.add(task)
                task.add_done_callback(reports.discard)

        def report(request: Request[Any]) -> None:
            asked.append(request)
            loop.call_soon_threadsafe(begin)

        attempt.report = report
        try:
            end = attempt.finished(await self._through(handler, attempt))
        except asyncio.CancelledError:
            if attempt.is_cancelled:
                raise
            end = requests.fail(attempt.job.job_id, "the handler cancelled itself", attempt.job.token)
        except BaseException as error:
            if ends_program(error):
                raise
            # Whatever a handler raises, SystemExit too, ends its job and nothing else.
            end = attempt.failed(error, handler)
        begin()  # what the handler has asked for last
        await asyncio.gather(*reports)
        await self._reporter.end(attempt.job, end)

    def _limit(self, handler: Handler, attempt: Attempt) -> float:
        return attempt.job.timeout_ms / 1000 if attempt.job.timeout_ms else handler.timeout

    async def _through(self, handler: Handler, attempt: Attempt) -> object:
        """Call the handler with the program's middleware around it."""
        return await self.handlers.stack.run(attempt.job, lambda given: self._call(handler, attempt, given))

    async def _call(self, handler: Handler, attempt: Attempt, job: Job) -> object:
        arguments = handler.arguments(job, attempt)
        limit = self._limit(handler, attempt)
        scope = asyncio.timeout(limit or None)
        if limit and handler.is_async:
            attempt.over_at = asyncio.get_running_loop().time() + limit
        try:
            async with scope:
                if handler.is_async:
                    return await handler.function(*arguments)
                return await self._in_thread(self.handlers.stack.in_thread(job, handler.function), job, arguments)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise RanTooLong(limit) from error

    async def _in_thread(self, function: Callable[..., Any], job: Job, arguments: list[object]) -> object:
        return await self._threads.call(
            function, tuple(arguments),
            lambda: logger.warning("job %d is over, but its function goes on in a thread", job.job_id,
                                   extra=facts_of(job)))

    async def _beat(self) -> None:
        """Heartbeats keep leases, and bring the news that a job was cancelled."""
        while True:
            await asyncio.sleep(self._lease / 3 if self._lease else self._heartbeat)
            lease_s = self._lease or self._heartbeat
            for task, attempt in list(self.running.items()):
                try:
                    if not await self._reporter.is_ours(attempt.job, lease_s):
                        self._cancel(task, attempt)
                except (NotConnected, OutcomeUnknown):
                    break
            if self.processes is not None:
                await self._jobs.beat(self.processes.revoke, lease_s)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="heroredis worker", description="Run handlers for a server elsewhere.")
    made.add_argument("url", metavar="URL", help="redis://host:port, rediss://host:port or unix:///path")
    made.add_argument("handlers", metavar="MODULE_OR_FILE[:NAME]", help="where the handlers are")
    made.add_argument("-c", "--concurrency", type=int, default=5, metavar="N", help="jobs at a time (default: 5)")
    made.add_argument("--processes", type=int, default=-1, metavar="N",
                      help="worker processes for handlers with isolation=\"process\" (default: as many as -c)")
    made.add_argument("--process-max-jobs", type=int, default=0, metavar="N",
                      help="jobs after which such a process is replaced")
    made.add_argument("--process-max-memory", type=int, default=0, metavar="BYTES",
                      help="resident memory beyond which it is replaced after its job")
    made.add_argument("--process-memory-limit", type=int, default=0, metavar="BYTES",
                      help="address space that it cannot get beyond: its handler sees a MemoryError")
    made.add_argument("--lease", type=float, default=0, metavar="SECONDS",
                      help="hold jobs by time and heartbeats, not by the connection")
    made.add_argument("--topic", action="append", default=[], metavar="TOPIC",
                      help="only this one of the handlers' topics (may be repeated)")
    made.add_argument("--name", default="", help="as which it is known to the server (default: host and pid)")
    made.add_argument("--grace", type=float, default=10, metavar="SECONDS",
                      help="how long running jobs may go on after SIGTERM (default: 10)")
    made.add_argument("--log-format", choices=("text", "json"), default="text",
                      help="log lines for people (default) or for machines")
    return made


async def _serve(given: argparse.Namespace, handlers: Handlers) -> None:
    processes = ProcessOptions(given.concurrency if given.processes < 0 else given.processes, given.handlers,
                               given.process_max_jobs, given.process_max_memory, given.process_memory_limit)
    worker = RemoteWorker(given.url, handlers, concurrency=given.concurrency, lease=given.lease, name=given.name,
                          topics=given.topic, processes=processes)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    loop.add_signal_handler(signal.SIGUSR1, worker.quiet)
    loop.add_signal_handler(signal.SIGUSR2, worker.work)
    loop.add_signal_handler(signal.SIGTTIN, worker.resize, 1)
    loop.add_signal_handler(signal.SIGTTOU, worker.resize, -1)
    logger.info("%s works for %s on %s", worker.name, given.url.rpartition("@")[2],
                ", ".join(given.topic or handlers.topics()))
    await worker.run(given.grace)
    await leave(0)


def problem_of(given: argparse.Namespace, handlers: object) -> str:
    """What is wrong with the options; empty = nothing."""
    if not isinstance(handlers, Handlers) or not handlers.topics():
        return "give a Handlers object in which there are handlers"
    unknown = [topic for topic in given.topic if handlers.get(topic) is None]
    if unknown:
        return f"there is no handler for the topic {unknown[0]!r}"
    if given.concurrency < 1 or not 0 <= given.lease < math.inf or not 0 <= given.grace < math.inf:
        return "give a concurrency of at least 1, and 0 or more seconds of lease and grace"
    if given.processes < -1 or min(given.process_max_jobs, given.process_max_memory, given.process_memory_limit) < 0:
        return "the numbers of worker processes and their limits cannot be negative"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    configure_logs("info", given.log_format)
    logging.getLogger().setLevel(logging.INFO)  # the handlers' own lines, too
    try:
        parse_url(given.url)
        handlers = load_handlers(given.handlers)
    except (LoadError, ValueError) as error:
        print(f"heroredis worker: {error}", file=sys.stderr)
        return 2
    problem = problem_of(given, handlers)
    if problem or not isinstance(handlers, Handlers):
        print(f"heroredis worker: {problem}", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(given, handlers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
