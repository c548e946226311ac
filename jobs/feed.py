"""The feed of all changes, in the order of the store's sequence numbers: what JOB.EVENTS reads.

Only what is on disk is told. The newest events are in memory once somebody follows; older ones are read from the store
on another thread. A cursor is the sequence number of the last event that was seen: it means the same after a restart.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final

from heroredis.extension import Committing
from jobs.errors import BadOption, JobRefused
from jobs.job import Job
from jobs.notes import Note, ScheduleNote, TopicNote, TrailNote
from jobs.states import ACTIVE, DONE, Reason
from jobs.store import JobStore
from ourdb import StoreFull

IN_MEMORY: Final = 10_000
KEPT_READINGS: Final = 16
READING_S: Final = 5.0
"""After which a page that is read from the store is asked for again."""
BY_REASON: Final = {
    Reason.RETRY: "retried", Reason.RETURNED: "returned", Reason.SNOOZED: "snoozed", Reason.REQUEUED: "requeued",
    Reason.PROMOTED: "promoted", Reason.EDITED: "edited", Reason.EXTENDED: "extended",
    Reason.CANCELLED: "cancelled", Reason.DISCARDED: "discarded", Reason.EXPIRED: "expired",
    Reason.POISON: "poisoned", Reason.DELETED: "deleted",
}
Change = tuple[int, int, int, Job | Note | None]


class Event:
    """One change of a job or topic; `seq` is its cursor. `job` is the version it made, None for others."""

    def __init__(self, seq: int, at: int, event: str, job_id: int, topic: str, by: str, job: Job | None = None,
                 line: str = "", percent: int = -1) -> None:
        self.seq: Final = seq
        self.at: Final = at
        self.event: Final = event
        self.job_id: Final = job_id
        self.topic: Final = topic
        self.by: Final = by
        self.job: Final = job
        self.line: Final = line
        self.percent: Final = percent


def name_of(job: Job) -> str:
    """What has happened, from the version that it made."""
    if job.version == 1:
        return "created"
    found = BY_REASON.get(job.reason)
    if found is not None:
        return found
    if job.state == ACTIVE:
        return "started"
    return "completed" if job.state == DONE else "failed"


def event_of(seq: int, found: Job | Note) -> Event | None:
    """The event of a record; None for what is no event."""
    if isinstance(found, Job):
        return Event(seq, found.at, name_of(found), found.job_id, found.topic, found.by, found)
    if isinstance(found, TrailNote):
        return Event(seq, found.at, "log" if found.percent < 0 else "progress", found.job_id, "", found.by,
                     line=found.line, percent=found.percent)
    if isinstance(found, TopicNote):
        return Event(seq, found.at, "paused" if found.paused else "resumed", 0, found.topic, found.by)
    if isinstance(found, ScheduleNote):
        return Event(seq, found.at, "schedule", 0, found.topic, found.by, line=found.name)
    return None


class Page:
    """Some events and the cursor behind them."""

    def __init__(self, cursor: int, events: list[Event]) -> None:
        self.cursor: Final = cursor
        self.events: Final = events


Work = Callable[[], Page | JobRefused]


class Feed:
    """`defer` calls back after a commit; `started` is called once, when the first follower comes; `in_thread` runs work
    beside the loop and hands its result to the loop; `wake` tells those who wait for events."""

    def __init__(self, store: JobStore, defer: Callable[[Committing, Callable[[], None]], None],
                 started: Callable[[], None], in_thread: Callable[[Work, Callable[[Page | JobRefused], None]], None],
                 wake: Callable[[], None]) -> None:
        self._store: Final = store
        self._defer: Final = defer
        self._in_thread: Final = in_thread
        self._wake: Final = wake
        self._started: Final = started
        self._first = -1
        """Events with higher numbers are in memory; -1 = nobody has followed yet."""
        self._seqs: list[int] = []
        self._events: list[Event] = []
        self._is_waking = False
        self._pages: Final[dict[tuple[int, int], Page | JobRefused]] = {}
        self._followers: list[asyncio.Future[None]] = []
        self._open: Final[dict[int, Iterator[Change]]] = {}
        """Readings of the store that can go on, by their cursor."""

    # Collecting

    @property
    def is_followed(self) -> bool:
        return self._first >= 0

    def follow(self) -> None:
        """Keep what is appended from now on in memory."""
        if self._first < 0:
            self._first = self._store.last_lsn()
            self._started()

    def add(self, found: list[Job | Note]) -> None:
        """These were just appended, one after the other."""
        seq = self._store.last_lsn() - len(found)
        for one in found:
            seq += 1
            event = event_of(seq, one)
            if event is not None:
                self._seqs.append(seq)
                self._events.append(event)
        if len(self._seqs) > 2 * IN_MEMORY:
            dropped = len(self._seqs) - IN_MEMORY
            self._first = self._seqs[dropped - 1]
            del self._seqs[:dropped]
            del self._events[:dropped]
        self._wake_later()

    def _wake_later(self) -> None:
        if not self._is_waking:
            self._is_waking = True
            commit = self._store.commit()
            self._defer(commit, lambda: self._durable(commit))

    def _durable(self, commit: Committing) -> None:
        self._is_waking = False
        if commit.error is not None and not isinstance(commit.error, StoreFull):
            self.taken_back()
        if self._seqs and self._seqs[-1] > self._store.durable_lsn():
            self._wake_later()
        self._wake_all()

    def taken_back(self) -> None:
        """What is not on disk will not be; a full disk gives the numbers again."""
        kept = bisect_right(self._seqs, self._store.durable_lsn())
        del self._seqs[kept:], self._events[kept:]

    def _wake_all(self) -> None:
        self._wake()
        followers, self._followers = self._followers, []
        for future in followers:
            if not future.done():
                future.set_result(None)

    # Reading

    def newest(self) -> int:
        """The cursor behind everything that is on disk."""
        return self._store.durable_lsn()

    def read(self, cursor: int, count: int) -> Page | None:
        """Up to `count` events behind a cursor; None while they are being read from the store: `wake` follows. Raises
        BadOption, TooOld."""
        self.follow()
        durable = self._store.durable_lsn()
        if cursor > max(durable, self._store.last_lsn()):
            raise BadOption(f"cursor {cursor} is ahead of the events, which end at {durable}")
        if cursor >= self._first:
            return self._from_memory(cursor, count, durable)
        page = self._pages.pop((cursor, count), None)
        if page is None:
            self._in_thread(lambda: self._from_store(cursor, count), lambda page: self._was_read(cursor, count, page))
            page = self._pages.pop((cursor, count), None)
        if isinstance(page, JobRefused):
            raise page
        return page

    async def after(self, cursor: int, count: int, wait_s: float) -> Page:
        """Events behind a cursor, waiting `wait_s` seconds for the first of them. Raises BadOption, TooOld."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            page = self.read(cursor, count)
            wait = READING_S
            if page is not None:
                wait = until - loop.time()
                if page.events or wait <= 0:
                    return page
                cursor = page.cursor
            future: asyncio.Future[None] = loop.create_future()
            self._followers.append(future)
            try:
                async with asyncio.timeout(wait):
                    await future
            except TimeoutError:
                self._followers.remove(future)

    def _from_memory(self, cursor: int, count: int, durable: int) -> Page:
        begin = bisect_right(self._seqs, cursor)
        end = bisect_right(self._seqs, durable)
        events = self._events[begin : min(end, begin + count)]
        return Page(events[-1].seq if begin + count < end else max(cursor, durable), events)

    def _was_read(self, cursor: int, count: int, page: Page | JobRefused) -> None:
        self._pages[cursor, count] = page
        while len(self._pages) > KEPT_READINGS:
            del self._pages[next(iter(self._pages))]
        self._wake_all()

    def _from_store(self, cursor: int, count: int) -> Page | JobRefused:
        """On another thread."""
        changes = self._open.pop(cursor, None) or self._store.changes(cursor)
        events: list[Event] = []
        seen = cursor
        try:
            for seq, _, _, found in changes:
                seen = seq
                event = None if found is None else event_of(seq, found)
                if event is not None:
                    events.append(event)
                    if len(events) >= count:
                        break
            else:
                return Page(seen, events)
        except JobRefused as refused:
            return refused
        self._open[seen] = changes
        while len(self._open) > KEPT_READINGS:
            del self._open[next(iter(self._open))]
        return Page(seen, events)
