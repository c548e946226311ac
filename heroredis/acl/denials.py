"""The ACL LOG: who was turned away, for what, newest first; like ones within a minute are counted together."""

from __future__ import annotations

from typing import Final

from heroredis.parameters import Parameters

SAME_WITHIN_MS: Final = 60_000
LOOKED_AT: Final = 10


class Denial:
    """One entry."""

    def __init__(self, reason: int, context: bytes, what: bytes, username: bytes, at_ms: int, client: bytes) -> None:
        self.reason: Final = reason
        self.context: Final = context
        self.what: Final = what
        self.username: Final = username
        self.at_ms = at_ms
        self.client = client
        self.count = 1

    def is_like(self, other: Denial) -> bool:
        return (self.reason == other.reason and self.context == other.context and self.what == other.what
                and self.username == other.username and abs(self.at_ms - other.at_ms) <= SAME_WITHIN_MS)


class Denials:
    """As many as acllog-max-len allows."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters: Final = parameters
        self.entries: Final[list[Denial]] = []

    def add(self, denial: Denial) -> None:
        for at, earlier in enumerate(self.entries[:LOOKED_AT]):
            if earlier.is_like(denial):
                earlier.client, earlier.at_ms = denial.client, denial.at_ms
                earlier.count += 1
                self.entries.insert(0, self.entries.pop(at))
                return
        self.entries.insert(0, denial)
        del self.entries[self._parameters.integer("acllog-max-len"):]
