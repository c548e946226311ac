"""Queries as SQL over the tables of the job index (index.py). Exact but for what the index has not seen yet."""

from __future__ import annotations

from typing import Final

from jobs.query import And, Not, Or, Query, Span, Text, Word, Words, folded

Clause = tuple[str, list[object]]
ABOVE: Final = "\U0010ffff\U0010ffff"
"""Sorts behind whatever follows a beginning."""
COLUMNS: Final = {"id": "id", "attempts": "attempts", "priority": "priority", "created": "created", "run": "run",
                  "started": "started", "ended": "ended", "duration": "duration", "wait": "wait"}
GRAM: Final = 3
MOST_GRAMS: Final = 32


def where(query: Query) -> Clause:
    """A condition on a row `j` of the table jobs."""
    if isinstance(query, And | Or):
        if not query.parts:
            return "1", []
        parts = [where(part) for part in query.parts]
        word = " AND " if isinstance(query, And) else " OR "
        return _joined(word, [text for text, _ in parts]), [value for _, values in parts for value in values]
    if isinstance(query, Not):
        text, values = where(query.inner)
        return f"(({text}) IS NOT TRUE)", values
    if isinstance(query, Words):
        return _words(query)
    if isinstance(query, Span):
        return between(f"j.{COLUMNS[query.field]}", query.low, query.high)
    return contains(query)


def _joined(word: str, clauses: list[str]) -> str:
    """Halves of halves: SQLite takes a thousand levels, and a chain has as many as clauses."""
    if len(clauses) <= 2:
        return "(" + word.join(clauses) + ")"
    middle = len(clauses) // 2
    return f"({_joined(word, clauses[:middle])}{word}{_joined(word, clauses[middle:])})"


def between(column: str, low: int | None, high: int | None) -> Clause:
    if low is None and high is None:
        return f"{column} IS NOT NULL", []
    if high is None:
        return f"{column} >= ?", [low]
    if low is None:
        return f"{column} <= ?", [high]
    return f"{column} BETWEEN ? AND ?", [low, high]


def _words(query: Words) -> Clause:
    if query.field == "tag":
        text, values = _any("g.tag", query.values)
        return f"EXISTS (SELECT 1 FROM tags g WHERE g.id = j.id AND {text})", values
    return _any(f"j.{query.field}", query.values)


def _any(column: str, values: tuple[Word, ...]) -> Clause:
    clauses = [_one(column, value) for value in values]
    return _joined(" OR ", [text for text, _ in clauses]), [value for _, found in clauses for value in found]


def _one(column: str, value: Word) -> Clause:
    if not value.text:
        return f"{column} IS {'NOT ' if value.is_prefix else ''}NULL", []
    if value.is_prefix:
        return f"({column} >= ? AND {column} < ?)", [value.text, value.text + ABOVE]
    return f"{column} = ?", [value.text]


def contains(query: Text) -> Clause:
    """Whether a text stands in the fields, by looking at them."""
    needle = folded(query.text)
    fields = ("params", "result", "error") if query.field == "text" else (query.field,)
    found = " OR ".join(f"instr(t.{field}, ?) > 0" for field in fields)
    return (f"EXISTS (SELECT 1 FROM texts t WHERE t.id IN (j.id * 2, j.id * 2 + 1) AND ({found}))",
            [needle] * len(fields))


def grams(query: Text) -> str:
    """The text as a search in the table fts: all its runs of three characters; empty for a shorter text."""
    needle = folded(query.text)
    found = dict.fromkeys(needle[at : at + GRAM] for at in range(len(needle) - GRAM + 1))
    return " ".join('"' + gram.replace('"', '""') + '"' for gram in list(found)[:MOST_GRAMS])
