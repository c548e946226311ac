"""What all connections take together, and which of them end when that is more than maxmemory-clients.

A connection is looked at when it has run requests or was sent something, and all of them once a tick. Without a limit
nothing is kept. Knows no socket; sizes are those of CLIENT LIST.
"""

from __future__ import annotations

from typing import Final

from heroredis.parameters import Parameters
from heroredis.session.client import Client
from heroredis.session.listing import REPLY_ROOM_MS, memory_of

LARGE_INPUT_MS: Final = 500
"""So long the room of a large request is kept."""


class Crowd:
    """Sizes of the connections, while there is a limit."""

    def __init__(self, clients: dict[int, Client], parameters: Parameters) -> None:
        self.limit = 0
        """Bytes; 0 = none."""
        self.evicted = 0
        self.is_ending = False
        """Connections are to be ended in the next turn of the loop."""
        self.reply_room_ms = REPLY_ROOM_MS
        self.large_inputs: Final[dict[Client, int]] = {}
        """Who sent a large request lately, and when."""
        self._clients: Final = clients
        self._parameters: Final = parameters
        self._sizes: Final[dict[Client, int]] = {}
        self._total = 0

    def adapt(self) -> None:
        """The parameters may have changed; a negative number is a share of maxmemory."""
        number = self._parameters.integer("maxmemory-clients")
        self.limit = number if number >= 0 else self._parameters.integer("maxmemory") * -number // 100
        self.count()

    def count(self) -> None:
        """Look at all connections."""
        self._sizes.clear()
        self._total = 0
        if self.limit:
            for client in self._clients.values():
                size = self._sizes[client] = memory_of(client)
                self._total += size

    @property
    def is_over(self) -> bool:
        return self.limit > 0 and self._total >= self.limit

    def note(self, client: Client) -> bool:
        """Look at one connection; whether all together take too much now."""
        if client.client_id not in self._clients:
            return False
        size = memory_of(client)
        self._total += size - self._sizes.get(client, 0)
        self._sizes[client] = size
        return self._total >= self.limit

    def forget(self, client: Client) -> None:
        self._total -= self._sizes.pop(client, 0)
        self.large_inputs.pop(client, None)

    def forget_large_inputs(self, now_ms: int) -> None:
        """Their room is kept for the next request, but not for long."""
        for client, at_ms in list(self.large_inputs.items()):
            if now_ms - at_ms >= LARGE_INPUT_MS and client.unfinished()[1] == 0:
                del self.large_inputs[client]
                if client.forget_largest is not None:
                    client.forget_largest()

    def surplus(self) -> list[Client]:
        """The largest connections, as many as have to go; never one that is to be spared (CLIENT NO-EVICT)."""
        found: list[Client] = []
        left = self._total
        for client, size in sorted(self._sizes.items(), key=_size, reverse=True):
            if left < self.limit:
                break
            if not client.no_evict:
                found.append(client)
                left -= size
        return found

    def shown(self) -> bytes:
        """How many connections there are of each size, by powers of two, and what they take."""
        counts: dict[int, int] = {}
        sums: dict[int, int] = {}
        for size in self._sizes.values():
            power = max(size, 1).bit_length()
            counts[power] = counts.get(power, 0) + 1
            sums[power] = sums.get(power, 0) + size
        return b"".join(b"clients of less than %d bytes: %d, together %d\n" % (1 << power, counts[power], sums[power])
                        for power in sorted(counts, reverse=True))


def _size(item: tuple[Client, int]) -> int:
    return item[1]
