"""JOB.LIST and JOB.BULK: jobs by topic, state, query, moment; what is done to all that fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import Context, Map, Reply, natural
from jobs.answers import job_pairs
from jobs.arguments import author, decoded, read_options
from jobs.bulk import known
from jobs.errors import BadOption
from jobs.later import Answers
from jobs.manager import JobManager
from jobs.query import Query, Word, Words, both
from jobs.search import Page, topics_of
from jobs.states import ACTIVE, NEW, STATES

MAX_COUNT: Final = 1000
LIST_VALUES: Final = {"TOPIC": decoded, "STATE": decoded, "QUERY": decoded, "CURSOR": natural, "COUNT": natural,
                      "ASOF": natural}
LIST_FLAGS: Final = ("IDS",)
BULK_VALUES: Final = {"QUERY": decoded}
BULK_FLAGS: Final = ("DRYRUN",)


class SearchCommands:
    """The commands that may need the index."""

    def __init__(self, manager: Callable[[], JobManager], answers: Answers | None = None) -> None:
        self.answers: Final = answers or Answers()
        self._manager: Final = manager

    def handlers(self) -> dict[str, Callable[..., Reply]]:
        return {"JOB.LIST": self.list_, "JOB.BULK": self.bulk}

    def list_(self, ctx: Context, *options: bytes) -> Reply:
        found = read_options(options, LIST_FLAGS, LIST_VALUES)
        topic, state, text = (_text(found.get(name)) for name in ("TOPIC", "STATE", "QUERY"))
        cursor, count, moment = _number(found, "CURSOR", 0), _number(found, "COUNT", 50), _number(found, "ASOF", 0)
        if state is not None and state not in STATES:
            raise BadOption(f"state {state!r} does not exist, give one of {', '.join(STATES)}")
        if not 1 <= count <= MAX_COUNT:
            raise BadOption(f"give a COUNT of 1 to {MAX_COUNT}")
        is_short = "IDS" in found
        manager = self._manager()
        is_live = state in (None, NEW, ACTIVE) and topic is None
        if text is None and not moment and (is_live or ctx.in_exec or not manager.search.is_indexed):
            return _page(Page(*manager.list_jobs(topic, state, cursor, count)), is_short)
        search = manager.search
        query = both(*(Words(field, (Word(value),)) for field, value in (("topic", topic), ("state", state))
                       if value is not None), search.parse(text or ""))

        async def work() -> Reply:
            if moment:
                return _page(await search.as_of(moment, query, cursor, count), is_short)
            return _page(await search.page(query, cursor, count), is_short)

        return self.answers.reply(ctx, (b"list", *options), work)

    def bulk(self, ctx: Context, action: bytes, *options: bytes) -> Reply:
        found = read_options(options, BULK_FLAGS, BULK_VALUES)
        text = _text(found.get("QUERY"))
        if text is None:
            raise BadOption("give QUERY and the query; an empty one means all jobs")
        manager = self._manager()
        wanted, by, is_dry = known(decoded(action).lower()), author(ctx.client), "DRYRUN" in found
        query: Query = manager.search.parse(text)

        async def work() -> Reply:
            done = await manager.bulk(wanted, query, by=by, dry_run=is_dry)
            return Map([(b"matched", done.matched), (b"changed", done.changed),
                        (b"refusal", done.first_refusal or None)])

        return self.answers.reply(ctx, (b"bulk", action, *options), work)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(found: dict[str, object], name: str, default: int) -> int:
    value = found.get(name, default)
    return value if isinstance(value, int) else default


def _page(page: Page, is_short: bool) -> Reply:
    shown: list[object] = [job.job_id if is_short else Map(job_pairs(job)) for job in page.jobs]
    return [b"%d" % page.cursor, shown]


def topics_named(argv: list[bytes], parse: Callable[[str], Query]) -> list[bytes] | None:
    """The topics that JOB.LIST or JOB.BULK is restricted to; None = it sees all. RedisError as the command's own."""
    values, flags = (BULK_VALUES, BULK_FLAGS) if argv[0].upper() == b"JOB.BULK" else (LIST_VALUES, LIST_FLAGS)
    found = read_options(tuple(argv[2:] if values is BULK_VALUES else argv[1:]), flags, values)
    topic, text = _text(found.get("TOPIC")), _text(found.get("QUERY"))
    if topic is not None:
        return [topic.encode()]
    named = None if text is None else topics_of(parse(text))
    return None if named is None else [name.encode() for name in named]
