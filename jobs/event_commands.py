"""JOB.EVENTS: the feed of all changes over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import Context, Map, Reply, Wait, natural
from jobs.arguments import LONGEST_WAIT_MS, number_of, read_options
from jobs.errors import BadOption
from jobs.feed import Event, Feed

TOKEN: Final = ("events", "", "")
WITH_LINE: Final = ("log", "progress", "schedule")
"""Events that have a line, which may be empty."""
MAX_EVENTS: Final = 10_000
DEFAULT_EVENTS: Final = 100


class EventCommands:
    """The command over one feed."""

    def __init__(self, feed: Callable[[], Feed]) -> None:
        self._feed: Final = feed

    def handlers(self) -> dict[str, Callable[..., Reply]]:
        return {"JOB.EVENTS": self.events}

    def events(self, ctx: Context, cursor: bytes, *options: bytes) -> Reply:
        found = read_options(options, (), {"COUNT": natural, "BLOCK": natural})
        count = number_of(found, "COUNT", DEFAULT_EVENTS)
        if not 1 <= count <= MAX_EVENTS:
            raise BadOption(f"give a COUNT of 1 to {MAX_EVENTS}")
        block_ms = number_of(found, "BLOCK", -1)
        if block_ms > LONGEST_WAIT_MS:
            raise BadOption("give BLOCK in milliseconds")
        feed = self._feed()
        if cursor == b"$":
            feed.follow()
            return [b"%d" % feed.newest(), []]
        page = feed.read(natural(cursor), count)
        if page is None:
            return Wait([TOKEN], max(block_ms, 0), [cursor, []])
        if page.events or block_ms < 0:
            return [b"%d" % page.cursor, [event_map(event) for event in page.events]]
        return Wait([TOKEN], block_ms, [b"%d" % page.cursor, []])


def event_map(event: Event) -> Map:
    pairs: list[tuple[object, object]] = [
        (b"seq", event.seq), (b"at", event.at), (b"event", event.event), (b"id", event.job_id),
        (b"topic", event.topic), (b"by", event.by),
    ]
    job = event.job
    if job is not None:
        pairs += [(b"state", job.state), (b"reason", job.reason), (b"version", job.version),
                  (b"attempts", job.attempts), (b"worker", job.worker)]
    if event.event in WITH_LINE:
        pairs += [(b"line", event.line), (b"percent", None if event.percent < 0 else event.percent)]
    return Map(pairs)
