"""Ordinary keys on disk: loaded at start, journaled from then on, rewritten now and then.

Puts the parts together: the folder, the journal's output, loading and rewriting. Everything here is called on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final

from heroredis.errors import RedisError
from heroredis.persistence.files import Files
from heroredis.persistence.folder import Folder
from heroredis.persistence.followers import Followers
from heroredis.persistence.output import Output
from heroredis.persistence.recovery import Applier, Recovery, RecoveryError
from heroredis.persistence.rewriting import Rewriting
from heroredis.persistence.snapshot import Snapshot
from heroredis.persistence.telling import facts
from heroredis.registry import LOADING
from heroredis.session.client import Client
from heroredis.session.core import Core
from heroredis.session.keeper import Keeper

TICK_S: Final = 0.1
TURN_S: Final = 0.01
"""How long loading may keep the loop at a time."""
TELL_S: Final = 2.0
BUSY_SAVE: Final = b"ERR Background save already in progress"
BUSY_OTHER: Final = (b"ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in "
                     b"order to schedule a BGSAVE whenever possible.")
logger = logging.getLogger("heroredis")


class Persistence(Keeper):
    """What keeps the keys of one server. Without `use` nothing is written and nothing is loaded."""

    def __init__(self, core: Core, new_applier: Callable[[], Applier]) -> None:
        self.output: Final = Output(core.journal, core.clock)
        self.rewriting: Final = Rewriting(core, self.output)
        self._followers: Final = Followers(core, self.output)
        self.recovery: Recovery | None = None
        self.load_began_ms = 0
        self._core: Final = core
        self._new_applier: Final = new_applier
        self._timer: asyncio.TimerHandle | None = None
        core.parameters.when_changed("appendfsync", self._policy_changed)
        core.parameters.when_changed("appendonly", self._switched)

    def use(self, files: Files, parent: Files) -> None:
        """Keep the keys in this folder; in `parent` older Redis servers kept a single append-only file."""
        stem = self._core.parameters.get("appendfilename").decode("utf-8", "surrogateescape")
        self.rewriting.folder = Folder(files, parent, stem)

    # Starting and stopping

    async def start(self) -> None:
        """Load what is there and begin to write. Raises RecoveryError or OSError."""
        rewriting = self.rewriting
        folder = rewriting.folder
        if folder is None:
            return
        await self.load()
        self.output.soon = self._soon
        self.output.schedule = self._schedule
        if self._core.parameters.is_on("appendonly"):
            rewriting.growing = await asyncio.to_thread(folder.open)
            rewriting.size_after = rewriting.current_size()
            self.output.open(rewriting.growing, self._policy())
        rewriting.dirty_at_save = self._core.space.changes.dirty
        if self._core.loop is not None:
            self._timer = self._core.loop.call_later(TICK_S, self.tick)

    def size_to_load(self) -> int:
        """Bytes that `load` will read. Raises RecoveryError."""
        folder = self.rewriting.folder
        if folder is None:
            return 0
        if self.recovery is None:
            folder.find()
            recovery = Recovery(folder.files, folder.manifest.loaded(), self._new_applier(),
                                self._core.parameters.is_on("aof-load-truncated"))
            recovery.measure()
            self.recovery = recovery
        return self.recovery.total

    def begin_loading(self) -> None:
        """Clients are told from now on that the keys are not there yet."""
        if not self.loading:
            self.loading = True
            self.load_began_ms = self._core.clock.now_ms()
            self._core.set_gate(LOADING, True)

    async def load(self) -> None:
        """Run the files through the handlers, leaving the loop to others now and then."""
        clock = self._core.clock
        began = turn = told = clock.monotonic()
        size = self.size_to_load()
        with self._loading() as steps:
            for _ in steps:
                now = clock.monotonic()
                if now - turn > TURN_S:
                    await asyncio.sleep(0)
                    turn = clock.monotonic()
                if now - told > TELL_S and self.recovery is not None:
                    told = now
                    logger.info("loading: %d %%", 100 * self.recovery.loaded // max(1, size))
        if size:
            logger.info("loaded %d bytes of append-only files in %.3f s", size, clock.monotonic() - began)

    @contextlib.contextmanager
    def _loading(self) -> Iterator[Iterator[None]]:
        """The steps of loading; afterwards everything is as usual again."""
        recovery = self.recovery
        self.begin_loading()
        changes = self._core.space.changes
        changes.silent = True
        try:
            yield iter(()) if recovery is None else recovery.steps()
        finally:
            changes.silent = False
            for database in self._core.space.databases:
                changes.flushed(database.index)
            self.loading = False
            self.recovery = None
            self._core.set_gate(LOADING, False)
            self._core.space.refresh()

    def _soon(self, work: Callable[[], None]) -> None:
        loop = self._core.loop
        if loop is not None:
            loop.call_soon(work)

    def _schedule(self, work: Callable[[], None]) -> None:
        loop = self._core.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the end of the journal is written by `stop`
                loop.call_soon_threadsafe(work)

    def _policy(self) -> str:
        return self._core.parameters.get("appendfsync").decode()

    def _policy_changed(self) -> str:
        if self.output.is_open():
            self.output.set_policy(self._policy())
        return ""

    def _switched(self) -> str:
        """CONFIG SET appendonly: the files count again when all that is in memory has been written anew."""
        rewriting = self.rewriting
        if rewriting.folder is None:
            return "this server keeps no keys on disk"
        rewriting.give_up()
        if self._core.parameters.is_on("appendonly"):
            rewriting.is_stale = True
            rewriting.rewrites.wanted = True
            self._begin_wanted()
        else:
            rewriting.rewrites.wanted = False
            try:
                rewriting.close_output()
            except OSError as error:
                logger.error("the append-only file could not be written to its end: %s", error)
        return ""

    def tick(self) -> None:
        """Several times a second: late syncs, and rewrites that are due."""
        rewriting = self.rewriting
        parameters = self._core.parameters
        self.output.tick()
        self._followers.tick(self._core.clock.monotonic())
        if rewriting.is_stale and parameters.is_on("appendonly") and rewriting.running is None:
            rewriting.rewrites.wanted = not rewriting.is_waiting()
        elif rewriting.is_due(parameters.integer("auto-aof-rewrite-percentage"),
                              parameters.integer("auto-aof-rewrite-min-size")):
            logger.info("the append-only files have grown to %d bytes: rewriting them", rewriting.current_size())
            rewriting.rewrites.wanted = True
        elif rewriting.running is None and self._is_save_due():
            rewriting.saves.wanted = True
        self._begin_wanted()
        if self._core.loop is not None:
            self._timer = self._core.loop.call_later(TICK_S, self.tick)

    def _begin_wanted(self) -> None:
        rewriting = self.rewriting
        for tally in (rewriting.rewrites, rewriting.saves):
            if tally.wanted and rewriting.running is None and self._core.loop is not None:
                rewriting.start(tally)

    async def stop(self) -> None:
        """Write and sync everything that was journaled; who runs the server is told when that cannot be done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self.rewriting.end()
        try:
            await asyncio.to_thread(self.rewriting.close_output)
        except OSError as error:
            if self._core.commits.on_failure is not None:
                self._core.commits.on_failure(error)

    # What clients ask for

    def facts(self) -> list[tuple[str, str]]:
        return facts(self._core, self.output, self.rewriting, self.recovery if self.loading else None,
                     self.load_began_ms)

    def rewrite(self, later: bool) -> bytes:
        rewriting = self.rewriting
        if rewriting.running is rewriting.rewrites:
            raise RedisError(b"ERR Background append only file rewriting already in progress")
        if rewriting.running is not None or (later and rewriting.folder is not None):
            rewriting.rewrites.wanted = True
            return b"Background append only file rewriting scheduled"
        rewriting.start(rewriting.rewrites)
        return b"Background append only file rewriting started"

    def background_save(self, schedule: bool, later: bool) -> bytes:
        rewriting = self.rewriting
        if rewriting.running is rewriting.saves:
            raise RedisError(BUSY_SAVE)
        if rewriting.running is not None or (later and rewriting.folder is not None):
            if not schedule and not later:
                raise RedisError(BUSY_OTHER)
            rewriting.saves.wanted = True
            return b"Background saving scheduled"
        rewriting.start(rewriting.saves)
        return b"Background saving started"

    def save(self) -> None:
        rewriting = self.rewriting
        if rewriting.running is not None:
            raise RedisError(BUSY_SAVE)
        try:
            rewriting.run_now(rewriting.saves)
        except OSError as error:
            logger.error("saving failed: %s", error)
            raise RedisError(b"ERR") from None

    def sync(self, client: Client) -> bytes:
        self.output.soon = self._soon
        return self._followers.add(client)

    def all_flushed(self) -> None:
        rewriting = self.rewriting
        if self.loading:
            return
        if rewriting.running is rewriting.saves:
            rewriting.give_up()
        if self._has_save_points() and not self.output.is_open():
            if rewriting.running is None:
                with contextlib.suppress(RedisError):  # as in Redis: it is logged, and the keys are gone all the same
                    self.save()
            else:
                rewriting.saves.wanted = True

    def before_shutdown(self, save: bool, no_save: bool) -> None:
        if save or (not no_save and self._has_save_points() and not self.output.is_open()):
            self.rewriting.give_up()
            self.save()

    def _has_save_points(self) -> bool:
        return bool(self._core.parameters.get("save")) and self.rewriting.folder is not None

    def _is_save_due(self) -> bool:
        """A save point is reached, and no append-only file is kept that would make it needless."""
        rewriting = self.rewriting
        if not self._has_save_points() or self.output.is_open() or rewriting.is_waiting():
            return False
        words = self._core.parameters.get("save").split()
        changes = self._core.space.changes.dirty - rewriting.dirty_at_save
        passed_ms = self._core.clock.now_ms() - rewriting.last_save_ms
        return any(changes >= int(words[at + 1]) and passed_ms > int(words[at]) * 1000
                   for at in range(0, len(words) - 1, 2))

    def last_save_s(self) -> int:
        return self.rewriting.last_save_ms // 1000

    def reload(self, save: bool, flush: bool) -> None:
        if self.rewriting.folder is not None and self.rewriting.running is None:
            if save:
                self.save()
            self._load_again(flush)
            return
        applier = self._new_applier()
        requests = list(Snapshot(self._core.space).requests())
        if flush:
            self._core.space.flush(None)
        with self._loading():
            applier.begin_file()
            applier.begin_slice()
            for request in requests:
                applier.apply(request)
            applier.end()

    def load_append_only(self) -> None:
        if self.output.is_open():
            try:
                self.output.sync_now()
            except OSError as error:
                raise RedisError(b"ERR the append-only file cannot be written: " + str(error).encode()) from None
        self._load_again(True)

    def _load_again(self, flush: bool) -> None:
        """Load the files in place of what is in memory, at once."""
        journal = self._core.journal
        was_on = journal.on
        self.output.flush()
        journal.on = False
        try:
            if flush:
                self._core.space.flush(None)
            self.size_to_load()
            with self._loading() as steps:
                for _ in steps:
                    pass
        except RecoveryError as error:
            raise RedisError(b"ERR " + str(error).encode("utf-8", "replace")) from None
        finally:
            journal.on = was_on
            self.rewriting.dirty_at_save = self._core.space.changes.dirty
