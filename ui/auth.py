"""Login of the web UI: password check, sessions, and the brake on guessing.

Knows nothing of HTTP: the application hands in a caller's address and gets an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from heroredis.extension import Clock

SESSION_SECONDS: Final = 12 * 3600
MAX_SESSIONS: Final = 1000
MAX_CALLERS: Final = 1000
FREE_FAILURES: Final = 5
FAILURE_WINDOW: Final = 60.0
MAX_DELAY: Final = 60.0
MAX_PASSWORD_BYTES: Final = 1024
_SCRYPT_COST: Final = 2**14


class Brake:
    """Counts failed logins of each caller; from the fifth in a minute on, a growing pause is asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Seconds until this caller may try again; 0 when it may try now."""
        failures = self._failures.get(caller)
        if failures is None:
            return 0.0
        now = self._clock.monotonic()
        while failures and now - failures[0] > FAILURE_WINDOW:
            failures.popleft()
        if len(failures) < FREE_FAILURES:
            return 0.0
        delay = min(MAX_DELAY, 2.0 ** (len(failures) - FREE_FAILURES + 1))
        return max(0.0, failures[-1] + delay - now)

    def failed(self, caller: str) -> None:
        failures = self._failures.setdefault(caller, deque(maxlen=32))
        failures.append(self._clock.monotonic())
        self._failures.move_to_end(caller)
        while len(self._failures) > MAX_CALLERS:
            self._failures.popitem(last=False)

    def succeeded(self, caller: str) -> None:
        self._failures.pop(caller, None)


class Gate:
    """Who may see the UI. Open to everybody when no password is set."""

    def __init__(self, password: str, clock: Clock) -> None:
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._hash = self._derive(password.encode()) if password else b""
        self._sessions: OrderedDict[bytes, float] = OrderedDict()
        self._turn = asyncio.Lock()
        self.brake = Brake(clock)

    @property
    def closed(self) -> bool:
        return bool(self._hash)

    async def check(self, password: str, caller: str) -> bool:
        """Compare a password in constant time. One at a time, so that guessing cannot fill memory or CPUs."""
        offered = password.encode(errors="replace")[:MAX_PASSWORD_BYTES]
        async with self._turn:
            if self.brake.wait_s(caller) > 0:
                return False
            derived = await asyncio.to_thread(self._derive, offered)
            right = hmac.compare_digest(derived, self._hash)
            if right:
                self.brake.succeeded(caller)
            else:
                self.brake.failed(caller)
            return right

    def open_session(self) -> str:
        token = secrets.token_urlsafe(32)
        self._sessions[self._key(token)] = self._clock.monotonic() + SESSION_SECONDS
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def knows(self, token: str) -> bool:
        key = self._key(token)
        ends = self._sessions.get(key)
        if ends is None:
            return False
        if ends <= self._clock.monotonic():
            del self._sessions[key]
            return False
        return True

    def close_session(self, token: str) -> None:
        self._sessions.pop(self._key(token), None)

    @staticmethod
    def _key(token: str) -> bytes:
        return hashlib.sha256(token.encode(errors="replace")).digest()

    def _derive(self, password: bytes) -> bytes:
        return hashlib.scrypt(password[:MAX_PASSWORD_BYTES], salt=self._salt, n=_SCRYPT_COST, r=8, p=1)
