"""What a creator may say about a job beyond topic and params, checked in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from jobs.errors import BadOption
from jobs.job import params_bytes
from jobs.job_record import DEFAULT_PRIORITY, MAX_BATCH, Extra
from jobs.retry import check_backoff

NO_KEY_TO_KEEP: Final = "KEEP is the time of an IDEMPOTENCY key, give IDEMPOTENCY too"
MAX_TOPIC_BYTES: Final = 255
MAX_RETRIES: Final = 1_000_000
MAX_TAGS: Final = 64
MAX_KEY: Final = 512
MAX_META: Final = 1024 * 1024
IDEMPOTENCY_MS: Final = 7 * 86_400_000
"""How long an idempotency key is kept when nothing else is asked for."""
FAR_FUTURE_MS: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Defaults are those of JOB.CREATE. `retries` None = the handler's own, else 0; `delay_ms` counts from now."""

    delay_ms: int = 0
    run_at: int = 0
    priority: int = DEFAULT_PRIORITY
    retries: int | None = None
    backoff: str = ""
    """Empty = the handler's own, else exponential."""
    timeout_ms: int = 0
    tags: tuple[str, ...] = ()
    meta: bytes = b""
    expire_ms: int = 0
    """The job ends as `expired` when it was not started so long after it could have been."""
    unique: bytes = b""
    unique_ttl_ms: int = 0
    idempotency: bytes = b""
    idempotency_ms: int = IDEMPOTENCY_MS
    schedule: str = ""
    scheduled_for: int = 0
    batch: int = 0
    """How many jobs are made together under this idempotency key; 0 = one alone."""

    @property
    def has_extra(self) -> bool:
        """Whether the job needs more than the usual facts."""
        return bool(self.expire_ms or self.unique or self.idempotency or self.schedule or self.retries == 0)

    def extra(self, now: int, run_at: int) -> Extra:
        """The rarely used facts of a job that is made now."""
        return Extra(
            expires_at=max(now, run_at) + self.expire_ms if self.expire_ms else 0, unique=self.unique,
            unique_until=now + self.unique_ttl_ms if self.unique_ttl_ms else 0, idempotency=self.idempotency,
            idempotency_until=now + self.idempotency_ms if self.idempotency else 0, schedule=self.schedule,
            scheduled_for=self.scheduled_for, batch=self.batch, runs_once=self.retries == 0,
        )

    def of_batch(self, count: int) -> tuple[JobOptions, JobOptions]:
        """For the first and for the others of several jobs that are made together: the first one holds the key of
        all. Raises BadOption."""
        self.check()
        if count > 1 and self.unique:
            raise BadOption("UNIQUE is for one job, not for several at once; inside MULTI each JOB.CREATE has its own")
        if not self.idempotency:
            return self, self
        if count > MAX_BATCH:
            raise BadOption(f"{count} jobs cannot be made under one idempotency key, give at most {MAX_BATCH}")
        others = replace(self, idempotency=b"", idempotency_ms=IDEMPOTENCY_MS)
        return replace(self, batch=count), PLAIN if others == PLAIN else others

    def check(self) -> None:
        """Raises BadOption and names the option and the fix."""
        if self.delay_ms and self.run_at:
            raise BadOption("give DELAY or AT, not both")
        _between("DELAY", self.delay_ms, 0, FAR_FUTURE_MS)
        _between("AT", self.run_at, 0, FAR_FUTURE_MS)
        _between("PRIORITY", self.priority, 0, 255)
        _between("TIMEOUT", self.timeout_ms, 0, FAR_FUTURE_MS)
        _between("EXPIRE", self.expire_ms, 0, FAR_FUTURE_MS)
        _between("TTL", self.unique_ttl_ms, 0, FAR_FUTURE_MS)
        _between("the time of IDEMPOTENCY", self.idempotency_ms, 1, FAR_FUTURE_MS)
        if len(self.unique) > MAX_KEY or len(self.idempotency) > MAX_KEY:
            raise BadOption(f"UNIQUE and IDEMPOTENCY keys have up to {MAX_KEY} bytes")
        if self.unique_ttl_ms and not self.unique:
            raise BadOption("TTL is the time of a UNIQUE key, give UNIQUE too")
        if self.retries is not None:
            check_retries("RETRY", self.retries)
        if self.backoff:
            check_backoff(self.backoff)
        if len(self.tags) > MAX_TAGS or not all(_is_tag(tag) for tag in self.tags):
            raise BadOption(f"give at most {MAX_TAGS} tags of 1 to {MAX_TOPIC_BYTES} characters")
        if len(self.meta) > MAX_META:
            raise BadOption(f"META has {len(self.meta)} bytes, at most {MAX_META} are kept")
        if self.meta:
            try:
                meta = msgspec.json.decode(self.meta)
            except (msgspec.DecodeError, RecursionError):
                raise BadOption("META must be a JSON object") from None
            if not isinstance(meta, dict):
                raise BadOption("META must be a JSON object")


PLAIN: Final = JobOptions()


def _is_tag(tag: object) -> bool:
    """Text that can be written down; Python programs give other things, too."""
    return isinstance(tag, str) and 0 < len(tag) <= MAX_TOPIC_BYTES and is_text(tag)


def is_text(text: str) -> bool:
    """Whether it can be encoded; half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_retries(name: str, retries: int) -> None:
    """Raises BadOption."""
    _between(name, retries, 0, MAX_RETRIES)


def _between(name: str, value: int, low: int, high: int) -> None:
    check_whole(name, value)
    if not low <= value <= high:
        raise BadOption(f"{name} {value} is out of range, give {low} to {high}")


def check_whole(name: str, value: object) -> None:
    """BadOption for what a record could not hold as a whole number: 5.5, True."""
    if type(value) is not int:
        raise BadOption(f"{name} {value!r} is no whole number")


def check_topic(topic: str) -> str:
    """The topic itself; BadOption when it cannot be one."""
    if not topic or len(topic.encode("utf-8", "surrogateescape")) > MAX_TOPIC_BYTES:
        raise BadOption(f"a topic has 1 to {MAX_TOPIC_BYTES} bytes")
    if not topic.isprintable():
        raise BadOption("a topic is printable UTF-8 text without control characters")
    return topic


Moment = datetime | float | None
"""A point in time: a datetime (with its zone, or local) or Unix seconds."""


def moment_ms(moment: Moment) -> int:
    """Unix milliseconds, 0 for None."""
    if moment is None:
        return 0
    return milliseconds("AT", moment.timestamp() if isinstance(moment, datetime) else moment)


def milliseconds(name: str, seconds: float) -> int:
    """Seconds of a Python program as whole milliseconds; BadOption for what is no number of them, NaN too."""
    try:
        return round(seconds * 1000)
    except (TypeError, ValueError, OverflowError):
        raise BadOption(f"{name} {seconds!r} is no number of seconds") from None


def _key(key: object) -> bytes:
    if isinstance(key, str) and is_text(key):
        return key.encode()
    if not isinstance(key, bytes):
        raise BadOption("UNIQUE and IDEMPOTENCY keys are UTF-8 text or bytes")
    return key


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str | bytes):
        raise BadOption(f"give tags as a list of them, not as {tags!r}")
    return tuple(tags)


def chosen(*, delay: float = 0, run_at: Moment = None, priority: int | None = None, retries: int | None = None,
           timeout: float = 0, backoff: str | None = None, expire: float = 0, unique: str | bytes = b"",
           unique_ttl: float = 0, idempotency: str | bytes = b"", idempotency_ttl: float = 0, tags: Sequence[str] = (),
           meta: object = None) -> JobOptions:
    """Options as Python programs give them: times in seconds. Raises BadOption."""
    if idempotency_ttl and not idempotency:
        raise BadOption(NO_KEY_TO_KEEP)
    return JobOptions(
        delay_ms=milliseconds("DELAY", delay), run_at=moment_ms(run_at), timeout_ms=milliseconds("TIMEOUT", timeout),
        retries=retries, priority=PLAIN.priority if priority is None else priority, backoff=backoff or "",
        tags=_tags(tags), meta=b"" if meta is None else params_bytes(meta), expire_ms=milliseconds("EXPIRE", expire),
        unique=_key(unique), unique_ttl_ms=milliseconds("TTL", unique_ttl), idempotency=_key(idempotency),
        idempotency_ms=milliseconds("KEEP", idempotency_ttl) or IDEMPOTENCY_MS,
    )
