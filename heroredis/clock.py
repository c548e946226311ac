"""Time, taken from outside: whoever needs it is handed a Clock, so that a test can freeze and step it."""

from __future__ import annotations

import time

from librt.time import time as seconds
from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Clock:
    """Wall clock in Unix milliseconds for appointments, monotonic seconds for leases and timeouts."""

    def now_ms(self) -> int:
        return int(seconds() * 1000.0)

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        return time.monotonic()


class SystemClock(Clock):
    """The machine's own clock."""


class ManualClock(Clock):
    """A clock that stands still until it is told to advance."""

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._wall_ms = start_ms
        self._monotonic = 0.0

    def now_ms(self) -> int:
        return self._wall_ms

    def now_us(self) -> int:
        return self._wall_ms * 1000

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass on both clocks."""
        self._wall_ms += ms
        self._monotonic += ms / 1000

    def jump(self, ms: int) -> None:
        """Set the wall clock alone forward or back, as an administrator or NTP does."""
        self._wall_ms += ms
