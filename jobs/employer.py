"""What a pool of worker processes has to know of those whose jobs they run, and tells them: the server itself here, a
worker on another machine in `jobs.deputy`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

from heroredis.extension import Client
from jobs.errors import JobRefused
from jobs.job import Job
from jobs.manager import JobManager
from jobs.states import Reason
from jobs.usage import Usage

logger = logging.getLogger("heroredis.jobs")
Adopt = Callable[[socket.socket, bytes], Awaitable[Client]]


class Channel(Protocol):
    """Our end of what a worker process speaks through."""

    @property
    def client_id(self) -> int: ...

    abort: Callable[[], None] | None
    """Ends it at once."""


class Death(NamedTuple):
    """How an attempt has ended whose process is dead, or was killed for it."""

    error: str
    reason: str
    """`crashed` or `timeout`."""
    lines: bytes | None
    """What it printed last."""
    wait_ms: int
    """Until the next attempt, as the handler's own function says; -1 = it has none."""
    usage: Usage
    """No memory = it is not known."""
    retries: int = 0
    """What the handler says for jobs that were made without it, and its backoff."""
    backoff: str = ""


class Employer(Protocol):
    """Who has the jobs that the processes of one pool run."""

    @property
    def max_result(self) -> int:
        """Bytes of a result at most."""

    async def adopt(self, end: socket.socket, name: str) -> Channel:
        """Serve the process that holds the other end. OSError when it cannot be."""

    def began(self, channel_id: int) -> None:
        """The process is there. The pool watches the time of its jobs."""

    def left(self, channel_id: int) -> None:
        """It is dead, and what was to be said about its jobs has been said."""

    def held(self, channel_id: int) -> list[Job]:
        """The jobs of a process, the one that it works on first."""

    def give_back(self, job: Job, by: str) -> None:
        """An attempt that does not count."""

    def failed(self, job: Job, by: str, death: Death) -> None:
        """An attempt that has failed."""


class ServersJobs:
    """The employer that the manager of the jobs is."""

    def __init__(self, manager: JobManager, adopt: Adopt) -> None:
        self._manager: Final = manager
        self._adopt: Final = adopt

    @property
    def max_result(self) -> int:
        return self._manager.limits.result

    async def adopt(self, end: socket.socket, name: str) -> Channel:
        return await self._adopt(end, name.encode())

    def began(self, channel_id: int) -> None:
        self._manager.timekeepers.add(channel_id)

    def left(self, channel_id: int) -> None:
        self._manager.timekeepers.discard(channel_id)

    def held(self, channel_id: int) -> list[Job]:
        return [self._manager.live[job_id] for job_id in self._manager.held_by(channel_id)]

    def give_back(self, job: Job, by: str) -> None:
        self._manager.give_back(job.job_id, by)

    def failed(self, job: Job, by: str, death: Death) -> None:
        if death.usage.max_rss:
            self._manager.measured(job.job_id, None, *death.usage)
        error = death.error.encode("utf-8", "replace")
        try:
            if death.reason == Reason.CRASHED:
                self._manager.died_with(job.job_id, error, by, death.lines, death.wait_ms)
            else:
                self._manager.fail(job.job_id, error, by, reason=death.reason, traceback=death.lines,
                                   retry_ms=death.wait_ms)
        except JobRefused as refused:
            logger.warning("the end of job %d could not be recorded: %s", job.job_id, refused.text)
