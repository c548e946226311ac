"""Durations as people write them in settings: "100ms", "5s", "1.5h"; knows nothing else."""

from __future__ import annotations

from typing import Final

_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FIX: Final = "give a duration such as 100ms, 5s, 2m or 1h"


def parse_duration_ms(value: object) -> int:
    """Milliseconds; a plain number already is that. Raises ValueError with the fix."""
    if isinstance(value, bool):
        raise ValueError(_FIX)
    if isinstance(value, int):
        milliseconds = float(value)
    else:
        text = str(value).strip().lower()
        digits = text.rstrip("mshd")
        unit = text[len(digits):] or "ms"
        try:
            milliseconds = float(digits) * _UNITS[unit]
        except (KeyError, ValueError):
            raise ValueError(_FIX) from None
    if not 0 <= milliseconds < 1e15:
        raise ValueError(_FIX)
    return round(milliseconds)
