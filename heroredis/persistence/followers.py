"""Clients that follow this server (SYNC): they are sent all keys, and from then on every write as it is journaled.

It is what a replica of Redis, `redis-cli --replica` and `redis-cli --rdb` need. Followers are not waited for, what they
have missed is not kept for them, and this server never follows another one.
"""

from __future__ import annotations

from typing import Final

from heroredis.errors import RedisError
from heroredis.persistence.output import Output
from heroredis.persistence.whole import whole
from heroredis.persistence.wire import wire
from heroredis.reply import Encoded
from heroredis.session.client import Client
from heroredis.session.core import Core

LARGEST: Final = 64 << 20
"""Bytes of data up to which all of it is copied at once, while everybody waits."""
TOO_LARGE: Final = b"ERR there are too many data to be copied at once for SYNC; copy the append-only files instead"


class Followers:
    """Those of one server. Everything is called on the loop."""

    def __init__(self, core: Core, output: Output) -> None:
        self._core: Final = core
        self._output: Final = output
        self._told_s = 0.0

    def add(self, client: Client) -> bytes:
        """What the client is answered; what is written from now on follows it."""
        core = self._core
        if core.memory.dataset() > LARGEST:
            raise RedisError(TOO_LARGE)
        self._output.flush()
        data = whole(core.space)
        core.replicas[client] = None
        client.is_replica = True
        self._output.follow(self._feed)
        return b"$%d\r\n%b" % (len(data), data)

    def _feed(self, requests: list[list[bytes]]) -> None:
        if self._core.replicas:
            self._send(requests)
        else:
            self._output.follow(None)

    def _send(self, requests: list[list[bytes]]) -> None:
        data = Encoded(wire(requests))
        for client in list(self._core.replicas):
            if client.push is not None:
                client.push(data)

    def tick(self, now_s: float) -> None:
        """`repl-ping-replica-period`: a follower that hears nothing takes the connection for dead."""
        if self._core.replicas and now_s - self._told_s >= self._core.parameters.integer("repl-ping-replica-period"):
            self._told_s = now_s
            self._send([[b"PING"]])
