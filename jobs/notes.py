"""What the job store keeps beside jobs, in records of its own: paused topics, kept keys, log lines, schedules.

A note's record begins with its kind as text, a job's with its format number; docs/formats.md describes both.
"""

from __future__ import annotations

from typing import Final

import msgspec


class TopicNote(msgspec.Struct, frozen=True, array_like=True, tag="topic", gc=False):
    """A topic that was paused or resumed."""

    topic: str
    paused: bool = False
    by: str = ""
    at: int = 0


class KeyNote(msgspec.Struct, frozen=True, array_like=True, tag="key", gc=False):
    """An idempotency key, or a unique one with a time of its own, that outlives its deleted job."""

    key: bytes
    job_id: int
    until: int
    topic: str = ""
    record: bytes = b""
    """The job's last record, when its result is to be found as long as the key."""
    is_unique: bool = False
    count: int = 1
    """Jobs that were made together under it; `job_id` is the first of them."""


class TrailNote(msgspec.Struct, frozen=True, array_like=True, tag="trail", gc=False):
    """One line of a job's log, or a step of its progress; each is a version of the job's one trail record."""

    job_id: int
    line: str = ""
    percent: int = -1
    """-1 = a log line."""
    at: int = 0
    by: str = ""


class ScheduleNote(msgspec.Struct, frozen=True, array_like=True, tag="schedule", gc=False):
    """A schedule: what it makes, when, and when it last did. Times are Unix ms, 0 = not yet."""

    name: str
    topic: str
    params: bytes = b""
    cron: str = ""
    every_ms: int = 0
    timezone: str = "UTC"
    missed: str = "skip"
    paused: bool = False
    next_at: int = 0
    last_at: int = 0
    last_job: int = 0
    runs: int = 0
    start_at: int = 0
    priority: int = 100
    retries: int = -1
    """-1 = the handler's own."""
    backoff: str = ""
    timeout_ms: int = 0
    expire_ms: int = 0
    tags: tuple[str, ...] = ()
    meta: bytes = b""
    by: str = ""
    """Who made this version: `server` for a run."""
    at: int = 0
    set_by: str = ""
    """Who set the schedule, whatever happened to it since; empty in records that were written without it."""


Note = TopicNote | KeyNote | TrailNote | ScheduleNote
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[Note]] = msgspec.msgpack.Decoder(Note)
encode_note = _ENCODER.encode
_ARRAY16: Final = 0xDC


def is_note(record: bytes) -> bool:
    """Whether a record is a note: its first element is a text, not a number."""
    first = record[3] if record[0] == _ARRAY16 else record[1]
    return first >= 0x80


def decode_note(record: bytes) -> Note:
    """The note of a record; msgspec.DecodeError for one that cannot be read."""
    return _DECODER.decode(record)
