"""Publish and subscribe: which clients listen to which channels and patterns."""

from __future__ import annotations

from typing import Final

from heroredis.glob import matches
from heroredis.session.client import Client


class Channels:
    """Subscribers by channel and by pattern, in the order of their coming."""

    def __init__(self) -> None:
        self.exact: Final[dict[bytes, dict[Client, None]]] = {}
        self.patterns: Final[dict[bytes, dict[Client, None]]] = {}
        self.shards: Final[dict[bytes, dict[Client, None]]] = {}

    def join(self, table: dict[bytes, dict[Client, None]], own: dict[bytes, None], client: Client, name: bytes) -> None:
        own[name] = None
        table.setdefault(name, {})[client] = None

    def leave(self, table: dict[bytes, dict[Client, None]], own: dict[bytes, None], client: Client,
              name: bytes) -> None:
        own.pop(name, None)
        listeners = table.get(name)
        if listeners is not None:
            listeners.pop(client, None)
            if not listeners:
                del table[name]

    def forget(self, client: Client) -> None:
        """The client is gone or reset."""
        for name in list(client.channels):
            self.leave(self.exact, client.channels, client, name)
        for name in list(client.patterns):
            self.leave(self.patterns, client.patterns, client, name)
        for name in list(client.shards):
            self.leave(self.shards, client.shards, client, name)

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """The same to the listeners of a shard channel."""
        listeners = list(self.shards.get(channel, ()))
        for client in listeners:
            client.send([b"smessage", channel, message])
        return len(listeners)

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send to everyone who listens; how many got it."""
        sent = 0
        for client in list(self.exact.get(channel, ())):
            client.send([b"message", channel, message])
            sent += 1
        for pattern, clients in list(self.patterns.items()):
            if matches(pattern, channel, False):
                for client in list(clients):
                    client.send([b"pmessage", pattern, channel, message])
                    sent += 1
        return sent
