"""How long a failed job waits before its next attempt: `fixed:MS`, `exp:MS[:MAX[:JITTER%]]`, `list:MS,MS,...`."""

from __future__ import annotations

import random
from typing import Final

from jobs.errors import BadOption

_FIX: Final = "give fixed:MS, exp:MS[:MAX[:JITTER%]] or list:MS,MS,..."
_LONGEST_MS: Final = 10 * 365 * 86_400_000
_DIGITS: Final = 18
_LONGEST: Final = 4096
"""Characters of a spec: it is kept with every job."""


def _number(text: str, spec: str, most: int = _LONGEST_MS) -> int:
    if not text.isdecimal() or len(text) > _DIGITS or int(text) > most:
        raise BadOption(f"backoff {spec!r} cannot be read: {_FIX}")
    return int(text)


def check_backoff(spec: str) -> str:
    """The spec itself; BadOption when it cannot be read."""
    if not isinstance(spec, str) or len(spec) > _LONGEST:
        raise BadOption(f"a backoff is text of up to {_LONGEST} characters: {_FIX}")
    delay_ms(spec, 1, random.Random(0))
    return spec


def delay_ms(spec: str, attempt: int, rng: random.Random) -> int:
    """Milliseconds to wait after failed attempt number `attempt` (from 1)."""
    kind, _, rest = spec.partition(":")
    if kind == "fixed":
        return _number(rest, spec)
    if kind == "list":
        delays = [_number(part, spec) for part in rest.split(",")]
        return delays[min(attempt, len(delays)) - 1]
    if kind != "exp":
        raise BadOption(f"backoff {spec!r} cannot be read: {_FIX}")
    parts = rest.split(":")
    if not 1 <= len(parts) <= 3:
        raise BadOption(f"backoff {spec!r} cannot be read: {_FIX}")
    base = _number(parts[0], spec)
    most = _number(parts[1], spec) if len(parts) > 1 else 3_600_000
    jitter = _number(parts[2].rstrip("%"), spec, 100) if len(parts) > 2 else 0
    delay = min(base << min(attempt - 1, 40), most)
    return round(delay * (1 + rng.uniform(-jitter, jitter) / 100)) if jitter else delay
