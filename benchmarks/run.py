"""`make bench`: all questions in one run, beside the peers; a table on the screen, JSON in benchmarks/results/.

`python benchmarks/run.py [--quick] [--scale] [QUESTION …]`; `--scale` adds a million jobs, which takes long.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import (  # noqa: E402
    against_redis,
    calibration,
    hot_path,
    job_cycle,
    jobs_search,
    persistence,
    punctuality,
    redis_limits,
    start_and_idle,
)
from benchmarks.jobs import compare as job_peers  # noqa: E402
from benchmarks.jobs import scale  # noqa: E402
from benchmarks.ourdb import compare  # noqa: E402
from heroredis.form import is_compiled  # noqa: E402

QUESTIONS = {"redis": against_redis.measure, "jobs": job_cycle.measure, "start": start_and_idle.measure,
             "hot_path": hot_path.measure, "search": jobs_search.measure, "redis_kept": against_redis.measure_kept,
             "persistence": persistence.measure, "punctuality": punctuality.measure, "ourdb": compare.measure,
             "job_peers": job_peers.measure, "redis_limits": redis_limits.measure}
SLOW = {"job_scale": scale.measure}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, *SLOW, []], metavar="QUESTION",
                        help=f"default: all but the last; {', '.join([*QUESTIONS, *SLOW])}")
    parser.add_argument("--quick", action="store_true", help="fewer requests and runs, to see that it works")
    parser.add_argument("--scale", action="store_true", help="with the last question too: a million jobs")
    given = parser.parse_args()
    results: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "python": platform.python_version(),
        "form": "compiled" if is_compiled() else "interpreted", "calibration": calibration.measure(),
    }
    print(f"form: {results['form']}, calibration: {json.dumps(results['calibration'])}\n")
    wanted = given.questions or list(QUESTIONS)
    for name, measure in {**QUESTIONS, **SLOW}.items():
        if name in wanted or (given.scale and name in SLOW):
            results[name] = measure(quick=given.quick)
            print()
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{results['when'].replace(':', '')}.json"
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
