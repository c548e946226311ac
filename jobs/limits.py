"""How large what a job carries may be. What is larger is refused, before anything is changed."""

from __future__ import annotations

from typing import Final

from jobs.errors import Refused

MAX_ERROR: Final = 64 * 1024
"""Errors and tracebacks are cut to this, never refused: the failure itself must be kept."""
MAX_LINE: Final = 8 * 1024
"""A log line is cut to this many characters."""
MAX_LINES: Final = 1000
"""Log lines and steps of progress that are kept with one job."""


class Limits:
    """Bytes that params and results may have; losses after which a job is set aside (0 = never); jobs that are held
    whole in memory before new ones rest in the store."""

    def __init__(self, params: int = 16 * 1024 * 1024, result: int = 16 * 1024 * 1024, losses: int = 3,
                 held: int = 10_000) -> None:
        self.params: Final = params
        self.result: Final = result
        self.losses: Final = losses
        self.held: Final = held

    def check_params(self, params: bytes) -> None:
        if len(params) > self.params:
            raise Refused(f"the params have {len(params)} bytes, at most {self.params} are kept; keep large data "
                          "elsewhere and name it in the params")

    def check_result(self, result: bytes) -> None:
        if len(result) > self.result:
            raise Refused(f"the result has {len(result)} bytes, at most {self.result} are kept; keep large data "
                          "elsewhere and name it in the result")


def cut(text: bytes) -> bytes:
    """An error as it is kept."""
    return text if len(text) <= MAX_ERROR else text[:MAX_ERROR] + b" (cut)"
