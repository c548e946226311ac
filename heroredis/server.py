"""The Redis server without its sockets: all commands over one keyspace, with the extensions plugged in.

Two servers can live in one process; nothing here is global.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from heroredis.clock import Clock, SystemClock
from heroredis.commands import MODULES
from heroredis.descriptors import room_for
from heroredis.dispatch import find_entry, run
from heroredis.errors import RedisError, wrong_arity
from heroredis.extension import Extension
from heroredis.parameters import Parameters
from heroredis.persistence.forms import give_forms
from heroredis.persistence.store import Persistence
from heroredis.replay import Replay
from heroredis.reply import Durable, Wait
from heroredis.session.client import Client
from heroredis.session.context import Context
from heroredis.session.core import Core
from heroredis.session.idle import IdleClients

EXPIRE_INTERVAL_S: Final = 0.1
EXPIRE_PER_STEP: Final = 1000


class Server(Core):
    """One keyspace with all commands; `start` binds it to the running loop."""

    def __init__(self, clock: Clock | None = None, parameters: Parameters | None = None) -> None:
        super().__init__(clock or SystemClock(), parameters or Parameters())
        self.extensions: Final[list[Extension]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._idle: Final = IdleClients(self)
        self.parameters.when_changed("maxclients", self._check_room)
        for module in MODULES:
            self.registry.include(module)
        self.registry.add_help()
        give_forms(self.registry)
        self.persistence: Final = Persistence(self, lambda: Replay(self))
        self.keeper = self.persistence

    def _check_room(self) -> str:
        wanted = self.parameters.integer("maxclients")
        found = room_for(wanted)
        if found < wanted:
            return ("The operating system is not able to handle the specified number of clients, try with "
                    f"{found}")
        return ""

    def add_extension(self, extension: Extension) -> None:
        self.extensions.append(extension)
        extension.attach(self)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Everything happens on this loop from now on; before extensions are added."""
        self.loop = loop
        self.commits.loop = loop
        self.tracking.loop = loop

    async def start(self) -> None:
        """Start the extensions in the order in which they were added."""
        self.bind(asyncio.get_running_loop())
        await self.persistence.start()
        self.parameters.put("maxclients", b"%d" % room_for(self.parameters.integer("maxclients")))
        for extension in self.extensions:
            await extension.start()
        self._tick()

    async def stop(self, grace_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for extension in reversed(self.extensions):
            await extension.stop(grace_s)
        await self.persistence.stop()
        self.loop = None

    def _tick(self) -> None:
        """Remove expired keys, soonest first; more at once as long as there are many."""
        seen = 0
        if not self.is_cron_paused:
            began = self.clock.monotonic()
            seen = self.space.expire_due(EXPIRE_PER_STEP)
            self._note_tick(seen, began)
            self._look_at_clients()
        if self.blocking.ready:
            self.blocking.serve()
        if self.loop is not None:
            delay = 0.0 if seen >= EXPIRE_PER_STEP else EXPIRE_INTERVAL_S
            self._timer = self.loop.call_later(delay, self._tick)

    def _look_at_clients(self) -> None:
        if self.tracking.count:
            self.limit_tracking()
        self._idle.look(self.clock.now_ms())
        self.look_at_sizes()

    def _note_tick(self, seen: int, began: float) -> None:
        now = self.clock.monotonic()
        self.stats.expire_seconds += now - began
        if seen >= EXPIRE_PER_STEP:
            self.stats.expire_steps_cut += 1
        if now - began >= self.latency.threshold_s:
            self.latency.note(b"expire-cycle", self.space.moment.now_ms, now - began)
        self.rates.note(now, self.stats)
        if self.memory.limit:
            self.note_clients()

    def execute(self, database: int, arguments: Sequence[bytes]) -> object:
        """Run one command for a caller inside the process, with all rights; raises RedisError. Nothing waits."""
        client = Client(0, "internal", "internal", self.clock.now_ms(), lambda: None)
        ctx = Context(self, client)
        ctx.select(database)
        ctx.resp = 3
        ctx.now_ms = self.space.refresh()
        ctx.in_exec = True
        request = list(arguments)
        entry = find_entry(ctx, request)
        if not entry.low <= len(request) <= entry.high:
            raise RedisError(wrong_arity(entry.name))
        reply = run(ctx, entry, request)
        if self.blocking.ready and self.loop is not None:
            self.loop.call_soon(self.blocking.serve)
        if isinstance(reply, Wait):
            return reply.on_timeout
        return reply.value if isinstance(reply, Durable) else reply
