"""Connections that have been silent for too long are ended (the parameter timeout)."""

from __future__ import annotations

from typing import Final

from heroredis.session.core import Core

LOOK_EVERY_MS: Final = 1000


class IdleClients:
    """Looks at all connections once a second while there is a timeout."""

    def __init__(self, core: Core) -> None:
        self._core: Final = core
        self._next_ms = 0

    def look(self, now_ms: int) -> None:
        """End those whose last request is longer ago than allowed; who waits or listens is left alone."""
        limit_ms = self._core.parameters.integer("timeout") * 1000
        if not limit_ms or now_ms < self._next_ms:
            return
        self._next_ms = now_ms + LOOK_EVERY_MS
        for client in list(self._core.clients.values()):
            listens = client.channels or client.patterns or client.shards
            if now_ms - client.active_ms > limit_ms and not client.is_blocked and not listens:
                client.hang_up()
