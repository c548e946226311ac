"""Requests from the append-only files run again: as the handlers did them, but with nobody to answer.

Nothing expires meanwhile (what had expired is removed by a DEL of its own), and keys that an extension owns are left
to it.
"""

from __future__ import annotations

import logging
from typing import Final

from heroredis.dispatch import call, find_entry, names_owned
from heroredis.errors import RedisError
from heroredis.persistence.recovery import Applier, NotApplicable
from heroredis.registry import Entry
from heroredis.session.client import Client
from heroredis.session.context import Context
from heroredis.session.core import Core

ABSOLUTE: Final = frozenset({"EXPIREAT", "PEXPIREAT", "RESTORE"})
"""They would remove at once what has expired by now, and what follows may need it."""
logger = logging.getLogger("heroredis")


class Replay(Applier):
    """One load."""

    def __init__(self, core: Core) -> None:
        self._core: Final = core
        self._ctx: Final = Context(core, Client(0, "load", "load", core.clock.now_ms(), lambda: None))
        self._ctx.in_exec = True
        self._ctx.resp = 3
        self._queued: list[list[bytes]] | None = None
        self._now_ms: Final = core.clock.now_ms()
        self._calls: Final = {name: entry.calls for name, entry in core.registry.commands.items()}
        self.skipped = 0
        """Requests to keys that belong to an extension."""
        self.failed = 0

    def begin_file(self) -> None:
        self._ctx.select(0)

    def begin_slice(self) -> None:
        self._core.space.moment.now_ms = 0

    def is_inside_transaction(self) -> bool:
        return self._queued is not None

    def abandon(self) -> None:
        self._queued = None

    def end(self) -> None:
        """What was run again counts as no call; what was left out is told."""
        for name, calls in self._calls.items():
            self._core.registry.commands[name].calls = calls
        if self.skipped:
            logger.warning("%d commands of the append-only files are on keys that belong to the job system now; they "
                           "were left out", self.skipped)

    def apply(self, argv: list[bytes]) -> None:
        found = self._core.registry.entries.get(argv[0])
        if found is None or found.children is not None:
            found = self._find(argv)
        if len(argv) < found.low or len(argv) > found.high:
            raise NotApplicable(f"wrong number of arguments for {found.name}")
        if self._queued is not None:
            if found.name == "EXEC":
                queued = self._queued
                self._queued = None
                for request in queued:
                    self._run(self._find(request), request)
            else:
                self._queued.append(argv)
        elif found.name == "MULTI":
            self._queued = []
        else:
            self._run(found, argv)

    def _find(self, argv: list[bytes]) -> Entry:
        try:
            return find_entry(self._ctx, argv)
        except RedisError as error:
            raise NotApplicable(str(error)) from None

    def _run(self, entry: Entry, argv: list[bytes]) -> None:
        ctx = self._ctx
        core = self._core
        if entry.is_write:
            if core.owned and ctx.db.index == 0 and names_owned(core, entry, argv):
                self.skipped += 1
                return
            if entry.form is not None:
                ctx.now_ms = 0 if entry.name in ABSOLUTE else self._now_ms
        try:
            call(ctx, entry, argv)
        except RedisError as refusal:
            if entry.name == "SELECT":
                raise NotApplicable(f"SELECT: {refusal}; raise the number of databases") from None
            self.failed += 1
            if self.failed == 1:
                logger.warning("a command of the append-only file was refused: %s: %s", entry.name, refusal)
