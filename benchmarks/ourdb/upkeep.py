"""What only OurDB is asked: opening, and the writer's pause while it is compacted. In a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.ourdb.trial import pool
from ourdb import OurDB

BEAT_S = 0.0005
"""The writer rests so long between two batches, so that its pauses are not its own work."""


def opening(folder: Path, count: int, size: int) -> dict[str, float]:
    """CPU ms to open `count` ids with and without the checkpoint."""
    values = pool(size)
    with OurDB(folder, "no") as db:
        for start in range(0, count, len(values)):
            for value in values[: count - start]:
                db.append(value)
            db.flush()
    found = {"open_checkpoint_ms": _open_ms(folder, count)}
    (folder / "checkpoint").unlink()
    found["open_scan_ms"] = _open_ms(folder, count)
    return found


def _open_ms(folder: Path, count: int) -> float:
    best = 1e9
    for _ in range(3):
        begin = time.process_time()
        with OurDB(folder, read_only=True) as db:
            best = min(best, (time.process_time() - begin) * 1000)
            if len(db) != count:
                raise RuntimeError(f"{len(db)} ids were found, {count} were written")
    return best


def queued_ms() -> float:
    """How long this thread has waited for a processor that others used, in all; 0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def longest_pause(db: OurDB, value: bytes, until: threading.Event) -> tuple[float, float]:
    """ms of the longest write, one batch after the other, until the event comes; and how much of it was spent waiting
    for a processor."""
    longest, queued = 0.0, 0.0
    while not until.is_set():
        before = queued_ms()
        begin = time.perf_counter()
        for _ in range(10):
            db.append(value)
        db.flush()
        took = (time.perf_counter() - begin) * 1000
        if took > longest:
            longest, queued = took, min(took, queued_ms() - before)
        time.sleep(BEAT_S)
    return longest, queued


def compaction(folder: Path, size: int) -> dict[str, float]:
    """Every second version is dropped while a writer goes on."""
    value = pool(size)[0]
    found: dict[str, float] = {}
    with OurDB(folder, "no") as db:
        ids = list(db.ids())
        for record_id in ids[::2]:
            db.append(value, record_id)
        db.flush()
        alone = threading.Event()
        threading.Timer(2, alone.set).start()
        found["pause_alone_ms"], _ = longest_pause(db, value, alone)
        done = threading.Event()

        def compact() -> None:
            begin = time.perf_counter()
            result = db.compact(1)
            found["compaction_s"] = time.perf_counter() - begin
            found["compacted_records"] = float(result.kept + result.dropped)
            done.set()

        worker = threading.Thread(target=compact)
        worker.start()
        found["pause_ms"], found["pause_queued_ms"] = longest_pause(db, value, done)
        worker.join()
    return found


def main() -> None:
    count, size = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="ourdb-bench-", dir=sys.argv[3]) as home:
        found = opening(Path(home) / "db", count, size)
        found |= compaction(Path(home) / "db", size)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
