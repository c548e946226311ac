"""WATCH: which clients' transactions a write must break."""

from __future__ import annotations

from typing import Final

from heroredis.keyspace.change import ChangeListener
from heroredis.keyspace.space import Space
from heroredis.session.client import Client


class Watches(ChangeListener):
    """Watched keys and their watchers."""

    def __init__(self, space: Space) -> None:
        self._space: Final = space
        self._watchers: Final[dict[tuple[int, bytes], set[Client]]] = {}
        self._arriving = False
        space.changes.listen(self)

    def watch(self, client: Client, token: tuple[int, bytes]) -> None:
        if token in client.watched:
            return
        self._space.databases[token[0]].lookup(token[1])  # one that has expired by now does not break the transaction
        client.watched.add(token)
        self._watchers.setdefault(token, set()).add(client)
        self._space.changes.watch(token)

    def forget(self, client: Client) -> None:
        """UNWATCH, and what EXEC and DISCARD do."""
        for token in client.watched:
            watchers = self._watchers[token]
            watchers.discard(client)
            if not watchers:
                del self._watchers[token]
            self._space.changes.unwatch(token)
        client.watched.clear()
        client.touched = False

    def expire_watched(self, client: Client) -> None:
        """A watched key whose time has come since WATCH breaks the transaction: let it expire now."""
        for index, key in client.watched:
            self._space.databases[index].lookup(key)

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        if not self._arriving:
            for client in self._watchers.get((database, key), ()):
                client.touched = True

    def on_flush(self, database: int) -> None:
        living = self._space.databases[database]
        for (index, key), watchers in self._watchers.items():
            if index == database and key in living.data and not living.is_owned(key):
                for client in watchers:
                    client.touched = True

    def on_arrival(self, database: int) -> None:
        """What has expired before it came is no change, and not its end either."""
        living = self._space.databases[database]
        self._arriving = True
        for index, key in list(self._watchers):
            if index == database:
                living.expire_if_due(key)
        self._arriving = False
        self.on_flush(database)
