"""What the job system does beside its work: counts for the metrics and keeps them, deletes old jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from heroredis.extension import Clock
from jobs.manager import JobManager
from jobs.ourdb_store import OurDBStore
from jobs.retention import Retention, Rules

logger = logging.getLogger("heroredis.jobs")
SAVE_EVERY_S: Final = 30.0


class Keeper:
    """`path` = the file of the metrics, None = they are not kept."""

    def __init__(self, manager: JobManager, clock: Clock, rules: Rules, path: Path | None) -> None:
        store = manager.store
        compact = (lambda: store.db.compact(drop_deleted=True)) if isinstance(store, OurDBStore) else None
        self.retention: Final = Retention(manager, rules, clock, compact)
        self._manager: Final = manager
        self._path: Final = path
        self._tasks: list[asyncio.Task[None]] = []

    def begin_counting(self) -> None:
        """Before the first change: what the start itself does counts, too."""
        if not self._manager.is_counting:
            self._restore()
            self._manager.is_counting = True

    def start(self) -> None:
        self.begin_counting()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.retention.run()), loop.create_task(self._save_always())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._tasks:
            self._save()
        self._tasks = []

    def _restore(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            self._manager.metrics.restore(msgspec.json.decode(self._path.read_bytes(), type=dict[str, object]))
        except (OSError, ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
            logger.warning("the totals of %s cannot be read, counting begins anew: %s", self._path, error)

    async def _save_always(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            self._save()

    def _save(self) -> None:
        """A few kilobytes; lost with the power they are counted on from the last time."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self._path.with_suffix(".tmp")
            temporary.write_bytes(msgspec.json.encode(self._manager.metrics.kept()))
            os.replace(temporary, self._path)
        except OSError as error:
            logger.warning("the totals could not be kept: %s", error)
