"""How long a job takes from a producer to the handler of another process, over the socket, on an idle server.

`python -m benchmarks.jobs.remote_idle URL` is that worker: it writes the moment when it has a job in its hands.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.jobs.install import ROOT
from heroredis.testing import ServerProcess
from jobs.client import Client

PAUSE_S = 0.002


def measure(folder: Path, jobs: int) -> float:
    """Median milliseconds from the call of create to the handler, durable before it starts."""
    with ServerProcess(folder, ["--no-ui", "--no-webdav"]) as server:
        url = f"redis://127.0.0.1:{server.port}"
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.jobs.remote_idle", url], cwd=ROOT, text=True,
                                  stdout=subprocess.PIPE)
        try:
            with Client(url) as client:
                return statistics.median(_times(client, worker, jobs))
        finally:
            worker.kill()
            worker.wait()


def _times(client: Client, worker: subprocess.Popen[str], jobs: int) -> list[float]:
    if worker.stdout is None:
        raise RuntimeError("the output of the worker is not captured")
    times = []
    for number in range(jobs + 1):
        begin = time.monotonic_ns()
        client.create_job("idle", b"x")
        started = int(worker.stdout.readline())
        if number:  # the first one waited for the worker to be there
            times.append((started - begin) / 1e6)
        time.sleep(PAUSE_S)
    return times


def work(url: str) -> None:
    with Client(url) as client:
        while True:
            for job in client.fetch(["idle"], count=1, wait=60):
                print(time.monotonic_ns(), flush=True)
                client.complete_job(job["id"], b"", job["token"])


if __name__ == "__main__":
    work(sys.argv[1])
