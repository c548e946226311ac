"""The manifest: which append-only files count, and in which order they are loaded.

One line each, as Redis 7 writes them: `file NAME seq NUMBER type b|i|h` (base, increment, history). A name with
unusual bytes stands in double quotes with backslash escapes. Lines that begin with # are comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from heroredis.inline import split_line

BASE: Final = "b"
INCREMENT: Final = "i"
HISTORY: Final = "h"
PLAIN: Final = re.compile(rb"[!-~]+")
LEADING_NUMBER: Final = re.compile(rb"\s*[+-]?[0-9]{1,18}")
LONGEST_LINE: Final = 1024


class ManifestError(Exception):
    """The manifest cannot be used; the text says where and why."""


class Part:
    """One append-only file."""

    def __init__(self, name: str, number: int, kind: str) -> None:
        self.name: Final = name
        self.number: Final = number
        self.kind: Final = kind

    def line(self) -> bytes:
        return b"file %b seq %d type %b\n" % (_quoted(self.name), self.number, self.kind.encode())


class Manifest:
    """At most one base, then the increments in order. A Manifest does not change; a new one takes its place."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts: Final = parts

    @property
    def base(self) -> Part | None:
        return next((part for part in self.parts if part.kind == BASE), None)

    @property
    def increments(self) -> list[Part]:
        return [part for part in self.parts if part.kind == INCREMENT]

    @property
    def history(self) -> list[Part]:
        return [part for part in self.parts if part.kind == HISTORY]

    def loaded(self) -> list[Part]:
        """What counts, in its order."""
        base = self.base
        return self.increments if base is None else [base, *self.increments]

    def next_base(self) -> int:
        return max((part.number for part in self.parts if not _is_increment(part)), default=0) + 1

    def next_increment(self) -> int:
        return max((part.number for part in self.parts if _is_increment(part)), default=0) + 1

    def text(self) -> bytes:
        return b"".join(part.line() for part in self.parts)


def _is_increment(part: Part) -> bool:
    return part.kind == INCREMENT or (part.kind == HISTORY and ".incr." in part.name)


def base_name(stem: str, number: int) -> str:
    return f"{stem}.{number}.base.aof"


def increment_name(stem: str, number: int) -> str:
    return f"{stem}.{number}.incr.aof"


def manifest_name(stem: str) -> str:
    return f"{stem}.manifest"


def _quoted(name: str) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    if PLAIN.fullmatch(raw) and not any(byte in raw for byte in b"\"'\\"):
        return raw
    return b'"' + b"".join(bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\x%02x" % byte
                           for byte in raw) + b'"'


def read_manifest(data: bytes) -> Manifest:
    """Raises ManifestError with the number of the line. As lenient and as strict as Redis: every line ends with a
    newline, the words before values are read in any case, a type by its first letter."""
    parts: list[Part] = []
    for number, line in enumerate(_lines(data), 1):
        if line.startswith(b"#"):
            continue
        if not line.endswith(b"\n") or b"\0" in line:
            raise ManifestError(f"The AOF manifest file contains too long line: line {number} has no end")
        part = _read_line(line.strip(b" \t\r\n"))
        if part is None:
            raise ManifestError(f"Invalid AOF manifest file format: line {number} cannot be read: {line[:200]!r}")
        if part.kind not in (BASE, INCREMENT, HISTORY):
            raise ManifestError(f"Unknown AOF file type: line {number} has {part.kind!r}")
        if part.kind == BASE and any(other.kind == BASE for other in parts):
            raise ManifestError(f"Found duplicate base file information: line {number} names a second one")
        if part.kind == INCREMENT and part.number <= max((one.number for one in parts if one.kind == INCREMENT),
                                                         default=0):
            raise ManifestError(f"Found a non-monotonic sequence number: line {number} is out of order")
        parts.append(part)
    if not data:
        raise ManifestError("Found an empty AOF manifest")
    return Manifest(parts)


def _lines(data: bytes) -> Iterator[bytes]:
    """With their newlines; what is too long for a line goes on in the next one."""
    at = 0
    while at < len(data):
        stop = data.find(b"\n", at, at + LONGEST_LINE) + 1 or min(at + LONGEST_LINE, len(data))
        yield data[at:stop]
        at = stop


def _read_line(line: bytes) -> Part | None:
    words = split_line(line)
    if words is None or len(words) < 6 or len(words) % 2:
        return None
    facts = {word.lower(): value for word, value in zip(words[::2], words[1::2], strict=True)}
    name, kind = facts.get(b"file", b""), facts.get(b"type", b"")[:1].decode("latin-1")
    number = LEADING_NUMBER.match(facts.get(b"seq", b""))
    if not name or not kind or b"/" in name or b"\\" in name or number is None or int(number[0]) == 0:
        return None
    return Part(name.decode("utf-8", "surrogateescape"), int(number[0]), kind)
