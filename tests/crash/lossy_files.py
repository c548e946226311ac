"""Files that keep what was written in memory until it is synced: a kill -9 of the process loses what a power failure
would lose. A sync may be made to last, so that what does not wait for it is seen to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from ourdb.files import File, Files

Writes = list[tuple[int, bytes]]


class LossyFile(File):
    """`pending` is what a crash would lose; all open files of a name share it."""

    def __init__(self, descriptor: int, name: str, pending: Writes, sync_s: float) -> None:
        super().__init__(descriptor, name)
        self._pending: Final = pending
        self._sync_s: Final = sync_s

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        self._pending.append((offset, bytes(data)))

    def read(self, size: int, offset: int) -> bytes:
        held = bytearray(super().read(size, offset))
        for at, data in list(self._pending):
            start, end = max(at, offset), min(at + len(data), offset + size)
            if start < end:
                held.extend(bytes(max(0, end - offset - len(held))))
                held[start - offset : end - offset] = data[start - at : end - at]
        return bytes(held)

    def size(self) -> int:
        return max([super().size(), *(at + len(data) for at, data in list(self._pending))])

    def map(self) -> None:
        return None

    def sync(self) -> None:
        time.sleep(self._sync_s)
        while self._pending:
            at, data = self._pending[0]
            super().write(data, at)
            del self._pending[0]

    def truncate(self, size: int) -> None:
        self.sync()
        super().truncate(size)


class LossyFiles(Files):
    """A folder of such files; names are kept at once."""

    def __init__(self, folder: Path, sync_s: float = 0.0) -> None:
        super().__init__(folder)
        self._sync_s: Final = sync_s
        self._pending: Final[dict[str, Writes]] = {}

    def open(self, name: str, *, write: bool = False, create: bool = False) -> File:
        flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT | os.O_TRUNC if create else 0)
        pending = self._pending.setdefault(name, [])
        if create:
            pending.clear()
        return LossyFile(os.open(self.folder / name, flags | os.O_CLOEXEC, 0o600), name, pending, self._sync_s)

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        self._pending[new] = self._pending.pop(old, [])

    def unlink(self, name: str) -> None:
        super().unlink(name)
        self._pending.pop(name, None)
