"""Finding jobs by a query: the index proposes, the newest versions decide. Without an index everything is looked at.

One page costs a bounded time on the loop; a page may hold fewer jobs than asked for, the cursor tells where to go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import msgspec

from heroredis.extension import Clock
from jobs.indexer import Indexer
from jobs.job import Job
from jobs.query import EVERYTHING, Query, Span, Words, conjuncts
from jobs.query_parser import parse
from jobs.states import Reason

ALL_VERSIONS: Final = 10_000
LOOKED_AT: Final = 20_000
"""Jobs that one page looks at without an index."""
SLICE: Final = 200
"""Jobs that are looked at before the loop does something else."""
CATCH_UP_S: Final = 10.0
"""How long the index may take to know what was there before something is done to all jobs that fit."""
FAR_BEHIND: Final = 20_000
"""Records; an index that knows less is not asked (it is being built)."""


class Page(msgspec.Struct):
    """Jobs, newest first; `cursor` 0 = there are no more. `behind` = records of the log the index did not know."""

    cursor: int
    jobs: list[Job]
    behind: int = 0


class Search:
    """`find` gives the job of an id as it is now, `history` its versions, `newest_id` the highest id there may be."""

    def __init__(self, find: Callable[[int], Job | None], history: Callable[[int, int], list[Job]],
                 newest_id: Callable[[], int], clock: Clock) -> None:
        self.indexer: Indexer | None = None
        self._find: Final = find
        self._history: Final = history
        self._newest_id: Final = newest_id
        self._clock: Final = clock

    def parse(self, text: str) -> Query:
        return parse(text, self._clock.now_ms())

    @property
    def is_indexed(self) -> bool:
        """Whether the index is good enough to be asked."""
        indexer = self.indexer
        return indexer is not None and not indexer.problem and indexer.behind < FAR_BEHIND

    async def _is_whole(self) -> bool:
        """Whether the index knows all that is on disk now; it gets the time that it needs for that."""
        indexer = self.indexer
        if indexer is None or not self.is_indexed:
            return False
        target, until = indexer.newest(), time.monotonic() + CATCH_UP_S
        while indexer.index_lsn < target:
            if indexer.problem or time.monotonic() > until:
                return False
            await asyncio.wrap_future(indexer.ask(lambda index: None))
        return True

    async def page(self, query: Query, cursor: int = 0, count: int = 50) -> Page:
        """Jobs that fit, with ids below `cursor` (0 = from the newest). Raises Refused."""
        indexer = self.indexer
        if indexer is None or not self.is_indexed or query == EVERYTHING:
            return await self._scan(query, cursor, count, self._find)
        return await self._indexed(indexer, query, cursor, count, False)

    async def _indexed(self, indexer: Indexer, query: Query, cursor: int, count: int, at_once: bool) -> Page:
        wanted = count + 1
        found: list[Job] = []
        while True:
            ids = await self._candidates(indexer, query, cursor, wanted, at_once)
            for number, job_id in enumerate(ids, 1):
                job = self._find(job_id)
                if job is not None and query.fits(job):
                    if len(found) == count:
                        return Page(found[-1].job_id, found, indexer.behind)
                    found.append(job)
                if number % SLICE == 0:
                    await asyncio.sleep(0)
            if len(ids) < wanted:
                return Page(0, found, indexer.behind)
            cursor = ids[-1]

    async def _candidates(self, indexer: Indexer, query: Query, cursor: int, limit: int, at_once: bool) -> list[int]:
        asked = indexer.ask(lambda index: index.candidates(query, cursor, limit), at_once=at_once)
        return cast("list[int]", await asyncio.wrap_future(asked))

    async def as_of(self, moment: int, query: Query, cursor: int = 0, count: int = 50) -> Page:
        """Jobs as they were at a moment (Unix ms), those deleted since then too, as long as their history is kept."""
        indexer = self.indexer
        if not cursor and indexer is not None and self.is_indexed:
            last = await asyncio.wrap_future(indexer.ask(lambda index: index.last_id_before(moment)))
            cursor = cast("int", last) + 1
        return await self._scan(query, cursor, count, lambda job_id: self._version_at(job_id, moment))

    def _version_at(self, job_id: int, moment: int) -> Job | None:
        for job in self._history(job_id, ALL_VERSIONS):
            if job.at <= moment:
                return None if job.reason == Reason.DELETED else job
        return None

    async def _scan(self, query: Query, cursor: int, count: int, look: Callable[[int], Job | None]) -> Page:
        low, high = 1, min(self._newest_id(), cursor - 1) if cursor else self._newest_id()
        for part in conjuncts(query):
            if isinstance(part, Span) and part.field == "id":
                low, high = max(low, part.low or 1), min(high, high if part.high is None else part.high)
        found: list[Job] = []
        for seen, job_id in enumerate(range(high, low - 1, -1), 1):
            job = look(job_id)
            if job is not None and query.fits(job):
                found.append(job)
            if len(found) >= count or seen >= LOOKED_AT:
                return Page(job_id if job_id > low else 0, found)
            if seen % SLICE == 0:
                await asyncio.sleep(0)
        return Page(0, found)

    async def count(self, query: Query) -> int:
        """How many jobs fit."""
        indexer = self.indexer
        if indexer is not None and await self._is_whole():
            return cast("int", await asyncio.wrap_future(indexer.ask(lambda index: index.count(query))))
        number = 0
        async for jobs in self.pages(query):
            number += len(jobs)
        return number

    async def pages(self, query: Query, count: int = 500) -> AsyncIterator[list[Job]]:
        """All that fit, newest first, page by page: without an index that knows them all, each job is looked at. What
        is made meanwhile is not among them."""
        cursor = self._newest_id() + 1
        indexer = self.indexer if query != EVERYTHING and await self._is_whole() else None
        while cursor:
            if indexer is None or indexer.problem:
                page = await self._scan(query, cursor, count, self._find)
            else:  # what it does not know yet is what was done to the pages before
                page = await self._indexed(indexer, query, cursor, count, True)
            cursor = page.cursor
            if page.jobs:
                yield page.jobs


def topics_of(query: Query) -> list[str] | None:
    """The topics that a query is restricted to; None = it is not. For permissions."""
    for part in conjuncts(query):
        if isinstance(part, Words) and part.field == "topic" and not any(value.is_prefix for value in part.values):
            return [value.text for value in part.values]
    return None
