"""Reads the query language of docs/query.md. What cannot be read is named with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from jobs.errors import BadOption
from jobs.query import (
    DURATION_FIELDS,
    EVERYTHING,
    FIELDS,
    NUMBER_FIELDS,
    TEXT_FIELDS,
    TIME_FIELDS,
    And,
    Not,
    Or,
    Query,
    Span,
    Text,
    Word,
    Words,
)
from jobs.states import STATES

MAX_CHARS: Final = 4096
MAX_DEPTH: Final = 40
MAX_NUMBER: Final = (1 << 63) - 1
DAYS: Final = ("today", "yesterday")
DAY_MS: Final = 86_400_000
UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPACE: Final = re.compile(r"\s*")
_FIELD: Final = re.compile(r"([A-Za-z_]+)(:|!=|>=|<=|>|<|=)")
_COMPARISON: Final = re.compile(r">=|<=|>|<")
_BARE: Final = re.compile(r'[^\s"(),]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_DURATION: Final = re.compile(r"(\d{1,15})(ms|s|m|h|d|w)?")
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?(Z|[+-]\d\d:?\d\d)?")
Value = tuple[str, bool, int]
"""Text, whether it was in quotes, place."""


class QueryError(BadOption):
    """A query that cannot be read; `place` counts characters from 0."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(f"query, character {place + 1}: {problem}")
        self.place = place
        self.problem = problem


def parse(text: str, now_ms: int = 0) -> Query:
    """The query of a text; relative moments count from `now_ms`. Raises QueryError."""
    if len(text) > MAX_CHARS:
        raise QueryError(MAX_CHARS, f"a query has at most {MAX_CHARS} characters")
    parser = _Parser(text, now_ms)
    if parser.at_end():
        return EVERYTHING
    query = parser.either(0)
    if not parser.at_end():
        raise QueryError(parser.place, "this closing bracket was never opened" if text[parser.place] == ")"
                         else "a field, a text or a bracket is expected here")
    return query


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str, now_ms: int) -> None:
        self.place = 0
        self._text: Final = text
        self._now_ms: Final = now_ms

    def at_end(self) -> bool:
        self.place = self._match(_SPACE).end()
        return self.place == len(self._text)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self.place)
        if found is None:
            stray = self._text.startswith(",", self.place)
            raise QueryError(self.place, "a value is expected here" + (
                "; a comma stands between the values of one field, put text that has one in quotes" if stray else ""))
        return found

    def _keyword(self, word: str) -> bool:
        """Step over a keyword when it comes next."""
        found = None if self.at_end() else _BARE.match(self._text, self.place)
        if found is None or found.group().lower() != word:
            return False
        self.place = found.end()
        return True

    def either(self, depth: int) -> Query:
        parts = [self._all(depth)]
        while self._keyword("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, depth: int) -> Query:
        parts = [self._one(depth)]
        while True:
            explicit = self._keyword("and")
            here = self.place
            if not explicit and (self.at_end() or self._text[self.place] == ")" or self._keyword("or")):
                self.place = here
                break
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Query:
        if depth > MAX_DEPTH:
            raise QueryError(self.place, f"brackets and 'not' go {MAX_DEPTH} levels deep")
        if self.at_end():
            raise QueryError(self.place, "something is expected here, the query ends")
        if self._keyword("not"):
            return Not(self._one(depth + 1))
        sign = self._text[self.place]
        if sign == "-":
            self.place += 1
            return Not(self._one(depth + 1))
        if sign == "(":
            opened = self.place
            self.place += 1
            inner = self.either(depth + 1)
            if self.at_end() or self._text[self.place] != ")":
                raise QueryError(opened, "this bracket is never closed")
            self.place += 1
            return inner
        return self._term()

    def _term(self) -> Query:
        start = self.place
        found = _FIELD.match(self._text, start)
        if found is None:
            text, is_quoted, _ = self._value()
            if not is_quoted and text.lower() in ("and", "or"):
                raise QueryError(start, f"something is expected before {text!r}; put the word in quotes to search it")
            return self._text_of("text", text, start)
        field = found.group(1).lower()
        if field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"fields are {', '.join(FIELDS)}"
            raise QueryError(start, f"there is no field {field!r}; {hint} (text to search for goes in quotes)")
        self.place = found.end()
        sign = found.group(2)
        if sign == "!=":
            return Not(self._of_field(field, ":"))
        return self._of_field(field, sign)

    def _of_field(self, field: str, sign: str) -> Query:
        if sign in (":", "="):
            compared = _COMPARISON.match(self._text, self.place)
            if compared is not None:
                self.place = compared.end()
                sign = compared.group()
        start = self.place
        if field not in NUMBER_FIELDS + TIME_FIELDS + DURATION_FIELDS:
            if sign not in (":", "="):
                raise QueryError(start, f"{field} cannot be compared with {sign}, only with :")
            return self._any(lambda: self._text_value(field)) if field in TEXT_FIELDS else self._words(field)
        if sign not in (":", "="):
            return self._span_value(field, sign)
        return self._any(lambda: self._span_value(field, sign))

    def _any(self, one: Callable[[], Query]) -> Query:
        """One of several values."""
        parts = [one()]
        while self._comma():
            parts.append(one())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _comma(self) -> bool:
        """Step over a comma when it comes next."""
        is_next = self._text.startswith(",", self.place)
        self.place += is_next
        return is_next

    def _span_value(self, field: str, sign: str) -> Query:
        text, _, start = self._value()
        read = {"id": self._number, "attempts": self._number, "priority": self._number, "duration": _duration,
                "wait": _duration}.get(field, self._moment)
        return _span(field, sign, text, start, read)

    def _text_value(self, field: str) -> Query:
        text, _, start = self._value()
        return self._text_of(field, text, start)

    def _text_of(self, field: str, text: str, start: int) -> Text:
        if not text:
            raise QueryError(start, "an empty text is in every job; give at least one character")
        return Text(field, text)

    def _words(self, field: str) -> Words:
        values = [self._word(field)]
        while self._comma():
            values.append(self._word(field))
        return Words(field, tuple(values))

    def _word(self, field: str) -> Word:
        text, is_quoted, start = self._value()
        if is_quoted:
            is_prefix = self._text.startswith("*", self.place)
            self.place += is_prefix
        else:
            is_prefix = text.endswith("*")
            text = text.removesuffix("*")
        if "*" in text and not is_quoted:
            raise QueryError(start, "a star stands only at the end of a value; put a real one in quotes")
        if field == "state" and not is_prefix and text not in STATES:
            raise QueryError(start, f"there is no state {text!r}; states are {', '.join(STATES)}")
        return Word(text, is_prefix)

    def _value(self) -> Value:
        start = self.place
        if self._text.startswith('"', start):
            found = _QUOTED.match(self._text, start)
            if found is None:
                raise QueryError(start, 'this quote is never closed (inside quotes only \\" and \\\\ are escapes)')
            self.place = found.end()
            return re.sub(r"\\(.)", r"\1", found.group(1)), True, start
        found = self._match(_BARE)
        self.place = found.end()
        return found.group(), False, start

    def _number(self, text: str, place: int) -> tuple[int, int]:
        if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > MAX_NUMBER:
            raise QueryError(place, f"{text!r} is no whole number")
        return int(text), int(text)

    def _moment(self, text: str, place: int) -> tuple[int, int]:
        """First and last millisecond of what the text names."""
        if text.lower() == "now":
            return self._now_ms, self._now_ms
        if text.lower() in DAYS:
            begin = self._now_ms - self._now_ms % DAY_MS - DAYS.index(text.lower()) * DAY_MS
            return begin, begin + DAY_MS - 1
        if text.isascii() and text.isdigit() and len(text) <= 16:
            return int(text), int(text)
        if text[:1] in ("-", "+"):
            distance = _duration(text[1:], place + 1)[0]
            moment = self._now_ms + (distance if text[0] == "+" else -distance)
            return moment, moment
        found = _MOMENT.fullmatch(text)
        if found is None:
            raise QueryError(place, f"{text!r} is no moment: give 2026-11-24, 2026-11-24T08:30Z, -2h, +10m, today, "
                             "yesterday, now or Unix milliseconds")
        return _calendar(found, text, place)


def _duration(text: str, place: int) -> tuple[int, int]:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise QueryError(place, f"{text!r} is no duration: give 250ms, 5s, 2m, 1h, 7d or 2w")
    length = int(found.group(1)) * UNIT_MS[found.group(2) or "ms"]
    return length, length


def _calendar(found: re.Match[str], text: str, place: int) -> tuple[int, int]:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
                          tzinfo=UTC)
        if zone and zone != "Z":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            moment = moment - offset if zone[0] == "+" else moment + offset
    except (ValueError, OverflowError) as error:
        raise QueryError(place, f"{text!r} is no moment: {error}") from None
    start = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    if fraction:
        start += int(fraction.ljust(3, "0"))
        return start, start + 10 ** (3 - len(fraction)) - 1
    return start, start + (1000 if second else 60_000 if hour else 86_400_000) - 1


def _span(field: str, sign: str, text: str, place: int, read: Callable[[str, int], tuple[int, int]]) -> Span:
    if sign == ">":
        return Span(field, read(text, place)[1] + 1, None)
    if sign == ">=":
        return Span(field, read(text, place)[0], None)
    if sign == "<":
        return Span(field, None, read(text, place)[0] - 1)
    if sign == "<=":
        return Span(field, None, read(text, place)[1])
    if ".." not in text:
        if field in TIME_FIELDS and text[:1] in ("-", "+"):
            raise QueryError(place, f"say from or to: {field}:{text}.. or {field}:..{text}")
        return Span(field, *read(text, place))
    low, _, high = text.partition("..")
    if not low and not high:
        raise QueryError(place, "give at least one end of the range")
    return Span(field, read(low, place)[0] if low else None,
                read(high, place + len(low) + 2)[1] if high else None)
