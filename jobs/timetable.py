"""When a schedule is due: a cron expression in a time zone, or a fixed interval. Moments are Unix milliseconds.

Cron is read as Debian's cron reads it, daylight saving included; six fields begin with the seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from jobs.errors import BadOption

SHORTEST_MS: Final = 10
LONGEST_MS: Final = 10 * 365 * 86_400_000
LATEST_MS: Final = 250_000_000_000_000
"""In the year 9892: after that dates have no names."""
MACROS: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}


class Timetable(Protocol):
    """Moments in order, without end."""

    def after(self, moment: int) -> int:
        """The first moment after this one."""
        ...

    def until(self, moment: int) -> int:
        """The last moment not after this one; 0 when there is none."""
        ...


class Every:
    """Moments `every_ms` apart, the first at `start`."""

    def __init__(self, every_ms: int, start: int) -> None:
        if not SHORTEST_MS <= every_ms <= LONGEST_MS:
            raise BadOption(f"EVERY {every_ms} is out of range, give {SHORTEST_MS} to {LONGEST_MS} milliseconds")
        self.every_ms: Final = every_ms
        self._start: Final = start

    def after(self, moment: int) -> int:
        if moment < self._start:
            return self._start
        return moment - (moment - self._start) % self.every_ms + self.every_ms

    def until(self, moment: int) -> int:
        return 0 if moment < self._start else moment - (moment - self._start) % self.every_ms


class Cron:
    """The moments of a cron expression, none before `start`."""

    def __init__(self, expression: str, zone: str, start: int = 0) -> None:
        self._expression: Final = MACROS.get(expression.lower(), expression)
        self._zone: Final = zone_of(zone)
        self._start: Final = start
        try:
            next(CronSim(self._expression, datetime(2026, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            raise BadOption(f"cron expression {expression!r} cannot be read ({error}): give five fields, minute hour "
                            "day month weekday, or six that begin with the seconds") from None

    def _at(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment / 1000, self._zone)

    def after(self, moment: int) -> int:
        found = next(CronSim(self._expression, self._at(max(moment, self._start - 1))))
        return round(found.timestamp() * 1000)

    def until(self, moment: int) -> int:
        try:
            # It looks before the second that it is given, so that the moment itself counts.
            found = next(CronSim(self._expression, self._at(moment // 1000 * 1000 + 1000), reverse=True))
        except StopIteration:
            return 0
        last = round(found.timestamp() * 1000)
        return last if last >= self._start else 0


def check_start(start: int) -> None:
    if start > LATEST_MS:
        raise BadOption(f"START {start} is out of range, give up to {LATEST_MS}")


def zone_of(name: str) -> tzinfo:
    """A time zone by its name; BadOption when there is none."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadOption(f"time zone {name!r} does not exist, give a name such as Europe/Berlin or UTC") from None
