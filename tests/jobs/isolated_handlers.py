"""Handlers that misbehave in all the ways that a worker process must stand."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from jobs import Discard, Handlers, Job, Run, Snooze

handlers = Handlers()


@handlers.on("pid", isolation="process")
def pid(job: Job) -> int:
    return os.getpid()


@handlers.on("coroutine", isolation="process")
async def coroutine(job: Job) -> bytes:
    return job.params.upper()


@handlers.on("abort", isolation="process")
def abort(job: Job) -> None:
    print("the last words before the end", flush=True)
    os.abort()


@handlers.on("segfault", isolation="process")
def segfault(job: Job) -> None:
    ctypes.string_at(0)


@handlers.on("os-exit", isolation="process")
def os_exit(job: Job) -> None:
    os._exit(int(job.params))


@handlers.on("sys-exit", isolation="process")
def sys_exit(job: Job) -> None:
    sys.exit(3)


@handlers.on("for-ever", isolation="process", timeout=0.3)
def for_ever(job: Job) -> None:
    while True:
        time.sleep(60)


@handlers.on("hold-in-c", isolation="process", timeout=0.3)
def hold_in_c(job: Job) -> None:
    ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the interpreter's lock


@handlers.on("leak", isolation="process")
def leak(job: Job) -> int:
    return len([bytearray(64 * 1024 * 1024) for _ in range(64)])


@handlers.on("grow", isolation="process")
def grow(job: Job) -> int:
    return len(bytearray(b"x" * (120 << 20)))


@handlers.on("until", isolation="process")
def until(job: Job) -> int:
    begun, may_end = job.text.split("|")
    Path(begun).write_text("begun")
    while not Path(may_end).exists():
        time.sleep(0.01)
    return os.getpid()


kept: list[bytes] = []


@handlers.on("keep", isolation="process")
def keep(job: Job) -> int:
    kept.append(b"x" * (250 << 20))
    return os.getpid()


@handlers.on("spin", isolation="process", timeout=0.5)
def spin(job: Job) -> None:
    while True:
        hash(job.job_id)


@handlers.on("daemon", isolation="process")
def daemon(job: Job) -> int:
    code = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    done = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    if done.stdout is None:
        raise RuntimeError("no output")
    number = int(done.stdout.readline())
    Path(job.text).write_text(str(number))
    os._exit(1)


@handlers.on("shout", isolation="process")
def shout(job: Job) -> str:
    for _ in range(2000):
        sys.stdout.write("x" * 100_000 + "\n")
    return "said"


@handlers.on("hostile", isolation="process")
def hostile(job: Job) -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text for you")

    raise Hostile


@handlers.on("odd-result", isolation="process")
def odd_result(job: Job) -> object:
    itself: list[object] = []
    itself.append(itself)
    return {"huge": b"x" * (20 << 20), "object": object(), "cycle": [handlers], "itself": itself}[job.text]


@handlers.on("steered", isolation="process")
def steered(job: Job, run: Run) -> None:
    run.progress(50, "half")
    run.log("a line")
    if job.text == "snooze" and job.attempts < 2:
        raise Snooze(3600)
    raise Discard("not wanted")


@handlers.on("touch-and-wait", isolation="process")
def touch_and_wait(job: Job) -> None:
    Path(job.text).write_text("begun")
    time.sleep(600)


@handlers.on("own-backoff", isolation="process", retries=1, timeout=0.3, backoff=lambda attempt, error: 500 + attempt)
def own_backoff(job: Job) -> None:
    if job.text == "exit":
        os._exit(3)
    time.sleep(60)


@handlers.on("loud", isolation="process")
def loud(job: Job) -> None:
    for number in range(30):
        print(f"line {number} " + "x" * 5000)
    sys.stdout.flush()
    os.abort()


class Exits(Exception):
    def __str__(self) -> str:
        sys.exit(9)


@handlers.on("exits", isolation="process")
def exits(job: Job) -> None:
    raise Exits
