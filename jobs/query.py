"""What a query over jobs says, as values: printing, and whether a job fits. docs/query.md is the language.

Reading text is query_parser's business, finding jobs in the index query_sql's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from jobs.job import Job

WORD_FIELDS: Final = ("topic", "state", "reason", "tag", "worker")
NUMBER_FIELDS: Final = ("id", "attempts", "priority")
TIME_FIELDS: Final = ("created", "run", "started", "ended")
DURATION_FIELDS: Final = ("duration", "wait")
TEXT_FIELDS: Final = ("params", "result", "error", "text")
FIELDS: Final = (*WORD_FIELDS, *NUMBER_FIELDS, *TIME_FIELDS, *DURATION_FIELDS, *TEXT_FIELDS)
SEARCHED_CHARS: Final = 16 * 1024
"""How much of params, result and error a text search looks at."""
LAST_SHOWN_MS: Final = 253_402_300_799_999
"""The last moment that has a four-digit year."""
_PLAIN: Final = re.compile(r"[^\s\"(),:=<>!*\\-][^\s\"(),:=<>!*\\]*")
_KEYWORDS: Final = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Word:
    """A value of a field of names; `is_prefix` = it only begins so (an empty beginning: there is any)."""

    text: str
    is_prefix: bool = False

    def __str__(self) -> str:
        if self.is_prefix and not self.text:
            return "*"
        return quoted(self.text) + ("*" if self.is_prefix else "")

    def fits(self, value: str) -> bool:
        return value.startswith(self.text) and value != "" if self.is_prefix else value == self.text


@dataclass(frozen=True, slots=True)
class Words:
    """The field is one of the values."""

    field: str
    values: tuple[Word, ...]

    def __str__(self) -> str:
        return f"{self.field}:" + ",".join(str(value) for value in self.values)

    def fits(self, job: Job) -> bool:
        if self.field == "tag":
            return any(value.fits(tag) for value in self.values for tag in job.tags)
        held = {"topic": job.topic, "state": job.state, "reason": job.reason, "worker": job.worker}[self.field]
        return any(value.fits(held) for value in self.values)


@dataclass(frozen=True, slots=True)
class Span:
    """A number, moment (Unix ms) or duration (ms) from `low` to `high`, both included; None = open."""

    field: str
    low: int | None
    high: int | None

    def __str__(self) -> str:
        low = "" if self.low is None else self._shown(self.low)
        high = "" if self.high is None else self._shown(self.high)
        return f"{self.field}:{low}..{high}"

    def _shown(self, value: int) -> str:
        if self.field in DURATION_FIELDS:
            return f"{value}ms"
        if self.field in TIME_FIELDS and 0 <= value <= LAST_SHOWN_MS:
            moment = datetime.fromtimestamp(value // 1000, UTC)
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{value % 1000:03d}Z"
        return str(value)

    def fits(self, job: Job) -> bool:
        value = measured(job, self.field)
        return (value is not None and (self.low is None or value >= self.low)
                and (self.high is None or value <= self.high))


@dataclass(frozen=True, slots=True)
class Text:
    """The field (`text`: any of params, result, error) contains the text, in whatever case."""

    field: str
    text: str

    def __str__(self) -> str:
        shown = quoted(self.text)
        return shown if self.field == "text" else f"{self.field}:{shown}"

    def fits(self, job: Job) -> bool:
        needle = folded(self.text)
        if self.field == "params":
            return needle in searchable(job.params)
        if self.field == "result":
            return needle in searchable(job.result)
        if self.field == "error":
            return needle in searchable(job.error)
        return any(needle in searchable(value) for value in (job.params, job.result, job.error))


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: Query

    def __str__(self) -> str:
        return f"not ({self.inner})" if isinstance(self.inner, And | Or) else f"not {self.inner}"

    def fits(self, job: Job) -> bool:
        return not self.inner.fits(job)


@dataclass(frozen=True, slots=True)
class And:
    """All of them; none = every job."""

    parts: tuple[Query, ...]

    def __str__(self) -> str:
        return " ".join(f"({part})" if isinstance(part, And | Or) else str(part) for part in self.parts)

    def fits(self, job: Job) -> bool:
        return all(part.fits(job) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple[Query, ...]

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, And | Or) else str(part) for part in self.parts)

    def fits(self, job: Job) -> bool:
        return any(part.fits(job) for part in self.parts)


Query = Words | Span | Text | Not | And | Or
EVERYTHING: Final = And(())


def both(*parts: Query) -> Query:
    """All of the parts, without needless levels."""
    flat: list[Query] = []
    for part in parts:
        flat += part.parts if isinstance(part, And) else (part,)
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def conjuncts(query: Query) -> tuple[Query, ...]:
    """The parts that must all hold."""
    return query.parts if isinstance(query, And) else (query,)


def quoted(text: str) -> str:
    """A value as it is written in a query."""
    if _PLAIN.fullmatch(text) and ".." not in text and text.lower() not in _KEYWORDS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def folded(text: str) -> str:
    """Text as it is compared: in small letters, without the zero character that the index cannot hold."""
    return text.lower().replace("\0", "\ufffd")


def searchable(value: bytes | None) -> str:
    """What a text search looks at in a value; bytes that are no UTF-8 count as U+FFFD."""
    return folded(value[:SEARCHED_CHARS].decode("utf-8", "replace")) if value else ""


def measured(job: Job, field: str) -> int | None:
    """The number that a Span compares; None = not yet."""
    if field == "id":
        return job.job_id
    if field == "attempts":
        return job.attempts
    if field == "priority":
        return job.priority
    if field == "duration":
        return job.ended_at - job.started_at if job.ended_at and job.started_at else None
    if field == "wait":
        return job.started_at - job.created_at if job.started_at else None
    times = {"created": job.created_at, "run": job.run_at, "started": job.started_at, "ended": job.ended_at}
    return times[field] or None
