"""What the job system does beside its work: counts for the metrics and keeps them, deletes old jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Final

from heroredis.extension import Clock
from jobs.manager import JobManager
from jobs.ourdb_store import OurDBStore
from jobs.retention import Retention, Rules
from jobs.totals import Totals

logger = logging.getLogger("heroredis.jobs")
SAVE_EVERY_S: Final = 30.0


class Keeper:
    """`path` = the file of the metrics, None = they are not kept."""

    def __init__(self, manager: JobManager, clock: Clock, rules: Rules, path: Path | None) -> None:
        store = manager.store
        compact = (lambda: store.db.compact(drop_deleted=True)) if isinstance(store, OurDBStore) else None
        self.retention: Final = Retention(manager, rules, clock, compact)
        self.totals: Final = None if path is None else Totals(manager, path)
        self._manager: Final = manager
        self._ended: Final = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def begin_counting(self) -> None:
        """Before the first change: what the start itself does counts, too."""
        if not self._manager.is_counting:
            if self.totals is not None:
                self.totals.restore()
            self._manager.is_counting = True

    def start(self) -> None:
        self.begin_counting()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.retention.run())]
        if self.totals is not None:
            self._tasks.append(loop.create_task(self._keep(self.totals)))

    async def stop(self) -> None:
        """The totals are kept once more."""
        if not self._tasks:
            return
        if self.totals is not None:
            self.totals.is_stopping = True
        self._ended.set()
        self._tasks[0].cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _keep(self, totals: Totals) -> None:
        """Until the stop, in which they are kept for the last time."""
        try:
            if not await totals.recount():
                return  # the file and the log say it all, at the next start
            while not self._ended.is_set():
                await totals.save()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SAVE_EVERY_S):
                        await self._ended.wait()
            await totals.save()
        except Exception:
            logger.exception("the totals are not kept any more")
