"""How punctual delayed jobs are: single ones, 100,000 for one moment; how long the loop stands still meanwhile."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from typing import Any

from benchmarks.job_cycle import config_in
from heroredis import Handlers, Job, ServerFactory
from heroredis.factory import new_loop
from heroredis.tuning import settle


class Late:
    """A handler that notes when it was called, and the longest time that the loop did not turn."""

    def __init__(self, wanted: int) -> None:
        self.handlers = Handlers()
        self.started: list[tuple[int, float]] = []
        self.stall = 0.0
        self.over = asyncio.Event()
        self._wanted = wanted
        self.handlers.on("t")(self.run)

    async def run(self, job: Job) -> None:
        self.started.append((job.job_id, time.time() * 1000))
        if len(self.started) == self._wanted:
            self.over.set()

    async def watch(self) -> None:
        last = time.perf_counter()
        while not self.over.is_set():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.stall = max(self.stall, now - last - 0.001)
            last = now


async def single(folder: str, jobs: int) -> dict[str, float]:
    """Lateness in ms of jobs at moments of their own, within three seconds."""
    late = Late(jobs)
    rng = random.Random(1)
    async with ServerFactory(config_in(folder, 5), handlers=late.handlers) as factory:
        wanted = {}
        for _ in range(jobs):
            at = time.time() + rng.uniform(0.2, 3)
            job = await factory.job_manager.create_job("t", run_at=at)
            wanted[job.job_id] = job.run_at
        await late.over.wait()
    lateness = [at - wanted[job_id] for job_id, at in late.started]
    return {"earliest_ms": round(min(lateness), 2), "median_ms": round(statistics.median(lateness), 2),
            "latest_ms": round(max(lateness), 2)}


async def burst(folder: str, jobs: int) -> dict[str, float]:
    """All for one moment: when the first one starts, how many per second follow, the longest stall of the loop."""
    late = Late(jobs)
    async with ServerFactory(config_in(folder, 100), handlers=late.handlers) as factory:
        settle()
        at = time.time() + 2 + jobs / 20_000
        for _ in range(jobs // 1000):
            await factory.job_manager.create_jobs("t", [b"x"] * 1000, run_at=at)
        watching = asyncio.create_task(late.watch())
        await late.over.wait()
        await watching
    begin = round(at * 1000)
    times = [moment for _, moment in late.started]
    return {"first_ms": round(min(times) - begin, 2), "per_s": round(jobs / (max(times) - begin) * 1000),
            "longest_stall_ms": round(late.stall * 1000, 1)}


def measure(quick: bool = False) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=".") as name, asyncio.Runner(loop_factory=new_loop) as runner:
        alone = runner.run(single(f"{name}/single", 20 if quick else 300))
        many = runner.run(burst(f"{name}/burst", 2000 if quick else 100_000))
    print(f"single delayed jobs, lateness in ms:  {alone} (wanted 0 to 10)")
    print(f"all for one moment:                   {many} (wanted first <= 10 ms, >= 20000/s)")
    return {"single": alone, "burst": many}


if __name__ == "__main__":
    measure()
