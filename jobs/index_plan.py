"""How the index is asked: the narrowest way to the ids that fit, newest first, without sorting many rows.

A condition that few jobs fit drives; else a text; else a value whose index is in the order of ids; else the ids
themselves. Ranges of times restrict the ids by blocks first.
"""

from __future__ import annotations

import heapq
import itertools
import json
import sqlite3
from collections.abc import Callable
from typing import Final

from jobs.query import DURATION_FIELDS, TIME_FIELDS, Or, Query, Span, Text, Word, Words, conjuncts
from jobs.query_sql import ABOVE, COLUMNS, Clause, between, grams, where

BLOCK_BITS: Final = 10
FEW: Final = 1000
"""Jobs that are looked up one by one."""
MOST_VALUES: Final = 100
MOST_RANGES: Final = 64
LAST_ID: Final = (1 << 62) - 1
INDEXED_NUMBERS: Final = (*DURATION_FIELDS, "attempts", "priority")
Range = tuple[int, int]
Way = Callable[[int, int, int], list[int]]
"""Ids from the first to the second number, newest first, at most as many as the third says."""


class Plan:
    """One question to the index."""

    def __init__(self, db: sqlite3.Connection, query: Query, below: int, limit: int, few: int = FEW) -> None:
        self._db: Final = db
        self._parts: Final = conjuncts(query)
        self._below: Final = below
        self._limit: Final = limit
        self._where: Final = where(query)
        self._most: Final = few

    def run(self) -> list[int]:
        ranges = self._ranges()
        if not ranges:
            return []
        for part in self._parts:
            few = self._short_list(part)
            if few is not None:
                return self._among(few, ranges)
        texts = sorted((part for part in self._parts if isinstance(part, Text) and grams(part)),
                       key=lambda part: len(part.text), reverse=True)
        if texts:
            return self._collect(ranges, lambda low, high, limit: self._by_text(texts[0], low, high, limit))
        sources = self._sources()
        return self._collect(ranges, lambda low, high, limit: self._by_values(sources, low, high, limit))

    # Which ids come into question

    def _ranges(self) -> list[Range]:
        """Ranges of ids where something may fit, newest first."""
        low, high = 1, self._below - 1 if self._below else LAST_ID
        spans = [part for part in self._parts if isinstance(part, Span)]
        for span in spans:
            if span.field == "id":
                low = max(low, span.low or 1)
                high = high if span.high is None else min(high, span.high)
        if low > high:
            return []
        clauses = [_overlap(span) for span in spans if span.field in TIME_FIELDS]
        if not clauses:
            return [(low, high)]
        text = " AND ".join(clause for clause, _ in clauses)
        values = [value for _, found in clauses for value in found]
        blocks = self._db.execute(f"SELECT id FROM blocks WHERE id BETWEEN ? AND ? AND {text} ORDER BY id DESC",
                                  [low >> BLOCK_BITS, min(high, LAST_ID) >> BLOCK_BITS, *values])
        return _merged([number for (number,) in blocks], low, high)

    def _short_list(self, part: Query) -> list[int] | None:
        """The ids that fit a condition when they are few; None when they are many or it has no index."""
        if isinstance(part, Span) and part.field in INDEXED_NUMBERS:
            text, values = between(COLUMNS[part.field], part.low, part.high)
            return self._short(f"SELECT id FROM jobs WHERE {text} LIMIT {self._most + 1}", values)
        if isinstance(part, Or):
            return _listed(part, self._most)
        if not isinstance(part, Words):
            return None
        found: list[int] = []
        for value in self._exact(part) or ():
            table, column = ("tags", "tag") if part.field == "tag" else ("jobs", part.field)
            ids = self._short(f"SELECT id FROM {table} WHERE {column} = ? LIMIT {self._most + 1}", [value])
            if ids is None or len(found) + len(ids) > self._most:
                return None
            found += ids
        return None if self._exact(part) is None else list(dict.fromkeys(found))

    def _short(self, sql: str, values: list[object]) -> list[int] | None:
        found = [number for (number,) in self._db.execute(sql, values)]
        return None if len(found) > self._most else found

    def _exact(self, part: Words) -> list[str] | None:
        """The values of a condition, beginnings spelled out; None when they are too many or it asks for nothing."""
        if part.field == "state" and any(value.is_prefix for value in part.values):
            return None
        found: dict[str, None] = {}
        for value in part.values:
            if not value.text:
                return None
            for text in self._beginning(part.field, value) if value.is_prefix else (value.text,):
                found[text] = None
        return list(found) if len(found) <= MOST_VALUES else None

    def _beginning(self, field: str, value: Word) -> list[str]:
        """The values that begin so: from one to the next in the index."""
        table, column = ("tags", "tag") if field == "tag" else ("jobs", field)
        end = value.text + ABOVE
        rows = self._db.execute(
            f"WITH RECURSIVE v(x) AS (SELECT min({column}) FROM {table} WHERE {column} >= ? UNION ALL "
            f"SELECT (SELECT min({column}) FROM {table} WHERE {column} > v.x) FROM v WHERE v.x < ?) "
            f"SELECT x FROM v WHERE x < ? LIMIT {MOST_VALUES + 1}", (value.text, end, end))
        return [text for (text,) in rows]

    # Ways to them

    def _among(self, few: list[int], ranges: list[Range]) -> list[int]:
        inside = [number for number in few if any(low <= number <= high for low, high in ranges)]
        text, values = self._where
        rows = self._db.execute(f"SELECT j.id FROM json_each(?) e CROSS JOIN jobs j ON j.id = e.value WHERE {text} "
                                "ORDER BY j.id DESC LIMIT ?", [json.dumps(inside), *values, self._limit])
        return list(dict.fromkeys(number for (number,) in rows))

    def _collect(self, ranges: list[Range], way: Way) -> list[int]:
        found: list[int] = []
        for low, high in ranges:
            found += way(low, high, self._limit - len(found))
            if len(found) >= self._limit:
                break
        return found

    def _by_text(self, text: Text, low: int, high: int, limit: int) -> list[int]:
        condition, values = self._where
        rows = self._db.execute(
            "SELECT j.id FROM fts CROSS JOIN jobs j ON j.id = fts.rowid >> 1 WHERE fts MATCH ? AND "
            f"fts.rowid BETWEEN ? AND ? AND {condition} ORDER BY fts.rowid DESC LIMIT ?",
            [grams(text), low * 2, min(high, LAST_ID >> 1) * 2 + 1, *values, limit * 2])
        return list(dict.fromkeys(number for (number,) in rows))[:limit]

    def _sources(self) -> list[Clause]:
        """Where rows come from, in the order of ids: one source, or several for several values."""
        words = {part.field: found for part in self._parts if isinstance(part, Words)
                 and (found := self._exact(part)) is not None}
        topics, states = words.get("topic"), words.get("state")
        if topics is not None and states is not None and len(topics) * len(states) <= MOST_VALUES:
            return [("jobs j INDEXED BY jobs_topic_state WHERE j.topic = ? AND j.state = ?", [topic, state])
                    for topic, state in itertools.product(topics, states)]
        if "tag" in words:
            return [("tags d CROSS JOIN jobs j ON j.id = d.id WHERE d.tag = ?", [tag]) for tag in words["tag"]]
        for field in ("reason", "worker", "topic", "state"):
            if field in words:
                return [(f"jobs j INDEXED BY jobs_{field} WHERE j.{field} = ?", [value]) for value in words[field]]
        return [("jobs j NOT INDEXED WHERE 1", [])]

    def _by_values(self, sources: list[Clause], low: int, high: int, limit: int) -> list[int]:
        condition, values = self._where
        rows = []
        for source, given in sources:
            key = "d.id" if source.startswith("tags") else "j.id"
            rows.append([number for (number,) in self._db.execute(
                f"SELECT j.id FROM {source} AND {key} BETWEEN ? AND ? AND {condition} ORDER BY {key} DESC LIMIT ?",
                [*given, low, high, *values, limit])])
        merged = heapq.merge(*rows, reverse=True)
        return list(itertools.islice((number for number, _ in itertools.groupby(merged)), limit))


def _listed(query: Or, most: int) -> list[int] | None:
    """The ids of a list of ids and ranges of them; None when it is something else, or they are many."""
    found: list[int] = []
    for part in query.parts:
        if not isinstance(part, Span) or part.field != "id" or part.low is None or part.high is None:
            return None
        if part.high - part.low >= most - len(found):
            return None
        found += range(part.low, part.high + 1)
    return list(dict.fromkeys(found))


def _overlap(span: Span) -> Clause:
    """Blocks where the range of a time may hold something."""
    clauses = [f"{span.field}_high IS NOT NULL"]
    values: list[object] = []
    if span.low is not None:
        clauses.append(f"{span.field}_high >= ?")
        values.append(span.low)
    if span.high is not None:
        clauses.append(f"{span.field}_low <= ?")
        values.append(span.high)
    return " AND ".join(clauses), values


def _merged(blocks: list[int], low: int, high: int) -> list[Range]:
    """Neighbouring blocks as ranges of ids; very many ranges as one."""
    ranges: list[Range] = []
    for block in blocks:
        first, last = block << BLOCK_BITS, ((block + 1) << BLOCK_BITS) - 1
        if ranges and ranges[-1][0] == last + 1:
            ranges[-1] = (first, ranges[-1][1])
        else:
            ranges.append((first, last))
    if len(ranges) > MOST_RANGES:
        ranges = [(ranges[-1][0], ranges[0][1])]
    return [(max(low, first), min(high, last)) for first, last in ranges]
