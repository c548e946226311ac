"""What OurDB refuses or reports, each as a class of its own."""

from __future__ import annotations


class OurDBError(Exception):
    """Base of all errors of a store."""


class NotFound(OurDBError, KeyError):
    """There is no such id, or it was deleted."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "not found"


class CorruptRecord(OurDBError):
    """The bytes on disk are not what was written; they are never served."""


class StoreLocked(OurDBError):
    """Another process writes to this store."""


class StoreFull(OurDBError):
    """The disk is full: the records of this batch were taken back, reading goes on, and so does writing once there is
    space again."""


class StoreFailed(OurDBError):
    """A write or sync failed: what is on disk is unknown, and nothing is written until the store is opened again."""


class StoreClosed(OurDBError):
    """The store was closed."""


class ReadOnly(OurDBError):
    """The store was opened for reading."""


class InvalidId(OurDBError, ValueError):
    """An id is a whole number from 1 to 2**48 - 1."""


class RecordTooLarge(OurDBError, ValueError):
    """The data is larger than the store takes."""


class UnknownFormat(OurDBError):
    """The files were written by a later version, or are no store at all."""


class CursorTooOld(OurDBError):
    """A compaction has dropped changes that come after this log sequence number."""
