"""The record of a job as msgspec knows it: what job.py reads by when a record is older than its fields."""

from __future__ import annotations

from typing import Final, cast

import msgspec

FORMAT: Final = 1
DEFAULT_PRIORITY: Final = 100
DEFAULT_BACKOFF: Final = "exp:1000:3600000:20"


class Extra(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What few jobs carry. New fields are appended, with a default: old records stay readable."""

    expires_at: int = 0
    unique: bytes = b""
    unique_until: int = 0
    """0 = while the job is new or active."""
    idempotency: bytes = b""
    idempotency_until: int = 0
    schedule: str = ""
    """The schedule that made it, and the moment it was made for."""
    scheduled_for: int = 0
    trail: int = 0
    """The record that holds its log lines."""
    progress: int = 0
    progress_text: str = ""
    cpu_us: int = 0
    """What the last attempt that was measured has used: microseconds of processor time, bytes of memory at most."""
    max_rss: int = 0
    batch: int = 0
    """How many jobs, itself and those with the next ids, were made together under its idempotency key; 0 = it alone."""
    runs_once: bool = False
    """It was made with RETRY 0: one attempt is what was wanted, not what is usual."""


NO_EXTRA: Final = Extra()


class JobRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All fields in their order, as docs/formats.md describes them. New ones are appended, with a default."""

    format: int = FORMAT
    job_id: int = 0
    topic: str = ""
    state: str = "new"
    reason: str = ""
    params: bytes = b""
    result: bytes | None = None
    error: bytes | None = None
    traceback: bytes | None = None
    attempts: int = 0
    max_attempts: int = 1
    priority: int = DEFAULT_PRIORITY
    created_at: int = 0
    run_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    worker: str = ""
    tags: tuple[str, ...] = ()
    version: int = 1
    at: int = 0
    by: str = ""
    token: str = ""
    lease_until: int = 0
    losses: int = 0
    timeout_ms: int = 0
    backoff: str = DEFAULT_BACKOFF
    meta: bytes = b""
    extra: Extra | None = None


Fields = tuple[int, int, str, str, str, bytes, bytes | None, bytes | None, bytes | None, int, int, int, int, int, int,
               int, str, tuple[str, ...], int, int, str, str, int, int, int, str, bytes, Extra | None]
"""The same as a tuple, which compiled code takes apart several times faster."""

NAMES: Final[tuple[str, ...]] = JobRecord.__struct_fields__
_WHOLE: Final = msgspec.msgpack.Decoder(Fields)
_SHORTER: Final = msgspec.msgpack.Decoder(JobRecord)


MAX_BATCH: Final = 1_000_000
"""Jobs of one batch that has an idempotency key."""
NO_MORE: Final = b"\xc4\x00\xc0"
"""How a record without meta and extra facts ends. One with extra facts never does: it ends with a truth value, an
older one with a number that is whole KiB or less than MAX_BATCH, never with these bytes."""


class JobHead(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first fields, read without the others."""

    format: int
    job_id: int
    topic: str
    state: str


_HEAD: Final = msgspec.msgpack.Decoder(JobHead)


def head_of(record: bytes) -> JobHead:
    """The head of a record. Raises msgspec.MsgspecError, and ValueError for a later format."""
    head = _HEAD.decode(record)
    if head.format != FORMAT:
        raise ValueError(f"job record of format {head.format}, this version reads format {FORMAT}")
    return head


def fields_of(record: bytes) -> Fields:
    """The fields of a record, with defaults for those that it is too old to have. Raises msgspec.MsgspecError."""
    try:
        return cast("Fields", _WHOLE.decode(record))
    except msgspec.ValidationError:
        return cast("Fields", msgspec.structs.astuple(_SHORTER.decode(record)))
