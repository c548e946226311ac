"""AsyncClient: the client for asyncio. Requests of many tasks share one connection and are answered in order.

A request that waits (fetch, wait) holds up what comes behind it: give such calls a client of their own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar, Unpack

from jobs import requests
from jobs.requests import CreateOptions, JobMap, Request, ScheduleMap, ScheduleOptions
from jobs.wire import (
    NOT_ENOUGH,
    ClientError,
    NotConnected,
    OutcomeUnknown,
    greeting,
    is_loading,
    new_reader,
    pack,
    parse_url,
)

T = TypeVar("T")
DEFAULT_URL: Final = "redis://127.0.0.1:6379"
ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.05


class _Connection(asyncio.Protocol):
    """Answers find the requests that wait for them, in order."""

    def __init__(self, on_lost: Callable[[_Connection], None]) -> None:
        self.on_lost: Final = on_lost
        self.waiting: Final[deque[asyncio.Future[Any]]] = deque()
        self.transport: asyncio.Transport | None = None
        self.is_open = False
        self._reader: Final = new_reader()
        self._out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        answer = self._reader.gets()
        while answer is not NOT_ENOUGH:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(answer)
            answer = self._reader.gets()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        lost = OutcomeUnknown(f"the connection broke before the answer came: {error or 'closed by the server'}")
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_exception(lost)
                future.exception()
        self.on_lost(self)

    def send(self, data: bytes) -> asyncio.Future[Any]:
        """What is asked for in one turn of the loop is sent in one piece."""
        if not self.is_open:
            raise NotConnected("the connection is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self.waiting.append(future)
        self._out.append(data)
        if len(self._out) == 1:
            loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        if self.transport is not None and self.is_open:
            self.transport.write(data)


class AsyncClient:
    """As Client, for coroutines of one loop. `attempts`: how often a broken connection is made again. `on_lost` is
    called when it breaks."""

    def __init__(self, url: str = DEFAULT_URL, *, name: str = "", timeout: float = 5, attempts: int = ATTEMPTS,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
                 on_lost: Callable[[], None] = lambda: None) -> None:
        self.address: Final = parse_url(url)
        self._name: Final = name
        self._timeout: Final = timeout
        self._attempts: Final = max(1, attempts)
        self._sleep: Final = sleep
        self._on_lost: Final = on_lost
        self._connection: _Connection | None = None
        self._losses = 0
        """How often it broke."""
        self._connecting: Final = asyncio.Lock()
        self._late: Final[set[asyncio.Future[None]]] = set()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.transport is not None:
            connection.transport.close()

    async def _connect(self) -> _Connection:
        connection = self._connection
        if connection is not None and connection.is_open:
            return connection
        async with self._connecting:
            connection = self._connection
            if connection is None or not connection.is_open:
                connection = await self._open()
                self._connection = connection
        return connection

    async def _open(self) -> _Connection:
        loop, address = asyncio.get_running_loop(), self.address
        connection = _Connection(self._lost)
        try:
            async with asyncio.timeout(self._timeout):
                if address.path:
                    await loop.create_unix_connection(lambda: connection, address.path)
                else:
                    await loop.create_connection(lambda: connection, address.host, address.port,
                                                 ssl=address.tls_context())
                answer = await connection.send(pack(greeting(address, self._name)))
            if isinstance(answer, ClientError):
                raise answer
        except BaseException as error:
            if connection.transport is not None:  # else each further try would leave one more at the server
                connection.transport.close()
            if isinstance(error, OSError):
                raise NotConnected(f"{address} cannot be reached: {error}") from error
            raise
        return connection

    def _lost(self, connection: _Connection) -> None:
        if connection is self._connection:  # else it was closed by us, or never of use
            self._connection = None
            self._losses += 1
            self._on_lost()

    async def call(self, request: Request[T]) -> T:
        """Send one request and return its answer; ClientError when it is refused."""
        data = pack(request.words)
        for attempt in range(1, self._attempts + 1):
            try:
                connection = await self._connect()
                answer = await connection.send(data)
            except NotConnected:
                if attempt == self._attempts:
                    raise
            except OutcomeUnknown:
                if not request.is_safe or attempt == self._attempts:
                    raise
            else:
                if not is_loading(answer) or attempt == self._attempts:
                    if isinstance(answer, ClientError):
                        raise answer
                    return request.read(answer)
            await self._sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
        raise NotConnected(f"{self.address} cannot be reached")

    async def execute(self, *words: str | bytes | int) -> Any:
        """Any command of the server."""
        return await self.call(requests.plain(words))

    async def create_job(self, topic: str, params: object = b"", **options: Unpack[CreateOptions]) -> int:
        """The id of a new job, which is on disk. Options are those of `jobs.requests.CreateOptions`; TypeError for
        others."""
        return await self.call(requests.create(topic, params, **requests.with_own_key(options)))

    async def create_jobs(self, topic: str, params: Sequence[object], **options: Unpack[CreateOptions]) -> list[int]:
        """Several jobs with the same options in one commit: all or none. An idempotency key is that of the call: a
        repeated one answers the ids of the earlier call."""
        if not params:
            return []
        return await self.call(requests.create_many(topic, params, **requests.with_own_key(options)))

    async def get_job(self, job_id: int) -> JobMap | None:
        return await self.call(requests.get(job_id))

    async def get_history(self, job_id: int, depth: int = 100) -> list[JobMap]:
        return await self.call(requests.history(job_id, depth))

    async def fetch(self, topics: Sequence[str], count: int = 1, wait: float = 0, lease: float = 0,
                    worker: str = "") -> list[JobMap]:
        """Jobs to work on, each with its `token`. Without a lease (seconds) they are this connection's: OutcomeUnknown
        when it broke with their coming, for they went back. Those that come after the caller was cancelled are given
        back."""
        losses = self._losses
        answer = asyncio.ensure_future(self.call(requests.fetch(count, wait, topics, lease, worker)))
        try:
            jobs = await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(self._unwanted)
            raise
        if jobs and not lease and losses != self._losses:
            raise OutcomeUnknown("the connection broke that held the jobs which it brought")
        return jobs

    def _unwanted(self, answer: asyncio.Future[list[JobMap]]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            for job in answer.result():
                request = requests.release(job["id"], job["token"])
                task = asyncio.ensure_future(self.call(request))
                self._late.add(task)
                task.add_done_callback(self._told)

    def _told(self, task: asyncio.Future[None]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()  # a job that could not be given back goes back with the connection or the lease

    async def complete_job(self, job_id: int, result: object = b"", token: str = "") -> None:
        await self.call(requests.complete(job_id, result, token))

    async def fail_job(self, job_id: int, error: object = b"", token: str = "", dead: bool = False) -> None:
        await self.call(requests.fail(job_id, error, token, dead=dead))

    async def extend(self, job_id: int, seconds: float, token: str = "") -> None:
        await self.call(requests.extend(job_id, seconds, token))

    async def progress(self, job_id: int, percent: float, text: str = "", token: str = "") -> None:
        await self.call(requests.progress(job_id, int(percent), text, token))

    async def log(self, job_id: int, line: str, token: str = "") -> None:
        await self.call(requests.log(job_id, line, token))

    async def cancel_job(self, job_id: int, why: str = "cancelled") -> None:
        await self.call(requests.act("JOB.CANCEL", job_id, why))

    async def retry_job(self, job_id: int) -> None:
        """A job that ended as error runs again, with all its attempts."""
        await self.call(requests.act("JOB.RETRY", job_id))

    async def delete_job(self, job_id: int) -> None:
        await self.call(requests.act("JOB.DELETE", job_id))

    async def edit_job(self, job_id: int, *, params: object = None, priority: int | None = None) -> None:
        """Other params or another priority for a job that has not begun."""
        await self.call(requests.edit(job_id, params, priority))

    async def promote_job(self, job_id: int) -> None:
        """A waiting job to the head of its line, its delay is over."""
        await self.call(requests.act("JOB.PROMOTE", job_id))

    async def update_job_status(self, job_id: int, state: str) -> None:
        """Set a state by hand."""
        await self.call(requests.status(job_id, state))

    cancel, retry, delete = cancel_job, retry_job, delete_job

    async def trail(self, job_id: int, count: int = 1000) -> list[JobMap]:
        """Log lines and steps of progress, the last `count`, oldest first: `at by line percent`."""
        return await self.call(requests.trail(job_id, count))

    async def wait(self, job_id: int, timeout: float = 3600) -> JobMap | None:
        """The job once it has ended; None after `timeout` seconds. Use a client of its own for this."""
        return await self.call(requests.wait(job_id, timeout))

    async def stats(self, topic: str = "") -> dict[str, Any]:
        return await self.call(requests.stats(topic))

    async def list_jobs(self, topic: str = "", state: str = "", query: str = "", cursor: str = "0",
                        count: int = 50) -> tuple[str, list[JobMap]]:
        """Newest first; the next cursor, "0" at the end."""
        return await self.call(requests.listing(topic, state, query, cursor, count))

    async def bulk(self, action: str, query: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Retry, cancel or delete all jobs that fit a query (docs/query.md) and whose state allows it: `matched changed
        refusal`; `dry_run` only counts."""
        return await self.call(requests.bulk(action, query, dry_run))

    async def newest_event(self) -> int:
        """The cursor behind everything that is on disk."""
        return await self.call(requests.newest_event())

    async def events_after(self, cursor: int, count: int = 100, wait: float = 0) -> tuple[int, list[JobMap]]:
        """All changes behind a cursor (0 = from the oldest), in order, waiting so many seconds for the first; with the
        next cursor."""
        return await self.call(requests.events(cursor, count, wait))

    # Topics and schedules

    async def topics(self) -> dict[str, dict[str, int]]:
        """Of each topic the numbers `new active done error`, and whether it is `paused`."""
        return await self.call(requests.topics())

    async def pause_topic(self, topic: str) -> None:
        """Hand out no more jobs of a topic, also after a restart; running ones go on."""
        await self.call(requests.pause_topic(topic, True))

    async def resume_topic(self, topic: str) -> None:
        await self.call(requests.pause_topic(topic, False))

    async def purge_topic(self, topic: str) -> int:
        """Delete all waiting jobs of a topic; how many."""
        return await self.call(requests.purge(topic))

    async def set_schedule(self, name: str, topic: str, params: object = b"",
                           **options: Unpack[ScheduleOptions]) -> None:
        """Make or replace a schedule: `cron` in a `timezone`, or `every` so many seconds."""
        await self.call(requests.set_schedule(name, topic, params, **options))

    async def list_schedules(self) -> list[ScheduleMap]:
        """All of them by name, with their next and last runs."""
        return await self.call(requests.schedules())

    async def delete_schedule(self, name: str) -> None:
        """The jobs that it has made stay."""
        await self.call(requests.act_on_schedule("DEL", name))

    async def pause_schedule(self, name: str) -> None:
        await self.call(requests.act_on_schedule("PAUSE", name))

    async def resume_schedule(self, name: str) -> None:
        """Runs that fell into the pause are not made up for."""
        await self.call(requests.act_on_schedule("RESUME", name))
