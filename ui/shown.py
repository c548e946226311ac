"""How a job's values are shown on a page: bytes as text or hex dump, times, counts. Knows no HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from heroredis.extension import JobView

CUT_BYTES: Final = 64 * 1024
HEX_BYTES: Final = 8 * 1024
PRETTY_BYTES: Final = 16 * 1024
PRETTY_DEPTH: Final = 32
STATES: Final = ("new", "active", "done", "error")
_PRINTABLE_CONTROLS: Final = frozenset("\n\r\t")


class Shown(msgspec.Struct, frozen=True):
    """A value ready for a page: `kind` is text, json or hex."""

    text: str
    kind: str
    size: int
    cut: bool


def show(value: bytes) -> Shown:
    """UTF-8 text as it is (JSON indented), anything else as hex dump; long values are cut."""
    size = len(value)
    head = value[:CUT_BYTES]
    text = _text(head, whole=size <= CUT_BYTES)
    if text is None:
        return Shown(text=hex_dump(value[:HEX_BYTES]), kind="hex", size=size, cut=size > HEX_BYTES)
    if size <= PRETTY_BYTES and head[:1] in (b"{", b"[") and _depth(text) <= PRETTY_DEPTH:
        try:
            return Shown(text=msgspec.json.format(text, indent=2), kind="json", size=size, cut=False)
        except (msgspec.DecodeError, RecursionError):
            pass
    return Shown(text=text, kind="text", size=size, cut=size > CUT_BYTES)


def _text(head: bytes, *, whole: bool) -> str | None:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 3:
            return None
        text = head[: error.start].decode()
    if any(ord(char) < 32 and char not in _PRINTABLE_CONTROLS for char in text):
        return None
    return text


def _depth(text: str) -> int:
    """Upper bound of the nesting: indenting deep nesting would take quadratic space."""
    depth = deepest = 0
    for char in text:
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def hex_dump(value: bytes) -> str:
    lines = []
    for offset in range(0, len(value), 16):
        row = value[offset : offset + 16]
        ascii_part = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:08x}  {row.hex(' '):<47}  {ascii_part}")
    return "\n".join(lines)


def when(ms: int) -> str:
    """A time of day in UTC to the millisecond; a dash for "not yet"."""
    if ms <= 0:
        return "–"
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def size_text(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f} KiB"
    return f"{size / 1024 / 1024:.1f} MiB"


def spent(job: JobView) -> str:
    """How long the job ran, where it has both started and ended."""
    if job.started_at <= 0 or job.ended_at < job.started_at:
        return "–"
    ms = job.ended_at - job.started_at
    return f"{ms} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"
