"""What the torture tests hold a server to: it knows what was acknowledged, and reads the store itself afterwards.

Every verdict is an AssertionError that names the job; test_deliberate_bugs.py proves that each kind is found.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from jobs.client import Client
from jobs.job import Job, decode
from jobs.notes import ScheduleNote, decode_note, is_note
from jobs.states import (
    ACTIVE,
    CANCEL,
    COMPLETE,
    DELETE,
    DISCARD,
    DONE,
    EDIT,
    ENDED,
    EXPIRE,
    EXTEND,
    FAIL,
    GIVE_BACK,
    NEW,
    POISON,
    PROMOTE,
    REPORT,
    REQUEUE,
    RETRY,
    SNOOZE,
    START,
    TRANSITIONS,
    Reason,
)
from ourdb import OurDB

ALL: Final = 10_000
SCHEDULE: Final = "tick"
"""The schedule of the load."""
BY_REASON: Final = {
    (NEW, Reason.RETRY): RETRY, (NEW, Reason.RETURNED): GIVE_BACK, (NEW, Reason.SNOOZED): SNOOZE,
    (NEW, Reason.REQUEUED): REQUEUE, (NEW, Reason.PROMOTED): PROMOTE, (NEW, Reason.EDITED): EDIT,
    (ACTIVE, Reason.EXTENDED): EXTEND, ("error", Reason.POISON): POISON, ("error", Reason.DISCARDED): DISCARD,
    ("error", Reason.EXPIRED): EXPIRE, ("error", Reason.CANCELLED): CANCEL,
}
"""The event that a version tells of, by its state and reason."""


def must(holds: bool, verdict: str) -> None:
    if not holds:
        raise AssertionError(verdict)


@dataclass(frozen=True)
class Line:
    """What a handler told of itself: `start` before its work, `wait` when only a kill ends it, `ack` when the server
    has taken its result."""

    kind: str
    job_id: int
    token: str
    pid: int
    at: int
    params: str


class Witness:
    """A file to which handlers append, one write a line; it outlives all who are killed."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.lines: Final[list[Line]] = []
        self._offset = 0
        path.touch()

    def read(self) -> list[Line]:
        """The lines that are new."""
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        found = []
        for text in data.decode().splitlines():
            kind, job_id, token, pid, at, params = text.split(" ", 5)
            found.append(Line(kind, int(job_id), token, int(pid), int(at), params))
        self.lines.extend(found)
        return found


class Account:
    """What a client was told, and when (monotonic nanoseconds, one clock for all processes)."""

    def __init__(self) -> None:
        self.created: Final[dict[int, bytes]] = {}
        self.ended: Final[dict[int, tuple[str, int]]] = {}
        self.together: Final[list[tuple[tuple[bytes, ...], int, bytes]]] = []
        """What was asked for in one, acknowledged or not: the params of new jobs; a job that ends (0 = none), its
        result."""

        self.retried: Final[Counter[int]] = Counter()
        """How often it was acknowledged that a job runs again."""
        self.deleting: Final[set[int]] = set()
        """Jobs that were to be deleted, acknowledged or not."""
        self.deleted: Final[set[int]] = set()

    def retrying(self, job_id: int) -> None:
        """A job that has ended as error is to run again: from now on it may be anywhere."""
        self.ended.pop(job_id, None)

    def made(self, job_id: int, params: bytes) -> None:
        must(job_id not in self.created, f"id {job_id} was given twice")
        self.created[job_id] = params

    def end(self, job_id: int, state: str) -> None:
        self.ended.setdefault(job_id, (state, time.monotonic_ns()))

    def handed_out(self, job_id: int, params: bytes) -> None:
        """A worker was given a job."""
        given = self.created.get(job_id, params)
        must(given == params, f"job {job_id} was handed out with other params than it was given")
        must(job_id not in self.ended, f"job {job_id} was handed out again after its end was acknowledged")


def event_between(before: Job, after: Job) -> str:
    """The event of the table that a version tells of."""
    if after.reason == Reason.DELETED:
        return DELETE
    named = BY_REASON.get((after.state, after.reason))
    if named is not None:
        return named
    if after.state == ACTIVE:
        return REPORT if before.state == ACTIVE else START
    if after.state == DONE:
        return COMPLETE
    return FAIL if after.state == "error" else "nothing"


def check_history(job_id: int, versions: list[Job]) -> None:
    """From new on, without gaps, along the table; times never run backwards, attempts count up."""
    must([job.version for job in versions] == list(range(1, len(versions) + 1)),
         f"the history of job {job_id} has gaps: {[job.version for job in versions]}")
    must(versions[0].state == NEW, f"job {job_id} begins as {versions[0].state}")
    for before, after in pairwise(versions):
        event = event_between(before, after)
        must(TRANSITIONS.get(event, {}).get(before.state) == after.state,
             f"job {job_id} went from {before.state} to {after.state} ({after.reason}) by {event}")
        must(before.at <= after.at, f"the time of job {job_id} runs backwards")
        must(before.params == after.params or event == EDIT, f"the params of job {job_id} have changed")
        if event == START:
            must(after.attempts == before.attempts + 1 and after.token != "", f"attempts of job {job_id}")
        if event == POISON:
            must(after.losses > before.losses, f"job {job_id} was set aside without a loss")


class Judge:
    """One data folder over all its crashes."""

    def __init__(self, data: Path, account: Account, witness: Witness | None = None) -> None:
        self._data: Final = data
        self._account: Final = account
        self._witness: Final = witness
        self._seen: Final[dict[int, list[bytes]]] = {}
        self.damaged: Final[set[int]] = set()
        """Jobs whose records the test itself has damaged: they may be missing, and nothing else."""
        self.server_killed_at = 0
        """When the last server was killed. The answer of JOB.FETCH does not wait for the disk: the last attempts before
        that may be unknown, if nothing of them was acknowledged."""

    def store(self) -> dict[int, Job]:
        """Read the store itself, with no server on it; the newest version of each job."""
        newest: dict[int, Job] = {}
        runs = 0
        with OurDB(self._data / "jobsdb") as db:
            faults = [fault.reason for fault in db.faults if "torn tail" not in fault.reason]
            must(len(faults) <= len(self.damaged), f"the store is damaged: {faults}")
            for record_id in db.ids():
                if record_id in self.damaged:
                    continue
                runs += runs_of(db.get(record_id))
                versions = self._versions(db, record_id)
                if versions:
                    check_history(record_id, versions)
                    newest[record_id] = versions[-1]
            self._check_prefixes(db)
        self._check_acknowledged(newest)
        self._check_together(newest)
        made = sum(job.more.schedule == SCHEDULE for job in newest.values())
        must(made == runs or bool(self.damaged), f"the schedule has run {runs} times and made {made} jobs")
        if self._witness is not None:
            self._check_starts(newest)
        return newest

    def _versions(self, db: OurDB, record_id: int) -> list[Job]:
        records = [version.data or b"" for version in reversed(db.get_history(record_id, ALL))]
        if is_note(records[0]):
            return []
        before = self._seen.get(record_id, [])
        must(records[: len(before)] == before, f"versions of job {record_id} that were there are gone or have changed")
        self._seen[record_id] = records
        return [decode(record) for record in records]

    def _check_prefixes(self, db: OurDB) -> None:
        for record_id in self._seen.keys() - self.damaged - self._account.deleting:
            must(db.exists(record_id), f"job {record_id} was there and is gone")

    def _check_acknowledged(self, newest: dict[int, Job]) -> None:
        for job_id, params in self._account.created.items():
            if job_id in self.damaged or (job_id in self._account.deleting and job_id not in newest):
                continue
            must(job_id not in self._account.deleted, f"job {job_id} is there, its deletion was acknowledged")
            must(job_id in newest, f"job {job_id} was acknowledged and is not there")
            must(newest[job_id].params == params, f"job {job_id} has other params than it was given")
        for job_id, times in self._account.retried.items():
            again = [decode(record).reason for record in self._seen[job_id]].count(Reason.REQUEUED)
            must(again >= times or job_id in self.damaged,
                 f"that job {job_id} runs again was acknowledged {times} times and is {again} times in its history")
        for job_id, (state, _) in self._account.ended.items():
            if job_id in self._account.deleting and job_id not in newest:
                continue
            must(job_id in newest and newest[job_id].state == state,
                 f"the end of job {job_id} as {state} was acknowledged, it is {newest[job_id].state}")

    def _check_together(self, newest: dict[int, Job]) -> None:
        """All of what was asked for in one is there, or nothing of it."""
        if self.damaged:
            return
        there = {job.params for job in newest.values()}
        for params, job_id, result in self._account.together:
            parts = [one in there for one in params]
            if job_id:
                parts.append(job_id in newest and newest[job_id].result == result)
            must(len(set(parts)) == 1, f"of what was asked for in one only a part is there: {params}, job {job_id}")

    def _check_starts(self, newest: dict[int, Job]) -> None:
        """What the handlers say fits the histories: every run is an attempt of its own, and none follows an end."""
        if self._witness is None:
            return
        self._witness.read()
        starts = [line for line in self._witness.lines if line.kind == "start"]
        acks = {line.job_id: line.at for line in self._witness.lines if line.kind == "ack"}
        twice = [token for token, count in Counter(line.token for line in starts).items() if count > 1]
        must(not twice, f"attempts were run twice: {twice}")
        tokens = {job_id: {decode(record).token for record in self._seen[job_id]} for job_id in newest}
        acked = {line.token for line in self._witness.lines if line.kind == "ack"}
        for line in starts:
            must(line.token in tokens.get(line.job_id, ())
                 or (line.at <= self.server_killed_at and line.token not in acked),
                 f"a run of job {line.job_id} is not in its history")
            _, ended_at = self._account.ended.get(line.job_id, ("", line.at))
            ended_at = min(ended_at, acks.get(line.job_id, ended_at))
            must(line.at <= ended_at, f"job {line.job_id} was started after its end was acknowledged")

    def running(self, client: Client, newest: dict[int, Job], topics: list[str]) -> None:
        """A server is on the store: every job of these topics that has not ended stands in its line, waits for its
        time, or is worked on; none of them twice."""
        held = [job_id for worker in client.execute("JOB.WORKERS") for job_id in worker[b"jobs"]]
        lines = [int(element) for topic in topics for element in client.execute("LRANGE", f"heroqueue:{topic}", 0, -1)]
        places = Counter(held + lines)
        must(max(places.values(), default=1) == 1, f"jobs are in two places: {places.most_common(3)}")
        for job_id, job in newest.items():
            if job.topic not in topics:
                continue
            if job.state in ENDED:
                must(job_id not in places, f"job {job_id} has ended and is in line or worked on")
            elif not (job.state == NEW and job.run_at):
                must(job_id in places, f"job {job_id} is {job.state}, and neither in line nor worked on")
        for job_id, params in self._account.created.items():
            self._check_served(client, job_id, params)

    def _check_served(self, client: Client, job_id: int, params: bytes) -> None:
        job = client.get_job(job_id)
        if job_id in self._account.deleting:
            must(job is None or job_id not in self._account.deleted, f"job {job_id} is served, although it was deleted")
        elif job_id in self.damaged:
            must(job is None, f"job {job_id} is damaged, and was served")
        else:
            must(job is not None and job["params"] == params, f"job {job_id} is served with other params")


def runs_of(record: bytes) -> int:
    """How often a record says that the schedule has run; 0 when it is about something else."""
    note = decode_note(record) if is_note(record) else None
    return note.runs if isinstance(note, ScheduleNote) and note.name == SCHEDULE else 0


def damage(data: Path, params: bytes) -> None:
    """Turn one bit of the only record that holds these params, as a bad disk does."""
    for path in sorted((data / "jobsdb").glob("*.db")):
        contents = path.read_bytes()
        at = contents.find(params)
        if at >= 0:
            must(contents.find(params, at + 1) < 0, "the params are there twice")
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(bytes([contents[at] ^ 4]))
            return
    raise AssertionError("the params are in no segment")
