"""Jobs in OurDB: one record per version. Damaged records are reported and stepped over, never served."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import msgspec

from heroredis.extension import Committing
from jobs.errors import TooOld
from jobs.job import Job, decode
from jobs.job_record import FORMAT, NO_MORE, JobHead, head_of
from jobs.notes import Note, decode_note, encode_note, is_note
from jobs.packing import Packer
from jobs.states import ENDED
from jobs.store import Ended, JobStore
from ourdb import Commit, CorruptRecord, CursorTooOld, NotFound, OurDB

ARRAY_16: Final = 0xDC
SHORT_TEXT: Final = 0xA0
LONGEST_SHORT_TEXT: Final = 0xBF
ID_ENDS: Final = {0xCC: 6, 0xCD: 7, 0xCE: 9, 0xCF: 13}
"""Where an id ends in a record, by the byte that says how it is written; MessagePack's, as those above."""
SHORTEST: Final = 16
MAX_GROUPS: Final = 10_000
logger = logging.getLogger("heroredis.jobs")


class Group:
    """Records that begin alike: jobs of one topic in one state, or what is no job."""

    def __init__(self, head: JobHead | None) -> None:
        self.topic: Final = "" if head is None else head.topic
        self.state: Final = "" if head is None else head.state
        self.is_over: Final = head is not None and head.state in ENDED
        self.is_counted = False
        """Told once, with `number`, instead of one by one."""
        self.number = 0


def group_of(record: bytes) -> bytes:
    """Topic and state as they stand in the record of a job; empty for another kind of record, or a long name. It need
    not decode anything, which counts when there are millions."""
    if len(record) < SHORTEST or record[0] != ARRAY_16 or record[3] != FORMAT:
        return b""
    number = record[4]
    start = 5 if number < 0x80 else ID_ENDS.get(number, 0)
    topic = record[start]
    if not start or not SHORT_TEXT <= topic <= LONGEST_SHORT_TEXT:
        return b""
    end = start + 1 + topic - SHORT_TEXT
    if end >= len(record) or not SHORT_TEXT <= record[end] <= LONGEST_SHORT_TEXT:
        return b""
    return record[start : end + 1 + record[end] - SHORT_TEXT]


class OurDBStore(JobStore):
    """A JobStore over an open OurDB, which it closes. Written to by one thread."""

    def __init__(self, db: OurDB) -> None:
        self.db: Final = db
        self._packer: Final = Packer()
        self._batch: list[tuple[bytes | None, int]] | None = None
        self._seen: Final[dict[int, bytes | None]] = {}
        """The newest of what the open batch holds."""
        self._fresh = 0
        self._depth = 0
        self._promise: Commit | None = None

    def next_id(self) -> int:
        return self.db.next_id + self._fresh

    def add(self, job: Job) -> None:
        if self._batch is not None:
            self._collect(self._packer.pack(job), 0)
            return
        given = self.db.append(self._packer.pack(job), 0, job.at)
        if given != job.job_id:
            raise RuntimeError(f"the store gave id {given} to job {job.job_id}")

    def add_all(self, jobs: list[Job]) -> None:
        if self._batch is None:
            self.db.append_batch([(self._packer.pack(job), 0) for job in jobs], jobs[0].at)
            return
        for job in jobs:
            self._collect(self._packer.pack(job), 0)

    def append(self, job: Job) -> None:
        if self._batch is None:
            self.db.append(self._packer.pack(job), job.job_id, job.at)
        else:
            self._collect(self._packer.pack(job), job.job_id)

    def put(self, note: Note, record_id: int = 0) -> int:
        if self._batch is None:
            return self.db.append(encode_note(note), record_id)
        return self._collect(encode_note(note), record_id)

    def remove(self, record_id: int) -> None:
        if self._batch is None:
            self.db.append_delete(record_id)
        else:
            self._collect(None, record_id)

    def _collect(self, record: bytes | None, record_id: int) -> int:
        """Into the open batch. New records get their ids when it is written, in the same order."""
        found = record_id or self.next_id()
        if self._batch is not None:
            self._batch.append((record, record_id))
        if not record_id:
            self._fresh += 1
        self._seen[found] = record
        return found

    def begin(self) -> None:
        if self._depth == 0:
            self._batch = []
        self._depth += 1

    def end(self) -> Committing:
        self._depth -= 1
        if self._depth:
            return self.commit()
        batch, promise = self._batch, self._promise
        self._batch = self._promise = None
        self._fresh = 0
        self._seen.clear()
        if batch:
            self.db.append_batch(batch)
        commit = self.db.commit()
        if promise is not None:
            commit.add_callback(lambda ended: promise.finish(ended.error))
        return commit

    def in_batch(self) -> bool:
        return self._depth > 0

    def commit(self) -> Committing:
        if self._batch is None:
            return self.db.commit()
        if self._promise is None:
            self._promise = Commit()
        return self._promise

    def taken_back(self) -> tuple[Committing, list[tuple[int, Job | Note | None]]]:
        again = Commit()
        return again, [(record_id, None if data is None else _readable(data, record_id))
                       for record_id, data in self.db.watch_full(again)]

    def get(self, job_id: int) -> Job | None:
        found = self._read(job_id)
        return found if isinstance(found, Job) else None

    def _read(self, record_id: int) -> Job | Note | None:
        try:
            record = self._seen[record_id] if record_id in self._seen else self.db.get(record_id)
            return None if record is None else _decoded(record)
        except NotFound:
            return None
        except (CorruptRecord, ValueError, msgspec.MsgspecError) as error:
            logger.error("record %d cannot be read: %s", record_id, error)
            return None

    def _versions(self, record_id: int, depth: int) -> Iterator[Job | Note]:
        try:
            versions = self.db.get_history(record_id, depth + 1)  # the end of a record is no version of a job
        except NotFound:
            return
        except CorruptRecord as damage:
            logger.error("older versions of record %d cannot be reached: %s", record_id, damage)
            versions = self.db.get_history(record_id, depth + 1, until_damage=True)
        whole = [version.data for version in versions if version.data is not None]
        for record in whole[:depth]:
            found = _readable(record, record_id)
            if found is not None:
                yield found

    def history(self, job_id: int, depth: int) -> list[Job]:
        return [job for job in self._versions(job_id, depth) if isinstance(job, Job)]

    def notes(self, record_id: int, depth: int) -> list[Note]:
        return [note for note in self._versions(record_id, depth) if not isinstance(note, Job)]

    def newest(self) -> Iterator[Job]:
        for _, found in self.records():
            if isinstance(found, Job):
                yield found

    def records(self) -> Iterator[tuple[int, Job | Note]]:
        for record_id in self.db.ids():
            found = self._read(record_id)
            if found is not None:
                yield record_id, found

    def unfinished(self, ended: Ended) -> Iterator[tuple[int, Job | Note]]:
        return self._by_log(ended) if self.db.durable_lsn == self.db.last_lsn else super().unfinished(ended)

    def _by_log(self, ended: Ended) -> Iterator[tuple[int, Job | Note]]:
        """From end to end rather than id by id, and of what has ended no more than it must."""
        kept: list[int] = []
        groups: dict[bytes, Group] = {}
        seen = 0
        for record_id, record in self.db.scan(order="log"):
            seen += 1
            try:
                name = group_of(record)
                group = groups.get(name)
                if group is None:
                    group = Group(None if is_note(record) else head_of(record))
                    if name and len(groups) < MAX_GROUPS:
                        groups[name] = group
                        group.is_counted = True
                if not group.is_over:
                    kept.append(record_id)
                elif group.is_counted and record.endswith(NO_MORE):
                    group.number += 1
                else:
                    ended(group.topic, group.state, 1, None if record.endswith(NO_MORE) else decode(record))
            except (ValueError, msgspec.MsgspecError) as error:
                logger.error("record %d cannot be read: %s", record_id, error)
        for group in groups.values():
            if group.number:
                ended(group.topic, group.state, group.number, None)
        if seen < len(self.db):
            for record_id in self.db.ids():
                self._read(record_id)  # reports what is damaged
        kept.sort()
        yield from self.of(kept)

    def of(self, record_ids: list[int]) -> Iterator[tuple[int, Job | Note]]:
        for record_id in record_ids:
            found = self._read(record_id)
            if found is not None:
                yield record_id, found

    def last_lsn(self) -> int:
        return self.db.last_lsn + (len(self._batch) if self._batch else 0)

    def durable_lsn(self) -> int:
        return self.db.durable_lsn

    def changes(self, since: int) -> Iterator[tuple[int, int, int, Job | Note | None]]:
        try:
            for change in self.db.changes(since):
                yield change.lsn, change.id, change.time, (
                    None if change.data is None else _readable(change.data, change.id))
        except CursorTooOld as error:
            raise TooOld(str(error)) from None

    def close(self) -> None:
        self.db.close()


def _readable(record: bytes, record_id: int) -> Job | Note | None:
    """None for what cannot be read, which is named."""
    try:
        return _decoded(record)
    except (ValueError, msgspec.MsgspecError) as error:
        logger.error("a version of record %d cannot be read: %s", record_id, error)
        return None


def _decoded(record: bytes) -> Job | Note:
    return decode_note(record) if is_note(record) else decode(record)
