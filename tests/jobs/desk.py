"""A server with the job system over memory, spoken to in bytes but without sockets or a loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hiredis

from heroredis.clock import ManualClock
from heroredis.execute import Session
from heroredis.server import Server
from jobs.extension import JobsExtension
from jobs.handlers import Handlers
from jobs.limits import Limits
from jobs.manager import JobManager
from jobs.memory_store import MemoryStore
from jobs.store import JobStore


class Caller:
    """One connection."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk = desk
        self._reader = hiredis.Reader()
        self.client = desk.server.new_client(f"127.0.0.1:{name}", "127.0.0.1:1", lambda: None)
        self._session = Session(desk.server, self.client, self._reader.feed)
        desk.server.clients[self.client.client_id] = self.client

    def send(self, *words: object) -> None:
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self._session.received(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts))

    def answer(self) -> Any:
        """The next answer; False when there is none yet."""
        return self._reader.gets()

    def call(self, *words: object) -> Any:
        self.send(*words)
        return self.answer()

    def error(self, *words: object) -> str:
        answer = self.call(*words)
        assert isinstance(answer, hiredis.ReplyError), answer
        return str(answer)

    def job(self, job_id: object) -> dict[bytes, Any]:
        return as_map(self.call("JOB.GET", job_id))

    def hang_up(self) -> None:
        self._session.ended()


class Desk:
    """The server; `restart` makes a new one over the same store."""

    def __init__(self, store: JobStore | None = None, limits: Limits | None = None) -> None:
        self.clock = ManualClock(1_000_000)
        self.store = store or MemoryStore()
        self.limits = limits
        self.restart()

    def restart(self) -> None:
        self.server = Server(self.clock)
        self.server.rng.seed(1)
        self.jobs = JobsExtension(path=Path("unused"), durability="always", workers=0, poll_interval_s=1,
                                  handlers=Handlers(), open_store=lambda: self.store, limits=self.limits)
        self.server.add_extension(self.jobs)
        self.manager.recover()

    @property
    def manager(self) -> JobManager:
        return self.jobs.manager

    def caller(self, name: str = "9000") -> Caller:
        return Caller(self, name)

    def fill_up(self) -> None:
        """The disk is full: what is on its way to it does not come there."""
        assert isinstance(self.store, MemoryStore)
        self.store.fill_up()

    def pass_ms(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.manager.due()
        self.server.space.refresh()
        if self.server.blocking.ready:
            self.server.blocking.serve()


def as_map(flat: Any) -> dict[bytes, Any]:
    """A map of RESP2 as a dictionary."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
