"""The share's one login: Basic, compared in constant time, guessing slowed per address. Knows no WSGI."""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import time
from collections.abc import Callable
from typing import Final

FAILURES: Final = 5
WINDOW_S: Final = 60.0
REMEMBERED: Final = 10_000


class Login:
    """An empty password admits everybody. `monotonic` is the clock by which failures are counted."""

    def __init__(self, user: str, password: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._expected: Final = f"{user}:{password}".encode() if password else b""
        self._monotonic: Final = monotonic
        self._failures: Final[dict[str, list[float]]] = {}
        self._mutex: Final = threading.Lock()

    def is_slowed(self, address: str) -> bool:
        """Has this address failed too often within the last minute?"""
        with self._mutex:
            return len(self._recent(address)) >= FAILURES

    def admits(self, address: str, header: str) -> bool:
        """Is this Authorization header the right one? A wrong one is counted, a missing one is not."""
        if not self._expected:
            return True
        given = credentials(header)
        if given is None:
            return False
        right = hmac.compare_digest(given, self._expected)
        with self._mutex:
            if right:
                self._failures.pop(address, None)
            else:
                self._failures[address] = [*self._recent(address), self._monotonic()]
                if len(self._failures) > REMEMBERED:
                    self._failures.pop(next(iter(self._failures)))
        return right

    def _recent(self, address: str) -> list[float]:
        now = self._monotonic()
        return [at for at in self._failures.get(address, ()) if now - at < WINDOW_S]


def credentials(header: str) -> bytes | None:
    """`user:password` of a Basic header; None when it is none, b"" when it cannot be read."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
