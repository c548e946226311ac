"""The manifest: which append-only files count, and in which order they are loaded.

One line each, as Redis 7 writes them: `file NAME seq NUMBER type b|i|h` (base, increment, history). A name with
unusual bytes stands in double quotes with backslash escapes. Lines that begin with # are comments.
"""

from __future__ import annotations

import re
from typing import Final

from heroredis.inline import split_line

BASE: Final = "b"
INCREMENT: Final = "i"
HISTORY: Final = "h"
PLAIN: Final = re.compile(rb"[!-~]+")


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
    """Raises ManifestError with the number of the line."""
    parts: list[Part] = []
    lines = data.split(b"\n")
    last = len(lines)
    for number, line in enumerate(lines, 1):
        if line.startswith(b"#") or (not line and number == last):
            continue
        part = _read_line(line)
        if part is None:
            raise ManifestError(f"Invalid AOF manifest file format: line {number} cannot be read: {line[:200]!r}")
        if part.kind not in (BASE, INCREMENT, HISTORY):
            raise ManifestError(f"Unknown AOF file type: line {number} has {part.kind[:20]!r}")
        if part.kind == BASE and any(other.kind == BASE for other in parts):
            raise ManifestError(f"Found duplicate base file information: line {number} names a second one")
        if part.kind == INCREMENT and any(other.kind == INCREMENT and other.number >= part.number for other in parts):
            raise ManifestError(f"Found a non-monotonic sequence number: line {number} is out of order")
        parts.append(part)
    if not parts:
        raise ManifestError("Found an empty AOF manifest")
    return Manifest(parts)


def _read_line(line: bytes) -> Part | None:
    words = split_line(line)
    if words is None or len(words) < 6 or len(words) % 2:
        return None
    facts = dict(zip(words[::2], words[1::2], strict=True))
    name, number, kind = facts.get(b"file", b""), facts.get(b"seq", b""), facts.get(b"type", b"").decode("latin-1")
    if not name or b"/" in name or not number.isdigit():
        return None
    return Part(name.decode("utf-8", "surrogateescape"), int(number), kind)
