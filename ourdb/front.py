"""The asyncio front: the same store, awaited. Reads answer at once; what waits for the disk never blocks the loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final

from ourdb.backup import BackedUp, Progress, no_progress
from ourdb.compact import Compacted
from ourdb.store import OurDB


class AsyncOurDB:
    """An OurDB for one event loop: `async with AsyncOurDB(path) as store`. Takes the arguments of OurDB.

    `store.db` is the store itself: its reads (`get`, `get_history`, `exists`, `scan` …) and `append` do not wait.
    """

    def __init__(self, path: str | os.PathLike[str], durability: str = "always", **options: Any) -> None:
        self._path: Final = path
        self._durability: Final = durability
        self._options: Final = options
        self._db: OurDB | None = None

    async def __aenter__(self) -> AsyncOurDB:
        self._db = await asyncio.to_thread(OurDB, self._path, self._durability, **self._options)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await asyncio.to_thread(self.db.close)

    @property
    def db(self) -> OurDB:
        if self._db is None:
            raise RuntimeError("the store is not open; use it in `async with`")
        return self._db

    async def set(self, data: bytes, id: int | None = None, *, durability: str | None = None) -> int:
        """As OurDB.set; all who wait in one turn of the loop share one sync."""
        record_id = self.db.append(data, 0 if id is None else id)
        await self.db.commit(durability)
        return record_id

    async def set_batch(self, items: Iterable[tuple[bytes | None, int]], *, durability: str | None = None) -> list[int]:
        """As OurDB.set_batch: all are there after a crash, or none."""
        ids = self.db.append_batch(items)
        await self.db.commit(durability)
        return ids

    async def delete(self, id: int, *, durability: str | None = None) -> None:
        self.db.append_delete(id)
        await self.db.commit(durability)

    async def commit(self, durability: str | None = None) -> None:
        """Until everything appended so far is as durable as asked for."""
        await self.db.commit(durability)

    def get(self, id: int) -> bytes:
        return self.db.get(id)

    async def compact(self, versions: int | None = None, age_ms: int | None = None, drop_deleted: bool = False,
                      progress: Progress = no_progress) -> Compacted:
        """In a thread of its own, in short steps."""
        return await asyncio.to_thread(self.db.compact, versions, age_ms, drop_deleted, progress)

    async def backup(self, path: str | os.PathLike[str], progress: Progress = no_progress) -> BackedUp:
        return await asyncio.to_thread(self.db.backup, path, progress)
