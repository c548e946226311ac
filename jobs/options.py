"""What a creator may say about a job beyond topic and params, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from jobs.errors import BadOption
from jobs.job import DEFAULT_BACKOFF, DEFAULT_PRIORITY
from jobs.retry import check_backoff

MAX_TOPIC_BYTES: Final = 255
MAX_RETRIES: Final = 1_000_000
MAX_TAGS: Final = 64
FAR_FUTURE_MS: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Defaults are those of JOB.CREATE. `retries` None = the handler's own, else 0; `delay_ms` counts from now."""

    delay_ms: int = 0
    run_at: int = 0
    priority: int = DEFAULT_PRIORITY
    retries: int | None = None
    backoff: str = DEFAULT_BACKOFF
    timeout_ms: int = 0
    tags: tuple[str, ...] = ()
    meta: bytes = b""

    def check(self) -> None:
        """Raises BadOption and names the option and the fix."""
        _between("DELAY", self.delay_ms, 0, FAR_FUTURE_MS)
        _between("AT", self.run_at, 0, FAR_FUTURE_MS)
        _between("PRIORITY", self.priority, 0, 255)
        _between("TIMEOUT", self.timeout_ms, 0, FAR_FUTURE_MS)
        if self.retries is not None:
            _between("RETRY", self.retries, 0, MAX_RETRIES)
        check_backoff(self.backoff)
        if len(self.tags) > MAX_TAGS or any(not tag or len(tag) > MAX_TOPIC_BYTES for tag in self.tags):
            raise BadOption(f"give at most {MAX_TAGS} tags of 1 to {MAX_TOPIC_BYTES} characters")
        if self.meta:
            try:
                meta = msgspec.json.decode(self.meta)
            except (msgspec.DecodeError, RecursionError):
                raise BadOption("META must be a JSON object") from None
            if not isinstance(meta, dict):
                raise BadOption("META must be a JSON object")


PLAIN: Final = JobOptions()


def _between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BadOption(f"{name} {value} is out of range, give {low} to {high}")


def check_topic(topic: str) -> str:
    """The topic itself; BadOption when it cannot be one."""
    if not topic or len(topic.encode("utf-8", "surrogateescape")) > MAX_TOPIC_BYTES:
        raise BadOption(f"a topic has 1 to {MAX_TOPIC_BYTES} bytes")
    if not topic.isprintable():
        raise BadOption("a topic is printable UTF-8 text without control characters")
    return topic
