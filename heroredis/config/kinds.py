"""Kinds of parameters: how a value is read, refused and shown again. Redis's own texts and limits.

A kind turns words as given into the text that CONFIG GET shows; ValueError carries the reason why not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from heroredis.args import read_float, read_int

INT: Final = (1 << 31) - 1
LONG: Final = (1 << 63) - 1
WORD: Final = (1 << 64) - 1
UNITS: Final = {b"": 1, b"b": 1, b"k": 1000, b"kb": 1 << 10, b"m": 10**6, b"mb": 1 << 20, b"g": 10**9, b"gb": 1 << 30}
CLIENT_CLASSES: Final = (b"normal", b"slave", b"pubsub")
HOST_LIMIT: Final = 256
ALL_EVENTS: Final = b"g$lshzxetd"
"""What the letter A stands for."""
KNOWN_EVENTS: Final = frozenset(ALL_EVENTS + b"KEmn")
TITLE_WORDS: Final = {"title": "", "server-mode": "", "config-file": "", "unixsocket": "", "listen-addr": "*:0",
                      "port": "0", "tls-port": "0"}
"""The words of a process title, with what they may come down to."""


class Kind:
    """Base of all kinds. `several` tells whether a value is a list of words."""

    several = False

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        """The value as it is kept and shown; `old` is the one before."""
        raise NotImplementedError

    def number(self, value: bytes) -> int | None:
        """The value as a number, where it is one."""
        return None

    def shown(self, value: bytes) -> bytes:
        """The value as CONFIG GET shows it."""
        return value

    def written(self, value: bytes) -> list[bytes]:
        """The arguments of the line, or lines, that set it in a redis.conf."""
        return [value]


class YesNo(Kind):
    def read(self, old: bytes, words: list[bytes]) -> bytes:
        word = words[0].lower()
        if word not in (b"yes", b"no"):
            raise ValueError("argument must be 'yes' or 'no'")
        return word

    def number(self, value: bytes) -> int | None:
        return int(value == b"yes")


class NeverOn(YesNo):
    """A switch for something that does not exist here."""

    def __init__(self, reason: str) -> None:
        self._reason: Final = reason

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        if super().read(old, words) == b"yes":
            raise ValueError(self._reason)
        return b"no"


class OneOf(Kind):
    def __init__(self, choices: str, same: dict[bytes, bytes] | None = None) -> None:
        self.choices: Final = choices.split()
        self._same: Final = same or {}

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        word = words[0].lower()
        if word.decode("latin-1") not in self.choices:
            raise ValueError("argument(s) must be one of the following: " + ", ".join(self.choices))
        return self._same.get(word, word)


class ShutdownOptions(OneOf):
    """Several words; "default" is none of them."""

    several = True

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        for word in words or [b""]:
            super().read(old, [word])
        given = {word.lower().decode() for word in words} - {"default"}
        if {"save", "nosave"} <= given:
            raise ValueError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return " ".join(choice for choice in self.choices if choice in given).encode() or b"default"


class Whole(Kind):
    """An integer between two bounds."""

    def __init__(self, low: int, high: int) -> None:
        self.low: Final = low
        self.high: Final = high

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        return b"%d" % self._checked(self._parsed(words[0]))

    def _parsed(self, word: bytes) -> int:
        number = read_int(word)
        if number is None:
            raise ValueError("argument couldn't be parsed into an integer")
        return number

    def _checked(self, number: int) -> int:
        if not self.low <= number <= self.high:
            raise ValueError(f"argument must be between {self.low} and {self.high} inclusive")
        return number

    def number(self, value: bytes) -> int | None:
        return int(value)


class Hertz(Whole):
    """Ticks in a second: any number is taken, and then held between 1 and 500."""

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        return b"%d" % min(500, max(1, self._checked(self._parsed(words[0]))))


class Octal(Whole):
    """Permission bits."""

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        try:
            number = int(words[0] or b"0", 8)
        except ValueError:
            raise ValueError("argument couldn't be parsed as an octal number") from None
        if not self.low <= number <= self.high:
            raise ValueError(f"argument must be between {self.low:o} and {self.high:o} inclusive")
        return b"%o" % number

    def number(self, value: bytes) -> int | None:
        return int(value, 8)


def loose_int(word: bytes) -> int | None:
    """A number as strtoll reads it: blanks before it, a plus and nothing at all are taken."""
    text = word.lstrip(b" \t\n\v\f\r")
    digits = text[1:] if text[:1] in (b"+", b"-") else text
    if not digits.isdigit():
        return None if word else 0
    return max(-LONG - 1, min(LONG, int(text)))


def memory(word: bytes) -> int | None:
    """A size with an optional unit, with the arithmetic of 64-bit words; None when it is none."""
    digits = word[: len(word) - len(word.lstrip(b"0123456789"))]
    unit = UNITS.get(word[len(digits):].lower())
    if unit is None or len(digits) > 127:
        return None
    return min(int(digits or b"0"), WORD) * unit & WORD


class Memory(Whole):
    """A size in bytes. Signed ones see what lies beyond 2**63 as negative, as Redis does."""

    def __init__(self, low: int, high: int, signed: bool = False) -> None:
        super().__init__(low, high)
        self._signed: Final = signed

    def _parsed(self, word: bytes) -> int:
        number = memory(word)
        if number is None:
            raise ValueError("argument must be a memory value")
        return number - WORD - 1 if self._signed and number > LONG else number

    def written(self, value: bytes) -> list[bytes]:
        return [short_memory(int(value))]


def short_memory(number: int) -> bytes:
    """A size in the largest unit that divides it."""
    for unit, name in ((1 << 30, b"gb"), (1 << 20, b"mb"), (1 << 10, b"kb")):
        if number and number % unit == 0:
            return b"%d%b" % (number // unit, name)
    return b"%d" % number


class BacklogSize(Memory):
    """Smaller ones are made 16 kB."""

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        return b"%d" % max(1 << 14, self._checked(self._parsed(words[0])))


class MemoryOrPercent(Kind):
    """A size, or a share of maxmemory as "5%"."""

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        number = memory(words[0])
        if number is not None:
            if number > LONG:
                if number < WORD + 1 - 100:
                    raise ValueError("percentage argument must be less or equal to 100")
                return b"%d%%" % (WORD + 1 - number)
            return b"%d" % number
        share = read_int(words[0][:-1]) if words[0].endswith(b"%") else None
        if share is None or share < 0:
            raise ValueError("argument must be a memory or percent value")
        if share > 100:
            raise ValueError("percentage argument must be less or equal to 100")
        return b"%d%%" % share if share else b"0"

    def number(self, value: bytes) -> int | None:
        """Shares are negative."""
        return -int(value[:-1]) if value.endswith(b"%") else int(value)

    def written(self, value: bytes) -> list[bytes]:
        return [value if value.endswith(b"%") else short_memory(int(value))]


class Text(Kind):
    def __init__(self, check: Callable[[bytes], None] | None = None) -> None:
        self._check: Final = check

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        if self._check is not None:
            self._check(words[0])
        return words[0]


def base_name(what: str, noun: str, may_be_empty: bool = False) -> Callable[[bytes], None]:
    """A name of a file, not the way to it."""

    def check(value: bytes) -> None:
        if not value and not may_be_empty:
            raise ValueError(f"{what} can't be empty")
        if b"/" in value or b"\\" in value:
            raise ValueError(f"{what} can't be a path, just a {noun}")

    return check


def host_name(value: bytes) -> None:
    if len(value) >= HOST_LIMIT:
        raise ValueError(f"Hostnames must be less than {HOST_LIMIT} characters")
    if not all((chr(byte).isalnum() and byte < 128) or byte in b"-." for byte in value):
        raise ValueError("Hostnames may only contain alphanumeric characters, hyphens or dots")


def title_template(value: bytes) -> None:
    rest = value.decode("latin-1")
    for word, least in TITLE_WORDS.items():
        rest = rest.replace("{" + word + "}", least)
    if "{" in rest or not rest.strip(" "):
        raise ValueError("template format is invalid or contains unknown variables")


class Folder(Kind):
    def read(self, old: bytes, words: list[bytes]) -> bytes:
        try:
            os.scandir(words[0]).close()
        except OSError as error:
            raise ValueError(error.strerror or "it cannot be used") from None
        except ValueError:
            raise ValueError("No such file or directory") from None
        return os.path.abspath(words[0])


class Events(Kind):
    """Which keyspace events are told, as letters."""

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        letters = frozenset(words[0].replace(b"A", ALL_EVENTS))
        if not letters <= KNOWN_EVENTS:
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        kept = b"A" + _only(b"n", letters) if frozenset(ALL_EVENTS) <= letters else _only(ALL_EVENTS + b"n", letters)
        return kept + _only(b"KEm", letters)

    def shown(self, value: bytes) -> bytes:
        """Behind A, Redis does not show n."""
        return b"A" + value[2:] if value.startswith(b"An") else value


def _only(order: bytes, letters: frozenset[int]) -> bytes:
    return bytes(letter for letter in order if letter in letters)


class Several(Kind):
    """Words; a single empty one stands for none."""

    several = True

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        return b" ".join([] if words == [b""] else self._read(words))

    def _read(self, words: list[bytes]) -> list[bytes]:
        return words


class SavePoints(Several):
    def _read(self, words: list[bytes]) -> list[bytes]:
        numbers = [loose_int(word) for word in words]
        if len(words) % 2 or any(number is None or number < 1 - at % 2 for at, number in enumerate(numbers)):
            raise ValueError("Invalid save parameters")
        return [b"%d" % (number or 0) for number in numbers]

    def written(self, value: bytes) -> list[bytes]:
        words = value.split()
        return [b" ".join(words[at : at + 2]) for at in range(0, len(words), 2)] or [b'""']


class BufferLimits(Kind):
    """Hard and soft limit and seconds for each class of clients; what is not named stays."""

    several = True

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        if len(words) % 4:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        now = old.split()
        limits = {now[at]: now[at + 1 : at + 4] for at in range(0, len(now), 4)}
        for at in range(0, len(words), 4):
            name = words[at].lower().replace(b"replica", b"slave")
            if name not in CLIENT_CLASSES:
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            hard, soft, seconds = memory(words[at + 1]), memory(words[at + 2]), loose_int(words[at + 3])
            if hard is None or soft is None or seconds is None or seconds < 0:
                raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[name] = [b"%d" % hard, b"%d" % soft, b"%d" % seconds]
        return b" ".join(b" ".join([name, *limits[name]]) for name in CLIENT_CLASSES)

    def written(self, value: bytes) -> list[bytes]:
        words = value.split()
        return [b" ".join([words[at].replace(b"slave", b"replica"), short_memory(int(words[at + 1])),
                           short_memory(int(words[at + 2])), words[at + 3]]) for at in range(0, len(words), 4)]


class ScoreValues(Kind):
    several = True

    def read(self, old: bytes, words: list[bytes]) -> bytes:
        if len(words) != 3:
            raise ValueError("wrong number of arguments")
        numbers = [loose_int(word) for word in words]
        if any(number is None or not -2000 <= number <= 2000 for number in numbers):
            raise ValueError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return b" ".join(b"%d" % (number or 0) for number in numbers)


class Percentiles(Several):
    def _read(self, words: list[bytes]) -> list[bytes]:
        found = []
        for word in words:
            number = read_float(word)
            if number is None:
                raise ValueError("Invalid latency-tracking-info-percentiles parameters")
            if not 0 <= number <= 100:
                raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            found.append((b"%f" % number).rstrip(b"0").rstrip(b"."))
        return found

    def written(self, value: bytes) -> list[bytes]:
        return [value or b'""']


class Addresses(Several):
    def _read(self, words: list[bytes]) -> list[bytes]:
        if len(words) > 16:
            raise ValueError("Too many bind addresses specified.")
        return words

    def written(self, value: bytes) -> list[bytes]:
        return [value or b'""']
