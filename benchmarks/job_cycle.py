"""Jobs per second through the whole cycle, create to done, durable: embedded and over the socket; one job alone."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from heroredis import Config, Handlers, Job, ServerFactory
from heroredis.factory import new_loop
from heroredis.testing import ServerProcess
from heroredis.tuning import settle
from jobs import requests
from jobs.client import Client
from jobs.manager import JobManager

PRODUCERS = 2000
"""Coroutines that create at a time: as many jobs share a sync."""
BULK = 500
"""Jobs of one call."""
WARM = 50
"""Jobs before the measured ones: threads and processes are there then."""
LOOK_S = 0.002
"""Between two looks whether all jobs have ended: nothing is told of each, which would be measured too."""
handlers = Handlers()
elsewhere_handlers = Handlers()
"""On their own: a server that has handlers for worker processes starts those, which would be measured with the rest."""


@handlers.on("noop")
async def noop(job: Job) -> None:
    """Nothing, so that only the job system is measured."""


def config_in(folder: str, workers: int) -> Config:
    config = Config(data_dir=folder, enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = ""
    config.jobs.worker_count = workers
    config.jobs.ourdb_path = f"{folder}/jobsdb"
    return config


async def embedded(folder: str, jobs: int, producers: int) -> float:
    """Jobs per second with 100 workers, durability always, everything create to done."""
    async with ServerFactory(config_in(folder, 100), handlers=handlers) as factory:
        settle()  # as the server process does it
        manager = factory.job_manager

        async def produce(number: int) -> None:
            for _ in range(number):
                await manager.create_job("noop", b"x")

        begin = time.perf_counter()
        await asyncio.gather(*(produce(jobs // producers) for _ in range(producers)))
        await all_done(manager, "noop", jobs)
        return jobs / (time.perf_counter() - begin)


async def all_done(manager: JobManager, topic: str, jobs: int) -> None:
    """So many jobs of a topic have ended, on disk too."""
    while manager.stats(topic).done < jobs:  # noqa: ASYNC110  # an event would have to be told of each job
        await asyncio.sleep(LOOK_S)
    await manager.flushed()


async def alone(folder: str, jobs: int) -> float:
    """Median ms from create to done, one job at a time on an idle server."""
    times = []
    async with ServerFactory(config_in(folder, 5), handlers=handlers) as factory:
        manager = factory.job_manager
        for _ in range(jobs):
            begin = time.perf_counter()
            job = await manager.create_job("noop", b"x")
            await manager.wait(job.job_id, 10)
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


@elsewhere_handlers.on("thread")
def thread(job: Job) -> None:
    """Nothing, in a thread."""


@elsewhere_handlers.on("process", isolation="process")
def process(job: Job) -> None:
    """Nothing, in a worker process."""


async def elsewhere(folder: str, topic: str, jobs: int) -> float:
    """Jobs per second of handlers in threads or worker processes, created in bulk, all durable."""
    async with ServerFactory(config_in(folder, 16), handlers=elsewhere_handlers) as factory:
        settle()
        manager = factory.job_manager
        await manager.create_jobs(topic, [b"x"] * WARM)
        await all_done(manager, topic, WARM)
        begin = time.perf_counter()
        for _ in range(jobs // BULK):
            await manager.create_jobs(topic, [b"x"] * BULK)
        await all_done(manager, topic, WARM + jobs)
        return jobs / (time.perf_counter() - begin)


def by_our_client(folder: Path, jobs: int) -> tuple[float, float]:
    """Jobs per second over the socket with jobs.client: created in bulk; then fetched and completed by one worker."""
    with ServerProcess(folder, ["--no-ui", "--no-webdav"]) as server, Client(f"unix://{server.unix_path}") as client:
        begin = time.perf_counter()
        for _ in range(jobs // 500):
            client.create_jobs("t", [b"x"] * 500)
        created = jobs / (time.perf_counter() - begin)
        begin = time.perf_counter()
        for _ in range(jobs // 500):
            fetched = client.fetch(["t"], count=500, wait=10)
            client.pipeline([requests.complete(job["id"], b"", job["token"]) for job in fetched])
        return created, jobs / (time.perf_counter() - begin)


def over_the_socket(folder: Path, jobs: int) -> float:
    """Jobs per second: pipelined JOB.CREATE, then JOB.FETCH and JOB.COMPLETE by one client."""
    with ServerProcess(folder, ["--no-ui", "--no-webdav"]) as server:
        client = redis.Redis(unix_socket_path=server.unix_path)
        begin = time.perf_counter()
        for _ in range(jobs // 500):
            with client.pipeline(transaction=False) as pipe:
                for _ in range(500):
                    pipe.execute_command("JOB.CREATE", "t", "x")
                pipe.execute()
            fetched = client.execute_command("JOB.FETCH", 500, 1000, "t")
            with client.pipeline(transaction=False) as pipe:
                for job in fetched:
                    pipe.execute_command("JOB.COMPLETE", job[b"id"] if isinstance(job, dict) else job[1], "")
                pipe.execute()
        return jobs / (time.perf_counter() - begin)


def run(coroutine: Any) -> float:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return float(runner.run(coroutine))


def measure(quick: bool = False) -> dict[str, Any]:
    jobs = 5_000 if quick else 100_000
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        many = statistics.median(run(embedded(f"{name}/many{number}", 3 * jobs, PRODUCERS)) for number in range(rounds))
        single = run(alone(f"{name}/alone", 50 if quick else 500))
        (folder / "socket").mkdir()
        remote = over_the_socket(folder / "socket", jobs // 5)
        (folder / "client").mkdir()
        created, worked = by_our_client(folder / "client", jobs // 2)
        threads = run(elsewhere(f"{name}/threads", "thread", jobs // 5))
        processes = run(elsewhere(f"{name}/processes", "process", jobs // 5))
    print(f"embedded, durable, 100 workers, no-op handler: {many:10.0f} jobs/s (wanted 120000)")
    print(f"over the socket, one client, pipelined 500:    {remote:10.0f} jobs/s")
    print(f"our client, create / fetch and complete:       {created:10.0f} / {worked:.0f} jobs/s "
          "(wanted 40000 / 20000)")
    print(f"no-op handlers in threads / worker processes:  {threads:10.0f} / {processes:.0f} jobs/s "
          "(wanted 15000 / 8000)")
    print(f"one job alone, create to done, durable:        {single:10.2f} ms median (wanted 1)")
    return {"embedded_jobs_per_s": round(many), "socket_jobs_per_s": round(remote), "alone_ms": round(single, 3),
            "client_created_per_s": round(created), "client_worked_per_s": round(worked),
            "threads_per_s": round(threads), "processes_per_s": round(processes)}


if __name__ == "__main__":
    measure()
