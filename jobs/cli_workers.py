"""`heroredis workers`: who works, and how many of the server's own may: more, fewer, quiet, drained."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any, Final

from jobs.link import Link
from jobs.table import as_json, cut, names, table, text_of

TIMED_OUT: Final = 5
LOOK_S: Final = 0.2


def add(groups: Any, common: ArgumentParser, duration: Callable[[str], int]) -> None:
    made = groups.add_parser("workers", parents=[common], help="who works; more or fewer workers, quiet or at work")
    made.add_argument("--count", type=int, metavar="N", help="so many workers in the server")
    made.add_argument("--processes", type=int, metavar="N", help="so many worker processes of the server")
    acts = made.add_mutually_exclusive_group()
    acts.add_argument("--quiet", action="store_true", help="the server's own workers take no more jobs")
    acts.add_argument("--work", action="store_true", help="they take jobs again")
    acts.add_argument("--drain", action="store_true", help="quiet, and wait until they have ended what they do")
    made.add_argument("--timeout", type=duration, default=0, metavar="TIME", help="wait at most so long for --drain")
    made.set_defaults(run=run)


def run(link: Link, given: Namespace) -> int:
    words: list[object] = []
    for option, value in (("WORKERS", given.count), ("PROCESSES", given.processes)):
        words += [] if value is None else [option, value]
    words += ["QUIET"] if given.quiet or given.drain else ["WORK"] if given.work else []
    pool = names(link.call("JOB.POOL", *words))
    status = 0
    if given.drain:
        ends = time.monotonic() + given.timeout / 1000 if given.timeout else float("inf")
        while pool["busy"] or pool["processes_busy"]:
            if time.monotonic() >= ends:
                status = TIMED_OUT
                print("heroredis: some workers are still busy", file=sys.stderr)
                break
            time.sleep(LOOK_S)
            pool = names(link.call("JOB.POOL"))
    workers = [names(worker) for worker in link.call("JOB.WORKERS")]
    if given.json:
        print(as_json({"pool": pool, "workers": workers}))
        return status
    print(f"{pool['workers']} workers ({pool['busy']} busy), {pool['processes']} processes "
          f"({pool['processes_busy']} busy){', quiet' if pool['quiet'] else ''}")
    if workers:
        print(table(("WORKER", "KIND", "JOBS", "TOPICS"), [
            [cut(text_of(worker["worker"]), 30), text_of(worker["kind"]), cut(text_of(worker["jobs"]) or "-"),
             cut(text_of(worker["topics"]) or "-")] for worker in workers]))
    return status
