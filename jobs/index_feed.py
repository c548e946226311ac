"""What the job index is fed from: the changes of a store after a sequence number, the newest of each job."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Final, Protocol

import msgspec

from jobs.errors import TooOld
from jobs.job import Job, decode
from jobs.notes import is_note
from jobs.ourdb_store import OurDBStore
from jobs.store import JobStore
from ourdb import Change, CursorTooOld, OurDB

logger = logging.getLogger("heroredis.jobs")


class Portion(msgspec.Struct):
    """Jobs that have changed (None = deleted), up to `lsn`."""

    lsn: int
    changes: dict[int, Job | None]


class IndexFeed(Protocol):
    """Read on the index's own thread."""

    def last_lsn(self) -> int:
        """The newest sequence number."""
        ...

    def read(self, lsn: int, limit: int) -> Portion:
        """Up to `limit` records after `lsn`. Raises TooOld when some of them are no longer there."""
        ...


class OurDBFeed:
    """Reads the log itself; of several versions of a job only the newest is decoded."""

    def __init__(self, db: OurDB) -> None:
        self._db: Final = db
        self._reading: Iterator[Change] = iter(())
        self._reached = 0

    def last_lsn(self) -> int:
        return self._db.durable_lsn

    def read(self, lsn: int, limit: int) -> Portion:
        records: dict[int, bytes | None] = {}
        reading = self._reading
        self._reading = iter(())
        try:
            found = list(islice(reading, limit)) if self._reached == lsn else []
            if not found:
                reading = iter(self._db.changes(lsn))
                found = list(islice(reading, limit))
        except CursorTooOld as error:
            raise TooOld(str(error)) from None
        for change in found:
            records[change.id] = change.data
            lsn = change.lsn
        self._reading, self._reached = reading, lsn
        changes: dict[int, Job | None] = {}
        for record_id, data in records.items():
            if data is None:
                changes[record_id] = None
            elif not is_note(data):
                try:
                    changes[record_id] = decode(data)
                except (ValueError, msgspec.MsgspecError) as error:
                    logger.error("record %d cannot be read: %s", record_id, error)
        return Portion(lsn, changes)


class StoreFeed:
    """Any other store."""

    def __init__(self, store: JobStore) -> None:
        self._store: Final = store

    def last_lsn(self) -> int:
        return self._store.durable_lsn()

    def read(self, lsn: int, limit: int) -> Portion:
        changes: dict[int, Job | None] = {}
        for number, record_id, _, found in islice(self._store.changes(lsn), limit):
            if found is None or isinstance(found, Job):
                changes[record_id] = found
            lsn = number
        return Portion(lsn, changes)


def feed_of(store: JobStore) -> IndexFeed:
    return OurDBFeed(store.db) if isinstance(store, OurDBStore) else StoreFeed(store)
