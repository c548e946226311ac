"""How the embedded workers share the loop with everything else that runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

TURN_S: Final = 0.005
"""How long the workers together run jobs before they let the loop do something else."""
LOOK_EVERY: Final = 8
"""Jobs between two looks at the time."""


def first_of(names: dict[str, None]) -> str:
    """Whose turn it is; empty when nobody stands in line."""
    for name in names:
        return name
    return ""


class Turns:
    """The workers' share of each turn of the loop. When it is used up one worker waits for the next turn; the others
    that come lie down until it wakes them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now: Final = now
        self._is_open = False
        self._is_over = False
        self._someone_waits = False
        self._until = 0.0
        self._jobs = 0

    def is_over(self) -> bool:
        if not self._is_open:
            self._is_open = True
            self._is_over = False
            self._until = self._now() + TURN_S
            asyncio.get_running_loop().call_soon(self._close)
            return False
        self._jobs += 1
        if not self._is_over and self._jobs % LOOK_EVERY == 0:
            self._is_over = self._now() >= self._until
        return self._is_over

    def _close(self) -> None:
        self._is_open = False

    async def next(self, lie_down: Callable[[], Awaitable[None]]) -> bool:
        """Whether the worker may go on, in the next turn."""
        if self._someone_waits:
            await lie_down()
            return False
        self._someone_waits = True
        try:
            await asyncio.sleep(0)
        finally:
            self._someone_waits = False
        return True
