"""A million ended and 100,000 waiting jobs: from start to ready, memory per job, and searches over a million.

The stores are written directly, three versions of each ended job. A first start builds the index of the searches, which
is not part of the figures; then the server is started anew after orderly stops, and after kill -9. Memory is what the
process has of its own (RssAnon), read when it is ready and idle: an empty server's is taken off, and the rest is
divided by the jobs. The same is measured of waiting jobs that were made since the start.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks import calibration, jobs_search
from benchmarks.jobs.install import ROOT
from heroredis.form import is_compiled
from heroredis.testing import ServerProcess
from jobs.client import Client
from jobs.job import Job, encode, replace
from ourdb import OurDB

ENDED: Final = 1_000_000
WAITING: Final = 100_000
PARAMS: Final = b'{"to": "user@example.com", "subject": "%s"}' % (b"x" * 79)
"""120 bytes."""
LIMITS: Final = {"ready_s": 2.0, "ready_after_crash_s": 2.0, "bytes_per_waiting": 400.0, "bytes_per_new": 400.0,
                 "bytes_per_ended": 24.0}
ARGUMENTS: Final = ["--no-ui", "--no-webdav"]
STEP: Final = 5000
STARTS: Final = 3
LONGEST_S: Final = 1800


def fill(folder: Path, ended: int, waiting: int) -> None:
    """The store of a server whose data directory is in `folder`."""
    now = time.time_ns() // 1_000_000
    path = folder / "data" / "jobsdb"
    path.parent.mkdir(parents=True)
    with OurDB(path, durability="no") as db:
        for start in range(1, ended + 1, STEP):
            jobs = [_new(number, now - 3_600_000) for number in range(start, min(start + STEP, ended + 1))]
            db.append_batch([(encode(job), 0) for job in jobs])
            db.append_batch([(encode(_active(job)), job.job_id) for job in jobs])
            db.append_batch([(encode(_done(job)), job.job_id) for job in jobs])
            db.commit().wait()
        for start in range(ended + 1, ended + waiting + 1, STEP):
            last = min(start + STEP, ended + waiting + 1)
            db.append_batch([(encode(_new(number, now)), 0) for number in range(start, last)])
            db.commit().wait()


def _new(job_id: int, at: int) -> Job:
    return Job(job_id=job_id, topic="mail" if job_id % 3 else "report", params=PARAMS, created_at=at, at=at, by="api")


def _active(job: Job) -> Job:
    return replace(job, state="active", attempts=1, started_at=job.at + 5, at=job.at + 5, worker="worker-1",
                   by="worker-1", version=2, token=f"e0123abcd-{job.job_id}-2")


def _done(job: Job) -> Job:
    return replace(job, state="done", result=b"sent", attempts=1, started_at=job.at + 5, ended_at=job.at + 12,
                   at=job.at + 12, worker="worker-1", by="worker-1", version=3)


def memory(pid: int) -> dict[str, int]:
    """Bytes: what is the process's own, and what it has of files."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssFile"):
            found[name] = int(value.split()[0]) * 1024
    return found


def build_index(folder: Path) -> float:
    """Seconds until the searches know every job; a first start, which is not measured."""
    begin = time.perf_counter()
    with ServerProcess(folder, ARGUMENTS) as server, Client(f"unix://{server.unix_path}") as client:
        while time.perf_counter() - begin < LONGEST_S:
            if not behind(client):
                return time.perf_counter() - begin
            time.sleep(0.5)
    raise RuntimeError("the index was not built in time")


def ready_after(server: ServerProcess) -> float:
    begin = time.perf_counter()
    server.start()
    return time.perf_counter() - begin


def ready_after_a_crash(folder: Path) -> float:
    """Nothing was handed over: the whole log is read."""
    server = ServerProcess(folder, ARGUMENTS)
    with server.start(), Client(f"unix://{server.unix_path}") as client:
        client.create_job("report", PARAMS)
        server.kill()
        return ready_after(server)


def started(folder: Path, waiting: int) -> dict[str, float]:
    server = ServerProcess(folder, ARGUMENTS)
    ready = ready_after(server)
    with server:
        time.sleep(1)
        held = memory(server.pid)
        with Client(f"unix://{server.unix_path}") as client:
            stats = client.stats()
        if int(stats["new"]) != waiting:
            raise RuntimeError(f"{stats['new']} jobs wait, {waiting} were made")
    return {"ready_s": ready, "own": float(held["RssAnon"]), "files": float(held["RssFile"])}


def bytes_per_new(folder: Path, count: int) -> float:
    """Memory that a waiting job takes which was made since the start."""
    folder.mkdir()
    server = ServerProcess(folder, ARGUMENTS)
    with server.start(), Client(f"unix://{server.unix_path}") as client:
        client.create_jobs("report", [PARAMS] * STEP)
        _settle(client)
        before = memory(server.pid)["RssAnon"]
        for _ in range(count // STEP):
            client.create_jobs("report", [PARAMS] * STEP)
        _settle(client)
        grown = memory(server.pid)["RssAnon"] - before
    shutil.rmtree(folder)
    return round(grown / count, 1)


def _settle(client: Client) -> None:
    """Until the index of the searches has seen everything."""
    begin = time.perf_counter()
    while behind(client) and time.perf_counter() - begin < LONGEST_S:
        time.sleep(0.5)


def behind(client: Client) -> int:
    """How many records the index of the searches has not seen."""
    facts = dict(line.split(":", 1) for line in client.execute("INFO", "jobs").decode().splitlines() if ":" in line)
    return int(facts.get("jobs_index_behind", "0"))


def case(folder: Path, ended: int, waiting: int) -> dict[str, float]:
    folder.mkdir()
    fill(folder, ended, waiting)
    index_s = build_index(folder)
    found = [started(folder, waiting) for _ in range(STARTS)]
    crashed_s = statistics.median(ready_after_a_crash(folder) for _ in range(STARTS))
    shutil.rmtree(folder)
    return {name: statistics.median(one[name] for one in found) for name in found[0]} | {
        "ready_after_crash_s": round(crashed_s, 2), "index_s": round(index_s, 1)}


def measure(quick: bool = False) -> dict[str, Any]:
    ended, waiting = (ENDED // 50, WAITING // 50) if quick else (ENDED, WAITING)
    before = calibration.measure()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as name:
        folder = Path(name).resolve()
        nothing, full, both = (case(folder / label, *numbers) for label, numbers in
                               (("empty", (0, 0)), ("ended", (ended, 0)), ("both", (ended, waiting))))
        new = bytes_per_new(folder / "new", waiting)
    found: dict[str, Any] = {
        "form": "compiled" if is_compiled() else "interpreted", "ended": ended, "waiting": waiting, "before": before,
        "after": calibration.measure(), "cases": {"empty": nothing, "ended": full, "both": both},
        "ready_s": round(both["ready_s"], 2), "ready_after_crash_s": both["ready_after_crash_s"],
        "ready_empty_s": round(nothing["ready_s"], 2),
        "bytes_per_ended": round((full["own"] - nothing["own"]) / ended, 1),
        "bytes_per_waiting": round((both["own"] - full["own"]) / waiting, 1), "bytes_per_new": new,
    }
    found["searches"] = searches(quick)
    print("\n".join(lines(found)))
    return found


def searches(quick: bool) -> dict[str, Any]:
    """In a process of its own, for its memory and its garbage are not ours."""
    words = ["--quick"] if quick else []
    done = subprocess.run([sys.executable, "-m", "benchmarks.jobs_search", *words], cwd=ROOT, stdout=subprocess.PIPE,
                          text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{"):])
    return found


def lines(found: dict[str, Any]) -> list[str]:
    shown = [f"heroredis {found['form']}, {found['ended']:,} ended and {found['waiting']:,} waiting jobs with params "
             f"of {len(PARAMS)} bytes; load {found['before']['load']} before, {found['after']['load']} after"]
    for name, limit in LIMITS.items():
        mark = "" if found[name] <= limit else "   MISSED"
        shown.append(f"  {name:26}{found[name]:>10,}   wanted at most {limit:g}{mark}")
    shown.append(f"  an empty server is ready after {found['ready_empty_s']} s; the search index of both was built in "
                 f"{found['cases']['both']['index_s']} s")
    searched = found["searches"]
    for kind, limit in (("filters", 20.0), ("texts", 500.0)):
        slowest = jobs_search.slowest(searched[kind])
        stall = searched[kind]["stall_ms"]
        mark = "" if slowest <= limit and stall <= 10 else "   MISSED"
        shown.append(f"  {kind + ', first page, ms':26}{slowest:>10,}   wanted at most {limit:g}, the loop stood still "
                     f"for {stall} ms at most (10){mark}")
    return shown
