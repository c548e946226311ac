"""Handlers for the torture of workers: each run is told to the file WITNESS before anything else is done.

Params `die`: the first attempt waits until it is killed, the next ones return at once.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from jobs import Handlers, Job

FILE: Final = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
handlers = Handlers()


def tell(kind: str, job_id: int, token: str, params: str) -> None:
    """One write: whole lines, whoever else writes and whoever is killed."""
    os.write(FILE, f"{kind} {job_id} {token} {os.getpid()} {time.monotonic_ns()} {params}\n".encode())


def work(job: Job) -> str:
    tell("start", job.job_id, job.token, job.text)
    if job.text == "die" and job.attempts == 1:
        tell("wait", job.job_id, job.token, job.text)
        threading.Event().wait()
    return f"{job.attempts}"


@handlers.on("isolated", isolation="process", retries=50, backoff="fixed:1")
def isolated(job: Job) -> str:
    return work(job)


@handlers.on("remote")
def remote(job: Job) -> str:
    return work(job)
