"""Client and AsyncClient: jobs for programs in other processes and on other machines. Imports no server.

    with Client("redis://127.0.0.1:6379") as client:
        job_id = client.create_job("email", {"to": "user@example.com"})
        job = client.wait(job_id, timeout=5)

A broken connection is made again. What may be sent twice is; a job is created with an idempotency key of its own, so
that a lost answer never makes two. For the rest the caller gets OutcomeUnknown and decides.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar, Unpack

from jobs import requests
from jobs.async_client import AsyncClient
from jobs.requests import CreateOptions, JobMap, Request, ScheduleMap, ScheduleOptions
from jobs.wire import (
    NOT_ENOUGH,
    Address,
    ClientError,
    NotConnected,
    OutcomeUnknown,
    greeting,
    is_loading,
    new_reader,
    pack,
    parse_url,
)

__all__ = ["AsyncClient", "Client", "ClientError", "JobMap", "NotConnected", "OutcomeUnknown"]

T = TypeVar("T")
DEFAULT_URL: Final = "redis://127.0.0.1:6379"
READ_SIZE: Final = 64 * 1024
ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.05


class Client:
    """Blocking; one connection, used by one thread at a time. `timeout` in seconds is for connecting; `attempts` how
    often a broken connection is made again, with growing pauses."""

    def __init__(self, url: str = DEFAULT_URL, *, name: str = "", timeout: float = 5, attempts: int = ATTEMPTS,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self.address: Final = parse_url(url)
        self._name: Final = name
        self._timeout: Final = timeout
        self._attempts: Final = max(1, attempts)
        self._sleep: Final = sleep
        self._socket: socket.socket | None = None
        self._reader = new_reader()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # The connection

    def _connect(self) -> socket.socket:
        if self._socket is None:
            try:
                made = _open(self.address, self._timeout)
            except OSError as error:
                raise NotConnected(f"{self.address} cannot be reached: {error}") from error
            self._reader = new_reader()
            self._socket = made
            try:
                made.sendall(pack(greeting(self.address, self._name)))
                answer = self._read(made)
            except OSError as error:
                self.close()
                raise NotConnected(f"{self.address} did not answer: {error}") from error
            if isinstance(answer, ClientError):
                self.close()
                raise answer
            made.settimeout(None)
        return self._socket

    def _read(self, connection: socket.socket) -> Any:
        answer = self._reader.gets()
        while answer is NOT_ENOUGH:
            data = connection.recv(READ_SIZE)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(data)
            answer = self._reader.gets()
        return answer

    def call(self, request: Request[T]) -> T:
        """Send one request and return its answer; ClientError when it is refused."""
        [answer] = self._exchange([request], request.is_safe)
        if isinstance(answer, ClientError):
            raise answer
        return request.read(answer)

    def _exchange(self, batch: Sequence[Request[Any]], is_safe: bool) -> list[Any]:
        """Raw answers in order. What is safe is sent again over a new connection."""
        data = b"".join(pack(request.words) for request in batch)
        for attempt in range(1, self._attempts + 1):
            try:
                connection = self._connect()
            except NotConnected:
                if attempt == self._attempts:
                    raise
            else:
                try:
                    connection.sendall(data)
                    answers = [self._read(connection) for _ in batch]
                    if attempt == self._attempts or not all(is_loading(answer) for answer in answers):
                        return answers
                except OSError as error:
                    self.close()
                    if not is_safe or attempt == self._attempts:
                        raise OutcomeUnknown(f"the connection broke before the answer came: {error}") from error
                except BaseException:
                    # Interrupted while it waited: what is still to come answers no later request.
                    self.close()
                    raise
            self._sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
        raise NotConnected(f"{self.address} cannot be reached")

    def pipeline(self, batch: Sequence[Request[Any]]) -> list[Any]:
        """Send several requests of `jobs.requests` at once; answers in order, refusals as ClientError values."""
        answers = self._exchange(batch, all(request.is_safe for request in batch))
        return [answer if isinstance(answer, ClientError) else request.read(answer)
                for request, answer in zip(batch, answers, strict=True)]

    def execute(self, *words: str | bytes | int) -> Any:
        """Any command of the server."""
        return self.call(requests.plain(words))

    # Jobs

    def create_job(self, topic: str, params: object = b"", **options: Unpack[CreateOptions]) -> int:
        """The id of a new job, which is on disk. Options are those of `jobs.requests.CreateOptions`; TypeError for
        others."""
        return self.call(requests.create(topic, params, **requests.with_own_key(options)))

    def create_jobs(self, topic: str, params: Sequence[object], **options: Unpack[CreateOptions]) -> list[int]:
        """Several jobs with the same options in one commit: all or none. An idempotency key is that of the call: a
        repeated one answers the ids of the earlier call."""
        if not params:
            return []
        return self.call(requests.create_many(topic, params, **requests.with_own_key(options)))

    def get_job(self, job_id: int) -> JobMap | None:
        return self.call(requests.get(job_id))

    def get_history(self, job_id: int, depth: int = 100) -> list[JobMap]:
        return self.call(requests.history(job_id, depth))

    def fetch(self, topics: Sequence[str], count: int = 1, wait: float = 0, lease: float = 0,
              worker: str = "") -> list[JobMap]:
        """Jobs to work on, each with its `token`. Without a lease (seconds) they are this connection's."""
        return self.call(requests.fetch(count, wait, topics, lease, worker))

    def complete_job(self, job_id: int, result: object = b"", token: str = "") -> None:
        self.call(requests.complete(job_id, result, token))

    def fail_job(self, job_id: int, error: object = b"", token: str = "", dead: bool = False) -> None:
        self.call(requests.fail(job_id, error, token, dead=dead))

    def extend(self, job_id: int, seconds: float, token: str = "") -> None:
        self.call(requests.extend(job_id, seconds, token))

    def progress(self, job_id: int, percent: float, text: str = "", token: str = "") -> None:
        self.call(requests.progress(job_id, int(percent), text, token))

    def log(self, job_id: int, line: str, token: str = "") -> None:
        self.call(requests.log(job_id, line, token))

    def cancel_job(self, job_id: int, why: str = "cancelled") -> None:
        self.call(requests.act("JOB.CANCEL", job_id, why))

    def retry_job(self, job_id: int) -> None:
        """A job that ended as error runs again, with all its attempts."""
        self.call(requests.act("JOB.RETRY", job_id))

    def delete_job(self, job_id: int) -> None:
        self.call(requests.act("JOB.DELETE", job_id))

    def edit_job(self, job_id: int, *, params: object = None, priority: int | None = None) -> None:
        """Other params or another priority for a job that has not begun."""
        self.call(requests.edit(job_id, params, priority))

    def promote_job(self, job_id: int) -> None:
        """A waiting job to the head of its line, its delay is over."""
        self.call(requests.act("JOB.PROMOTE", job_id))

    def update_job_status(self, job_id: int, state: str) -> None:
        """Set a state by hand."""
        self.call(requests.status(job_id, state))

    cancel, retry, delete = cancel_job, retry_job, delete_job

    def trail(self, job_id: int, count: int = 1000) -> list[JobMap]:
        """Log lines and steps of progress, the last `count`, oldest first: `at by line percent`."""
        return self.call(requests.trail(job_id, count))

    def wait(self, job_id: int, timeout: float = 3600) -> JobMap | None:
        """The job once it has ended; None after `timeout` seconds."""
        return self.call(requests.wait(job_id, timeout))

    def stats(self, topic: str = "") -> dict[str, Any]:
        return self.call(requests.stats(topic))

    def list_jobs(self, topic: str = "", state: str = "", query: str = "", cursor: str = "0",
                  count: int = 50) -> tuple[str, list[JobMap]]:
        """Newest first; the next cursor, "0" at the end."""
        return self.call(requests.listing(topic, state, query, cursor, count))

    def bulk(self, action: str, query: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Retry, cancel or delete all jobs that fit a query (docs/query.md) and whose state allows it: `matched changed
        refusal`; `dry_run` only counts."""
        return self.call(requests.bulk(action, query, dry_run))

    def newest_event(self) -> int:
        """The cursor behind everything that is on disk."""
        return self.call(requests.newest_event())

    def events_after(self, cursor: int, count: int = 100, wait: float = 0) -> tuple[int, list[JobMap]]:
        """All changes behind a cursor (0 = from the oldest), in order, waiting so many seconds for the first; with the
        next cursor."""
        return self.call(requests.events(cursor, count, wait))

    # Topics and schedules

    def topics(self) -> dict[str, dict[str, int]]:
        """Of each topic the numbers `new active done error`, and whether it is `paused`."""
        return self.call(requests.topics())

    def pause_topic(self, topic: str) -> None:
        """Hand out no more jobs of a topic, also after a restart; running ones go on."""
        self.call(requests.pause_topic(topic, True))

    def resume_topic(self, topic: str) -> None:
        self.call(requests.pause_topic(topic, False))

    def purge_topic(self, topic: str) -> int:
        """Delete all waiting jobs of a topic; how many."""
        return self.call(requests.purge(topic))

    def set_schedule(self, name: str, topic: str, params: object = b"", **options: Unpack[ScheduleOptions]) -> None:
        """Make or replace a schedule: `cron` in a `timezone`, or `every` so many seconds."""
        self.call(requests.set_schedule(name, topic, params, **options))

    def list_schedules(self) -> list[ScheduleMap]:
        """All of them by name, with their next and last runs."""
        return self.call(requests.schedules())

    def delete_schedule(self, name: str) -> None:
        """The jobs that it has made stay."""
        self.call(requests.act_on_schedule("DEL", name))

    def pause_schedule(self, name: str) -> None:
        self.call(requests.act_on_schedule("PAUSE", name))

    def resume_schedule(self, name: str) -> None:
        """Runs that fell into the pause are not made up for."""
        self.call(requests.act_on_schedule("RESUME", name))


def _open(address: Address, timeout: float) -> socket.socket:
    if address.path:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(timeout)
        try:
            made.connect(address.path)
        except BaseException:
            made.close()
            raise
        return made
    made = socket.create_connection((address.host, address.port), timeout)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = address.tls_context()
    return made if context is None else context.wrap_socket(made, server_hostname=address.host)
