"""The job system plugged into the server: store, manager, commands, owned keys, workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from heroredis.extension import (
    PASS,
    Client,
    Command,
    Context,
    Core,
    Extension,
    JobRefused,
)
from jobs import handover
from jobs.access import queues_of
from jobs.commands import JobCommands
from jobs.employer import ServersJobs
from jobs.errors import NotStored
from jobs.event_commands import TOKEN as EVENTS
from jobs.feed import Feed, Page, Work
from jobs.handlers import Handlers
from jobs.handover import Handover
from jobs.index_feed import feed_of
from jobs.indexer import Indexer
from jobs.job import Job
from jobs.keeper import Keeper
from jobs.limits import Limits
from jobs.manager import END, JobManager
from jobs.ourdb_store import OurDBStore
from jobs.plain_keys import PlainKeys
from jobs.pool_control import PoolControl
from jobs.process_pool import ProcessOptions, ProcessPool
from jobs.redis_queue import PREFIXES, RedisJobManager
from jobs.retention import Rules
from jobs.store import JobStore
from jobs.worker import WorkerPool
from ourdb import OurDB, OurDBError, StoreFull

CAREFUL: Final = 100
"""Jobs that are started with care after a crash."""
RECHECK_MS: Final = 250
"""How soon a jump of the wall clock is noticed while jobs wait for their time."""
LATE_S: Final = 0.1
"""A timer that comes so much too late tells that the whole server was held up."""
logger = logging.getLogger("heroredis.jobs")


class JobsExtension(Extension):
    """Opens the store when it is attached; `manager` is there from then on."""

    name = "jobs"

    def __init__(self, *, path: Path, durability: str, workers: int, poll_interval_s: float, handlers: Handlers,
                 open_store: Callable[[], JobStore] | None = None, limits: Limits | None = None,
                 stuck_ms: int = 0, index_path: Path | None = None, metrics_path: Path | None = None,
                 handover_path: Path | None = None,
                 retention: Rules | None = None, processes: ProcessOptions | None = None) -> None:
        self._open: Final = open_store or (lambda: OurDBStore(OurDB(path, durability=durability)))
        self._workers: Final = workers
        self._poll_interval_s: Final = poll_interval_s
        self._handlers: Final = handlers
        self._limits: Final = limits or Limits()
        self._stuck_ms: Final = stuck_ms
        self._index_path: Final = index_path
        self._metrics_path: Final = metrics_path
        self._handover_path: Final = handover_path
        self._rules: Final = retention or {}
        self._keeper: Keeper | None = None
        self._process_options: Final = processes or ProcessOptions()
        self._processes: ProcessPool | None = None
        self._is_stopping = False
        self._is_full = False
        self._core: Core | None = None
        self._manager: JobManager | None = None
        self._pool: WorkerPool | None = None
        self._feed: Feed | None = None
        self._control: PoolControl | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._plain_keys: Final = PlainKeys(lambda: self.manager)
        self._commands: Final = JobCommands(lambda: self.manager, lambda: self.feed, lambda: self.control)

    @property
    def manager(self) -> JobManager:
        if self._manager is None:
            raise RuntimeError("the job system is not started")
        return self._manager

    @property
    def feed(self) -> Feed:
        if self._feed is None:
            raise RuntimeError("the job system is not started")
        return self._feed

    @property
    def control(self) -> PoolControl:
        if self._control is None:
            raise RuntimeError("the job system is not started")
        return self._control

    @property
    def pool(self) -> WorkerPool:
        if self._pool is None:
            raise RuntimeError("the job system is not started")
        return self._pool

    def commands(self) -> list[Command]:
        return self._commands.commands()

    def owned_prefixes(self) -> tuple[bytes, ...]:
        return PREFIXES

    def attach(self, core: Core) -> None:
        store = self._open()
        self._core = core
        queue = RedisJobManager(core.space.databases[0], lambda job_id: manager.live.get(job_id))
        manager = JobManager(store, queue, core.clock, core.commits.when_done, core.rng, self._limits)
        self._manager = manager
        self._pool = WorkerPool(manager, self._handlers.part(False), self._workers, self._poll_interval_s,
                                self._stuck_ms)
        self._pool.watchdog.limit_ms = self._limit_ms
        manager.gauges = self._gauges
        feed = Feed(store, core.commits.when_done, lambda: self._follow(feed), self._in_thread,
                    lambda: core.signal(EVENTS))
        self._feed = manager.feed = feed
        manager.on_taken_back = feed.taken_back
        self._keeper = Keeper(manager, core.clock, self._rules, self._metrics_path)
        if self._index_path is not None:
            manager.search.indexer = Indexer(self._index_path, feed_of(store))
        self._control = PoolControl(manager, self._pool, lambda: self._processes, core.signal)
        self._commands.searching.answers.signal = core.signal
        manager.stack = self._pool.stack
        manager.defaults_of = self._handlers.defaults
        manager.on_push = self._pushed
        manager.on_end = self._ended
        manager.blocking = core.blocking
        manager.on_schedule = self._arm
        manager.on_revoke = self._revoke
        manager.on_measure = self._measure
        manager.later = self._later
        manager.embedded = lambda: [(worker.name, worker.job) for worker in self.pool.workers]
        manager.embedded_topics = self._pool.handlers.topics
        super().attach(core)
        core.registry.add_help()

    async def start(self) -> None:
        if self._keeper is not None:
            self._keeper.begin_counting()
        handed_over = self._handed_over()
        live = self.manager.recover(handed_over)
        if live:
            logger.info("%d unfinished jobs are back in line", live)
            if handed_over is None:
                self.pool.careful = CAREFUL
        self.pool.start()
        self._start_processes()
        self._arm()
        if self.manager.search.indexer is not None:
            self.manager.search.indexer.start()
        if self._keeper is not None:
            self._keeper.start()

    def _start_processes(self) -> None:
        isolated = self._handlers.part(True)
        core = self._core
        if isolated.topics() and core is not None and core.adopt is not None:
            self._processes = ProcessPool(ServersJobs(self.manager, core.adopt), isolated, self._process_options)
            self._processes.start()
            self.pool.elsewhere.update(isolated.topics())

    def _revoke(self, job: Job) -> None:
        self.pool.revoke(job)
        if self._processes is not None:
            self._processes.revoke(job)

    def _measure(self, job: Job) -> None:
        used = None if self._processes is None else self._processes.usage(job)
        if used is not None:
            self.manager.measured(job.job_id, job.token, *used)

    def stopping(self) -> None:
        self._is_stopping = True

    async def stop(self, grace_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        processes = [] if self._processes is None else [self._processes.stop(grace_s)]
        await asyncio.gather(self.pool.stop(grace_s), *processes)
        if self._keeper is not None:
            await self._keeper.stop()
        if self.manager.search.indexer is not None:
            await asyncio.to_thread(self.manager.search.indexer.stop)
        if self.manager.is_full:  # the last try; what does not get there now runs again after the next start
            self.manager.write_again()
            with contextlib.suppress(NotStored):
                await self.manager.flushed()
        await self._hand_over()
        await asyncio.to_thread(self.manager.store.close)

    def _handed_over(self) -> Handover | None:
        store = self.manager.store
        if self._handover_path is None or not isinstance(store, OurDBStore):
            return None
        return handover.load(self._handover_path, store.db.end_mark)

    async def _hand_over(self) -> None:
        store, path = self.manager.store, self._handover_path
        if path is None or not isinstance(store, OurDBStore) or self.manager.is_full:
            return
        try:
            await asyncio.to_thread(store.db.flush)
            made = self.manager.hand_over(store.db.end_mark)
            await asyncio.to_thread(handover.save, path, made)
        except (OSError, OurDBError) as error:
            logger.warning("the next start has to read all jobs: %s", error)

    def _pushed(self, topic: str) -> None:
        self.pool.pushed(topic)
        if self._core is not None:
            self._core.signal(("topic", topic, ""))

    def _ended(self, job: Job) -> None:
        self.manager.release_waiters(job.job_id)
        if self._core is not None and self._core.blocking.count:
            self._core.signal((END, job.job_id, ""))

    def _later(self, action: Callable[[], None]) -> None:
        if self._core is None or self._core.loop is None:
            action()
        else:
            self._core.loop.call_soon(action)

    def _follow(self, feed: Feed) -> None:
        self.manager.on_append = feed.add

    def _in_thread(self, work: Work, done: Callable[[Page | JobRefused], None]) -> None:
        """Without a loop it is done at once."""
        if self._core is None or self._core.loop is None:
            done(work())
            return
        future = self._core.loop.run_in_executor(None, work)
        future.add_done_callback(lambda ended: None if ended.cancelled() else done(_result_of(ended)))

    def _arm(self) -> None:
        """One timer, for the soonest appointment or deadline. Appointments are by the wall clock, which may be set:
        it is looked at again and again."""
        if self._core is None or self._core.loop is None:
            return
        delay_ms = self.manager.next_due_ms()
        if delay_ms < 0:
            return
        loop = self._core.loop
        at = loop.time() + min(delay_ms, RECHECK_MS) / 1000
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = loop.call_at(at, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._core is not None and self._core.loop is not None and self._core.loop.time() - self._timer_at > LATE_S:
            self.manager.held_up()
        try:
            self.manager.due()
        except Exception:  # whatever it was, other jobs have their times too
            logger.exception("what was due could not be done")
        self._arm()

    def goes_on_after(self, error: BaseException) -> bool:
        """Whether this failure of the disk is over once there is space again."""
        if not isinstance(error, StoreFull):
            return False
        if not self._is_full:
            self._is_full = True
            logger.error("no job can be made or ended until there is space: %s", error)
        return True

    def before_write(self, ctx: object, command: Command, argv: list[bytes]) -> object:
        if not isinstance(ctx, Context):
            return PASS
        return self._plain_keys.before_write(ctx, command.name, argv)

    def implied_keys(self, command: Command, argv: list[bytes]) -> list[bytes]:
        """The queues of the topics that a JOB command names, or of the job that it names."""
        return queues_of(command, argv, self._topic_of, self._schedule_topic)

    def _schedule_topic(self, name: bytes) -> str | None:
        note = self.manager.schedules.get(name.decode("utf-8", "replace"))
        return None if note is None else note.topic

    def _limit_ms(self, job: Job) -> int:
        """The timeout of an attempt: its own, else the handler's."""
        handler = self._handlers.get(job.topic)
        return job.timeout_ms or (0 if handler is None else round(handler.timeout * 1000))

    def _gauges(self) -> list[tuple[str, str, int]]:
        watchdog = self.pool.watchdog
        return [("jobs_stuck", "Attempts that run far too long", watchdog.stuck_now),
                ("jobs_blocked_loop", "How often a handler has held the loop since the start", watchdog.blocked)]

    def _topic_of(self, job_id: int) -> str | None:
        """Of a deleted job too: its history can still be read."""
        job = self.manager.find(job_id)
        if job is not None:
            return job.topic
        versions = self.manager.history(job_id, 1)
        return versions[0].topic if versions else None

    def exec_begins(self) -> None:
        self.manager.store.begin()

    def exec_ends(self) -> None:
        self.manager.store.end()

    def client_closed(self, client: Client) -> None:
        if self._manager is not None:
            self._commands.steering.gone(client)
            self._commands.searching.answers.gone(client)
            if self._processes is None or not self._processes.closed(client.client_id):
                self.manager.owner_gone(client.client_id, "server", is_lost=not self._is_stopping)

    def info(self) -> list[tuple[str, list[tuple[str, str]]]]:
        counts = self.manager.stats()
        totals: dict[str, int] = {}
        facts = [(f"jobs_{state}", str(counts[state])) for state in counts]
        facts += [("jobs_blocked_loop", str(self.pool.watchdog.blocked)), ("jobs_stuck", str(self.pool.watchdog.stuck)),
                  ("jobs_paused_topics", str(len(self.manager.paused)))]
        facts += [("jobs_workers", str(len(self.pool.workers))), ("jobs_busy_workers", str(len(self.pool.running()))),
                  ("jobs_ignored_pushes", str(self._plain_keys.ignored_pushes))]
        indexer = self.manager.search.indexer
        if indexer is not None:
            facts += [("jobs_index_behind", str(indexer.behind)), ("jobs_index_rebuilt", str(indexer.rebuilt)),
                      ("jobs_index_problem", indexer.problem)]
        if self._keeper is not None:
            facts += [("jobs_retention_deleted", str(self._keeper.retention.deleted)),
                      ("jobs_compactions", str(self._keeper.retention.compactions))]
        for topic in self.manager.metrics.topics.values():
            for name, number in topic.totals().items():
                totals[name] = totals.get(name, 0) + number
        facts += [(f"jobs_total_{name}", str(number)) for name, number in totals.items()]
        return [("jobs", facts)]


def _result_of(ended: asyncio.Future[Page | JobRefused]) -> Page | JobRefused:
    """A refusal where the work has failed, so that nobody waits for it."""
    error = ended.exception()
    if error is None:
        return ended.result()
    logger.error("events could not be read", exc_info=error)
    return JobRefused("IOERR", f"the events cannot be read: {error}")
