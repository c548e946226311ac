"""`heroredis top`: topics, their rates and delays, and what runs now, looked at again and again."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from typing import Any, Final

from jobs.link import CannotConnect, Link, Refusal
from jobs.table import as_json, cut, names, table, text_of

MOST_WORKERS: Final = 20
MOST_TOPICS: Final = 40
CLEAR: Final = "\x1b[H\x1b[2J"


def look(link: Link) -> dict[str, Any]:
    """What is shown, as data."""
    topics = {}
    found = link.call("JOB.TOPICS")
    for topic, counts in list(found.items())[:MOST_TOPICS]:
        topics[text_of(topic)] = {**names(link.call("JOB.STATS", topic, "DETAIL")), "paused": names(counts)["paused"]}
    workers = [names(worker) for worker in link.call("JOB.WORKERS")]
    return {"topics": topics, "more_topics": max(0, len(found) - MOST_TOPICS), "workers": workers}


def shown(facts: dict[str, Any]) -> str:
    rows = [[cut(topic, 30) + (" (paused)" if found["paused"] else ""),
             *(str(found[state]) for state in ("new", "active", "done", "error")),
             f"{found['rate_1m']:.1f}", str(found["wait_ms_p50"]), str(found["wait_ms_p99"]), str(found["run_ms_p50"]),
             str(found["run_ms_p99"])] for topic, found in facts["topics"].items()]
    head = ("TOPIC", "NEW", "ACTIVE", "DONE", "ERROR", "PER S", "WAIT P50", "P99 ms", "RUN P50", "P99 ms")
    busy = [worker for worker in facts["workers"] if worker["jobs"]]
    workers = f"{len(busy)} of {len(facts['workers'])} workers busy"
    lines = [f"{time.strftime('%H:%M:%S')}  {len(facts['topics']) + facts['more_topics']} topics, {workers}", "",
             table(head, rows) if rows else "no jobs yet"]
    if facts["more_topics"]:
        lines.append(f"and {facts['more_topics']} more topics")
    lines.append("")
    if busy:
        lines.append(table(("WORKER", "KIND", "JOBS"), [
            [cut(text_of(worker["worker"]), 30), text_of(worker["kind"]), cut(text_of(worker["jobs"]))]
            for worker in busy[:MOST_WORKERS]]))
    return "\n".join(lines)


def top(link: Link, given: argparse.Namespace) -> int:
    """Until interrupted; once where nobody looks at a terminal. A server that is away is waited for."""
    once = given.once or not sys.stdout.isatty()
    while True:
        try:
            facts = look(link)
        except CannotConnect as lost:
            if once:
                raise
            print(f"{lost}; trying again", file=sys.stderr)
            time.sleep(given.every / 1000)
            with contextlib.suppress(CannotConnect, Refusal):  # it may be loading its data
                link = Link(link.place)
            continue
        if given.json:
            print(as_json(facts), flush=True)
        else:
            print(("" if once else CLEAR) + shown(facts), flush=True)
        if once:
            return 0
        time.sleep(given.every / 1000)
