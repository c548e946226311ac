"""When a schedule is due: a cron expression in a time zone, or a fixed interval. Moments are Unix milliseconds.

Cron is read as Debian's cron reads it, daylight saving included; six fields begin with the seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from jobs.errors import BadOption

SHORTEST_MS: Final = 10
LONGEST_MS: Final = 10 * 365 * 86_400_000
NOTHING: Final = timedelta()
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
        check_every(every_ms)
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
        whole = MACROS.get(expression.lower(), expression)
        self._zone: Final = zone_of(zone)
        self._start: Final = start
        try:
            next(CronSim(whole, datetime(2026, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            raise BadOption(f"cron expression {expression!r} cannot be read ({error}): give five fields, minute hour "
                            "day month weekday, or six that begin with the seconds") from None

        self._is_fixed: Final = _is_fixed(whole)
        self._expression, self._seconds = _parts(whole)

    def _at(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment / 1000, self._zone)

    def after(self, moment: int) -> int:
        moment = max(moment, self._start - 1)
        if self._seconds != [0]:
            within = self._minute_until(moment)
            for second in self._seconds:
                if within and within + second > moment:
                    return within + second
        # In an hour that the clock runs through twice the first ones found are those of its first time.
        coming = (_ms(found) for found in CronSim(self._expression, self._at(moment)))
        return next(found for found in coming if found > moment) + self._seconds[0]

    def until(self, moment: int) -> int:
        within = self._minute_until(moment)
        past = [within + second for second in self._seconds if within and within + second <= moment]
        if not past and within:
            within = self._minute_until(within - 1)
            past = [within + self._seconds[-1]] if within else []
        return past[-1] if past and past[-1] >= self._start else 0

    def _minute_until(self, moment: int) -> int:
        """The last moment, without the seconds that were taken apart, that is not after this one; 0 = none."""
        # It looks before the second that it is given, so that the moment itself counts.
        begin = self._at(moment // 1000 * 1000 + 1000)
        if begin.fold and self._is_fixed:  # the clock shows this hour again: what it shows later has been already
            begin += (begin.replace(fold=0).utcoffset() or NOTHING) - (begin.utcoffset() or NOTHING)
        gone = (_ms(found) for found in CronSim(self._expression, begin, reverse=True))
        return next((found for found in gone if found <= moment), 0)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _is_fixed(expression: str) -> bool:
    """Whether it names minutes and hours of the day, and so happens once even when the clock shows these twice."""
    minute, hour = expression.split()[-5:-3]
    return not minute.startswith("*") and not hour.startswith("*")


def _parts(expression: str) -> tuple[str, list[int]]:
    """The expression to look for, and the milliseconds behind each moment of it that are meant. Seconds of a certain
    minute and hour are taken apart from it, so that they are read over daylight saving as that minute is."""
    fields = expression.split()
    if len(fields) < 6 or not _is_fixed(expression):
        return expression, [0]
    seconds = sorted(second for second in Field.SECOND.parse(fields[0]) if isinstance(second, int))
    return " ".join(fields[1:]), [1000 * second for second in seconds]


def check_every(every_ms: int) -> None:
    """BadOption for an interval that is too short or too long, 0 too."""
    if not SHORTEST_MS <= every_ms <= LONGEST_MS:
        raise BadOption(f"EVERY {every_ms} is out of range, give {SHORTEST_MS} to {LONGEST_MS} milliseconds")


def check_start(start: int) -> None:
    if start > LATEST_MS:
        raise BadOption(f"START {start} is out of range, give up to {LATEST_MS}")


def zone_of(name: str) -> tzinfo:
    """A time zone by its name; BadOption when there is none."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadOption(f"time zone {name!r} does not exist, give a name such as Europe/Berlin or UTC") from None
