"""JOB.*: parse, one call of the manager, answer. No job logic lives here. docs/protocol.md is the full document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import (
    NO_KEYS,
    NULL_ARRAY,
    OK,
    Args,
    Client,
    Command,
    Context,
    Durable,
    Map,
    Reply,
    Simple,
    Wait,
    command,
    integer,
    natural,
    raw,
)
from jobs.counts import Counts
from jobs.errors import BadOption, no_job
from jobs.job import Job
from jobs.manager import JobManager
from jobs.options import PLAIN, JobOptions, check_topic
from jobs.states import ENDED, STATES

MAX_COUNT: Final = 1000
DEFAULT_HISTORY: Final = 100
LONGEST_WAIT_MS: Final = 1 << 50
CREATE_VALUES: Final = {
    "DELAY": natural, "AT": natural, "PRIORITY": natural, "RETRY": natural, "BACKOFF": raw, "TIMEOUT": natural,
    "META": raw,
}


def author(client: Client) -> str:
    """Who made a change, for the history: the connection's name, else its address."""
    return client.name.decode("utf-8", "replace") if client.name else f"client {client.addr}"


def decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise BadOption("topics, states and names are UTF-8 text") from None


def job_id_of(text: bytes) -> int:
    number = integer(text)
    if number < 1:
        raise BadOption(f"job ids are whole numbers from 1, not {number}")
    return number


def job_pairs(job: Job) -> list[tuple[object, object]]:
    """A job as JOB.GET answers it."""
    return [
        (b"id", job.job_id), (b"topic", job.topic), (b"state", job.state), (b"reason", job.reason),
        (b"params", job.params), (b"result", job.result), (b"error", job.error), (b"traceback", job.traceback),
        (b"attempts", job.attempts), (b"max_attempts", job.max_attempts), (b"priority", job.priority),
        (b"created_at", job.created_at), (b"run_at", job.run_at), (b"started_at", job.started_at),
        (b"ended_at", job.ended_at), (b"worker", job.worker), (b"tags", list(job.tags)),
        (b"timeout", job.timeout_ms), (b"meta", job.meta or None),
    ]


def version_pairs(job: Job) -> list[tuple[object, object]]:
    return [*job_pairs(job), (b"version", job.version), (b"at", job.at), (b"by", job.by)]


def counts_map(counts: Counts) -> Map:
    return Map([(state.encode(), counts[state]) for state in STATES])


class JobCommands:
    """The commands over one manager."""

    def __init__(self, manager: Callable[[], JobManager]) -> None:
        self._manager: Final = manager

    def commands(self) -> list[Command]:
        table: list[tuple[str, str, str, Callable[..., Reply]]] = [
            ("JOB.CREATE", "Make a job; answers its id once it is on disk.", "write denyoom", self.create),
            ("JOB.MCREATE", "Make several jobs of a topic in one commit.", "write denyoom", self.mcreate),
            ("JOB.GET", "A job as it is now.", "readonly fast", self.get),
            ("JOB.HISTORY", "All versions of a job, newest first.", "readonly", self.history),
            ("JOB.STATUS", "Set the state of a job by hand.", "write", self.status),
            ("JOB.FETCH", "Take waiting jobs to work on them, waiting for some.", "write blocking", self.fetch),
            ("JOB.COMPLETE", "End a job as done with its result.", "write", self.complete),
            ("JOB.FAIL", "End an attempt with an error; the job may be tried again.", "write", self.fail),
            ("JOB.CANCEL", "End a job that has not begun.", "write", self.cancel),
            ("JOB.LIST", "Jobs, newest first, by topic and state.", "readonly", self.list_),
            ("JOB.STATS", "Counts by state.", "readonly fast", self.stats),
            ("JOB.TOPICS", "Counts by topic and state.", "readonly", self.topics),
            ("JOB.WAIT", "Wait until a job is done or error.", "readonly blocking", self.wait),
            ("JOB.HELP", "Shows this help.", "readonly fast", self.help),
        ]
        return [
            command(name, summary, group="job", since="0.1.0", flags=flags, keys=NO_KEYS)(run)
            for name, summary, flags, run in table
        ]

    def create(self, ctx: Context, topic: bytes, params: bytes, *options: bytes) -> Reply:
        chosen = PLAIN if not options else create_options(options)
        job, commit = self._manager().create(decoded(topic), params, chosen, author(ctx.client))
        return Durable(job.job_id, commit)

    def mcreate(self, ctx: Context, topic: bytes, params: bytes, *more: bytes) -> Reply:
        jobs, commit = self._manager().create_many(decoded(topic), [params, *more], PLAIN, author(ctx.client))
        return Durable([job.job_id for job in jobs], commit)

    def get(self, ctx: Context, job_id: bytes) -> Reply:
        job = self._manager().find(job_id_of(job_id))
        return None if job is None else Map(job_pairs(job))

    def history(self, ctx: Context, job_id: bytes, *options: bytes) -> Reply:
        number = job_id_of(job_id)
        found = Args(options).options((), {"COUNT": natural})
        depth = found.get("COUNT", DEFAULT_HISTORY)
        versions = self._manager().history(number, depth if isinstance(depth, int) and depth else DEFAULT_HISTORY)
        if not versions:
            raise no_job(number)
        return [Map(version_pairs(job)) for job in versions]

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
        if milliseconds == 0:
            return NULL_ARRAY
        return Wait([("topic", name, "") for name in topics], milliseconds, NULL_ARRAY)

    def complete(self, ctx: Context, job_id: bytes, result: bytes, *options: bytes) -> Reply:
        token, _ = end_options(options, ())
        return Durable(OK, self._manager().finish(job_id_of(job_id), result, author(ctx.client), token))

    def fail(self, ctx: Context, job_id: bytes, error: bytes, *options: bytes) -> Reply:
        token, dead = end_options(options, ("DEAD",))
        return Durable(OK, self._manager().fail(job_id_of(job_id), error, author(ctx.client), token, final=dead))

    def cancel(self, ctx: Context, job_id: bytes, *reason: bytes) -> Reply:
        if len(reason) > 1:
            raise BadOption("give the reason as one argument")
        why = reason[0] if reason else b"cancelled"
        return Durable(OK, self._manager().cancel(job_id_of(job_id), author(ctx.client), why))

    def list_(self, ctx: Context, *options: bytes) -> Reply:
        found = Args(options).options(("IDS",), {"TOPIC": decoded, "STATE": decoded, "CURSOR": natural,
                                                 "COUNT": natural})
        topic, state = found.get("TOPIC"), found.get("STATE")
        cursor, count = found.get("CURSOR", 0), found.get("COUNT", 50)
        if isinstance(state, str) and state not in STATES:
            raise BadOption(f"state {state!r} does not exist, give one of {', '.join(STATES)}")
        if not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
            raise BadOption(f"give a COUNT of 1 to {MAX_COUNT}")
        following, jobs = self._manager().list_jobs(
            topic if isinstance(topic, str) else None, state if isinstance(state, str) else None,
            cursor if isinstance(cursor, int) else 0, count)
        shown: list[object] = [job.job_id if "IDS" in found else Map(job_pairs(job)) for job in jobs]
        return [b"%d" % following, shown]

    def stats(self, ctx: Context, *topic: bytes) -> Reply:
        if len(topic) > 1:
            raise BadOption("give one topic, or none for all")
        return counts_map(self._manager().stats(decoded(topic[0]) if topic else None))

    def topics(self, ctx: Context) -> Reply:
        return Map([(name, counts_map(counts)) for name, counts in self._manager().topics().items()])

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
        return Wait([("end", number, "")], milliseconds, NULL_ARRAY)

    def help(self, ctx: Context) -> Reply:
        return [Simple(line.encode()) for line in HELP]


def create_options(options: tuple[bytes, ...]) -> JobOptions:
    """The options of JOB.CREATE; TAG may be repeated."""
    tags: list[str] = []

    def tag(text: bytes) -> bool:
        tags.append(decoded(text))
        return True

    found = Args(options).options((), {**CREATE_VALUES, "TAG": tag})
    if "DELAY" in found and "AT" in found:
        raise BadOption("give DELAY or AT, not both")

    def number(name: str, default: int) -> int:
        value = found.get(name, default)
        return value if isinstance(value, int) else default

    backoff, meta = found.get("BACKOFF"), found.get("META")
    return JobOptions(
        delay_ms=number("DELAY", 0), run_at=number("AT", 0), priority=number("PRIORITY", PLAIN.priority),
        retries=number("RETRY", 0) if "RETRY" in found else None, timeout_ms=number("TIMEOUT", 0), tags=tuple(tags),
        backoff=decoded(backoff) if isinstance(backoff, bytes) else PLAIN.backoff,
        meta=meta if isinstance(meta, bytes) else b"",
    )


def fetch_options(words: list[bytes], worker: str) -> tuple[list[str], int, str]:
    """Topics, lease in ms (0 = the connection's) and worker name; options stand behind the topics."""
    lease_ms = 0
    while len(words) > 2 and words[-2].upper() in (b"LEASE", b"WORKER"):
        if words[-2].upper() == b"LEASE":
            lease_ms = natural(words[-1])
            if not 1 <= lease_ms <= LONGEST_WAIT_MS:
                raise BadOption("give a LEASE of at least 1 ms")
        else:
            worker = decoded(words[-1])
        words = words[:-2]
    return [check_topic(decoded(word)) for word in words], lease_ms, worker


def end_options(options: tuple[bytes, ...], flags: tuple[str, ...]) -> tuple[str | None, bool]:
    found = Args(options).options(flags, {"TOKEN": decoded})
    token = found.get("TOKEN")
    return (token if isinstance(token, str) else None), "DEAD" in found


HELP: Final = (
    "JOB.<command> [<argument> ...]. Ids are whole numbers, times Unix milliseconds. Commands are:",
    "JOB.CREATE topic params [DELAY ms | AT ms] [PRIORITY 0-255] [RETRY n] [BACKOFF spec] [TIMEOUT ms] [TAG t]*"
    " [META json]",
    "JOB.MCREATE topic params [params ...]",
    "JOB.GET id",
    "JOB.HISTORY id [COUNT n]",
    "JOB.STATUS id new|active|done|error",
    "JOB.FETCH count timeout-ms topic [topic ...] [LEASE ms] [WORKER name]",
    "JOB.COMPLETE id result [TOKEN t]",
    "JOB.FAIL id error [TOKEN t] [DEAD]",
    "JOB.CANCEL id [reason]",
    "JOB.LIST [TOPIC t] [STATE s] [CURSOR c] [COUNT n] [IDS]",
    "JOB.STATS [topic]",
    "JOB.TOPICS",
    "JOB.WAIT id timeout-ms",
)
