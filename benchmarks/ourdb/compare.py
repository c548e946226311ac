"""All stores side by side: one process per store and round, in turns, medians; the table with the bars, and JSON."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ourdb.log
from benchmarks.ourdb.peers import PEERS

ROOT = Path(__file__).parents[2]
NEEDS = {"LMDB": "lmdb", "LMDB, keeping history": "lmdb", "RocksDB": "rocksdict", "ZODB FileStorage": "ZODB"}
SIZES = (256, 1024)
COLUMNS = ("put", "update", "get", "delete", "scan", "synced")
BARS = {"put": 1.0, "update": 0.25, "get": 1.1, "delete": 0.25, "scan": 2.5, "synced": 0.8}
"""Against LMDB without history, which OurDB keeps."""
AHEAD = ("put", "update", "get", "delete")
"""Columns in which OurDB has to be ahead of LMDB keeping history."""
LIMITS = {"open_checkpoint_ms": 30.0, "open_scan_ms": 400.0, "pause_ms": 10.0}


def run(module: str, *arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def median(samples: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def is_there(store: str) -> bool:
    return store not in NEEDS or importlib.util.find_spec(NEEDS[store]) is not None


def measure(quick: bool) -> dict[str, Any]:
    count, rounds = (100_000, 1) if quick else (1_000_000, 3)
    form = "interpreted" if ourdb.log.__file__.endswith(".py") else "compiled"
    found: dict[str, Any] = {"records": count, "rounds": rounds, "form": form, "sizes": {}}
    stores = [store for store in PEERS if is_there(store)]
    for store in PEERS.keys() - stores:
        print(f"{store} is not installed and left out; pip install '.[bench]' brings it")
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder:
        for size in SIZES:
            samples: dict[str, list[dict[str, float]]] = {store: [] for store in stores}
            for _ in range(rounds):
                for store in stores:
                    samples[store].append(run("benchmarks.ourdb.trial", store, str(count), str(size), folder))
            medians = {store: median(runs) for store, runs in samples.items()}
            found["sizes"][size] = {"cpu_us": medians, "ratios": ratios(medians)}
            print_table(size, count, form, medians)
        upkeep = median([run("benchmarks.ourdb.upkeep", str(count), str(SIZES[0]), folder) for _ in range(rounds)])
    found["upkeep"] = upkeep
    print_upkeep(upkeep, count)
    return found


def ratios(medians: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    ours = medians["OurDB"]
    return {store: {column: round(ours[column] / row[column], 3) for column in COLUMNS if column in row}
            for store, row in medians.items() if store != "OurDB"}


def print_table(size: int, count: int, form: str, medians: dict[str, dict[str, float]]) -> None:
    print(f"{count:,} records of {size} bytes, OurDB {form}, µs of CPU per operation")
    print(f"{'':24}" + "".join(f"{column:>10}" for column in COLUMNS))
    for store, row in medians.items():
        print(f"{store:24}" + "".join(f"{row[column]:10.2f}" if column in row else f"{'-':>10}" for column in COLUMNS))
    against = ratios(medians)
    if "LMDB" in against:
        print_ratio("OurDB / LMDB", against["LMDB"], BARS)
        print_ratio("OurDB / LMDB + history", against["LMDB, keeping history"], dict.fromkeys(AHEAD, 1.0))
    print()


def print_ratio(label: str, row: dict[str, float], bars: dict[str, float]) -> None:
    print(f"{label:24}" + "".join(f"{row[column]:10.2f}" for column in COLUMNS))
    print(f"{'  wanted at most':24}" + "".join(f"{bars[column]:10.2f}" if column in bars else f"{'':>10}"
                                              for column in COLUMNS))
    missed = [column for column, bar in bars.items() if row[column] > bar]
    if missed:
        print(f"  missed: {', '.join(missed)}")


def print_upkeep(upkeep: dict[str, float], count: int) -> None:
    for name, limit in LIMITS.items():
        mark = "" if upkeep[name] <= limit else "  missed"
        print(f"{name:24}{upkeep[name]:10.1f}   wanted at most {limit:g}{mark}")
    print(f"({count:,} ids; the compaction of {upkeep['compacted_records']:,.0f} records took "
          f"{upkeep['compaction_s']:.1f} s, the longest pause without it was {upkeep['pause_alone_ms']:.1f} ms; of the "
          f"longest pause {upkeep['pause_queued_ms']:.1f} ms were spent waiting for a processor)")


def save(found: dict[str, Any]) -> Path:
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"ourdb-{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime())}.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return path.relative_to(ROOT)
