"""The job system inside its own program, one question per process: `python -m benchmarks.jobs.embedded QUESTION JOBS`
prints JSON. Everything is durable: created and done are on disk before anybody is told.

    cycle       jobs per second from create to done, no-op async handler, 100 workers, created one by one by 2000
                coroutines
    threads     the same for synchronous handlers in threads, created in bulk
    processes   the same for handlers in worker processes
    idle        median ms from the call of create to the start of the handler, one job at a time
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from typing import Any

from benchmarks import job_cycle
from heroredis import Handlers, Job, ServerFactory

PAUSE_S = 0.002
"""Between two jobs of an idle system."""


async def idle(folder: str, jobs: int) -> float:
    """Milliseconds."""
    handlers = Handlers()
    started = asyncio.Queue[int]()

    @handlers.on("idle")
    async def handler(job: Job) -> None:
        started.put_nowait(time.monotonic_ns())

    times = []
    async with ServerFactory(job_cycle.config_in(folder, 5), handlers=handlers) as factory:
        for _ in range(jobs):
            begin = time.monotonic_ns()
            await factory.job_manager.create_job("idle", b"x")
            times.append((await started.get() - begin) / 1e6)
            await asyncio.sleep(PAUSE_S)
    return statistics.median(times)


def answer(question: str, jobs: int, folder: str) -> float:
    if question == "cycle":
        return job_cycle.run(job_cycle.embedded(folder, jobs, job_cycle.PRODUCERS))
    if question == "threads":
        return job_cycle.run(job_cycle.elsewhere(folder, "thread", jobs))
    if question == "processes":
        return job_cycle.run(job_cycle.elsewhere(folder, "process", jobs))
    if question == "idle":
        return job_cycle.run(idle(folder, jobs))
    raise SystemExit(f"question {question!r} does not exist: cycle, threads, processes, idle")


def main(arguments: list[str]) -> None:
    question, jobs = arguments[0], int(arguments[1])
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=arguments[2] if len(arguments) > 2 else ".") as folder:
        found: Any = {question: answer(question, jobs, folder)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
