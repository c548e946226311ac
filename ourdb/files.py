"""The one layer through which a store touches the disk, so that tests can record it and break it."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ourdb.errors import StoreLocked

PARTS_AT_ONCE: Final = 1024
"""As many as Linux takes in one call."""


class File:
    """An open file: positioned reads and writes."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        """Write all of it; OSError tells why not."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.descriptor, view, offset)
            if done <= 0:
                raise OSError(28, "the disk took nothing", self.name)
            view = view[done:]
            offset += done

    def write_parts(self, parts: Sequence[bytes], size: int, offset: int) -> None:
        """Write up to PARTS_AT_ONCE parts of `size` bytes together behind each other; OSError tells why not."""
        done = os.pwritev(self.descriptor, parts, offset)
        if done < size:
            self.write(b"".join(parts)[done:], offset + done)

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes."""
        return os.pread(self.descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def map(self) -> mmap.mmap | None:
        """The whole file as it is now, for reading; None where that cannot be done."""
        try:
            return mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return None

    def sync(self) -> None:
        os.fdatasync(self.descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.descriptor, size)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Files:
    """Files of one folder, by name."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder: Final = Path(folder)

    def make_folder(self) -> None:
        """The folder, synced into its parent."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(self.folder.parent)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in os.scandir(self.folder)) if self.folder.is_dir() else []

    def open(self, name: str, *, write: bool = False, create: bool = False) -> File:
        flags = os.O_RDWR if write else os.O_RDONLY
        if create:
            flags |= os.O_CREAT | os.O_TRUNC
        return File(os.open(self.folder / name, flags | os.O_CLOEXEC, 0o600), name)

    def salt(self) -> int:
        """32 random bits for a new segment."""
        return int.from_bytes(os.urandom(4), "little")

    def rename(self, old: str, new: str) -> None:
        os.rename(self.folder / old, self.folder / new)

    def unlink(self, name: str) -> None:
        os.unlink(self.folder / name)

    def sync_folder(self) -> None:
        _sync_folder(self.folder)

    def lock(self) -> Lock:
        """The writer's lock; StoreLocked names who holds it."""
        return Lock(self.folder / "LOCK")


class Lock:
    """An exclusive flock; it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreLocked(f"the store {path.parent} is locked by pid {holder}") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
