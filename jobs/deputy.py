"""Worker processes of a worker elsewhere: towards each of them we stand in for the server.

A process speaks with us as it would with the server. Its jobs come over a connection that is made for it and that
outlives it, so that the server hears how they ended before it could miss them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from jobs import requests
from jobs.async_client import AsyncClient
from jobs.attempt import MAX_RESULT, attempt_of
from jobs.employer import Channel, Death
from jobs.job import Job
from jobs.reporting import Reporter, fetched
from jobs.requests import Request
from jobs.states import Reason
from jobs.wire import NotConnected, OutcomeUnknown, new_reader

logger = logging.getLogger("heroredis.worker")
DIED: Final = "the worker process ended by "
WAIT_S: Final = 60.0
OVER: Final = (b"JOB.COMPLETE", b"JOB.FAIL", b"JOB.SNOOZE", b"JOB.RELEASE")
"""After which the process works on the job no longer."""
TOPICS_AT: Final = 3
"""Where the topics begin in JOB.FETCH; WORKER and a name stand behind them."""


def packed(value: object) -> bytes:
    """An answer in RESP3, for what jobs consist of."""
    if value is None:
        return b"_\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, dict):
        return b"%%%d\r\n" % len(value) + b"".join(packed(key) + packed(one) for key, one in value.items())
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(packed(one) for one in value)
    text = value if isinstance(value, bytes) else str(value).encode()
    return b"$%d\r\n%b\r\n" % (len(text), text)


class Deputy(asyncio.Protocol):
    """The server's part towards one process. Requests are carried out at once, and answered in order."""

    def __init__(self, channel_id: int, jobs: RemoteJobs, fetcher: AsyncClient) -> None:
        self.client_id: Final = channel_id
        self.abort: Callable[[], None] | None = None
        self.held: Final[dict[int, Job]] = {}
        self.fetcher: Final = fetcher
        self.reports: Final[set[asyncio.Task[Any]]] = set()
        self._making: Final[set[asyncio.Task[object]]] = set()
        """The jobs that a handler has asked for: they are there before its end is told."""
        self._jobs: Final = jobs
        self._reader: Final = new_reader()
        self._answers: Final[asyncio.Queue[asyncio.Task[object]]] = asyncio.Queue()
        self._answering: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[object] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self.abort = transport.abort
        self._answering = asyncio.get_running_loop().create_task(self._answer())

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while isinstance(words := self._reader.gets(), list):
            self._answers.put_nowait(self._carry_out(words))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        if self._fetching is not None:
            self._fetching.cancel()
        if not self._jobs.on_closed(self.client_id):  # its process has not come to be, or nothing more is said of it
            self._jobs.left(self.client_id)

    async def _answer(self) -> None:
        while True:
            answer = await asyncio.shield(await self._answers.get())  # a report goes on when its process is gone
            if self._transport is not None:
                self._transport.write(packed(answer))

    def _carry_out(self, words: list[bytes]) -> asyncio.Task[object]:
        loop = asyncio.get_running_loop()
        if words[0] == b"JOB.FETCH":
            self._fetching = loop.create_task(self._fetch(words[TOPICS_AT:-2], words[-1]))
            return self._fetching
        if words[0] == b"JOB.CREATE":
            made = self.tell(self._report(words, None))
            self._making.add(made)
            made.add_done_callback(self._making.discard)
            return made
        job = self.held.get(int(words[1])) if words[0].startswith(b"JOB.") else None
        if words[0] in OVER:
            self.held.pop(int(words[1]), None)
        return self.tell(self._report(words, job))

    def tell(self, report: Any) -> asyncio.Task[object]:
        """Begin a report; who lets go of the connection waits for it."""
        task = asyncio.get_running_loop().create_task(report)
        self.reports.add(task)
        task.add_done_callback(self.reports.discard)
        return task

    async def _report(self, words: list[bytes], job: Job | None) -> object:
        reporter, request = self._jobs.reporter, requests.plain(words)
        if words[0] == b"HELLO":
            return "OK"
        if job is not None and words[0] in (b"JOB.COMPLETE", b"JOB.FAIL"):
            if self._making:
                await asyncio.wait(set(self._making))
            await reporter.end(job, request)
        else:
            await reporter.report(request)
        return "OK"

    async def _fetch(self, topics: list[bytes], name: bytes) -> object:
        """One job, however many are asked for, and not before all that was reported is answered: a job that waits here
        for its process would be begun late, when it may be somebody else's."""
        jobs = self._jobs
        if self.reports:
            await asyncio.wait(set(self.reports))
        names = [topic.decode() for topic in topics]
        while True:
            await jobs.takes.wait()
            found = await fetched(self.fetcher, jobs.reporter.outage, names, 1, WAIT_S, jobs.lease,
                                  name.decode())
            attempts = [attempt_of(job).job for job in found]
            if not jobs.takes.is_set():  # they came while we were told to be quiet
                for job in attempts:
                    await jobs.reporter.release(job)
            elif found:
                self.held.update((job.job_id, job) for job in attempts)
                return found


class RemoteJobs:
    """The employer that a worker elsewhere is: its own server's jobs, for its own processes."""

    def __init__(self, reporter: Reporter, connect: Callable[[str], AsyncClient], lease: float,
                 takes: asyncio.Event) -> None:
        self.reporter: Final = reporter
        self.lease: Final = lease
        self.takes: Final = takes
        """Whether jobs are wanted."""
        self.on_closed: Callable[[int], bool] = lambda channel_id: True
        """A channel is gone; whether `left` will be told of its process."""
        self._connect: Final = connect
        self._deputies: Final[dict[int, Deputy]] = {}
        self._last_id = 0
        self._leaving: Final[set[asyncio.Task[None]]] = set()

    @property
    def max_result(self) -> int:
        return MAX_RESULT

    async def adopt(self, end: socket.socket, name: str) -> Channel:
        self._last_id += 1
        end.setblocking(False)
        deputy = Deputy(self._last_id, self, self._connect(name))
        await asyncio.get_running_loop().connect_accepted_socket(lambda: deputy, end)
        self._deputies[deputy.client_id] = deputy
        return deputy

    def began(self, channel_id: int) -> None:
        """The server measures the time of a job, too; whoever comes first ends it."""

    def left(self, channel_id: int) -> None:
        deputy = self._deputies.pop(channel_id, None)
        if deputy is None:
            return
        task = asyncio.get_running_loop().create_task(self._part(deputy))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _part(self, deputy: Deputy) -> None:
        """Its connection is let go when all is said."""
        if deputy.reports:
            await asyncio.wait(set(deputy.reports))
        await deputy.fetcher.close()

    async def close(self, within_s: float) -> None:
        """The processes are dead: until the server knows what became of their jobs."""
        if self._leaving:
            await asyncio.wait(set(self._leaving), timeout=within_s)
        for task in self._leaving:
            task.cancel()

    def held(self, channel_id: int) -> list[Job]:
        deputy = self._deputies.get(channel_id)
        return [] if deputy is None else list(deputy.held.values())

    def all_held(self) -> list[Job]:
        return [job for deputy in self._deputies.values() for job in deputy.held.values()]

    def held_through(self, client: AsyncClient) -> list[Job]:
        """The jobs that came over a connection."""
        return [job for deputy in self._deputies.values() if deputy.fetcher is client for job in deputy.held.values()]

    def give_back(self, job: Job, by: str) -> None:
        deputy = self._let_go(job)
        if deputy is not None:
            deputy.tell(self.reporter.release(job))

    def failed(self, job: Job, by: str, death: Death) -> None:
        deputy = self._let_go(job)
        if deputy is not None:
            deputy.tell(self.reporter.end(job, _end_by(job, death)))

    def _let_go(self, job: Job) -> Deputy | None:
        for deputy in self._deputies.values():
            if deputy.held.pop(job.job_id, None) is not None:
                return deputy
        return None

    async def beat(self, revoke: Callable[[Job], object], lease_s: float) -> None:
        """Heartbeats for what the processes work on; `revoke` is told what was taken away."""
        for job in self.all_held():
            try:
                if not await self.reporter.is_ours(job, lease_s):
                    revoke(job)
            except (NotConnected, OutcomeUnknown):
                return


def _end_by(job: Job, death: Death) -> Request[None]:
    """What is said of an attempt that its process has not outlived."""
    error = DIED + death.error if death.reason == Reason.CRASHED else death.error
    end = requests.fail(job.job_id, error, job.token, reason=death.reason,
                        traceback=(death.lines or b"").decode("utf-8", "replace"),
                        retry_s=None if death.wait_ms < 0 else death.wait_ms / 1000, retries=death.retries,
                        backoff=death.backoff)
    return requests.with_usage(end, *death.usage) if death.usage.max_rss else end
