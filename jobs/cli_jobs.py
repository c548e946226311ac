"""`heroredis job …`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from jobs.cli_tail import log_line, run_tail
from jobs.link import NOT_FOUND, Link, Refusal
from jobs.patience import Patience
from jobs.table import JOB_HEAD, as_json, cut, job_row, lines_of, names, table, text_of, when

Namespace = argparse.Namespace
TIMED_OUT: Final = 5
FAILED: Final = 6
PAGE: Final = 500


def add(verbs: Any, common: argparse.ArgumentParser, duration: Callable[[str], int]) -> None:
    """The commands and their options."""
    create = verbs.add_parser("create", parents=[common], help="make a job; prints its id")
    create.add_argument("topic")
    create.add_argument("params", nargs="?", default="", help="its params; - reads them from the standard input")
    for name in ("delay", "timeout", "expire"):
        create.add_argument(f"--{name}", type=duration, metavar="TIME")
    create.add_argument("--at", type=int, metavar="MS", help="Unix milliseconds of its start")
    create.add_argument("--priority", type=int, metavar="0-255")
    create.add_argument("--retry", "--retries", type=int, metavar="N", help="runs after the first failed one")
    for name in ("backoff", "unique", "idempotency", "meta"):
        create.add_argument(f"--{name}")
    for name in ("unique", "idempotency"):
        create.add_argument(f"--{name}-ttl", type=duration, metavar="TIME", help=f"how long the {name} key is kept")
    create.add_argument("--tag", action="append", default=[])
    create.add_argument("--wait", type=duration, metavar="TIME", help="wait for its end")
    create.set_defaults(run=run_create)
    found = verbs.add_parser("list", parents=[common], help="jobs that fit a query, newest first (docs/query.md)")
    found.add_argument("query", nargs="*")
    found.add_argument("--count", type=int, default=50)
    found.add_argument("--cursor", default="0")
    found.add_argument("--all", action="store_true", help="all pages")
    found.add_argument("--as-of", type=int, default=0, metavar="MS", help="as they were at this Unix time in ms")
    found.set_defaults(run=run_list)
    show = verbs.add_parser("show", parents=[common], help="a job with its history and log lines")
    show.add_argument("id", type=int)
    show.set_defaults(run=run_show)
    for verb, text in (("retry", "run jobs again that have failed"), ("cancel", "end waiting or running jobs"),
                       ("delete", "delete jobs that do not run")):
        act = verbs.add_parser(verb, parents=[common], help=text)
        act.add_argument("id", type=int, nargs="*")
        act.add_argument("--query", metavar="Q", help="all that fit")
        act.add_argument("--dry-run", action="store_true", help="only count them")
        act.set_defaults(run=run_act)
    edit = verbs.add_parser("edit", parents=[common], help="change the params or the priority of a waiting job")
    edit.add_argument("id", type=int)
    edit.add_argument("--params", help="its new params; - reads them from the standard input")
    edit.add_argument("--priority", type=int, metavar="0-255")
    edit.set_defaults(run=run_edit)
    promote = verbs.add_parser("promote", parents=[common], help="put waiting jobs at the head of their line, at once")
    promote.add_argument("id", type=int, nargs="+")
    promote.set_defaults(run=run_each)
    tail = verbs.add_parser("tail", parents=[common], help="follow all jobs, or one until it ends, with log lines")
    tail.add_argument("id", type=int, nargs="?")
    tail.add_argument("--topic", help="only of jobs of this topic")
    tail.set_defaults(run=run_tail)
    wait = verbs.add_parser("wait", parents=[common], help="wait for a job's end and print its result")
    wait.add_argument("id", type=int)
    wait.add_argument("--timeout", type=duration, default=0, metavar="TIME", help="at most so long")
    wait.set_defaults(run=run_wait)


def run_create(link: Link, given: Namespace) -> int:
    words: list[object] = ["JOB.CREATE", given.topic, _params(given.params)]
    for option, name in (("DELAY", "delay"), ("AT", "at"), ("PRIORITY", "priority"), ("RETRY", "retry"),
                         ("BACKOFF", "backoff"), ("TIMEOUT", "timeout"), ("EXPIRE", "expire"), ("UNIQUE", "unique"),
                         ("TTL", "unique_ttl"), ("IDEMPOTENCY", "idempotency"),
                         ("KEEP", "idempotency_ttl"), ("META", "meta")):
        value = getattr(given, name)
        if value is not None:
            words += [option, value]
    for tag in given.tag:
        words += ["TAG", tag]
    job_id = link.call(*words)
    if given.wait is None:
        print(as_json({"id": job_id}) if given.json else job_id)
        return 0
    return _awaited(link, job_id, given.wait, given.json)


def _params(given: str) -> object:
    return sys.stdin.buffer.read() if given == "-" else given


def run_list(link: Link, given: Namespace) -> int:
    query = " ".join(given.query)
    cursor, jobs = given.cursor, []
    while True:
        words: list[object] = ["JOB.LIST", "CURSOR", cursor, "COUNT", PAGE if given.all else given.count]
        words += ["QUERY", query] if query else []
        words += ["ASOF", given.as_of] if given.as_of else []
        answer = link.call(*words)
        cursor = answer[0].decode()
        jobs += [names(job) for job in answer[1]]
        if cursor == "0" or (jobs and not given.all):
            break
    if given.json:
        print(as_json({"cursor": cursor, "jobs": jobs}))
    else:
        print(table(JOB_HEAD, [job_row(job) for job in jobs]) if jobs else "no jobs")
        if cursor != "0":
            print(f"more: --cursor {cursor}", file=sys.stderr)
    return 0


def run_show(link: Link, given: Namespace) -> int:
    answer = link.call("JOB.GET", given.id)
    if answer is None:
        print(f"heroredis: no job with id {given.id}", file=sys.stderr)
        return NOT_FOUND
    job = names(answer)
    versions = [names(version) for version in link.call("JOB.HISTORY", given.id)]
    lines = [names(line) for line in link.call("JOB.LOGS", given.id)]
    if given.json:
        print(as_json({**job, "history": versions, "logs": lines}))
        return 0
    width = max(len(name) for name in job)
    for name, value in job.items():
        shown = f"{value}  {when(value)}" if name.endswith("_at") and value else lines_of(value, width + 2)
        print(f"{name.ljust(width)}  {shown}")
    rows = [[text_of(version["version"]), when(version["at"]), text_of(version["state"]),
             text_of(version["reason"] or None), text_of(version["by"]), *_costs(version),
             cut(text_of(_error_of(version)))] for version in versions]
    print("\n" + table(("VERSION", "AT", "STATE", "REASON", "BY", "WAIT", "WALL", "CPU", "MEMORY", "ERROR"),
                       rows))
    for line in lines:
        print(log_line(line))
    return 0


def _error_of(version: dict[str, Any]) -> object:
    """What the attempt that this version ends has failed with."""
    return version["error"] if version["reason"] == b"retry" or version["state"] == b"error" else None


def _costs(version: dict[str, Any]) -> list[str]:
    """What the attempt had cost, as people read it."""
    waited, wall, cpu, rss = (version.get(name) for name in ("queue_wait_ms", "wall_ms", "cpu_us", "max_rss"))
    return ["-" if waited is None else f"{waited} ms", "-" if wall is None else f"{wall} ms",
            "-" if cpu is None else f"{cpu / 1000:.1f} ms", "-" if rss is None else f"{rss / 1048576:.1f} MiB"]


def run_act(link: Link, given: Namespace) -> int:
    if bool(given.id) == (given.query is not None) or (given.dry_run and given.id):
        raise ValueError(f"give ids to {given.verb}, or --query (and --dry-run) for all that fit")
    if given.id:
        return run_each(link, given)
    done = names(link.call("JOB.BULK", given.verb, "QUERY", given.query, *(["DRYRUN"] if given.dry_run else [])))
    if given.json:
        print(as_json(done))
    else:
        print(f"{done['matched']} fit" if given.dry_run else f"{done['changed']} of {done['matched']} changed")
        if done["refusal"]:
            print(text_of(done["refusal"]), file=sys.stderr)
    return 0


def run_each(link: Link, given: Namespace) -> int:
    """Every job that is named, also when one of them refuses; the status tells of the first that did."""
    refused: list[Refusal] = []
    for job_id in given.id:
        try:
            link.call(f"JOB.{given.verb.upper()}", job_id)
        except Refusal as refusal:
            refused.append(refusal)
            print(f"heroredis: {refusal}", file=sys.stderr)
    changed = len(given.id) - len(refused)
    print(as_json({"changed": changed}) if given.json else f"{changed} changed")
    return refused[0].status if refused else 0


def run_edit(link: Link, given: Namespace) -> int:
    words: list[object] = ["JOB.EDIT", given.id]
    words += [] if given.params is None else ["PARAMS", _params(given.params)]
    words += [] if given.priority is None else ["PRIORITY", given.priority]
    if len(words) == 2:
        raise ValueError("give --params, --priority or both")
    link.call(*words)
    print(as_json({"changed": 1}) if given.json else "1 changed")
    return 0


def run_wait(link: Link, given: Namespace) -> int:
    return _awaited(link, given.id, given.timeout, given.json)


def _awaited(link: Link, job_id: int, timeout_ms: int, as_machine: bool) -> int:
    patient, ends = Patience(link), time.monotonic() + timeout_ms / 1000 if timeout_ms else float("inf")
    while True:
        left = ends - time.monotonic()
        answer = patient.call("JOB.WAIT", job_id, max(1, int(min(left, 3600) * 1000)))
        if answer is not None:
            break
        if left <= 0:
            print(f"heroredis: job {job_id} has not ended yet", file=sys.stderr)
            return TIMED_OUT
    job = names(answer)
    if as_machine:
        print(as_json(job))
    elif job["state"] == b"done":
        sys.stdout.flush()
        sys.stdout.buffer.write((job["result"] or b"") + b"\n")
        sys.stdout.buffer.flush()
    else:
        print(f"heroredis: job {job_id} failed: {text_of(job['error'])}", file=sys.stderr)
    return 0 if job["state"] == b"done" else FAILED
