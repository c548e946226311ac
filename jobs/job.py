"""One version of a job: a frozen record, its compact form in OurDB and its readable form as JSON."""

from __future__ import annotations

import base64
from typing import Final, cast

import msgspec

from jobs.errors import InvalidParams

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


NO_EXTRA: Final = Extra()


class Job(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A job as one of its versions shows it. Times are Unix milliseconds, 0 = not yet."""

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

    @property
    def more(self) -> Extra:
        """The rarely used facts, with their defaults where the job has none."""
        return NO_EXTRA if self.extra is None else self.extra

    @property
    def id(self) -> int:
        return self.job_id

    @property
    def text(self) -> str:
        """The params as text; InvalidParams when they are no UTF-8."""
        try:
            return self.params.decode()
        except UnicodeDecodeError as error:
            raise InvalidParams(f"the params are no UTF-8 text: {error}") from None

    def json(self) -> object:
        """The params read as JSON; InvalidParams when they are none."""
        try:
            return msgspec.json.decode(self.params)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidParams(f"the params are no JSON: {error}") from None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Job)
encode = _ENCODER.encode
"""A job as the record that OurDB keeps; docs/formats.md describes it."""


def decode(record: bytes) -> Job:
    """The job of a record; ValueError for one of a later format."""
    job = _DECODER.decode(record)
    if job.format != FORMAT:
        raise ValueError(f"job record of format {job.format}, this version reads format {FORMAT}")
    return job


def params_bytes(params: object) -> bytes:
    """What a caller gives as params: bytes and text as they are, anything else as JSON; TypeError when it cannot."""
    if isinstance(params, bytes):
        return params
    if isinstance(params, str):
        return params.encode()
    if isinstance(params, bytearray | memoryview):
        return bytes(params)
    return msgspec.json.encode(params)


def _readable(shown: dict[str, object], name: str, value: bytes | None) -> None:
    if value is None:
        shown[name] = None
        return
    try:
        shown[name] = value.decode()
    except UnicodeDecodeError:
        shown[name] = None
        shown[name + "_base64"] = base64.b64encode(value).decode()


def _show_extra(shown: dict[str, object], extra: Extra) -> None:
    for name in ("expires_at", "unique_until", "schedule", "scheduled_for", "progress", "progress_text"):
        value = cast("object", getattr(extra, name))
        if value:
            shown[name] = value
    for name, key in (("unique", extra.unique), ("idempotency", extra.idempotency)):
        if key:
            _readable(shown, name, key)


def to_json(job: Job) -> bytes:
    """The job for people and programs; bytes that are no UTF-8 come as `<name>_base64`."""
    shown: dict[str, object] = {"id": job.job_id, "topic": job.topic, "state": job.state, "reason": job.reason}
    _readable(shown, "params", job.params)
    _readable(shown, "result", job.result)
    _readable(shown, "error", job.error)
    _readable(shown, "traceback", job.traceback)
    for name in ("attempts", "max_attempts", "priority", "created_at", "run_at", "started_at", "ended_at", "worker",
                 "tags", "timeout_ms", "version", "at", "by"):
        shown[name] = cast("object", getattr(job, name))
    if job.meta:
        _readable(shown, "meta", job.meta)
    if job.extra is not None:
        _show_extra(shown, job.extra)
    return msgspec.json.encode(shown)
