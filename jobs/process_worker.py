"""A worker process: it runs handlers marked isolation="process", one job at a time, and speaks with its server over an
inherited socket, as a worker on another machine would over the network. Started by jobs.process_pool.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import math
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import FrameType
from typing import Any, Final

from heroredis.extension import load_handlers
from jobs import requests
from jobs.attempt import Attempt, attempt_of
from jobs.handlers import Handler, Handlers
from jobs.job import Job
from jobs.leftovers import MARK, end_marked
from jobs.requests import JobMap, Request
from jobs.usage import Meter
from jobs.wire import NOT_ENOUGH, ClientError, new_reader, pack

READ_SIZE: Final = 64 * 1024
AHEAD: Final = 16
"""Jobs that are fetched at once at most, so that a short one does not wait for the way to the server and back."""
SHORT_S: Final = 0.002
"""Only of jobs that take less several are fetched at once: others are better done by another process."""
LONG_S: Final = 0.05
"""After which what was fetched behind a job is given back."""
FOREVER_S: Final = 86_400.0
LOOKS: Final = 20
LOOK_S: Final = 0.05
"""How often, and after how long each, a process without connection looks whether its server is dead."""
MODULE_NAME: Final = "_heroredis_worker_handlers"


class Stop(Exception):
    """SIGTERM while nothing runs."""


class Link:
    """The inherited socket. Reports are sent without waiting; their answers are read before the next jobs are."""

    def __init__(self, end: socket.socket) -> None:
        self._end: Final = end
        self._reader: Final = new_reader()
        self._owed: Final[deque[Request[Any]]] = deque()
        self._mutex: Final = threading.Lock()

    def send(self, request: Request[Any]) -> None:
        with self._mutex:
            self._owed.append(request)
            self._end.sendall(pack(request.words))

    def call(self, request: Request[Any]) -> Any:
        """The answer of this request, after those of all earlier ones."""
        self.send(request)
        while True:
            answer = self._next()
            owner = self._owed.popleft()
            if owner is request:
                if isinstance(answer, ClientError):
                    raise answer
                return request.read(answer)
            if isinstance(answer, ClientError) and answer.code != "STALE":
                print(f"the server refused {owner.words[0].decode()}: {answer}", file=sys.stderr)

    def _next(self) -> Any:
        answer = self._reader.gets()
        while answer is NOT_ENOUGH:
            data = self._end.recv(READ_SIZE)
            if not data:
                raise ConnectionResetError("the server is gone")
            self._reader.feed(data)
            answer = self._reader.gets()
        return answer


class ProcessWorker:
    """Takes jobs until it is told to stop, has run `max_jobs`, or has become larger than `max_bytes` (0 = no limit)."""

    def __init__(self, link: Link, handlers: Handlers, name: str, max_jobs: int, max_bytes: int,
                 max_result: int) -> None:
        self._link: Final = link
        self._handlers: Final = handlers
        self._name: Final = name
        self._max_jobs: Final = max_jobs
        self._max_bytes: Final = max_bytes
        self._max_result: Final = max_result
        self._runner: asyncio.Runner | None = None
        self._is_waiting = False
        self._stopping = False
        self._done = 0
        self._meter: Final = Meter()
        self._ahead = 1
        self._fetched: Final[deque[JobMap]] = deque()
        self._began_at = math.inf
        self._several: Final = threading.Event()
        """More than one job was fetched."""

    def stop(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM: end after the running job."""
        self._stopping = True
        if self._is_waiting:
            raise Stop

    def run(self, topics: list[str]) -> None:
        self._link.call(requests.plain(["HELLO", 3]))
        threading.Thread(target=self._give_back, name="give-back", daemon=True).start()
        while not self._stopping:
            try:
                self._is_waiting = True
                jobs = self._link.call(requests.fetch(self._ahead, FOREVER_S, topics, worker=self._name))
                topics = [*topics[1:], topics[0]]  # whose turn it is: no long line keeps the others waiting
            except Stop:
                return
            finally:
                self._is_waiting = False
            if not self._do(jobs):
                return  # the server puts the others back in line when the socket closes

    def _do(self, jobs: list[JobMap]) -> bool:
        """One after the other; whether more are wanted."""
        began_at = time.monotonic()
        self._fetched.extend(jobs)
        if len(jobs) > 1:
            self._several.set()
        while (job := self._next()) is not None:
            if self._stopping or self._is_worn_out():
                return False
            self._work(attempt_of(job, self._max_result))
        took_s = time.monotonic() - began_at
        self._ahead = min(self._ahead * 2, AHEAD) if took_s < SHORT_S * len(jobs) else 1
        return True

    def _next(self) -> JobMap | None:
        try:
            job = self._fetched.popleft()
        except IndexError:
            return None
        self._began_at = time.monotonic()
        return job

    def _give_back(self) -> None:
        """On a thread: what waits behind a job that takes long goes back to the head of its line, for other
        processes."""
        while self._several.wait():
            self._several.clear()
            while self._fetched:
                time.sleep(LONG_S / 2)
                while self._fetched and time.monotonic() - self._began_at > LONG_S:
                    with contextlib.suppress(IndexError, OSError):
                        job = self._fetched.pop()
                        self._link.send(requests.release(job["id"], job["token"]))

    def _is_worn_out(self) -> bool:
        if 0 < self._max_jobs <= self._done:
            return True
        return self._max_bytes > 0 and self._meter.resident() > self._max_bytes

    def _work(self, attempt: Attempt) -> None:
        handler = self._handlers.get(attempt.job.topic)
        if handler is None:
            self._link.send(requests.release(attempt.job.job_id, attempt.job.token))
            return
        self._done += 1
        attempt.report = self._link.send
        self._meter.begin()
        end = attempt.run(lambda: self._call(handler, attempt), handler)
        self._link.send(requests.with_usage(end, *self._meter.end()))

    def _call(self, handler: Handler, attempt: Attempt) -> object:
        stack = self._handlers.stack
        if stack.is_empty and not handler.is_async:
            return handler.function(*handler.arguments(attempt.job, attempt))
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(stack.run(attempt.job, lambda given: self._run(handler, attempt, given)))

    async def _run(self, handler: Handler, attempt: Attempt, job: Job) -> object:
        """What the program's middleware is around."""
        arguments = handler.arguments(job, attempt)
        if handler.is_async:
            return await handler.function(*arguments)
        return self._handlers.stack.in_thread(job, handler.function)(*arguments)


def end_with_server(end: socket.socket, graceful: int, server: int) -> None:
    """On a thread, and where the worker itself has noticed it: a server that was killed takes its workers and what they
    have started with it, since its successor runs their jobs again. Where only the connection was ended the process
    goes alone."""
    poller = select.poll()
    poller.register(end.fileno(), select.POLLRDHUP)
    poller.poll()
    for _ in range(LOOKS):
        if os.getppid() != server:
            end_marked(os.environ.get(MARK, "-"), os.getpid())
            os.killpg(0, signal.SIGKILL)
        time.sleep(LOOK_S)
    os._exit(graceful)


def load(spec: str) -> Handlers:
    """The Handlers that MODULE_OR_FILE[:NAME] names."""
    found = load_handlers(spec)
    if not isinstance(found, Handlers):
        raise TypeError(f"{spec} is no Handlers object")
    return found


def load_source(path: str) -> Handlers:
    """All Handlers of a file, as one."""
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE_NAME] = module
    sys.path.append(str(Path(path).resolve().parent))
    spec.loader.exec_module(module)
    whole = Handlers()
    for value in vars(module).values():
        if isinstance(value, Handlers):
            whole.include(value)
            whole.stack.extend(value.stack)
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--handlers", default="", help="module or file, with an optional :NAME")
    parser.add_argument("--source", default="", help="file of which all handlers are taken")
    parser.add_argument("--name", required=True)
    parser.add_argument("--graceful", type=int, required=True,
                        help="exit status between two jobs; with any other, its job has ended it")
    parser.add_argument("--max-jobs", type=int, default=0)
    parser.add_argument("--max-memory", type=int, default=0, help="bytes after which it is replaced")
    parser.add_argument("--memory-limit", type=int, default=0, help="bytes that it cannot get beyond")
    parser.add_argument("--max-result", type=int, required=True, help="bytes of a result at most")
    parser.add_argument("topics", nargs="+")
    given = parser.parse_args()
    server = os.getppid()
    if given.memory_limit:
        resource.setrlimit(resource.RLIMIT_AS, (given.memory_limit, given.memory_limit))
    with socket.socket(fileno=given.fd) as end:
        handlers = load(given.handlers) if given.handlers else load_source(given.source)
        worker = ProcessWorker(Link(end), handlers, given.name, given.max_jobs, given.max_memory,
                               given.max_result)
        signal.signal(signal.SIGTERM, worker.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(select, "POLLRDHUP"):
            threading.Thread(target=end_with_server, args=[end, given.graceful, server], daemon=True).start()
        try:
            worker.run(given.topics)
        except ConnectionError:
            if hasattr(select, "POLLRDHUP"):
                end_with_server(end, given.graceful, server)
    return int(given.graceful)


if __name__ == "__main__":
    sys.exit(main())
