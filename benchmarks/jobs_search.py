"""How fast jobs are found: a store of synthetic jobs, the index built from it, first pages by each kind of filter.

`python -m benchmarks.jobs_search [--quick | JOBS FOLDER]` prints JSON; a folder is kept and used again.
`stall_ms` = the longest time for which the loop stood still while the searches ran, one after the other.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from heroredis.extension import SystemClock
from jobs.index import FILE
from jobs.index_feed import OurDBFeed
from jobs.indexer import Indexer
from jobs.job import Job, encode
from jobs.ourdb_store import OurDBStore
from jobs.query_parser import parse
from jobs.search import Search
from ourdb import OurDB

NOW = time.time_ns() // 1_000_000
SECOND = 1000
FILTERED = [
    "topic:mail", "topic:rare", "state:new", "topic:mail state:error", "state:new,error", "reason:timeout", "tag:vip",
    "tag:unknown", "worker:w-7", "topic:ma*", "created:-700000s..-699000s", "ended:-500000s..-499990s", "id:1000..1100",
    "duration>59990ms", "duration>1s topic:mail", "attempts>=4", "wait>4990ms", "priority:0", "not state:done",
    "tag:vip topic:rare", "started:..-900000s topic:mail",
]
TEXTS = ["needle", "quxquuxcorge", "subject", "customer 77", "timed out", "needle topic:mail", "abc def ghi jkl"]


def words(rng: random.Random) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(20_000)]


def job(rng: random.Random, vocabulary: list[str], job_id: int, count: int) -> Job:
    created = NOW - (count - job_id) * SECOND
    chance = rng.random()
    state = "done" if chance < 0.9 else "error" if chance < 0.99 else "new"
    started = created + rng.randint(0, 5000) if state != "new" else 0
    subject = " ".join(rng.choices(vocabulary, k=12))
    text = f'{{"to": "{rng.choice(vocabulary)}@{rng.choice(vocabulary)}.com", "subject": "{subject}'
    if job_id % 100_000 == 7:
        text = '{"find": "needle"' + text
    return Job(
        job_id=job_id, topic=rng.choices(["mail", "report", "sync", "rare"], [60, 30, 10, 0.01])[0], state=state,
        reason="timeout" if state == "error" and rng.random() < 0.1 else "", params=(text[:118] + '"}').encode(),
        result=b"sent to customer %d" % rng.randint(1, 100_000) if state == "done" else None,
        error=b"TimeoutError: timed out" if state == "error" else None,
        worker=f"w-{rng.randint(1, 50)}" if started else "",
        attempts=1 if rng.random() < 0.99 else rng.randint(2, 4), priority=100 if rng.random() < 0.999 else 0,
        created_at=created, started_at=started, tags=("vip",) if rng.random() < 0.01 else (), at=created,
        ended_at=started + rng.randint(5, 60_000) if state in ("done", "error") else 0)


def fill(folder: Path, count: int) -> None:
    rng = random.Random(1)
    vocabulary = words(rng)
    with OurDB(folder / "db", durability="no") as db:
        for start in range(1, count + 1, 5000):
            db.append_batch([(encode(job(rng, vocabulary, number, count)), 0)
                             for number in range(start, min(start + 5000, count + 1))])
            db.commit().wait()


class Stalls:
    """The longest pause between two turns of the loop."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, time.perf_counter() - began - 0.001)

    def end(self) -> float:
        self._task.cancel()
        return round(self.worst * 1000, 1)


async def measured(search: Search, texts: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    stalls = Stalls()
    for text in texts:
        query = parse(text, NOW)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            page = await search.page(query, 0, 50)
            times.append((time.perf_counter() - began) * 1000)
        found[text] = {"ms": round(sorted(times)[1], 1), "first_ms": round(times[0], 1), "jobs": len(page.jobs)}
    found["stall_ms"] = stalls.end()
    return found


async def answers(count: int, folder: Path) -> dict[str, object]:
    if not (folder / "db").exists():
        fill(folder, count)
    store = OurDBStore(OurDB(folder / "db", durability="no"))
    indexer = Indexer(folder / "index", OurDBFeed(store.db))
    search = Search(store.get, store.history, lambda: store.next_id() - 1, SystemClock())
    search.indexer = indexer
    began, cpu = time.perf_counter(), time.process_time()
    indexer.start()
    stalls = Stalls()
    while indexer.behind or indexer.index_lsn == 0:  # noqa: ASYNC110 - the thread tells nobody
        await asyncio.sleep(0.05)
    facts: dict[str, object] = {
        "jobs": count, "build_s": round(time.perf_counter() - began, 1),
        "build_cpu_s": round(time.process_time() - cpu, 1),
        "build_stall_ms": stalls.end()}
    facts["filters"] = await measured(search, FILTERED)
    facts["texts"] = await measured(search, TEXTS)
    indexer.stop()
    facts["index_mb"] = round((folder / "index" / FILE).stat().st_size / 1e6)
    facts["store_mb"] = round(sum(path.stat().st_size for path in (folder / "db").iterdir()) / 1e6)
    store.close()
    return facts


def measure(quick: bool = False) -> dict[str, object]:
    """First pages in ms, by filter and by text; the bars are 20 and 500."""
    folder = Path(tempfile.mkdtemp(prefix="jobs-search-"))
    try:
        facts = asyncio.run(answers(20_000 if quick else 1_000_000, folder))
    finally:
        shutil.rmtree(folder)
    print(f"searching {facts['jobs']} jobs, first page in ms: filters {slowest(facts['filters'])}, "
          f"text {slowest(facts['texts'])}")
    return facts


def slowest(found: Any) -> float:
    return float(max(one["ms"] for one in found.values() if isinstance(one, dict)))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(asyncio.run(answers(int(sys.argv[1]), Path(sys.argv[2]))), indent=1))
    else:
        print(json.dumps(measure(quick="--quick" in sys.argv), indent=1))
