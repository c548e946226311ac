"""JOB.*: parse, one call of the manager, answer. No job logic lives here. docs/protocol.md is the full document."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from heroredis.extension import (
    NO_KEYS,
    NULL_ARRAY,
    OK,
    Command,
    Context,
    Durable,
    Map,
    Reply,
    Simple,
    Wait,
    command,
    natural,
)
from jobs.accounting import ENOUGH, accounted_newest_first
from jobs.answers import cost_pairs, counts_map, job_pairs, version_pairs
from jobs.arguments import LONGEST_WAIT_MS, author, create_options, decoded, fetch_options, job_id_of, read_options
from jobs.attempt_commands import AttemptCommands
from jobs.counts import Counts
from jobs.declared import TABLE
from jobs.errors import BadOption, no_job
from jobs.event_commands import EventCommands
from jobs.feed import Feed
from jobs.later import Answers
from jobs.manager import END, JobManager
from jobs.options import PLAIN
from jobs.pool_control import WORK, PoolCommands, PoolControl
from jobs.schedule_commands import ScheduleCommands
from jobs.search_commands import MAX_COUNT, SearchCommands
from jobs.states import ENDED, STATES
from jobs.steer_commands import SteerCommands

DEFAULT_HISTORY: Final = 100


class JobCommands:
    """The commands over one manager."""

    def __init__(self, manager: Callable[[], JobManager], feed: Callable[[], Feed],
                 control: Callable[[], PoolControl], answers: Answers | None = None) -> None:
        self._manager: Final = manager
        self.steering: Final = SteerCommands(manager)
        self._attempts: Final = AttemptCommands(manager)
        self._events: Final = EventCommands(feed)
        self._schedules: Final = ScheduleCommands(manager)
        self.searching: Final = SearchCommands(manager, answers)
        self._pool: Final = PoolCommands(control)

    def commands(self) -> list[Command]:
        handlers: dict[str, Callable[..., Reply]] = {
            "JOB.CREATE": self.create, "JOB.MCREATE": self.mcreate, "JOB.MCREATEX": self.mcreatex,
            "JOB.GET": self.get, "JOB.HISTORY": self.history,
            "JOB.STATUS": self.status, "JOB.FETCH": self.fetch, **self._attempts.handlers(),
            "JOB.STATS": self.stats, "JOB.TOPICS": self.topics, "JOB.WAIT": self.wait,
            "JOB.HELP": self.help, **self.steering.handlers(), **self._events.handlers(), **self._schedules.handlers(),
            **self.searching.handlers(), **self._pool.handlers(),
        }
        return [
            command(name, summary, group="job", since="0.1.0", flags=flags, keys=NO_KEYS,
                    complexity=complexity, syntax=syntax)(handlers[name])
            for name, (syntax, summary, flags, complexity) in TABLE.items()
        ]

    def create(self, ctx: Context, topic: bytes, params: bytes, *options: bytes) -> Reply:
        chosen = PLAIN if not options else create_options(options)
        job, commit = self._manager().create(decoded(topic), params, chosen, author(ctx.client))
        return Durable(job.job_id, commit)

    def mcreate(self, ctx: Context, topic: bytes, params: bytes, *more: bytes) -> Reply:
        jobs, commit = self._manager().create_many(decoded(topic), [params, *more], PLAIN, author(ctx.client))
        return Durable([job.job_id for job in jobs], commit)

    def mcreatex(self, ctx: Context, topic: bytes, count: bytes, params: bytes, *more: bytes) -> Reply:
        wanted = natural(count)
        if not 1 <= wanted <= 1 + len(more):
            raise BadOption("give the number of params, so many params, and the options behind them")
        options = more[wanted - 1 :]
        jobs, commit = self._manager().create_many(
            decoded(topic), [params, *more[: wanted - 1]], create_options(options) if options else PLAIN,
            author(ctx.client))
        return Durable([job.job_id for job in jobs], commit)

    def get(self, ctx: Context, job_id: bytes) -> Reply:
        manager = self._manager()
        job = manager.find(job_id_of(job_id))
        return None if job is None else Map([*job_pairs(job), *cost_pairs(manager.accounting(job.job_id))])

    def history(self, ctx: Context, job_id: bytes, *options: bytes) -> Reply:
        number = job_id_of(job_id)
        found = read_options(options, (), {"COUNT": natural})
        depth = found.get("COUNT", DEFAULT_HISTORY)
        wanted = depth if isinstance(depth, int) and depth else DEFAULT_HISTORY
        versions = self._manager().history(number, wanted + ENOUGH)
        if not versions:
            raise no_job(number)
        costs = accounted_newest_first(versions)
        return [Map(version_pairs(job, cost, before)) for job, cost, before
                in zip(versions[:wanted], costs, [*versions[1:], None], strict=False)]

    def status(self, ctx: Context, job_id: bytes, state: bytes) -> Reply:
        wanted = decoded(state).lower()
        if wanted not in STATES:
            raise BadOption(f"state {wanted!r} does not exist, give one of {', '.join(STATES)}")
        return Durable(OK, self._manager().set_state(job_id_of(job_id), wanted, author(ctx.client)))

    def fetch(self, ctx: Context, count: bytes, timeout: bytes, topic: bytes, *rest: bytes) -> Reply:
        wanted, milliseconds = natural(count), natural(timeout)
        if not 1 <= wanted <= MAX_COUNT or milliseconds > LONGEST_WAIT_MS:
            raise BadOption(f"give a count of 1 to {MAX_COUNT} and a timeout in milliseconds")
        topics, lease_ms, worker = fetch_options([topic, *rest], author(ctx.client))
        manager = self._manager()
        self.steering.fetched(ctx.client, worker, topics)
        is_ours = ctx.client.client_id in manager.timekeepers
        was_parked = is_ours and ctx.client.is_blocked
        if is_ours and manager.is_quiet:
            return NULL_ARRAY if was_parked else Wait([WORK], milliseconds, NULL_ARRAY)
        jobs: list[object] = []
        for name in topics:
            while len(jobs) < wanted:
                job = manager.claim(name, worker, ctx.client.client_id, lease_ms)
                if job is None:
                    break
                jobs.append(Map([*job_pairs(job), (b"token", job.token)]))
        if jobs:
            manager.store.commit()
            return jobs
        if milliseconds == 0 or was_parked:  # a process of ours asks again at once
            return NULL_ARRAY
        tokens: list[Hashable] = [("topic", name, "") for name in topics]
        return Wait([*tokens, WORK] if is_ours else tokens, milliseconds, NULL_ARRAY)

    def stats(self, ctx: Context, *topic: bytes) -> Reply:
        manager = self._manager()
        if len(topic) == 2 and topic[1].upper() == b"DETAIL":
            shown = counts_map(manager.stats(decoded(topic[0])))
            shown.pairs.extend((name.encode(), value) for name, value in manager.details(decoded(topic[0])).items())
            return shown
        if len(topic) > 1:
            raise BadOption("give one topic, or none for all; DETAIL may stand behind the topic")
        return counts_map(manager.stats(decoded(topic[0]) if topic else None))

    def topics(self, ctx: Context) -> Reply:
        manager = self._manager()
        rows: list[tuple[object, object]] = []
        known = manager.topics()
        for name, counts in known.items():
            shown = counts_map(counts)
            shown.pairs.append((b"paused", int(name in manager.paused)))
            rows.append((name, shown))
        for name in sorted(manager.paused.keys() - known.keys()):  # also where nothing waits yet
            rows.append((name, Map([*counts_map(Counts()).pairs, (b"paused", 1)])))
        return Map(rows)

    def wait(self, ctx: Context, job_id: bytes, timeout: bytes) -> Reply:
        number, milliseconds = job_id_of(job_id), natural(timeout)
        manager = self._manager()
        job = manager.find(number)
        if job is None:
            raise no_job(number)
        if job.state in ENDED and not manager.is_ending(number):
            return Map(job_pairs(job))
        if milliseconds == 0:
            return NULL_ARRAY
        return Wait([(END, number, "")], milliseconds, NULL_ARRAY)

    def help(self, ctx: Context) -> Reply:
        lines = ["JOB.<command> [<argument> ...]. Ids are whole numbers, times Unix milliseconds. Commands are:"]
        for name, (syntax, summary, _, _) in TABLE.items():
            lines += [f"{name} {syntax}".rstrip(), f"    {summary}"]
        return [Simple(line.encode()) for line in lines]
