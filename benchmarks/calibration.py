"""What this machine can do, measured beside every run: an absolute figure counts only with it."""

from __future__ import annotations

import os
import statistics
import tempfile
import time


def measure() -> dict[str, float]:
    """Median fdatasync of 4 KiB in µs, and a fixed piece of Python in ms."""
    syncs = []
    with tempfile.NamedTemporaryFile(dir=".") as file:
        for number in range(200):
            os.pwrite(file.fileno(), b"x" * 4096, number * 4096)
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            syncs.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    total = 0
    for number in range(2_000_000):
        total += number & 7
    loop_ms = (time.perf_counter() - begin) * 1000
    return {"fdatasync_4k_us": round(statistics.median(syncs) * 1e6, 1), "python_loop_ms": round(loop_ms, 1),
            "cores": float(os.cpu_count() or 1), "load": round(os.getloadavg()[0], 2)}
