"""How long ended jobs are kept: by age and by number, for all topics or one. Deletes in small steps, and compacts.

A rule is `[topic:]state=age[/number]`, as in `done=7d mail:done=1h/1000 error=/5000`; a topic's own rule replaces the
general one.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from typing import Final, cast

from heroredis.extension import Clock, parse_duration_ms
from jobs.errors import JobRefused
from jobs.job import Job
from jobs.manager import JobManager
from jobs.search import SLICE
from jobs.states import DONE, ENDED, ERROR

logger = logging.getLogger("heroredis.jobs")
INTERVAL_S: Final = 60.0
STEP: Final = 500
"""Jobs of one question to the index."""
LOOKED_AT: Final = 100_000
"""Jobs that one round looks at without an index; the next one goes on from there."""
COMPACT_AFTER: Final = 10_000
"""Deleted jobs before a compaction pays, at least; also a fifth of all jobs."""
AUTHOR: Final = "retention"
_RULE: Final = re.compile(r"(?:(?P<topic>.+):)?(?P<state>done|error)=(?P<age>[0-9.]+[a-z]*)?(?:/(?P<number>\d{1,12}))?")


class Limit:
    """`age_ms` and `number` are -1 when there is no such limit."""

    def __init__(self, age_ms: int = -1, number: int = -1) -> None:
        self.age_ms: Final = age_ms
        self.number: Final = number


Rules = dict[tuple[str, str], Limit]
"""By topic ("" = all others) and state."""


def read_rules(text: str) -> Rules:
    """Rules separated by spaces. ValueError with the fix."""
    rules: Rules = {}
    for part in text.split():
        found = _RULE.fullmatch(part)
        if found is None or (found["age"] is None and found["number"] is None):
            raise ValueError(f"{part!r} is no rule; give [topic:]done=AGE or [topic:]error=AGE, with /NUMBER behind it "
                             "for at most so many, such as done=7d mail:done=1h/1000")
        age = -1 if found["age"] is None else parse_duration_ms(found["age"])
        number = -1 if found["number"] is None else int(found["number"])
        rules[found["topic"] or "", found["state"]] = Limit(age, number)
    return rules


class Retention:
    """`compact` gives space back, on a thread; None = the store cannot."""

    def __init__(self, manager: JobManager, rules: Rules, clock: Clock,
                 compact: Callable[[], object] | None = None, compact_after: int = COMPACT_AFTER) -> None:
        self.deleted = 0
        self.compactions = 0
        self._manager: Final = manager
        self._rules: Final = rules
        self._clock: Final = clock
        self._compact: Final = compact
        self._compact_after: Final = compact_after
        self._since_compaction = 0
        self._next = 1

    async def run(self) -> None:
        """Round after round until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.round()
            except Exception:
                logger.exception("old jobs could not be deleted")

    async def round(self) -> int:
        """Delete what no rule keeps any longer; how many."""
        before = self.deleted
        if self._rules:
            if self._manager.search.is_indexed:
                await self._by_index()
            else:
                await self._by_looking()
        await self._compacted()
        return self.deleted - before

    def _limit(self, topic: str, state: str) -> Limit | None:
        return self._rules.get((topic, state)) or self._rules.get(("", state))

    def _surplus(self, topic: str, state: str, limit: Limit) -> int:
        return self._manager.stats(topic)[state] - limit.number if limit.number >= 0 else 0

    async def _by_index(self) -> None:
        for topic in list(self._manager.topics()):
            for state in (DONE, ERROR):
                limit = self._limit(topic, state)
                if limit is not None:
                    await self._trim(topic, state, limit)

    async def _trim(self, topic: str, state: str, limit: Limit) -> None:
        """Oldest first, step by step."""
        while True:
            old = self._clock.now_ms() - limit.age_ms if limit.age_ms >= 0 else 0
            ids = await self._ask(topic, state, old, STEP) if old > 0 else []
            surplus = self._surplus(topic, state, limit) - len(ids)
            if surplus > 0:
                ids = await self._ask(topic, state, 1 << 62, min(STEP, surplus + len(ids)))
            if not await self._delete(ids, topic, state):
                return

    async def _ask(self, topic: str, state: str, before: int, limit: int) -> list[int]:
        indexer = self._manager.search.indexer
        if indexer is None:
            return []
        asked = indexer.ask(lambda index: index.ended_before(topic, state, before, limit))
        return cast("list[int]", await asyncio.wrap_future(asked))

    async def _by_looking(self) -> None:
        end = self._manager.store.next_id()
        last = min(end, self._next + LOOKED_AT)
        for start in range(self._next, last, SLICE):
            for job in self._ended(start, min(start + SLICE, last)):
                limit = self._limit(job.topic, job.state)
                if limit is not None and (self._surplus(job.topic, job.state, limit) > 0 or (
                        limit.age_ms >= 0 and job.ended_at < self._clock.now_ms() - limit.age_ms)):
                    await self._delete([job.job_id], job.topic, job.state)
            await asyncio.sleep(0)
        self._next = 1 if last >= end else last

    def _ended(self, start: int, end: int) -> Iterator[Job]:
        for job_id in range(start, end):
            job = self._manager.find(job_id)
            if job is not None and job.state in ENDED:
                yield job

    async def _delete(self, ids: list[int], topic: str, state: str) -> int:
        """Those that are still in this state; how many."""
        count = 0
        for number, job_id in enumerate(ids, 1):
            job = self._manager.find(job_id)
            if job is not None and job.topic == topic and job.state == state:
                try:
                    self._manager.delete(job_id, AUTHOR, keep_result=True)
                    count += 1
                except JobRefused as refused:
                    logger.warning("job %d was not deleted: %s", job_id, refused.text)
            if number % (SLICE // 4) == 0:
                await asyncio.sleep(0)
        self.deleted += count
        self._since_compaction += count
        return count

    async def _compacted(self) -> None:
        indexer = self._manager.search.indexer
        total = self._manager.stats()
        enough = max(self._compact_after, sum(total[state] for state in total) // 5)
        if self._compact is None or self._since_compaction < enough:
            return
        await self._manager.flushed()
        if indexer is not None and indexer.behind:  # the index still reads what a compaction would drop
            return
        self._since_compaction = 0
        await asyncio.to_thread(self._compact)
        self.compactions += 1
