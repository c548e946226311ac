"""`python -m benchmarks.jobs [--quick] [--scale] [PEER …]`: this question alone. `--scale` = a million jobs instead."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.jobs import compare, scale
from benchmarks.jobs.install import ROOT


def save(name: str, found: dict[str, Any]) -> Path:
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime())}.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return path.relative_to(ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description="The job system beside its peers")
    parser.add_argument("peers", nargs="*", metavar="PEER", help="only peers whose name holds this (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs, one round")
    parser.add_argument("--scale", action="store_true", help="a million ended and 100,000 waiting jobs; searches")
    given = parser.parse_args()
    if given.scale:
        print(f"written to {save('jobs-scale', scale.measure(quick=given.quick))}")
    else:
        print(f"written to {save('jobs', compare.measure(given.quick, given.peers))}")


if __name__ == "__main__":
    main()
