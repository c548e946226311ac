"""One version of a job: a frozen record, its compact form in OurDB and its readable form as JSON."""

from __future__ import annotations

import base64
from typing import Final, cast

import msgspec

from jobs.errors import InvalidParams
from jobs.job_record import (
    DEFAULT_BACKOFF,
    DEFAULT_PRIORITY,
    FORMAT,
    NAMES,
    NO_EXTRA,
    Extra,
    Fields,
    fields_of,
)
from jobs.json_value import json_bytes
from jobs.states import ACTIVE, DONE


class Job:
    """A job as one of its versions shows it, which never changes. Times are Unix milliseconds, 0 = not yet.

    A plain class, not a msgspec one: compiled code reads and copies it many times faster."""

    def __init__(
        self, format: int = FORMAT, job_id: int = 0, topic: str = "", state: str = "new", reason: str = "",
        params: bytes = b"", result: bytes | None = None, error: bytes | None = None, traceback: bytes | None = None,
        attempts: int = 0, max_attempts: int = 1, priority: int = DEFAULT_PRIORITY, created_at: int = 0,
        run_at: int = 0, started_at: int = 0, ended_at: int = 0, worker: str = "", tags: tuple[str, ...] = (),
        version: int = 1, at: int = 0, by: str = "", token: str = "", lease_until: int = 0, losses: int = 0,
        timeout_ms: int = 0, backoff: str = DEFAULT_BACKOFF, meta: bytes = b"", extra: Extra | None = None,
    ) -> None:
        self.format: Final = format
        self.job_id: Final = job_id
        self.topic: Final = topic
        self.state: Final = state
        self.reason: Final = reason
        self.params: Final = params
        self.result: Final = result
        self.error: Final = error
        self.traceback: Final = traceback
        self.attempts: Final = attempts
        self.max_attempts: Final = max_attempts
        self.priority: Final = priority
        self.created_at: Final = created_at
        self.run_at: Final = run_at
        self.started_at: Final = started_at
        self.ended_at: Final = ended_at
        self.worker: Final = worker
        self.tags: Final = tags
        self.version: Final = version
        self.at: Final = at
        self.by: Final = by
        self.token: Final = token
        self.lease_until: Final = lease_until
        self.losses: Final = losses
        self.timeout_ms: Final = timeout_ms
        self.backoff: Final = backoff
        self.meta: Final = meta
        self.extra: Final = extra

    def fields(self) -> Fields:
        """All of it, in the order of the record."""
        return (self.format, self.job_id, self.topic, self.state, self.reason, self.params, self.result, self.error,
                self.traceback, self.attempts, self.max_attempts, self.priority, self.created_at, self.run_at,
                self.started_at, self.ended_at, self.worker, self.tags, self.version, self.at, self.by, self.token,
                self.lease_until, self.losses, self.timeout_ms, self.backoff, self.meta, self.extra)

    def started(self, now: int, worker: str, token: str, lease_until: int) -> Job:
        """The next version: active, one more attempt."""
        return Job(self.format, self.job_id, self.topic, ACTIVE, "", self.params, self.result, self.error,
                   self.traceback, self.attempts + 1, self.max_attempts, self.priority, self.created_at, 0, now,
                   self.ended_at, worker, self.tags, self.version + 1, now, worker, token, lease_until, self.losses,
                   self.timeout_ms, self.backoff, self.meta, self.extra)

    def done(self, now: int, by: str, result: bytes) -> Job:
        """The next version: ended well."""
        return Job(self.format, self.job_id, self.topic, DONE, "", self.params, result, None, None, self.attempts,
                   self.max_attempts, self.priority, self.created_at, self.run_at, self.started_at, now, self.worker,
                   self.tags, self.version + 1, now, by, "", 0, self.losses, self.timeout_ms, self.backoff, self.meta,
                   self.extra)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash((self.job_id, self.version))

    def __repr__(self) -> str:
        return "Job(" + ", ".join([f"{name}={value!r}" for name, value in zip(NAMES, self.fields(), strict=True)]) + ")"

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
            return cast("object", msgspec.json.decode(self.params))
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidParams(f"the params are no JSON: {error}") from None

    def result_json(self) -> object:
        """The result read as JSON, None when there is none; ValueError when it is none."""
        if not self.result:
            return None
        try:
            return cast("object", msgspec.json.decode(self.result))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the result of job {self.job_id} is no JSON: {error}; `result` has its bytes") from None


_ENCODER: Final = msgspec.msgpack.Encoder()


def replace(job: Job, **changes: object) -> Job:
    """A copy with some fields changed. TypeError for a field that there is not."""
    fields: dict[str, object] = dict(zip(NAMES, job.fields(), strict=True))
    fields.update(changes)
    return Job(**fields)  # type: ignore[arg-type]


def encode(job: Job) -> bytes:
    """A job as the record that OurDB keeps; docs/formats.md describes it."""
    return _ENCODER.encode(job.fields())


def decode(record: bytes) -> Job:
    """The job of a record; ValueError for one of a later format."""
    fields = fields_of(record)
    if fields[0] != FORMAT:
        raise ValueError(f"job record of format {fields[0]}, this version reads format {FORMAT}")
    return Job(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6], fields[7], fields[8],
               fields[9], fields[10], fields[11], fields[12], fields[13], fields[14], fields[15], fields[16],
               fields[17], fields[18], fields[19], fields[20], fields[21], fields[22], fields[23], fields[24],
               fields[25], fields[26], fields[27])


def params_bytes(params: object) -> bytes:
    """What a caller gives as params: bytes and text as they are, anything else as JSON; TypeError or
    ValueError when it cannot."""
    if isinstance(params, bytes):
        return params
    if isinstance(params, str):
        return params.encode()
    if isinstance(params, bytearray | memoryview):
        return bytes(params)
    return json_bytes(params)


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
