"""`heroredis topic …` and `heroredis schedule …`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from jobs.link import Link
from jobs.table import as_json, names, table, text_of, when

Namespace = argparse.Namespace


def add(groups: Any, common: argparse.ArgumentParser, duration: Callable[[str], int]) -> None:
    """The commands and their options."""
    topics = groups.add_parser("topic", help="list, pause, resume and purge topics").add_subparsers(
        dest="verb", required=True)
    listed = topics.add_parser("list", parents=[common], help="topics with the numbers of their jobs")
    listed.set_defaults(run=run_topics)
    for verb, text in (("pause", "hand out no more jobs"), ("resume", "hand out jobs again"),
                       ("purge", "delete all waiting jobs")):
        act = topics.add_parser(verb, parents=[common], help=text)
        act.add_argument("topic")
        act.set_defaults(run=run_topic)
    plans = groups.add_parser("schedule", help="list and steer schedules").add_subparsers(dest="verb", required=True)
    plans.add_parser("list", parents=[common], help="schedules with their next and last runs").set_defaults(
        run=run_schedules)
    made = plans.add_parser("set", parents=[common], help="make or replace a schedule")
    made.add_argument("name")
    made.add_argument("topic")
    made.add_argument("params", nargs="?", default="")
    when_it_runs = made.add_mutually_exclusive_group(required=True)
    when_it_runs.add_argument("--cron", metavar="EXPR")
    when_it_runs.add_argument("--every", type=duration, metavar="TIME")
    made.add_argument("--tz", metavar="ZONE")
    made.add_argument("--missed", choices=("skip", "once", "all"))
    made.add_argument("--priority", type=int, metavar="0-255")
    made.add_argument("--retry", "--retries", type=int, metavar="N")
    for name in ("timeout", "expire"):
        made.add_argument(f"--{name}", type=duration, metavar="TIME")
    for name in ("backoff", "meta"):
        made.add_argument(f"--{name}")
    made.add_argument("--start", type=int, metavar="MS", help="no run before this Unix time in ms")
    made.add_argument("--tag", action="append", default=[])
    made.add_argument("--paused", action="store_true")
    made.set_defaults(run=run_set)
    for verb, text in (("del", "delete a schedule"), ("pause", "no runs until resumed"), ("resume", "run again")):
        act = plans.add_parser(verb, parents=[common], help=text)
        act.add_argument("name")
        act.set_defaults(run=run_schedule)


def run_topics(link: Link, given: Namespace) -> int:
    found = {text_of(topic): names(counts) for topic, counts in link.call("JOB.TOPICS").items()}
    if given.json:
        print(as_json(found))
        return 0
    rows = [[topic, *(text_of(counts[state]) for state in ("new", "active", "done", "error")),
             "paused" if counts.get("paused") else ""] for topic, counts in found.items()]
    print(table(("TOPIC", "NEW", "ACTIVE", "DONE", "ERROR", ""), rows) if rows else "no topics")
    return 0


def run_topic(link: Link, given: Namespace) -> int:
    return _said(link.call(f"JOB.{given.verb.upper()}", given.topic), given.json)


def run_schedules(link: Link, given: Namespace) -> int:
    found = [names(one) for one in link.call("JOB.SCHEDULE", "LIST")]
    if given.json:
        print(as_json(found))
        return 0
    rows = [[text_of(one["name"]), text_of(one["topic"]),
             f"{text_of(one['cron'])} {text_of(one['timezone'])}" if one["cron"] else f"every {one['every']} ms",
             text_of(one["missed"]), when(one["next_at"]), when(one["last_at"]), text_of(one["runs"]),
             text_of(one["by"]), f"paused by {text_of(one['changed_by'])}" if one["paused"] else ""] for one in found]
    head = ("NAME", "TOPIC", "WHEN", "MISSED", "NEXT", "LAST", "RUNS", "BY", "")
    print(table(head, rows) if rows else "no schedules")
    return 0


def run_set(link: Link, given: Namespace) -> int:
    words: list[object] = ["JOB.SCHEDULE", "SET", given.name, given.topic, given.params]
    for name in ("cron", "every", "tz", "missed", "start", "priority", "retry", "backoff", "timeout", "expire", "meta"):
        value = getattr(given, name)
        if value is not None:
            words += [name.upper(), value]
    for tag in given.tag:
        words += ["TAG", tag]
    return _said(link.call(*words, *(["PAUSED"] if given.paused else [])), given.json)


def run_schedule(link: Link, given: Namespace) -> int:
    return _said(link.call("JOB.SCHEDULE", given.verb.upper(), given.name), given.json)


def _said(answer: object, as_machine: bool) -> int:
    print(as_json({"answer": answer}) if as_machine else text_of(answer))
    return 0
