"""What a command handler is given: the server's state, its client, its database and the time of the batch."""

from __future__ import annotations

from typing import Final

from heroredis.keyspace.database import Database
from heroredis.session.client import Client
from heroredis.session.core import Core


class Context:
    """One per connection; `in_exec` is set while EXEC runs, where nothing may wait."""

    def __init__(self, server: Core, client: Client) -> None:
        self.server: Final = server
        self.client: Final = client
        self.db: Database = server.space.databases[0]
        self.now_ms = 0
        self.resp = 2
        self.in_exec = False
        self.woken_by: bytes | None = None
        """The key that woke a waiting command while it runs again: it is served from this key alone."""

    def as_sent(self, at: int, word: bytes) -> bytes:
        """A word of the running request's name as the client wrote it, where that is known."""
        running = self.client.running
        return running[at] if at < len(running) and running[at].upper() == word else word

    def select(self, index: int) -> None:
        self.db = self.server.space.databases[index]
        self.client.db_index = index

    def speak(self, resp: int) -> None:
        """Switch the protocol version (2 or 3) from the next reply on."""
        self.resp = resp
        self.client.resp = resp
