"""Arguments of a command, read strictly as Redis reads them: numbers, times, options behind the fixed arguments.

Every parser raises RedisError with Redis's own text and changes nothing. It knows no command.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from heroredis.errors import (
    NOT_FLOAT,
    NOT_INTEGER,
    NOT_POSITIVE,
    SYNTAX,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_FLOAT,
    RedisError,
)

MIN_INT: Final = -(1 << 63)
MAX_INT: Final = (1 << 63) - 1
MOST_REPEATED: Final = 1 << 20
MIN_INT32: Final = -(1 << 31)
MAX_INT32: Final = (1 << 31) - 1
_BLANKS: Final = b" \t\r\n\v\f"
_HEX: Final = re.compile(rb"[+-]?0[xX](?=\.?[0-9a-fA-F])[0-9a-fA-F]*\.?[0-9a-fA-F]*([pP][+-]?\d+)?")
_NOT_ZERO: Final = re.compile(rb"[+-]?([0.]*[1-9]|0[xX][0.]*[1-9a-fA-F])")
_SMALL: Final[dict[bytes, float]] = {b"%d" % number: float(number) for number in range(1000)}
"""Most scores are small whole numbers, and reading one costs more than looking it up."""
TOO_LATE: Final = 9223372036854775808.0
"""Compared as a float: compiled code turns the integer of a mixed comparison into one, which rounds it."""
LARGEST_WIDE: Final = Decimal("1.18973149535723176509e4932")
"""The largest number of C's long double on x86-64 (80 bits), in which Redis reads timeouts."""
_MINUS: Final = 45
_ZERO: Final = 48

Parser = Callable[[bytes], object]


def read_int(text: bytes) -> int | None:
    """A 64-bit signed decimal exactly as Redis writes it: no blanks, no plus, no leading zeros; else None."""
    size = len(text)
    if size == 0 or size > 20:
        return None
    if text.isdigit():
        if size > 1 and text[0] == _ZERO:
            return None
        value = int(text)
        return value if value <= MAX_INT else None
    if text[0] == _MINUS and size > 1 and text[1] != _ZERO and text[1:].isdigit():
        value = int(text)
        return value if value >= MIN_INT else None
    return None


def read_float(text: bytes) -> float | None:
    """A double as Redis reads it: with inf and hexadecimal, without nan, blanks, or what no double can hold."""
    known = _SMALL.get(text)
    if known is not None:
        return known
    if text.isdigit() and len(text) < 20:
        return float(int(text))
    value = _strtod(text)
    if value is None or not -math.inf < value < math.inf:
        return value if value is not None and b"n" in text.lower() else None
    return value if value != 0 or not _NOT_ZERO.match(text) else None


def read_bound(text: bytes) -> float | None:
    """A double as a bound of a range: what is too big is inf, blanks may stand before it, and nothing is 0."""
    text = text.partition(b"\0")[0]
    return _strtod(text.lstrip(_BLANKS)) if text else 0.0


def _strtod(text: bytes) -> float | None:
    """The number that is the whole of a text; None for nan, too."""
    if not text or b"_" in text or text[0] in _BLANKS or text[-1] in _BLANKS:
        return None
    try:
        value = float(text)
    except ValueError:
        if not _HEX.fullmatch(text):
            return None
        try:
            value = float.fromhex(text.decode())
        except OverflowError:
            value = -math.inf if text[:1] == b"-" else math.inf
    return value if value == value else None


def integer(text: bytes) -> int:
    value = read_int(text)
    if value is None:
        raise RedisError(NOT_INTEGER)
    return value


def int32(text: bytes) -> int:
    """A number that fits a C int, as databases are numbered."""
    return integer_between(text, MIN_INT32, MAX_INT32)


def floating(text: bytes) -> float:
    value = read_float(text)
    if value is None:
        raise RedisError(NOT_FLOAT)
    return value


def natural(text: bytes) -> int:
    """A count of zero or more."""
    value = read_int(text)
    if value is None or value < 0:
        raise RedisError(NOT_POSITIVE)
    return value


def timeout_ms(text: bytes) -> int:
    """A blocking timeout given in (fractional) seconds, as milliseconds; 0 waits for ever."""
    seconds = read_float(text)
    if seconds is None:
        raise RedisError(TIMEOUT_NEGATIVE if _is_large(text) else TIMEOUT_NOT_FLOAT)
    if seconds < 0 or seconds * 1000 >= TOO_LATE:  # to Redis what overflows is negative, too
        raise RedisError(TIMEOUT_NEGATIVE)
    return math.ceil(seconds * 1000)


def _is_large(text: bytes) -> bool:
    """Whether a number is too large for a double, but not for the wider type in which Redis reads timeouts."""
    if b"n" in text.lower() or _strtod(text) not in (math.inf, -math.inf):
        return False
    try:
        return abs(Decimal(text.decode())) < LARGEST_WIDE
    except (ArithmeticError, UnicodeDecodeError):
        return True


def integer_between(text: bytes, low: int, high: int) -> int:
    value = integer(text)
    if not low <= value <= high:
        raise RedisError(b"ERR value is out of range, value must between %d and %d" % (low, high))
    return value


def until_ms(text: bytes, now_ms: int) -> int:
    """The end of a time given in milliseconds."""
    value = read_int(text)
    if value is None:
        raise RedisError(b"ERR timeout is not an integer or out of range")
    if value < 0:
        raise RedisError(TIMEOUT_NEGATIVE)
    if value + now_ms > MAX_INT:
        raise RedisError(b"ERR timeout is out of range")
    return value + now_ms


def random_count(text: bytes) -> int:
    """How many random elements are wanted; negative: so many with repetitions."""
    return integer_between(text, -MAX_INT, MAX_INT)


def check_repetitions(count: int) -> None:
    """Nothing else bounds how many random elements with repetitions are answered when there are any."""
    if count < -MOST_REPEATED:
        raise RedisError(b"ERR value is out of range")


def raw(text: bytes) -> bytes:
    """No parsing: the value of an option as given."""
    return text


class Args:
    """A cursor over the arguments behind the fixed ones."""

    def __init__(self, items: Sequence[bytes]) -> None:
        self.items: Final = items
        self.at = 0

    def options(self, flags: Sequence[str] = (), values: Mapping[str, Parser] | None = None,
                repeatable: Sequence[str] | None = None) -> dict[str, object]:
        """All the rest as options: flags map to True, the others to their parsed value. Unknown -> syntax error. One
        that is given twice: the last one counts, as in Redis; where `repeatable` is given, others are refused."""
        found: dict[str, object] = {}
        named = values or {}
        while self.at < len(self.items):
            name = self.items[self.at].upper().decode("latin-1")
            self.at += 1
            if repeatable is not None and name in found and name not in repeatable:
                raise RedisError(b"ERR %s is given twice, give it once" % name.encode())
            if name in flags:
                found[name] = True
            elif name in named and self.at < len(self.items):
                found[name] = named[name](self.items[self.at])
                self.at += 1
            else:
                raise RedisError(SYNTAX)
        return found


def exclusive(found: Mapping[str, object], *names: str) -> None:
    """At most one of these options may be given."""
    if sum(1 for name in names if name in found) > 1:
        raise RedisError(SYNTAX)


def numkeys(text: bytes) -> int:
    value = read_int(text)
    if value is None or value <= 0:
        raise RedisError(b"ERR numkeys should be greater than 0")
    return value


def counted(count: bytes, rest: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The keys behind their number, and what follows them."""
    size = numkeys(count)
    if size > len(rest):
        raise RedisError(b"ERR Number of keys can't be greater than number of args")
    return rest[:size], rest[size:]
