"""Rewriting: all keys, as they are at one moment, go into a new base that takes the place of the old files.

In the background a few milliseconds at a time, without a fork; what is written to the keys meanwhile goes into a new
increment. SAVE and BGSAVE do the same: there is no other format yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Final

from heroredis.errors import RedisError
from heroredis.persistence.files import File
from heroredis.persistence.folder import Folder
from heroredis.persistence.output import Growing, Output
from heroredis.persistence.snapshot import Snapshot
from heroredis.session.core import Core

TURN_S: Final = 0.002
"""How long the keys are walked before others have their turn."""
RETRY_S: Final = 10.0
LINGER_S: Final = 0.05
logger = logging.getLogger("heroredis")


class GivenUp(Exception):
    """Somebody wants a rewrite to end."""


class Tally:
    """How the runs of one kind went, as INFO tells it."""

    def __init__(self) -> None:
        self.runs = 0
        self.is_ok = True
        self.seconds = -1
        self.wanted = False
        """Scheduled for when the present run has ended."""


class Rewriting:
    """One run at a time. Called on the loop."""

    def __init__(self, core: Core, output: Output) -> None:
        self.rewrites: Final = Tally()
        self.saves: Final = Tally()
        self.running: Tally | None = None
        self.began_s = 0.0
        self.snapshot: Snapshot | None = None
        self.last_save_ms: int = core.clock.now_ms()
        self.dirty_at_save = 0
        self.size_after = 0
        """Bytes of all files after the last rewrite or at the start; growth is counted from here."""
        self.folder: Folder | None = None
        self.growing: Growing | None = None
        """What is written now; None = nothing is."""
        self.is_stale = False
        """The files are older than what is in memory: they count again with the next base."""
        self._core: Final = core
        self._output: Final = output
        self._task: asyncio.Task[None] | None = None
        self._failed_at = 0.0
        self._dirty_then = 0
        self._give_up = False

    def current_size(self) -> int:
        folder = self.folder
        if folder is None:
            return 0
        return folder.base_size + folder.old_size + (0 if self.growing is None else self.growing.size)

    def start(self, tally: Tally) -> None:
        """Begin in the background; who asks has made sure that nothing runs."""
        loop = self._core.loop
        if loop is None or self.folder is None:
            raise RedisError(b"ERR this server keeps no keys on disk")
        tally.wanted = False
        self._core.stats.background_runs += 1
        self._begin(tally)
        self._task = loop.create_task(self._run(self.folder, tally))

    def _begin(self, tally: Tally) -> None:
        self.running = tally
        self.began_s = self._core.clock.monotonic()

    async def _run(self, folder: Folder, tally: Tally) -> None:
        try:
            if self._core.parameters.is_on("appendonly"):
                target = await asyncio.to_thread(folder.begin_increment, not self.is_stale)
                if self._give_up:
                    target.file.close()
                self._check()
                self._switch(target, folder)
            pieces = self._take_snapshot()
            base = await asyncio.to_thread(folder.begin_base)
            try:
                size = await self._walk(pieces, base)
                await asyncio.to_thread(base.sync)
            finally:
                base.close()
            self._walked()
            self._check()
            await asyncio.to_thread(folder.finish_base, size, "" if self.growing is None else self.growing.name)
        except GivenUp:
            logger.warning("rewriting the append-only files was given up")
            self._ended(tally, None)
        except OSError as error:
            logger.error("rewriting the append-only files failed: %s", error)
            self._ended(tally, False)
        except Exception:
            logger.exception("rewriting the append-only files failed")
            self._ended(tally, False)
        else:
            self._ended(tally, True)

    async def _walk(self, pieces: Iterator[bytes], base: File) -> int:
        clock = self._core.clock
        size = 0
        more = True
        began = clock.monotonic()
        while more:
            turn = clock.monotonic()
            taken: list[bytes] = []
            while clock.monotonic() - turn < TURN_S:
                piece = next(pieces, b"")
                if not piece:
                    more = False
                    break
                taken.append(piece)
            self._check()
            data = b"".join(taken)
            await asyncio.to_thread(base.write, data, size)
            size += len(data)
            await self._linger(began)
        return size

    async def _linger(self, began: float) -> None:
        """`rdb-key-save-delay`, with which tests make a run last."""
        clock = self._core.clock
        while self.snapshot is not None:
            delay_s = self._core.parameters.integer("rdb-key-save-delay") / 1e6
            if delay_s <= 0 or clock.monotonic() - began >= delay_s * self.snapshot.done:
                return
            self._check()
            await asyncio.sleep(min(LINGER_S, delay_s))

    def _check(self) -> None:
        if self._give_up:
            raise GivenUp

    def run_now(self, tally: Tally) -> None:
        """The same at once. Raises OSError."""
        folder = self.folder
        if folder is None:
            raise RedisError(b"ERR this server keeps no keys on disk")
        self._begin(tally)
        try:
            if self._output.is_open():
                self._switch(folder.begin_increment(True), folder)
            base = folder.begin_base()
            size = 0
            try:
                for piece in self._take_snapshot():
                    base.write(piece, size)
                    size += len(piece)
                base.sync()
            finally:
                base.close()
            self._walked()
            folder.finish_base(size, "" if self.growing is None else self.growing.name)
        except OSError:
            self._ended(tally, False)
            raise
        self._ended(tally, True)

    def _switch(self, target: Growing, folder: Folder) -> None:
        """Journal into `target` from now on."""
        old = self.growing
        self.growing = target
        if old is None:
            self._output.open(target, self._core.parameters.get("appendfsync").decode())
        else:
            self._output.rotate(target)
            folder.old_size += old.size

    def _take_snapshot(self) -> Iterator[bytes]:
        clock = self._core.clock
        began = clock.monotonic()
        snapshot = Snapshot(self._core.space)
        self._core.stats.snapshot_s = clock.monotonic() - began
        self.snapshot = snapshot
        self._dirty_then = self._core.space.changes.dirty
        self._core.journal.copy_for(snapshot)
        return snapshot.pieces()

    def _walked(self) -> None:
        self._core.journal.copy_for(None)
        self.snapshot = None

    def _ended(self, tally: Tally, is_ok: bool | None) -> None:
        """None: it was given up, which says nothing about the next one."""
        self._walked()
        clock = self._core.clock
        tally.is_ok = tally.is_ok if is_ok is None else is_ok
        tally.seconds = int(clock.monotonic() - self.began_s)
        self.running = None
        self._task = None
        self._give_up = False
        if is_ok:
            tally.runs += 1
            self.is_stale = self.is_stale and self.growing is None
            self.size_after = self.current_size()
            self.last_save_ms = clock.now_ms()
            self.dirty_at_save = self._dirty_then
            self._output.repaired()
        else:
            if is_ok is not None:
                self._failed_at = clock.monotonic()
            if self.is_stale:
                self.close_output()

    def close_output(self) -> None:
        """Journal no more; what was journaled is written and synced. Blocks; OSError when it cannot be done."""
        growing = self.growing
        self.growing = None
        if growing is not None:
            try:
                self._output.close()
            finally:
                growing.file.close()

    def give_up(self) -> None:
        """End a run in the background soon, without a result."""
        self._give_up = self._task is not None

    async def end(self) -> None:
        """Give a run in the background up and wait for it."""
        self.give_up()
        await self.wait()

    async def wait(self) -> None:
        """Until nothing runs in the background."""
        if self._task is not None:
            await self._task

    def is_waiting(self) -> bool:
        """Whether a run has failed a short time ago."""
        return self._failed_at > 0 and self._core.clock.monotonic() - self._failed_at < RETRY_S

    def is_due(self, percentage: int, least: int) -> bool:
        """Whether the files have grown so much that a rewrite should begin by itself."""
        if self.running is not None or percentage == 0 or not self._output.is_open():
            return False
        size = self.current_size()
        if size < least or self.is_waiting():
            return False
        return (size - self.size_after) * 100 >= max(1, self.size_after) * percentage
