"""Requests of the command line that go on over a restart of the server: for what only waits and changes nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final

from jobs.link import CannotConnect, Link, Refusal

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
PATIENCE_S: Final = 60.0
"""How long a server that is away is waited for."""


class Patience:
    """A link that is made again when it breaks."""

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._link: Final = link
        self._clock: Final = clock
        self._sleep: Final = sleep

    def call(self, *words: object) -> Any:
        """The answer, asked for again when the server went away meanwhile. Raises Refusal; CannotConnect when it stays
        away."""
        is_connected, until, pause = True, 0.0, FIRST_PAUSE_S
        while True:
            try:
                if not is_connected:
                    self._link.open_again()
                return self._link.call(*words)
            except (CannotConnect, Refusal) as lost:
                if isinstance(lost, Refusal) and lost.code != "LOADING":
                    raise
                if not until:
                    until = self._clock() + PATIENCE_S
                    print(f"heroredis: {lost}; waiting for it", file=sys.stderr, flush=True)
                elif self._clock() >= until:
                    raise CannotConnect(f"{lost}; waited for {PATIENCE_S:g} s") from None
                is_connected = isinstance(lost, Refusal)
            self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
