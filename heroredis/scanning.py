"""What SCAN and its kin share: their options, and a step through a snapshot of names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.args import Args, integer, raw
from heroredis.errors import RedisError, syntax
from heroredis.glob import matches
from heroredis.session.context import Context

DEFAULT_COUNT: Final = 10
MOST_DIGITS: Final = 20


class Wanted:
    """A parsed cursor with its options."""

    def __init__(self, cursor: int, count: int, pattern: bytes | None, type_name: bytes | None) -> None:
        self.cursor: Final = cursor
        self.count: Final = count
        self.pattern: Final = pattern
        self.type_name: Final = type_name


def read_cursor(text: bytes) -> int:
    """A cursor as strtoul reads it: also with a sign, and 0 for an empty text."""
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    if text and (not digits.isdigit() or len(digits) > MOST_DIGITS or int(digits) >= 1 << 64):
        raise RedisError(b"ERR invalid cursor")
    number = int(digits or b"0")
    return number if text[:1] != b"-" else -number % (1 << 64)


def _count(text: bytes) -> int:
    count = integer(text)
    if count < 1:
        raise syntax()
    return count


def scan_options(cursor: bytes, options: tuple[bytes, ...], *, with_type: bool) -> Wanted:
    number = read_cursor(cursor)
    named: dict[str, Callable[[bytes], object]] = {"COUNT": _count, "MATCH": raw}
    if with_type:
        named["TYPE"] = raw
    found = Args(options).options((), named)
    count, pattern, type_name = found.get("COUNT"), found.get("MATCH"), found.get("TYPE")
    return Wanted(number, count if isinstance(count, int) else DEFAULT_COUNT,
                  pattern if isinstance(pattern, bytes) else None,
                  type_name.lower() if isinstance(type_name, bytes) else None)


def scan_names(
    ctx: Context, wanted: Wanted, snapshot: Callable[[], list[bytes]], small: int
) -> tuple[int, list[bytes]]:
    """The cursor behind this step, and the names of it that match. Up to `small` names come at once."""
    scans = ctx.server.space.scans
    cursor = wanted.cursor
    if cursor == 0 or not scans.known(cursor):
        names = snapshot()
        if len(names) <= max(wanted.count, small):
            return 0, _matching(names, wanted.pattern)
        cursor = scans.open(names)
    following, part = scans.step(cursor, wanted.count)
    return following, _matching(part, wanted.pattern)


def _matching(names: list[bytes], pattern: bytes | None) -> list[bytes]:
    if pattern is None or pattern == b"*":
        return names
    return [name for name in names if matches(pattern, name, False)]
