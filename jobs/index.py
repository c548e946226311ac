"""The job index: one SQLite file, derived from the job store, that may be deleted at any time.

It proposes ids, newest first; whoever asks looks at the jobs themselves. Used by one thread. The sequence number of the
last record that it knows stands in the same transaction as what it knows.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from pathlib import Path
from typing import Final

from jobs.index_plan import FEW, LAST_ID, Plan
from jobs.job import Job
from jobs.query import Query, measured, searchable
from jobs.query_sql import where

FORMAT: Final = 1
FILE: Final = "jobs.sqlite"
BLOCK_BITS: Final = 10
CHECKING_KIB: Final = 1024
ASKED_KIB: Final = 8 * 1024
FILLED_KIB: Final = 32 * 1024
"""What is held of the file while all of it is read once, while it is asked, and while it takes in much."""
PATIENCE_S: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE jobs(id INTEGER PRIMARY KEY, topic TEXT, state TEXT, reason TEXT, worker TEXT, created INTEGER,
  run INTEGER, started INTEGER, ended INTEGER, attempts INTEGER, priority INTEGER, duration INTEGER, wait INTEGER,
  params_sum INTEGER, outcome_sum INTEGER);
CREATE INDEX jobs_topic ON jobs(topic);
CREATE INDEX jobs_topic_state ON jobs(topic, state);
CREATE INDEX jobs_state ON jobs(state);
CREATE INDEX jobs_reason ON jobs(reason) WHERE reason IS NOT NULL;
CREATE INDEX jobs_worker ON jobs(worker) WHERE worker IS NOT NULL;
CREATE INDEX jobs_attempts ON jobs(attempts);
CREATE INDEX jobs_priority ON jobs(priority);
CREATE INDEX jobs_duration ON jobs(duration) WHERE duration IS NOT NULL;
CREATE INDEX jobs_wait ON jobs(wait) WHERE wait IS NOT NULL;
CREATE TABLE tags(tag TEXT, id INTEGER, PRIMARY KEY(tag, id)) WITHOUT ROWID;
CREATE INDEX tags_id ON tags(id);
CREATE TABLE texts(id INTEGER PRIMARY KEY, params TEXT, result TEXT, error TEXT);
CREATE VIRTUAL TABLE fts USING fts5(params, result, error, content='texts', content_rowid='id', columnsize=0,
  detail=none, tokenize='trigram case_sensitive 1');
CREATE TABLE blocks(id INTEGER PRIMARY KEY, created_low, created_high, run_low, run_high, started_low, started_high,
  ended_low, ended_high);
"""
"""Of a job, texts has the params at id * 2 and what came out at id * 2 + 1; blocks has the range of the times of each
1024 ids, to step over those where nothing can fit."""
_UPSERT: Final = "INSERT OR REPLACE INTO jobs VALUES(" + ",".join("?" * 15) + ")"
_BLOCK: Final = f"""INSERT OR REPLACE INTO blocks SELECT id >> {BLOCK_BITS}, min(created), max(created), min(run),
  max(run), min(started), max(started), min(ended), max(ended) FROM jobs WHERE id BETWEEN ? AND ? GROUP BY 1"""
Changes = dict[int, Job | None]
Rows = list[tuple[object, ...]]


class JobIndex:
    """An open index. sqlite3.DatabaseError from any call means: throw it away and build it again."""

    def __init__(self, folder: Path, few: int = FEW) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path: Final = folder / FILE
        if self.path.is_dir():
            raise sqlite3.DatabaseError(f"{self.path} is a folder")
        self._db: Final = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._few: Final = few
        self._deadline = 0.0
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        self.hold(CHECKING_KIB)
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            db.executescript("BEGIN;" + _SCHEMA + f"INSERT INTO meta VALUES('format', {FORMAT}), ('lsn', 0); COMMIT;")
        [check] = db.execute("PRAGMA quick_check(1)").fetchone()
        if check != "ok":
            raise sqlite3.DatabaseError(check.splitlines()[-1])
        facts = dict(db.execute("SELECT key, value FROM meta"))
        if facts.get("format") != FORMAT:
            raise sqlite3.DatabaseError(f"format {facts.get('format')}")
        self.lsn = int(facts["lsn"])
        self.hold(ASKED_KIB)
        db.set_progress_handler(self._is_late, 200_000)

    def hold(self, kib: int) -> None:
        """How much of the file may be kept in memory; what is above that is let go of."""
        self._db.execute(f"PRAGMA cache_size = -{kib}")

    def _is_late(self) -> bool:
        return 0 < self._deadline < time.monotonic()

    def close(self) -> None:
        self._db.close()

    @classmethod
    def remove(cls, folder: Path) -> None:
        """A folder in the place of a file is not ours: it is put aside. OSError when that cannot be done."""
        for ending in ("", "-wal", "-shm"):
            path = folder / (FILE + ending)
            if path.is_dir() and not path.is_symlink():
                path.rename(folder / f"{path.name}.aside-{time.time_ns()}")
            else:
                path.unlink(missing_ok=True)

    # Filling

    def take(self, changes: Changes, lsn: int) -> None:
        """Bring these jobs (None = deleted) to their newest version; the index knows everything up to `lsn` then."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._write(changes)
            db.execute("UPDATE meta SET value = ? WHERE key = 'lsn'", (lsn,))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.lsn = lsn

    def _write(self, changes: Changes) -> None:
        known = self._sums(list(changes))
        rows: Rows = []
        tags: Rows = []
        texts: Rows = []
        gone: list[int] = []
        for job_id, job in changes.items():
            if job is None:
                if job_id in known:
                    gone.append(job_id)
                continue
            old = known.get(job_id)
            sums = (_sum(job.params), _sum(job.result, job.error))
            rows.append(_row(job, sums))
            if old is None:
                tags += [(tag, job_id) for tag in job.tags]
            old_params, old_outcome = old or (0, 0)
            if sums[0] != old_params:
                texts.append((job_id * 2, searchable(job.params), None, None))
            if sums[1] != old_outcome:
                texts.append((job_id * 2 + 1, None, searchable(job.result), searchable(job.error)))
        db = self._db
        self._forget_texts([row[0] for row in texts if row[0] // 2 in known])  # type: ignore[operator, misc]
        self._forget(gone)
        db.executemany(_UPSERT, rows)
        db.executemany("INSERT OR IGNORE INTO tags VALUES(?, ?)", tags)
        db.executemany("INSERT OR REPLACE INTO texts VALUES(?, ?, ?, ?)", texts)
        db.executemany("INSERT INTO fts(rowid, params, result, error) VALUES(?, ?, ?, ?)", texts)
        for block in {job_id >> BLOCK_BITS for job_id in changes}:
            db.execute(_BLOCK, (block << BLOCK_BITS, ((block + 1) << BLOCK_BITS) - 1))

    def _sums(self, ids: list[int]) -> dict[int, tuple[int, int]]:
        found = self._db.execute("SELECT j.id, params_sum, outcome_sum FROM json_each(?) e "
                                 "CROSS JOIN jobs j ON j.id = e.value", (json.dumps(ids),))
        return {job_id: (params, outcome) for job_id, params, outcome in found}

    def _forget(self, ids: list[int]) -> None:
        if not ids:
            return
        self._forget_texts([row for job_id in ids for row in (job_id * 2, job_id * 2 + 1)])
        single = [(job_id,) for job_id in ids]
        self._db.executemany("DELETE FROM jobs WHERE id = ?", single)
        self._db.executemany("DELETE FROM tags WHERE id = ?", single)

    def _forget_texts(self, ids: list[int]) -> None:
        db = self._db
        rows = json.dumps(ids)
        db.execute("INSERT INTO fts(fts, rowid, params, result, error) SELECT 'delete', t.id, params, result, error "
                   "FROM json_each(?) e CROSS JOIN texts t ON t.id = e.value", (rows,))
        db.execute("DELETE FROM texts WHERE id IN (SELECT value FROM json_each(?))", (rows,))

    # Asking

    def candidates(self, query: Query, below: int, limit: int) -> list[int]:
        """Ids of jobs that fit, newest first, at most `limit`, all below `below` (0 = from the newest)."""
        self._deadline = time.monotonic() + PATIENCE_S
        try:
            return Plan(self._db, query, below, limit, self._few).run()
        finally:
            self._deadline = 0.0

    def count(self, query: Query) -> int:
        self._deadline = time.monotonic() + PATIENCE_S
        text, values = where(query)
        try:
            [number] = self._db.execute(f"SELECT count(*) FROM jobs j WHERE {text}", values).fetchone()
        finally:
            self._deadline = 0.0
        return int(number)

    def last_id_before(self, moment: int) -> int:
        """No job above this id was created by then, even if it was deleted since."""
        [last, following] = self._db.execute(
            "SELECT (SELECT max(id) FROM blocks WHERE created_low <= ?1), (SELECT min(id) FROM blocks WHERE "
            "created_low > ?1)", (moment,)).fetchone()
        return LAST_ID if following is None else int(((max(last or 0, following) + 1) << BLOCK_BITS) - 1)

    def ended_before(self, topic: str, state: str, moment: int, limit: int) -> list[int]:
        """Ids of a topic's jobs of an end state that ended before a moment, oldest first."""
        rows = self._db.execute("SELECT id FROM jobs WHERE topic = ? AND state = ? AND ended < ? ORDER BY id LIMIT ?",
                                (topic, state, moment, limit))
        return [job_id for (job_id,) in rows]


def _sum(*values: bytes | None) -> int:
    """Tells whether texts have changed; 0 = there are none."""
    total = 0
    for value in values:
        total = zlib.crc32(value or b"", total + 1 if value else total)
    return total


def _row(job: Job, sums: tuple[int, int]) -> tuple[object, ...]:
    return (job.job_id, job.topic, job.state, job.reason or None, job.worker or None, job.created_at,
            job.run_at or None, job.started_at or None, job.ended_at or None, job.attempts, job.priority,
            measured(job, "duration"), measured(job, "wait"), *sums)
