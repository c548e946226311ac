"""How long from start to ready, and what an idle server costs."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from heroredis.testing import ServerProcess


def start_seconds(arguments: list[str], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            server = ServerProcess(Path(name), arguments)
            begin = time.perf_counter()
            server.start()
            times.append(time.perf_counter() - begin)
            server.stop()
    return statistics.median(times)


def idle(seconds: float) -> tuple[float, float]:
    """CPU share in percent and resident MiB of a server with all services that nobody talks to."""
    with tempfile.TemporaryDirectory() as name, ServerProcess(Path(name)) as server:
        time.sleep(1)
        before = cpu_seconds(server.pid)
        time.sleep(seconds)
        used = cpu_seconds(server.pid) - before
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
        return used / seconds * 100, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(quick: bool = False) -> dict[str, Any]:
    rounds = 2 if quick else 7
    everything = start_seconds([], rounds)
    small = start_seconds(["--no-ui", "--no-webdav"], rounds)
    cpu, memory = idle(2 if quick else 10)
    print(f"start to ready, all services:   {everything:6.2f} s (wanted 1.0)")
    print(f"start to ready, Redis and jobs: {small:6.2f} s (wanted 0.4)")
    print(f"idle, all services: {cpu:5.2f} % CPU (wanted 1), {memory:6.1f} MiB resident (wanted 90)")
    return {"start_all_s": round(everything, 3), "start_redis_jobs_s": round(small, 3),
            "idle_cpu_percent": round(cpu, 2), "idle_mib": round(memory, 1)}


if __name__ == "__main__":
    measure()
