"""A server whose keys are kept on a disk in memory, driven without a loop and with a clock that stands still."""

from __future__ import annotations

import asyncio
from typing import Final

from heroredis.clock import ManualClock
from heroredis.execute import Session
from heroredis.parameters import Parameters
from heroredis.server import Server
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.string import as_bytes
from heroredis.types.zset import SortedSet
from ourdb.faulty import Disk, FaultyFiles
from tests.differential.harness import encode

INCREMENT: Final = "appendonly.aof.1.incr.aof"
BASE: Final = "appendonly.aof.1.base.aof"
MANIFEST: Final = "appendonly.aof.manifest"


class Kept:
    """One life of a server; `start` loads what the disk holds."""

    def __init__(self, disk: Disk | None = None, clock: ManualClock | None = None, **parameters: bytes) -> None:
        self.disk: Final = disk or Disk()
        self.clock: Final = clock or ManualClock()
        values = {"appendonly": b"yes", **parameters}
        self.server: Final = Server(self.clock, Parameters(**values))
        self.server.persistence.use(FaultyFiles(self.disk), FaultyFiles(Disk()))
        self.replies: bytes = b""
        self._session = self.session()

    def session(self) -> Session:
        def take(data: bytes) -> None:
            self.replies += data

        return Session(self.server, self.server.new_client("test", "test", lambda: None), take)

    def start(self) -> Kept:
        asyncio.run(self.server.persistence.start())
        return self

    def call(self, *arguments: bytes | str | int) -> bytes:
        """The reply as it is on the wire; empty when it has to wait."""
        return self.call_on(self._session, *arguments)

    def call_on(self, session: Session, *arguments: bytes | str | int) -> bytes:
        self.replies = b""
        session.received(encode(*arguments))
        return self.replies

    def flush(self) -> None:
        """What a turn of the loop does at its end."""
        self.server.persistence.output.flush()

    def stop(self) -> None:
        asyncio.run(self.server.persistence.stop())

    def data(self) -> dict[int, dict[bytes, object]]:
        return contents(self.server)


def contents(server: Server) -> dict[int, dict[bytes, object]]:
    """All keys that have not expired: type, value and expiry, by database."""
    server.space.refresh()
    found: dict[int, dict[bytes, object]] = {}
    for database in server.space.databases:
        living = database.keys()
        keys = {key: (plain(database.data[key]), database.expiry(key)) for key in living}
        if keys:
            found[database.index] = keys
    return found


def plain(value: object) -> object:
    if isinstance(value, List):
        return "list", value.names()
    if isinstance(value, Hash):
        return "hash", dict(value.fields)
    if isinstance(value, SortedSet):
        return "zset", dict(value.scores)
    if isinstance(value, Container):
        return value.type_name(), sorted(value.names())
    assert isinstance(value, bytes | int | bytearray)
    return as_bytes(value)


def again(kept: Kept, disk: Disk | None = None, **parameters: bytes) -> Kept:
    """Another server that starts on the same disk at the same time."""
    return Kept(disk or kept.disk.copy(), kept.clock, **parameters).start()
