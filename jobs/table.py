"""How the command line shows what it got: tables for people, JSON for machines. Nothing that a job holds can steer
the terminal."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

CUT: Final = 60
STATE_COLOURS: Final = {"new": "36", "active": "33", "done": "32", "error": "31"}


def text_of(value: object) -> str:
    """A value on one line, control characters made visible."""
    if value is None:
        return "-"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        value = ", ".join(text_of(one) for one in value)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))


def lines_of(value: object, indent: int) -> str:
    """A value as it is, line by line, the later lines indented; other control characters made visible."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if not isinstance(value, str):
        return text_of(value)
    return ("\n" + " " * indent).join(text_of(line) for line in value.rstrip("\n").split("\n"))


def when(ms: object) -> str:
    """A moment in local time; a dash for "not yet"."""
    if not isinstance(ms, int) or ms <= 0:
        return "-"
    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def cut(text: str, width: int = CUT) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def coloured(state: str) -> str:
    colour = STATE_COLOURS.get(state.strip())
    return f"\x1b[{colour}m{state}\x1b[0m" if colour and sys.stdout.isatty() else state


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns, numbers to the right."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    right = [bool(rows) and all(row[at].replace(".", "", 1).isdigit() or row[at] == "-" for row in rows)
             for at in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [cell.rjust(width) if to_right else cell.ljust(width)
                 for cell, width, to_right in zip(row, widths, right, strict=True)]
        lines.append("  ".join(coloured(cell) for cell in cells).rstrip())
    return "\n".join(lines)


def plain(value: Any) -> Any:
    """An answer as JSON can hold it: bytes as text, those that are no UTF-8 as {"base64": …}."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def as_json(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False)


def names(answer: Mapping[bytes, Any]) -> dict[str, Any]:
    """A map of the server by its names as text."""
    return {name.decode(): value for name, value in answer.items()}


def job_row(job: Mapping[str, Any]) -> list[str]:
    return [text_of(job["id"]), cut(text_of(job["topic"]), 30), text_of(job["state"]), text_of(job["reason"] or None),
            text_of(job["attempts"]), when(job["created_at"]), when(job["run_at"] or job["ended_at"]),
            cut(text_of(job["params"]))]


JOB_HEAD: Final = ("ID", "TOPIC", "STATE", "REASON", "TRIES", "CREATED", "DUE/ENDED", "PARAMS")
