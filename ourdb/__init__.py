"""OurDB: an embedded, append-only store that keeps every version of every record. Imports nothing of this project."""

from __future__ import annotations

from ourdb.commit import Commit
from ourdb.errors import (
    CorruptRecord,
    CursorTooOld,
    InvalidId,
    NotFound,
    OurDBError,
    ReadOnly,
    RecordTooLarge,
    StoreClosed,
    StoreFailed,
    StoreFull,
    StoreLocked,
    UnknownFormat,
)
from ourdb.front import AsyncOurDB
from ourdb.reading import Change, Version
from ourdb.segment import Fault
from ourdb.store import OurDB

__all__ = [
    "AsyncOurDB", "Change", "Commit", "CorruptRecord", "CursorTooOld", "Fault", "InvalidId", "NotFound", "OurDB",
    "OurDBError", "ReadOnly", "RecordTooLarge", "StoreClosed", "StoreFailed", "StoreFull", "StoreLocked",
    "UnknownFormat", "Version",
]
