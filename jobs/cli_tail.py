"""`heroredis job tail`: what happens to jobs, as it happens, over restarts of the server."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from typing import Any, Final

from jobs.link import Link, Refusal
from jobs.patience import Patience
from jobs.table import as_json, names, text_of, when

FOLLOW_MS: Final = 2000
ENDS: Final = (b"done", b"error")
LINES: Final = (b"log", b"progress")
Line = tuple[int, bytes | None, int | None]


class Follower:
    """All changes behind a cursor, which means the same to a server that was started again."""

    def __init__(self, link: Patience, cursor: object) -> None:
        self._link: Final = link
        self._cursor = cursor
        self._topics: Final[dict[int, bytes]] = {}

    def next(self) -> list[dict[str, Any]]:
        """Some of them, or none yet. Raises CannotConnect, Refusal."""
        self._cursor, events = self._link.call("JOB.EVENTS", self._cursor, "BLOCK", FOLLOW_MS)
        return [self._with_topic(names(event)) for event in events]

    def _with_topic(self, event: dict[str, Any]) -> dict[str, Any]:
        """Lines of a job's log come without its topic."""
        number, topic = event["id"], event["topic"]
        if event["event"] in LINES:
            if number not in self._topics:
                self._topics[number] = self._asked(number)
            return {**event, "topic": self._topics[number]}
        if event.get("state") in ENDS or event["event"] == b"deleted":
            self._topics.pop(number, None)
        elif number:
            self._topics[number] = topic
        return event

    def _asked(self, number: int) -> bytes:
        try:
            topic: bytes = names(self._link.call("JOB.GET", number) or {}).get("topic", b"")
        except Refusal:  # it may be none of this user's business
            return b""
        return topic


def run_tail(link: Link, given: Namespace) -> int:
    """Follows from a cursor that is older than what it looks at first: nothing falls between, and what stands in both
    is printed once."""
    follower = Follower(Patience(link), link.call("JOB.EVENTS", "$")[0])
    printed: Counter[Line] = Counter()
    if given.id is not None:
        job = names(link.call("JOB.GET", given.id) or {})
        for line in map(names, link.call("JOB.LOGS", given.id)):
            printed[_line(line)] += 1
            _print(line, given, log_line(line))
        if job.get("state") in ENDS:
            _print_end(names(link.call("JOB.HISTORY", given.id, "COUNT", 1)[0]), given)
            return 0
    while True:
        for event in follower.next():
            if given.topic and text_of(event["topic"]) != given.topic:
                continue
            if given.id is None:
                _print_event(event, given)
            elif event["id"] == given.id:
                if printed[_line(event)]:
                    printed[_line(event)] -= 1
                    continue
                _print_event(event, given)
                if event.get("state") in ENDS or event["event"] == b"deleted":
                    return 0


def _line(found: dict[str, Any]) -> Line:
    """What tells one line of a job's log from another."""
    return found["at"], found.get("line"), found.get("percent")


def log_line(line: dict[str, Any]) -> str:
    return f"{when(line['at'])}  {_said(line)}"


def _said(line: dict[str, Any]) -> str:
    percent = "" if line.get("percent") is None else f"{line['percent']} %  "
    return percent + text_of(line["line"])


def _print(shown: dict[str, Any], given: Namespace, text: str) -> None:
    print(as_json(shown) if given.json else text, flush=True)


def _about(found: dict[str, Any], what: str) -> str:
    return f"{when(found['at'])}  {text_of(found['id']):>8}  {text_of(found['topic'])}  {what}"


def _print_end(version: dict[str, Any], given: Namespace) -> None:
    """How a job has ended that is over before anybody follows it."""
    how = " ".join(text_of(version[name]) for name in ("state", "reason") if version[name])
    _print({name: version[name] for name in ("at", "id", "topic", "state", "reason", "by")}, given,
           _about(version, f"{how}  by {text_of(version['by'])}"))


def _print_event(event: dict[str, Any], given: Namespace) -> None:
    """A line of the one job that is followed needs no name; of many, each says whose it is."""
    is_plain = given.id is not None and event["event"] in LINES
    _print(event, given, log_line(event) if is_plain else event_text(event))


def event_text(event: dict[str, Any]) -> str:
    if event["event"] in LINES:
        return _about(event, _said(event))
    name = f" {text_of(event['line'])}" if event.get("line") else ""  # of a schedule
    return _about(event, f"{text_of(event['event'])}{name}  by {text_of(event['by'])}")
