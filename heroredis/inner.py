"""Connections from within: one end of a socket pair is ours, the other belongs to a process that this server started.

Such a process speaks Redis's protocol as any other client does, but needs neither listener nor password.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from heroredis.session.client import Client
from heroredis.session.core import Core
from heroredis.transport import Connection, RedisListener


class InnerDoor:
    """Takes in the ends of socket pairs."""

    def __init__(self, core: Core) -> None:
        self._core: Final = core
        self._listener: Final = RedisListener(core, host="", port=None, unix_path="")

    async def adopt(self, end: socket.socket, name: bytes) -> Client:
        """Speak with who holds the other end; it has all rights. OSError when it cannot be."""
        end.setblocking(False)
        _, connection = await asyncio.get_running_loop().connect_accepted_socket(
            cast("type[asyncio.Protocol]", lambda: Connection(self._listener)), end)
        client = cast("Connection", connection).client
        if client is None:
            raise ConnectionRefusedError("there are too many clients (maxclients)")
        client.name = name
        client.no_evict = True
        client.act_as(self._core.users.almighty())
        client.admit(True)
        return client
