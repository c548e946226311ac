"""The data folder: made, tried for writing, and locked against a second server."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final


class FolderError(Exception):
    """The folder cannot be used; the text says why."""


class DataFolder:
    """Held from `take` to `release`, or until the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._descriptor = -1

    def take(self) -> None:
        lock = self.path / "heroredis.lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FolderError(f"the folder cannot be written: {error.strerror}; choose another one or change its "
                              "permissions") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise FolderError(f"another server holds it (pid {holder}); stop that one or choose another") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1
