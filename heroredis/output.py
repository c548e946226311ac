"""The outgoing side of a connection: replies in their order, those that wait for the disk, and what is pushed.

Knows no request. What leaves goes to `write`, once a turn.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from heroredis.encoding import encode, error_line
from heroredis.errors import RedisError
from heroredis.registry import CLOSING, MUTED
from heroredis.reply import Committing, Durable
from heroredis.session.client import Client
from heroredis.session.context import Context
from heroredis.session.core import Core

SMALL: Final = 16 * 1024
"""Replies of a turn up to here are sent without a look at what waits already."""
logger = logging.getLogger("heroredis")


class Held:
    """A reply that waits for its commit, and the replies behind it."""

    def __init__(self, value: object, commit: Committing) -> None:
        self.value: Final = value
        self.commit: Final = commit
        self.tail: Final[list[bytes]] = []


class Output:
    """Replies out, in order."""

    def __init__(self, core: Core, client: Client, write: Callable[[bytes], None]) -> None:
        self.core: Final = core
        self.client: Final = client
        self.ctx: Final = Context(core, client)
        self.stalled = False
        """The peer does not take its replies: run nothing more until it does."""
        self.closed = False
        self._running = False
        self._write: Final = write
        self._out: list[bytes] = []
        self._held: Final[deque[Held]] = deque()
        client.push = self.push
        client.look_at_output = self.look_at_output

    def _send_error(self, message: bytes) -> None:
        self.core.stats.count_error(message)
        if self.client.gates & MUTED:
            self.client.skip_reply()
        else:
            self._out.append(error_line(message))

    def _flush(self) -> None:
        if self._out and not self._held:
            out = self._out
            self._out = []
            data = out[0] if len(out) == 1 else b"".join(out)
            if len(data) > SMALL:
                self.client.large_reply_ms = self.core.space.moment.now_ms
                if self._is_beyond_limits(len(data)):
                    return
            self._write(data)
        if self.client.gates & CLOSING and not self._held and not self.closed:
            self.closed = True
            self.client.close()

    def push(self, message: object) -> None:
        """Send a message that nobody asked for, behind what is waiting."""
        if self.closed:
            return
        encode(message, self.ctx.resp, self._out)
        if not self._running:
            self._flush()
            if self.stalled:
                self._is_beyond_limits(0)
            if self.core.crowd.limit:
                self.core.note_size(self.client)

    def look_at_output(self) -> None:
        """The peer is slow: it may have to go."""
        if not self.closed:
            self._is_beyond_limits(0)

    def _is_beyond_limits(self, more: int) -> bool:
        """End a connection whose peer takes too little of what waits for it."""
        client = self.client
        waiting = client.pending_output() + more
        if not self.core.output_limits.is_beyond(client, waiting, self.core.space.moment.now_ms):
            return False
        if not self.closed:
            self.closed = True
            self.core.stats.output_limit_disconnections += 1
            logger.warning("client %d is disconnected: %d bytes wait for it", client.client_id, waiting)
            (client.abort or client.close)()
        return True

    def _hold(self, reply: Durable) -> None:
        """The reply, and all later ones of this connection, wait for the disk."""
        commit = reply.commit
        if commit.done and not self._held and commit.error is None:
            encode(reply.value, self.ctx.resp, self._out)
            return
        if not self._held and self._out:
            self._flush()
        held = Held(reply.value, commit)
        last = self._held[-1].commit if self._held else None
        self._held.append(held)
        self._out = held.tail
        if last is not commit:
            self.core.commits.when_done(commit, self._release)

    def _release(self) -> None:
        ready: list[bytes] = []
        while self._held and self._held[0].commit.done:
            held = self._held.popleft()
            error = held.commit.error
            if error is None:
                encode(held.value, self.ctx.resp, ready)
            elif isinstance(error, RedisError):
                ready.append(error_line(error.message))
            elif isinstance(error, OSError):
                ready.append(error_line(b"IOERR the outcome is unknown, the disk failed: " + str(error).encode()))
            else:  # a store says itself what has become of it
                ready.append(error_line(b"IOERR " + str(error).encode()))
            ready += held.tail
        if not self._held:
            self._out = ready
        elif ready and not self.closed:
            self._write(b"".join(ready))
        if not self.closed:
            self._flush()
