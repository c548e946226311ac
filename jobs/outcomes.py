"""What a handler raises to end its attempt otherwise than by returning or failing."""

from __future__ import annotations

from datetime import datetime

from jobs.options import FAR_FUTURE_MS, milliseconds, moment_ms


class Outcome(Exception):
    """Base of these; it is no failure of the program."""


class Snooze(Outcome):
    """Run the job again in so many seconds; this attempt does not count."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"snoozed for {seconds:g} s")
        self.wait_ms = max(0, min(milliseconds("the time of Snooze", seconds), FAR_FUTURE_MS))


class Discard(Outcome):
    """End the job as error now, with the reason `discarded`, whatever attempts are left."""

    def __init__(self, why: str = "discarded") -> None:
        super().__init__(why)


class RetryAt(Outcome):
    """This attempt has failed; the next one, if any is left, begins at this moment (datetime or Unix seconds)."""

    def __init__(self, when: datetime | float, why: str = "") -> None:
        super().__init__(why or f"to be tried again at {when}")
        self.at_ms = max(1, min(moment_ms(when), FAR_FUTURE_MS))
