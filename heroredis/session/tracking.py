"""Client-side caching: what a tracking client has read, or which prefixes it watches, and whom a write concerns.

Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

import asyncio
from typing import Final

from heroredis.encoding import NULL3
from heroredis.keyspace.change import EVICTED, EXPIRED, ChangeListener
from heroredis.keyspace.space import Space
from heroredis.registry import SUBSCRIBED, TRACKING
from heroredis.reply import Encoded
from heroredis.session.client import Client, Tracked

CHANNEL: Final = b"__redis__:invalidate"
PER_STEP: Final = 1000
Writer = Client | None


class Prefix:
    """One prefix: who watches it, and which keys were written since it was last told, by whom."""

    def __init__(self) -> None:
        self.clients: Final[dict[Client, None]] = {}
        self.written: dict[bytes, Writer] = {}


class Tracking(ChangeListener):
    """The table of keys that were read, and the prefixes."""

    def __init__(self, space: Space, clients: dict[int, Client]) -> None:
        self._space: Final = space
        self._clients: Final = clients
        self.table: Final[dict[bytes, dict[int, None]]] = {}
        self.prefixes: Final[dict[bytes, Prefix]] = {}
        self.count = 0
        """How many clients track."""
        self.current: Client | None = None
        """The tracking client whose command runs: it is told behind the reply."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self._later: list[list[bytes] | None] = []
        self._scheduled = False

    def items(self) -> int:
        return sum(len(ids) for ids in self.table.values())

    # Who tracks

    def enable(self, client: Client, wanted: Tracked) -> None:
        if client.tracked is None:
            self.count += 1
            self._space.changes.listen_to_all(self)
        else:
            wanted.prefixes.update(client.tracked.prefixes)
        client.tracked = wanted
        client.gates |= TRACKING
        if wanted.bcast:
            for name in wanted.prefixes:
                self.prefixes.setdefault(name, Prefix()).clients[client] = None

    def disable(self, client: Client) -> None:
        tracked = client.tracked
        if tracked is None:
            return
        for name in tracked.prefixes:
            prefix = self.prefixes[name]
            prefix.clients.pop(client, None)
            if not prefix.clients:
                del self.prefixes[name]
        client.tracked = None
        client.gates &= ~TRACKING
        self.count -= 1
        if self.count == 0:
            self.table.clear()
            self._space.changes.ignore(self)

    def remember(self, client: Client, keys: list[bytes]) -> None:
        """A client has read these keys."""
        tracked = client.tracked
        if tracked is None or tracked.bcast:
            return
        if (tracked.optin and not tracked.caching) or (tracked.optout and tracked.caching):
            return
        for key in keys:
            self.table.setdefault(key, {})[client.client_id] = None

    # What is told

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        writer = None if event_class in (EXPIRED, EVICTED) else self.current
        if self.prefixes:
            self._note_prefixes(key, writer)
        if key in self.table:
            self.forget(key, writer)

    def forget(self, key: bytes, writer: Writer) -> None:
        """Tell everyone who has read the key."""
        for number in self.table.pop(key, {}):
            client = self._clients.get(number)
            if client is None or client.tracked is None or client.tracked.bcast:
                continue
            if client.tracked.noloop and client is writer:
                continue
            if client is self.current:
                self._later.append([key])
            else:
                self._send(client, client.tracked, [key])

    def flushed(self) -> None:
        """Databases were emptied: nothing that was read holds any more."""
        for client in list(self._clients.values()):
            if client.tracked is None:
                continue
            if client is self.current:
                self._later.append(None)
            else:
                self._send(client, client.tracked, None)
        self.table.clear()

    def limit(self, most: int) -> None:
        """Hold the table at `most` keys (0 = any number), telling those who read what is given up."""
        surplus = min(len(self.table) - most, PER_STEP)
        if most > 0 and surplus > 0:
            for key in list(self.table)[:surplus]:
                self.forget(key, None)

    def send_later(self, client: Client) -> None:
        """The reply is there: now the client's own invalidations may follow."""
        waiting = self._later
        self._later = []
        for keys in waiting:
            if client.tracked is not None:
                self._send(client, client.tracked, keys)

    def _send(self, client: Client, tracked: Tracked, keys: list[bytes] | None) -> None:
        target: Client | None = client
        if tracked.redirect:
            target = self._clients.get(tracked.redirect)
            if target is None:
                tracked.broken = True
                if client.resp == 3:
                    client.send([b"tracking-redir-broken", tracked.redirect])
                return
        if target is None:
            return
        shown: object = (Encoded(NULL3) if client.resp == 3 else None) if keys is None else list(keys)
        if target.resp == 3:
            target.send([b"invalidate", shown])
        elif tracked.redirect and target.gates & SUBSCRIBED:
            target.send([b"message", CHANNEL, shown])

    # Prefixes

    def _note_prefixes(self, key: bytes, writer: Writer) -> None:
        for name, prefix in self.prefixes.items():
            if key.startswith(name):
                prefix.written[key] = writer
                if not self._scheduled and self.loop is not None:
                    self._scheduled = True
                    self.loop.call_soon(self.tell_prefixes)

    def tell_prefixes(self) -> None:
        """Once in a turn: the keys of each prefix that were written in it."""
        self._scheduled = False
        for prefix in list(self.prefixes.values()):
            written = prefix.written
            if not written:
                continue
            prefix.written = {}
            for client in list(prefix.clients):
                tracked = client.tracked
                if tracked is None:
                    continue
                keys = [key for key, writer in written.items() if not tracked.noloop or writer is not client]
                if keys:
                    self._send(client, tracked, keys)
