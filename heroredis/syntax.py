"""The syntax line of a command, as people read it, and the arguments of COMMAND DOCS that follow from it.

`topic params [DELAY ms | AT ms] [TAG t]* (CRON expr | EVERY ms) [topic ...]`: small letters are values, capitals are
words to be typed, brackets what may be left out, a star or dots what may be repeated, parentheses a choice.
"""

from __future__ import annotations

import re
from typing import Final

_TOKENS: Final = re.compile(r"[\[(]|\]\*?|\)|[^\s\[\]()]+")
_INTEGERS: Final = frozenset({"id", "ms", "n", "count", "percent", "timeout-ms", "priority", "us", "bytes"})


class Argument:
    """One argument. `kind` is string, integer, pure-token, block or oneof; the last two have `parts`."""

    def __init__(self, name: str, kind: str, token: str, parts: list[Argument]) -> None:
        self.name: Final = name
        self.kind: Final = kind
        self.token: Final = token
        self.parts: Final = parts
        self.optional = False
        self.multiple = False


def parse(line: str) -> list[Argument]:
    """The arguments of a syntax line. ValueError when its brackets do not fit."""
    tokens = _TOKENS.findall(line)
    ways, end = _ways(tokens, 0)
    if end < len(tokens) or len(ways) > 1:
        raise ValueError(f"the brackets of {line!r} do not fit")
    return ways[0]


def _ways(tokens: list[str], at: int) -> tuple[list[list[Argument]], int]:
    """Sequences with bars between them, up to the bracket that closes."""
    ways: list[list[Argument]] = [[]]
    while at < len(tokens) and tokens[at][0] not in "])":
        token = tokens[at]
        here = ways[-1]
        if token == "|":
            ways.append([])
        elif token == "...":
            here[-1].multiple = True
        elif token in "[(":
            inner, at = _ways(tokens, at + 1)
            if at == len(tokens):
                raise ValueError("a bracket is not closed")
            _add(here, _whole(inner), token == "[", tokens[at] == "]*")
        elif token.isupper():
            following = tokens[at + 1] if at + 1 < len(tokens) else "]"
            if following[0] in "[]()|." or following.isupper():
                here.append(Argument(token.lower(), "pure-token", token, []))
            else:
                at += 1
                here.append(_value(following, token))
        else:
            here.append(_value(token, ""))
        at += 1
    return ways, at


def _value(word: str, token: str) -> Argument:
    name = token.lower() if token and (word[0].isdigit() or len(word) == 1) else word
    is_number = word[0].isdigit() or word in _INTEGERS or name in _INTEGERS
    return Argument(name, "integer" if is_number else "string", token, [])


def _whole(ways: list[list[Argument]]) -> Argument:
    wholes = [way[0] if len(way) == 1 else Argument(way[0].name, "block", "", way) for way in ways]
    return wholes[0] if len(wholes) == 1 else Argument(wholes[0].name, "oneof", "", wholes)


def _add(here: list[Argument], whole: Argument, optional: bool, multiple: bool) -> None:
    if whole.multiple and here and here[-1].name == whole.name:
        here[-1].multiple = True  # `topic [topic ...]`
        return
    whole.optional = optional
    whole.multiple = whole.multiple or multiple
    here.append(whole)
