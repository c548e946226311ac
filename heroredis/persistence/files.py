"""The one layer through which ordinary keys touch the disk, so that tests can record it and break it.

`File` and `Files` are the shape; `open_folder` gives the real ones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol


class File(Protocol):
    """An open file: positioned reads and writes. OSError tells why something was not done."""

    def write(self, data: bytes, offset: int, /) -> None: ...
    def read(self, size: int, offset: int, /) -> bytes: ...
    def size(self) -> int: ...
    def sync(self) -> None: ...
    def truncate(self, size: int, /) -> None: ...
    def close(self) -> None: ...


class Files(Protocol):
    """Files of one folder, by name."""

    def make_folder(self) -> None: ...
    def names(self) -> list[str]: ...
    def open(self, name: str, /, *, write: bool = False, create: bool = False) -> File: ...
    def rename(self, old: str, new: str, /) -> None: ...
    def unlink(self, name: str, /) -> None: ...
    def sync_folder(self) -> None: ...


class DiskFile:
    """A file of the system."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name: Final = name

    def write(self, data: bytes, offset: int, /) -> None:
        view = memoryview(data)
        while len(view) > 0:
            done = os.pwrite(self._descriptor, view, offset)
            if done <= 0:
                raise OSError(28, "No space left on device", self._name)
            view = view[done:]
            offset += done

    def read(self, size: int, offset: int, /) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def truncate(self, size: int, /) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class DiskFiles:
    """A folder of the system. Names may lead into it from its parent (`../name`)."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def make_folder(self) -> None:
        """The folder, synced into its parent."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(self.folder.parent)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder)) if self.folder.is_dir() else []

    def open(self, name: str, /, *, write: bool = False, create: bool = False) -> File:
        flags = os.O_RDWR if write else os.O_RDONLY
        if create:
            flags |= os.O_CREAT | os.O_TRUNC
        return DiskFile(os.open(self.folder / name, flags | os.O_CLOEXEC, 0o600), name)

    def rename(self, old: str, new: str, /) -> None:
        os.rename(self.folder / old, self.folder / new)

    def unlink(self, name: str, /) -> None:
        os.unlink(self.folder / name)

    def sync_folder(self) -> None:
        _sync_folder(self.folder)


def open_folder(folder: Path) -> Files:
    return DiskFiles(folder)


def write_whole(files: Files, name: str, data: bytes) -> None:
    """Replace a small file so that after a crash it is the old one or the new one."""
    temporary = f"temp-{name}"
    file = files.open(temporary, write=True, create=True)
    try:
        file.write(data, 0)
        file.sync()
    finally:
        file.close()
    files.rename(temporary, name)
    files.sync_folder()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
