"""When or how often a key was used: what OBJECT IDLETIME and FREQ answer and what eviction chooses by.

Nothing is noted until somebody needs it (a policy by least or least frequent use, or the first OBJECT IDLETIME), for
a note takes as much room as a small key. A key without a note counts as not used since noting began.
"""

from __future__ import annotations

import random
from typing import Final

OFF: Final = 0
LRU: Final = 1
LFU: Final = 2
NEW_FREQUENCY: Final = 5
"""What the counter of a new key begins with, so that it is not the first to go."""
MOST: Final = 255
_MINUTES: Final = (1 << 16) - 1


class Usage:
    """How uses are noted, for all databases. A note is the Unix second (LRU), or minute << 8 | counter (LFU)."""

    def __init__(self, rng: random.Random) -> None:
        self.mode = OFF
        self.log_factor = 10
        self.decay_minutes = 1
        self.since_s = 0
        """When noting began: the last use of a key without a note was before that."""
        self._rng: Final = rng

    def used(self, note: int, now_ms: int) -> int:
        """The note of a key that is used now; `note` is -1 when there is none."""
        if self.mode != LFU:
            return now_ms // 1000
        counter = NEW_FREQUENCY if note < 0 else self._decayed(note, now_ms)
        if note >= 0 and counter < MOST:
            base = max(0, counter - NEW_FREQUENCY)
            if self._rng.random() < 1.0 / (base * self.log_factor + 1):
                counter += 1
        return self.frequency_note(counter, now_ms)

    def _decayed(self, note: int, now_ms: int) -> int:
        """The counter, less one for each time that has passed without use."""
        passed = ((now_ms // 60000) - (note >> 8)) & _MINUTES
        periods = passed // self.decay_minutes if self.decay_minutes else 0
        return max(0, (note & MOST) - periods)

    def frequency(self, note: int, now_ms: int) -> int:
        return NEW_FREQUENCY if note < 0 else self._decayed(note, now_ms)

    def idle_s(self, note: int, now_ms: int) -> int:
        return max(0, now_ms // 1000 - (self.since_s if note < 0 else note))

    def frequency_note(self, counter: int, now_ms: int) -> int:
        return (now_ms // 60000 & _MINUTES) << 8 | counter

    def idle_note(self, seconds: int, now_ms: int) -> int:
        """The note of a key that was last used some seconds ago."""
        return max(0, now_ms // 1000 - seconds)
