"""The public door: all that jobs, dav and ui may use of this package.

An Extension adds commands and owns keys; a Service listens beside Redis; the JobService Protocol is how others see
the job manager.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from heroredis.args import Args, Parser, integer, natural, numkeys, raw, timeout_ms
from heroredis.clock import Clock, ManualClock, SystemClock
from heroredis.command import (
    ALL,
    FIRST,
    NO_KEYS,
    Command,
    KeySpec,
    command,
)
from heroredis.durations import parse_duration_ms
from heroredis.errors import RedisError
from heroredis.keyspace.change import GENERIC, LIST, STRING
from heroredis.keyspace.database import Database
from heroredis.leaving import leave
from heroredis.loading import LoadError, load_handlers
from heroredis.logs import configure as configure_logs
from heroredis.parameters import Parameters
from heroredis.reply import NULL_ARRAY, OK, Committing, Durable, Error, Map, Reply, Simple, Wait
from heroredis.session.blocking import Blocking
from heroredis.session.client import Client
from heroredis.session.context import Context
from heroredis.session.core import Core
from heroredis.session.owner import PASS, Owner
from heroredis.tuning import give_back
from heroredis.types.list import List
from heroredis.types.string import Rendered

__all__ = [
    "ALL",
    "FIRST",
    "GENERIC",
    "LIST",
    "NO_KEYS",
    "NULL_ARRAY",
    "OK",
    "PASS",
    "STRING",
    "Args",
    "Blocking",
    "BulkDone",
    "Client",
    "Clock",
    "Command",
    "Committing",
    "Context",
    "Core",
    "Cost",
    "Database",
    "Durable",
    "Error",
    "EventPage",
    "Extension",
    "JobEvent",
    "JobNotFound",
    "JobRefused",
    "JobService",
    "JobView",
    "KeySpec",
    "List",
    "Listening",
    "LoadError",
    "LogLine",
    "ManualClock",
    "Map",
    "Parameters",
    "Parser",
    "RedisError",
    "Rendered",
    "Reply",
    "Service",
    "Simple",
    "Stats",
    "SystemClock",
    "Wait",
    "command",
    "configure_logs",
    "give_back",
    "integer",
    "leave",
    "load_handlers",
    "natural",
    "numkeys",
    "parse_duration_ms",
    "raw",
    "timeout_ms",
]


class Extension(Owner):
    """Base of what plugs into the server. `attach` comes first, `start` before the listeners open."""

    name = "extension"

    def commands(self) -> list[Command]:
        return []

    def owned_prefixes(self) -> tuple[bytes, ...]:
        """Prefixes of keys of database 0 whose writes this extension sees first."""
        return ()

    def info(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Further sections of INFO."""
        return []

    def attach(self, core: Core) -> None:
        core.own(self, self.owned_prefixes())
        for declared in self.commands():
            core.registry.add(declared)
        core.extra_info.append(self.info)

    async def start(self) -> None:
        """Open what it needs; raises before anything listens."""

    def stopping(self) -> None:
        """The server is about to stop; its connections close next."""

    async def stop(self, grace_s: float) -> None:
        """Give running work `grace_s` seconds, then put everything in order."""

    def reload(self) -> None:
        """SIGHUP."""


class Listening:
    """One address that a service listens on."""

    def __init__(self, service: str, url: str) -> None:
        self.service = service
        self.url = url


class Service(Protocol):
    """A listener: Redis itself, the UI, WebDAV."""

    name: str

    async def start(self) -> list[Listening]: ...
    async def stop(self, grace_s: float) -> None: ...
    def reload(self) -> None: ...


class JobRefused(RedisError):
    """The job system will not do it; nothing was changed. `code` is the first word of the Redis error."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}".encode("utf-8", "backslashreplace"))
        self.code = code
        self.text = text


class JobNotFound(JobRefused):
    """There is no such job."""

    def __init__(self, text: str) -> None:
        super().__init__("NOJOB", text)


class Stats(Protocol):
    """How many jobs are in each state."""

    @property
    def new(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def error(self) -> int: ...


class JobView(Protocol):
    """One version of a job. Times are Unix ms, 0 = not yet; `at`, `by`, `version` are this version's."""

    @property
    def job_id(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def params(self) -> bytes: ...
    @property
    def result(self) -> bytes | None: ...
    @property
    def error(self) -> bytes | None: ...
    @property
    def traceback(self) -> bytes | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def priority(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def run_at(self) -> int: ...
    @property
    def started_at(self) -> int: ...
    @property
    def ended_at(self) -> int: ...
    @property
    def worker(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def version(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def by(self) -> str: ...


VERSION_FACTS: Final = ("state", "reason", "params", "result", "error", "traceback", "attempts", "max_attempts",
                        "priority", "run_at", "started_at", "ended_at", "worker", "tags")
"""What may differ from one version of a job to the next."""


def changed(job: JobView, before: JobView | None) -> list[str] | None:
    """The names of what a version has changed. `before` is the one before it; None = there is none, or it is not kept
    any more, of which nothing can be told."""
    if before is None:
        return None if job.version > 1 else []
    return [name for name in VERSION_FACTS if getattr(job, name) != getattr(before, name)]


class Cost(Protocol):
    """What the latest attempt of a job had cost at a version; None = not known, or not yet."""

    @property
    def queue_wait_ms(self) -> int | None: ...
    @property
    def wall_ms(self) -> int | None: ...
    @property
    def cpu_us(self) -> int | None: ...
    @property
    def max_rss(self) -> int | None: ...


class BulkDone(Protocol):
    """What was done to the jobs that fit a query."""

    @property
    def matched(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def first_refusal(self) -> str: ...


class LogLine(Protocol):
    """A line of a job's log, or a step of its progress (`percent` -1 = none)."""

    @property
    def at(self) -> int: ...
    @property
    def by(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def percent(self) -> int: ...


class JobEvent(Protocol):
    """One change, in the order of the store; `seq` is its cursor, `job` the version it made."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def event(self) -> str: ...
    @property
    def job_id(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def job(self) -> JobView | None: ...
    @property
    def line(self) -> str: ...
    @property
    def percent(self) -> int: ...


class EventPage(Protocol):
    """Some changes and the cursor behind them."""

    @property
    def cursor(self) -> int: ...
    @property
    def events(self) -> Sequence[JobEvent]: ...


class JobService(Protocol):
    """The job manager as the UI and WebDAV see it. Everything runs on the server's loop."""

    @property
    def create_job(self) -> Callable[..., Awaitable[JobView]]:
        """(topic, params, and the options of JobManager.create_job by name)."""
        ...
    async def create_jobs(self, topic: str, params_list: Sequence[object]) -> Sequence[JobView]: ...
    async def get_job(self, job_id: int) -> JobView | None: ...
    def find(self, job_id: int) -> JobView | None: ...
    async def get_history(self, job_id: int, depth: int = 100) -> Sequence[JobView]: ...
    def list_jobs(
        self, topic: str | None = None, state: str | None = None, cursor: int = 0, count: int = 50
    ) -> tuple[int, Sequence[JobView]]: ...
    def stats(self, topic: str | None = None) -> Stats: ...
    def topics(self) -> Mapping[str, Stats]: ...
    async def wait(self, job_id: int, timeout: float | None = None) -> JobView | None: ...
    def subscribe(self, callback: Callable[[JobView], None]) -> Callable[[], None]: ...
    def newest_event(self) -> int: ...
    async def events_after(self, cursor: int, count: int = 100, wait: float = 0) -> EventPage:
        """Changes behind a cursor, waiting so many seconds for the first. JobRefused: ERR ahead, TOOOLD dropped."""
        ...
    def to_json(self, job: JobView) -> bytes: ...
    async def search_jobs(self, query: str, cursor: int = 0, count: int = 50) -> tuple[int, Sequence[JobView]]: ...
    async def jobs_as_of(
        self, moment_ms: int, query: str = "", cursor: int = 0, count: int = 50
    ) -> tuple[int, Sequence[JobView]]: ...
    async def count_jobs(self, query: str) -> int: ...
    def fits(self, query: str) -> Callable[[JobView], bool]: ...
    async def retry_job(self, job_id: int, *, by: str = "api") -> JobView: ...
    async def cancel_job(self, job_id: int, why: object = "cancelled", *, by: str = "api") -> JobView: ...
    async def delete_job(self, job_id: int, *, by: str = "api") -> None: ...
    async def bulk(self, action: str, query: str, *, by: str = "api", dry_run: bool = False) -> BulkDone: ...
    def trail(self, job_id: int, count: int = 1000) -> Sequence[LogLine]: ...
    def accounting(self, job_id: int) -> Cost: ...
    def costs(self, versions: Sequence[JobView]) -> Sequence[Cost]:
        """One for each version; versions newest first."""
        ...
    def details(self, topic: str) -> dict[str, object]: ...
    def metrics_text(self) -> str: ...
