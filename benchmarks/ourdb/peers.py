"""The stores that are compared, each used as its own documentation advises for this work.

Every store does the same: `put` new records in batches, `update` and `delete` given ids, `get` them, `scan` everything.
Ids are 1 to n. The loops stand inside the classes, so that no store pays for calls that its user would not make.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

BATCH: Final = 1000
MAP_SIZE: Final = 64 << 30
BIG: Final = struct.Struct(">Q")
PAIR: Final = struct.Struct(">QQ")
NEWEST_FIRST: Final = (1 << 64) - 1

Ids = Sequence[int]


def batches(ids: Ids, size: int = BATCH) -> list[Ids]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


class Plain:
    """A file to which records are appended, with an array of offsets: no names, no checks. What the machine allows."""

    name = "plain append"
    history = False

    def __init__(self, folder: Path, sync: bool) -> None:
        self._sync = sync
        self._file = os.open(folder / "log", os.O_RDWR | os.O_CREAT)
        self._offsets = [0]
        self._end = 0
        self._size = 0

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        offsets, end = self._offsets, self._end
        for _ in range(count // size):
            out = bytearray()
            for value in values[:size]:
                offsets.append(end)
                out += value
                end += len(value)
            os.pwrite(self._file, out, end - len(out))
            if self._sync:
                os.fdatasync(self._file)
        self._end = end
        self._size = len(values[0])

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        offsets, end = self._offsets, self._end
        for some in batches(ids):
            out = bytearray()
            for record_id, value in zip(some, values, strict=False):
                offsets[record_id] = end
                out += value
                end += len(value)
            os.pwrite(self._file, out, end - len(out))
        self._end = end

    def get(self, ids: Ids) -> int:
        offsets, size = self._offsets, self._size
        total = 0
        with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as mapping:
            for record_id in ids:
                start = offsets[record_id]
                total += len(mapping[start : start + size])
        return total

    def scan(self) -> int:
        total, size = 0, self._size
        with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as mapping:
            for start in range(0, len(mapping), size):
                total += len(mapping[start : start + size])
        return total

    def close(self) -> None:
        os.close(self._file)


class Ours:
    """OurDB: every version is kept, every record checked by its CRC when it is read."""

    name = "OurDB"
    history = True

    def __init__(self, folder: Path, sync: bool) -> None:
        from ourdb import OurDB
        self.db = OurDB(folder / "db", "always" if sync else "no")

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        append, flush = self.db.append, self.db.flush
        for _ in range(count // size):
            for value in values[:size]:
                append(value)
            flush()

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        append, flush = self.db.append, self.db.flush
        for some in batches(ids):
            for record_id, value in zip(some, values, strict=False):
                append(value, record_id)
            flush()

    def get(self, ids: Ids) -> int:
        get = self.db.get
        total = 0
        for record_id in ids:
            total += len(get(record_id))
        return total

    def scan(self) -> int:
        total = 0
        for _, value in self.db.scan(order="log"):
            total += len(value)
        return total

    def delete(self, ids: Ids) -> None:
        delete, flush = self.db.append_delete, self.db.flush
        for some in batches(ids):
            for record_id in some:
                delete(record_id)
            flush()

    def close(self) -> None:
        self.db.close()


class Lmdb:
    """LMDB, new records appended in key order; only the newest version is there."""

    name = "LMDB"
    history = False

    def __init__(self, folder: Path, sync: bool) -> None:
        import lmdb
        self._env = lmdb.open(str(folder / "db"), map_size=MAP_SIZE, sync=sync, metasync=sync, readahead=False)
        self._next = 1

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        pack, record_id = BIG.pack, self._next
        for _ in range(count // size):
            with self._env.begin(write=True) as transaction:
                put = transaction.put
                for value in values[:size]:
                    put(pack(record_id), value, append=True)
                    record_id += 1
        self._next = record_id

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        pack = BIG.pack
        for some in batches(ids):
            with self._env.begin(write=True) as transaction:
                put = transaction.put
                for record_id, value in zip(some, values, strict=False):
                    put(pack(record_id), value)

    def get(self, ids: Ids) -> int:
        pack = BIG.pack
        total = 0
        with self._env.begin() as transaction:
            get = transaction.get
            for record_id in ids:
                total += len(get(pack(record_id)))
        return total

    def scan(self) -> int:
        total = 0
        with self._env.begin() as transaction:
            for _, value in transaction.cursor():
                total += len(value)
        return total

    def delete(self, ids: Ids) -> None:
        pack = BIG.pack
        for some in batches(ids):
            with self._env.begin(write=True) as transaction:
                delete = transaction.delete
                for record_id in some:
                    delete(pack(record_id))

    def close(self) -> None:
        self._env.close()


class LmdbHistory(Lmdb):
    """LMDB with a key of id and version, newest first, so that every version stays; a deletion is an empty value."""

    name = "LMDB, keeping history"
    history = True

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        pack, record_id = PAIR.pack, self._next
        for _ in range(count // size):
            with self._env.begin(write=True) as transaction:
                put = transaction.put
                for value in values[:size]:
                    put(pack(record_id, NEWEST_FIRST - record_id), value, append=True)
                    record_id += 1
        self._next = record_id

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        pack, version = PAIR.pack, self._next
        for some in batches(ids):
            with self._env.begin(write=True) as transaction:
                put = transaction.put
                for record_id, value in zip(some, values, strict=False):
                    put(pack(record_id, NEWEST_FIRST - version), value)
                    version += 1
        self._next = version

    def get(self, ids: Ids) -> int:
        pack = BIG.pack
        total = 0
        with self._env.begin() as transaction, transaction.cursor() as cursor:
            find, value = cursor.set_range, cursor.value
            for record_id in ids:
                find(pack(record_id))
                total += len(value())
        return total

    def delete(self, ids: Ids) -> None:
        pack, version = PAIR.pack, self._next
        for some in batches(ids):
            with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
                find, put = cursor.set_range, transaction.put
                for record_id in some:
                    if find(BIG.pack(record_id)):
                        put(pack(record_id, NEWEST_FIRST - version), b"")
                    version += 1
        self._next = version


class Sqlite:
    """sqlite3 of the standard library with its write-ahead log."""

    name = "sqlite3 WAL"
    history = False

    def __init__(self, folder: Path, sync: bool) -> None:
        self._db = sqlite3.connect(folder / "db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={'FULL' if sync else 'OFF'}")
        self._db.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, data BLOB)")

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        rows = [(value,) for value in values[:size]]
        for _ in range(count // size):
            self._many("INSERT INTO records (data) VALUES (?)", rows)

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        for some in batches(ids):
            self._many("UPDATE records SET data = ? WHERE id = ?", zip(values, some, strict=False))

    def _many(self, statement: str, rows: Any) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(statement, rows)
        self._db.execute("COMMIT")

    def get(self, ids: Ids) -> int:
        execute = self._db.execute
        total = 0
        for record_id in ids:
            total += len(execute("SELECT data FROM records WHERE id = ?", (record_id,)).fetchone()[0])
        return total

    def scan(self) -> int:
        return sum(len(row[0]) for row in self._db.execute("SELECT data FROM records ORDER BY id"))

    def delete(self, ids: Ids) -> None:
        for some in batches(ids):
            self._many("DELETE FROM records WHERE id = ?", [(record_id,) for record_id in some])

    def close(self) -> None:
        self._db.close()


class Rocks:
    """RocksDB through rocksdict, written in batches; compaction runs in its own threads and is counted."""

    name = "RocksDB"
    history = False

    def __init__(self, folder: Path, sync: bool) -> None:
        from rocksdict import Options, Rdict, WriteOptions
        self._db = Rdict(str(folder / "db"), Options(raw_mode=True))
        options = WriteOptions()
        options.sync = sync
        self._db.set_write_options(options)
        self._next = 1

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        from rocksdict import WriteBatch
        pack, record_id = BIG.pack, self._next
        for _ in range(count // size):
            batch = WriteBatch(raw_mode=True)
            for value in values[:size]:
                batch.put(pack(record_id), value)
                record_id += 1
            self._db.write(batch)
        self._next = record_id

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        from rocksdict import WriteBatch
        pack = BIG.pack
        for some in batches(ids):
            batch = WriteBatch(raw_mode=True)
            for record_id, value in zip(some, values, strict=False):
                batch.put(pack(record_id), value)
            self._db.write(batch)

    def get(self, ids: Ids) -> int:
        pack, db = BIG.pack, self._db
        return sum(len(db[pack(record_id)]) for record_id in ids)

    def scan(self) -> int:
        return sum(len(value) for value in self._db.values())

    def delete(self, ids: Ids) -> None:
        from rocksdict import WriteBatch
        pack = BIG.pack
        for some in batches(ids):
            batch = WriteBatch(raw_mode=True)
            for record_id in some:
                batch.delete(pack(record_id))
            self._db.write(batch)

    def close(self) -> None:
        self._db.close()


class Zodb:
    """ZODB's FileStorage used as a store of bytes, below its object layer; keeps history until it is packed."""

    name = "ZODB FileStorage"
    history = True

    def __init__(self, folder: Path, sync: bool) -> None:
        from ZODB.Connection import TransactionMetaData
        from ZODB.FileStorage import FileStorage
        self._transaction = TransactionMetaData
        self._db = FileStorage(str(folder / "db.fs"))
        self._serial: dict[int, bytes] = {}
        self._next = 1
        if not sync:
            import ZODB.FileStorage.FileStorage as module
            module.fsync = lambda _: None

    def _write(self, pairs: list[tuple[int, bytes]]) -> None:
        transaction, db, serial, pack = self._transaction(), self._db, self._serial, BIG.pack
        db.tpc_begin(transaction)
        none = bytes(8)
        for record_id, value in pairs:
            db.store(pack(record_id), serial.get(record_id, none), value, "", transaction)
        db.tpc_vote(transaction)
        tid = db.tpc_finish(transaction)
        for record_id, _ in pairs:
            serial[record_id] = tid

    def put(self, values: Sequence[bytes], count: int, size: int = BATCH) -> None:
        for _ in range(count // size):
            first = self._next
            self._next += size
            self._write(list(zip(range(first, self._next), values, strict=False)))

    def update(self, ids: Ids, values: Sequence[bytes]) -> None:
        for some in batches(ids):
            self._write(list(zip(some, values, strict=False)))

    def get(self, ids: Ids) -> int:
        pack, load = BIG.pack, self._db.load
        return sum(len(load(pack(record_id))[0]) for record_id in ids)

    def scan(self) -> int:
        return sum(len(record.data) for transaction in self._db.iterator() for record in transaction)

    def close(self) -> None:
        self._db.close()


PEERS: Final = {store.name: store for store in (Plain, Ours, Lmdb, LmdbHistory, Sqlite, Rocks, Zodb)}


def checksum_rate() -> float:
    """µs for one CRC of 256 bytes: what every checked store pays at least."""
    from time import process_time
    data = bytes(300)
    begin = process_time()
    for _ in range(100_000):
        zlib.crc32(data)
    return (process_time() - begin) * 10
