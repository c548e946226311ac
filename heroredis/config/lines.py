"""Reads a redis.conf and the options of a command line: lines of words with Redis's quoting, includes followed.

What the lines mean is settled in conf.py.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from heroredis.config.table import SECRET, TABLE
from heroredis.inline import split_line

SECRETS: Final = frozenset({"user", *(name for name, one in TABLE.items() if one.flags & SECRET)})
"""Directives whose words are shown nowhere."""
DEEPEST: Final = 16
"""Files that include each other."""


class ConfError(Exception):
    """A line that cannot be used, with its place, as Redis reports it."""

    def __init__(self, reason: str, source: str = "", number: int = 0, line: str = "") -> None:
        self.reason: Final = reason
        where = f"Reading the configuration file, at line {number}\n>>> '{line}'\n" if number else ""
        place = f"{source}: " if source else ""
        super().__init__(f"*** FATAL CONFIG FILE ERROR ***\n{where}{place}{reason}")


class Directive:
    """One line: the name in lower case, and the words behind it."""

    def __init__(self, name: str, words: list[bytes], source: str, number: int, line: str) -> None:
        self.name: Final = name
        self.words: Final = words
        self.source: Final = source
        self.number: Final = number
        self.line: Final = f"{name} ***" if name in SECRETS else line
        """As error texts show it."""

    def error(self, reason: str) -> ConfError:
        return ConfError(reason, self.source, self.number, self.line)


def read_file(path: str, depth: int = 0) -> list[Directive]:
    """All lines of a file and of those that it includes. ConfError."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ConfError(f"can't open config file '{path}': {error.strerror}") from None
    return read_text(text, path, depth)


def read_text(text: bytes, source: str, depth: int = 0) -> list[Directive]:
    found: list[Directive] = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        stripped = raw.strip(b" \t\r\n")
        if not stripped or stripped.startswith(b"#"):
            continue
        line = stripped.decode("utf-8", "replace")
        words = split_line(stripped)
        if words is None:
            first = line.split()[0]  # the rest may hold a password
            raise ConfError("Unbalanced quotes in configuration line", source, number, f"{first} ...")
        if not words:
            continue
        one = Directive(words[0].decode("utf-8", "replace").lower(), words[1:], source, number, line)
        if one.name == "include" and len(one.words) == 1:
            found += _included(one, depth)
        else:
            found.append(one)
    return found


def _included(one: Directive, depth: int) -> list[Directive]:
    """A name with wildcards may stand for no file at all."""
    if depth >= DEEPEST:
        raise one.error("the files include each other too deeply")
    pattern = one.words[0].decode("utf-8", "surrogateescape")
    paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
    found: list[Directive] = []
    for path in paths:
        found += read_file(path, depth + 1)
    return found


def read_options(arguments: Sequence[str]) -> list[Directive]:
    """Options of a command line, `--name value …`, as lines behind those of the file.

    The word behind a name is its value even with two dashes in front, but for --save, which then has an empty one.
    A name and its value may be one word with a blank in it.
    """
    lines: list[bytes] = []
    takes_value = False
    for at, argument in enumerate(arguments):
        if argument.startswith("--") and not takes_value:
            line = argument[2:].encode("utf-8", "surrogateescape")
            takes_value = len(line.split()) < 2
            following = arguments[at + 1] if at + 1 < len(arguments) else "--"
            if takes_value and line.lower() == b"save" and following.startswith("--"):
                line += b' ""'
                takes_value = False
            lines.append(line)
        else:
            word = quoted(argument.encode("utf-8", "surrogateescape"))
            lines[-1:] = [lines[-1] + b" " + word] if lines else [word]
            takes_value = False
    return read_text(b"\n".join(lines), "command line")


def quoted(text: bytes) -> bytes:
    """In double quotes, with everything escaped that is no plain letter."""
    escapes = {92: b"\\\\", 34: b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b"}
    shown = [escapes.get(byte) or (bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in text]
    return b'"' + b"".join(shown) + b'"'
