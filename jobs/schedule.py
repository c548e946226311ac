"""Appointments: which job has to be looked at when (its delay, its next attempt, the end of its lease)."""

from __future__ import annotations

import heapq


class Schedule:
    """A heap of (ms, job id), by one clock. Whether an appointment still holds is for who made it to say."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []

    def add(self, at_ms: int, job_id: int) -> None:
        heapq.heappush(self._heap, (at_ms, job_id))

    def next_at(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def is_due(self, now_ms: int) -> bool:
        return bool(self._heap) and self._heap[0][0] <= now_ms

    def due(self, now_ms: int, limit: int) -> list[int]:
        """Up to `limit` ids whose time has come, soonest first; they are taken off."""
        found: list[int] = []
        while self._heap and self._heap[0][0] <= now_ms and len(found) < limit:
            found.append(heapq.heappop(self._heap)[1])
        return found
