"""Worker processes, of the server or of a worker elsewhere: started, watched, replaced, and killed when their job runs
too long.

Each is a client on a socket pair that takes jobs of the isolated topics. It runs one job at a time, the oldest that it
holds; when it dies, that one has crashed and the others were never begun.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from jobs.employer import Channel, Death, Employer
from jobs.failure import facts_of, own_backoff_ms
from jobs.handlers import Handlers
from jobs.job import Job
from jobs.leftovers import MARK, end_leftovers, signal_group
from jobs.states import Reason
from jobs.usage import Usage, usage_of

logger = logging.getLogger("heroredis.jobs")
LOOK_EVERY_S: Final = 0.1
TERM_GRACE_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 30.0
LAST_OUTPUT: Final = 20
MOST_THREADS: Final = 2002
"""Two for each process, made when they are needed."""
LINE_LIMIT: Final = 2000
LAST_BYTES: Final = 32 * 1024
READ_SIZE: Final = 256 * 1024
STATUSES: Final = range(160, 240)
"""Of which each process has one of its own, with which it ends between two jobs. A handler can leave with any."""
T = TypeVar("T")


class ProcessOptions:
    """Memory in bytes, 0 = no limit. `recycle_*` replace a worker between two jobs, `memory_limit` is never passed."""

    def __init__(self, count: int = 2, handlers: str = "", recycle_jobs: int = 0, recycle_memory: int = 0,
                 memory_limit: int = 0) -> None:
        self.count: Final = count
        self.handlers: Final = handlers
        self.recycle_jobs: Final = recycle_jobs
        self.recycle_memory: Final = recycle_memory
        self.memory_limit: Final = memory_limit


class WorkerProcess:
    """One running process and what is known of it."""

    def __init__(self, name: str, mark: str, graceful: int, process: subprocess.Popen[bytes],
                 channel: Channel) -> None:
        self.name: Final = name
        self.mark: Final = mark
        self.graceful: Final = graceful
        """The status with which it ends between two jobs."""
        self.process: Final = process
        self.channel: Final = channel
        self.output = b""
        """The end of what it has printed."""
        self.head = 0
        self.head_since = 0.0
        self.has_worked = False
        self.cpu_before = 0
        """What it had used when it began its present job, in µs."""
        self.usage = Usage(0, 0)
        """What its present job has used, when it was last looked at."""
        self.killed_at = 0.0
        self.verdict = ""
        """Why it is being killed; empty = it is not."""
        self.reason: str = Reason.CRASHED

    def last_lines(self) -> list[str]:
        """What it has printed last."""
        lines = self.output[-LAST_BYTES:].decode("utf-8", "replace").splitlines()
        return [line.rstrip()[:LINE_LIMIT] for line in lines if line.strip()][-LAST_OUTPUT:]

    def measure(self) -> None:
        used = usage_of(self.process.pid)
        if used.max_rss:
            self.usage = Usage(max(0, used.cpu_us - self.cpu_before), used.max_rss)


class ProcessPool:
    """The worker processes of one server or worker, for the topics whose handlers ask for one. `prefix` comes before
    their names."""

    def __init__(self, employer: Employer, handlers: Handlers, options: ProcessOptions, prefix: str = "",
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.employer: Final = employer
        self.handlers: Final = handlers
        self.options: Final = options
        self._prefix: Final = prefix
        self._clock: Final = clock
        self._workers: Final[dict[int, WorkerProcess]] = {}
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._stopping = False
        self._source = ""
        self.count = 0
        self._last_number = 0
        self._names: Final[list[str]] = []
        """Of those that are kept alive."""
        self._threads: Final = ThreadPoolExecutor(MOST_THREADS, "job-process")

    def start(self) -> None:
        """ValueError when no other process could load the handlers."""
        if self.handlers.topics():
            self._source = "" if self.options.handlers else self.handlers.source()
            self.resize(self.options.count)
            self._task(self._watch())

    def resize(self, count: int) -> None:
        """So many processes from now on; those that are too many end after their job."""
        self.count = count
        while len(self._names) < count:
            self._last_number += 1
            self._names.append(f"{self._prefix}process-{self._last_number}")
            self._task(self._keep(self._names[-1]))
        del self._names[count:]
        for worker in self._workers.values():
            self._let_go(worker)

    def _let_go(self, worker: WorkerProcess) -> None:
        if worker.name not in self._names:
            signal_group(worker.process.pid, signal.SIGTERM)

    def busy(self) -> int:
        return sum(bool(self.employer.held(channel_id)) for channel_id in self._workers)

    def _task(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._workers.values()]

    # One worker after the other

    async def _keep(self, name: str) -> None:
        """Have a process of this name as long as the server runs; one that dies before it has worked is replaced more
        slowly."""
        pause = FIRST_PAUSE_S
        while not self._stopping and name in self._names:
            began = self._clock()
            try:
                worker = await self._spawn(name)
            except OSError as error:
                logger.error("worker process %s cannot be started: %s", name, error)
            else:
                status = await self._lived(worker)
                if status == worker.graceful and not worker.verdict:
                    pause = FIRST_PAUSE_S
                    continue
                if worker.has_worked:  # it is the job that ended it, not its start
                    began = -math.inf
            pause = FIRST_PAUSE_S if self._clock() - began > LONGEST_PAUSE_S else min(pause * 2, LONGEST_PAUSE_S)
            if not self._stopping and name in self._names:
                await asyncio.sleep(pause)

    async def _spawn(self, name: str) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        mark, graceful = secrets.token_hex(8), secrets.choice(STATUSES)
        try:
            channel = await self.employer.adopt(ours, name)
            process = await self._on_thread(self._popen, name, mark, graceful, theirs.fileno())
        finally:
            theirs.close()
        worker = WorkerProcess(name, mark, graceful, process, channel)
        self._workers[channel.client_id] = worker
        self.employer.began(channel.client_id)
        self._let_go(worker)  # fewer may be wanted meanwhile
        return worker

    def _popen(self, name: str, mark: str, graceful: int, number: int) -> subprocess.Popen[bytes]:
        """On a thread. It executes another program at once: nothing of the server's state is forked."""
        options = self.options
        command = [
            sys.executable, "-m", "jobs.process_worker", "--fd", str(number), "--name", name,
            "--graceful", str(graceful), "--handlers", options.handlers,
            "--source", self._source, "--max-jobs", str(options.recycle_jobs), "--max-memory",
            str(options.recycle_memory), "--memory-limit", str(options.memory_limit), "--max-result",
            str(self.employer.max_result), *self.handlers.topics(),
        ]
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                pass_fds=[number], start_new_session=True,
                                env={**os.environ, "PYTHONPATH": path, MARK: mark})

    async def _lived(self, worker: WorkerProcess) -> int:
        """Until it is dead, and all that it has left is cleaned up; its exit status."""
        reading = self._on_thread(self._read, worker)
        status = await self._on_thread(worker.process.wait)
        await self._on_thread(end_leftovers, worker.process.pid, worker.mark)
        if worker.channel.abort is not None:  # what it has sent was read meanwhile
            worker.channel.abort()
        await reading  # a daemon that it has left might have held its output open
        self._died(worker, status)
        return status

    def _on_thread(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """On threads of the pool's own: two of them belong to each process as long as it lives."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _read(self, worker: WorkerProcess) -> None:
        """On a thread: read what it prints and keep the last lines."""
        output = worker.process.stdout
        if output is None:
            return
        with output:
            while data := os.read(output.fileno(), READ_SIZE):
                worker.output = (worker.output[-LAST_BYTES:] + data)[-LAST_BYTES:]

    def _died(self, worker: WorkerProcess, status: int) -> None:
        """The job that it worked on has failed by it; those that it held beside go back in line."""
        channel_id = worker.channel.client_id
        self._workers.pop(channel_id, None)
        held = self.employer.held(channel_id)
        worker.has_worked = bool(held or worker.head)
        is_leaving = self._stopping or worker.name not in self._names
        is_asked = status == worker.graceful or (is_leaving and status == -signal.SIGTERM)
        is_innocent = worker.reason == Reason.CANCELLED or (is_asked and not worker.verdict)
        if not is_innocent:
            said = "" if worker.has_worked else "".join(f"\n    {line}" for line in worker.last_lines())
            job_said = f" on job {held[0].job_id} of topic {held[0].topic}" if held else ""
            logger.warning("worker process %s (pid %d) has ended%s: %s%s", worker.name, worker.process.pid, job_said,
                           worker.verdict or described(status), said, extra=facts_of(held[0]) if held else {})
        for job in reversed(held if is_innocent else held[1:]):
            self.employer.give_back(job, worker.name)
        if held and not is_innocent:
            self._fail(held[0], worker, status)
        self.employer.left(channel_id)

    def _fail(self, job: Job, worker: WorkerProcess, status: int) -> None:
        lines = "\n".join(worker.last_lines()).encode("utf-8", "replace") or None
        error = TimeoutError(worker.verdict) if worker.verdict else ChildProcessError(described(status))
        handler = self.handlers.get(job.topic)
        wait = own_backoff_ms(handler, job, error)
        reason = worker.reason if worker.verdict else Reason.CRASHED
        usage = worker.usage if worker.head == job.job_id else Usage(0, 0)
        self.employer.failed(job, worker.name, Death(
            str(error), reason, lines, wait, usage, 0 if handler is None else handler.retries,
            "" if handler is None else handler.own_backoff))

    def closed(self, channel_id: int) -> bool:
        """A connection is gone. Whether it was one of ours, whose jobs wait until it is known how the process died."""
        worker = self._workers.get(channel_id)
        if worker is None:
            return False
        if worker.process.poll() is None and not worker.verdict:
            worker.killed_at = self._clock()  # it has let go of its socket: it ends by itself, or is made to
        return True

    # Watching

    async def _watch(self) -> None:
        while not self._stopping:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Kill what runs too long; called several times a second."""
        now = self._clock()
        for worker in list(self._workers.values()):
            if worker.killed_at:
                if now - worker.killed_at >= TERM_GRACE_S:
                    signal_group(worker.process.pid, signal.SIGKILL)
                continue
            held = self.employer.held(worker.channel.client_id)
            head = held[0].job_id if held else 0
            if head != worker.head:
                worker.head = head
                worker.head_since = now
                worker.cpu_before = usage_of(worker.process.pid).cpu_us
                worker.usage = Usage(0, 0)
            elif head:
                worker.measure()
            if held and 0 < self._limit(held[0]) <= now - worker.head_since:
                self.kill(worker, f"ran longer than {self._limit(held[0]):g} s", Reason.TIMEOUT)

    def _limit(self, job: Job) -> float:
        handler = self.handlers.get(job.topic)
        return job.timeout_ms / 1000 if job.timeout_ms else 0.0 if handler is None else handler.timeout

    def kill(self, worker: WorkerProcess, verdict: str, reason: str) -> None:
        """By a signal that no Python code can hold up: SIGTERM ends it between two jobs only. SIGKILL comes later."""
        worker.verdict = verdict
        worker.reason = reason
        worker.killed_at = self._clock()
        worker.measure()
        signal_group(worker.process.pid, signal.SIGALRM)

    def usage(self, job: Job) -> Usage | None:
        """What a running job of ours has used until now."""
        for worker in self._workers.values():
            if worker.head == job.job_id and worker.name == job.worker:
                worker.measure()
                return worker.usage
        return None

    def revoke(self, job: Job) -> bool:
        """A running job is being taken away; a process of ours that has it is ended, also when it has not begun it yet:
        it would begin what somebody else may have done by then."""
        for channel_id, worker in self._workers.items():
            if any(held.job_id == job.job_id for held in self.employer.held(channel_id)):
                self.kill(worker, "the job was taken away", Reason.CANCELLED)
                return True
        return False

    async def stop(self, grace_s: float) -> None:
        """Let running jobs end within `grace_s` seconds, then kill; unfinished jobs go back in line."""
        self._stopping = True
        workers = list(self._workers.values())
        for worker in workers:
            signal_group(worker.process.pid, signal.SIGTERM)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=max(0.0, grace_s))
            for worker in workers if late else ():
                if worker.process.poll() is None:
                    for job in reversed(self.employer.held(worker.channel.client_id)):
                        self.employer.give_back(job, "server")
                    signal_group(worker.process.pid, signal.SIGKILL)
            if late:
                await asyncio.wait(late, timeout=TERM_GRACE_S)
        self._threads.shutdown(wait=False, cancel_futures=True)


def described(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
