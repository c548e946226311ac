"""A disk in memory that fails when told to: the double of Files for tests of stores and of what is built on them.

It knows what was synced: `power_cut` gives the files as they may be after the power failed.
"""

from __future__ import annotations

import errno
import mmap
import random
import zlib
from typing import Final

from ourdb.errors import StoreLocked
from ourdb.files import File, Files, Lock


class Disk:
    """Contents by name, and for each what was synced last."""

    def __init__(self, seed: int = 0) -> None:
        self.seed: Final = seed
        self.now: Final[dict[str, bytearray]] = {}
        self.synced: dict[str, bytes] = {}
        self.synced_names: set[str] = set()
        self.fail_write: OSError | None = None
        self.fail_sync: OSError | None = None
        self.space: int | None = None
        """Bytes that may still be written; None = no limit."""
        self.writes = 0
        self.syncs = 0
        self.locked = False

    def copy(self) -> Disk:
        """The same contents, everything synced and unlocked."""
        return _disk_of({name: bytes(data) for name, data in self.now.items()})

    def power_cut(self, rng: random.Random) -> Disk:
        """What the disk may hold after a power failure: all that was synced, and any part of the rest, torn."""
        contents = {}
        for name in self.synced_names:
            base = self.synced.get(name, b"")
            data = bytes(self.now.get(name, b""))
            if len(data) < len(base):
                data = data if rng.random() < 0.5 else base
            else:
                data = _torn(base, data, rng)
            contents[name] = data
        return _disk_of(contents)


def _torn(base: bytes, data: bytes, rng: random.Random) -> bytes:
    """The synced base, and of what was written behind it a prefix in which some sectors never arrived."""
    length = rng.randint(len(base), len(data))
    out = bytearray(data[:length])
    for sector in range(len(base) // 512, length // 512 + 1):
        start = max(sector * 512, len(base))
        end = min((sector + 1) * 512, length)
        if start < end and rng.random() < 0.2:
            out[start:end] = bytes(end - start)
    return bytes(out)


def _disk_of(contents: dict[str, bytes]) -> Disk:
    disk = Disk()
    disk.now.update({name: bytearray(data) for name, data in contents.items()})
    disk.synced = dict(contents)
    disk.synced_names = set(contents)
    return disk


class FaultyFile(File):
    """A file of a Disk."""

    def __init__(self, disk: Disk, name: str) -> None:
        super().__init__(-1, name)
        self._disk: Final = disk

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        disk = self._disk
        disk.writes += 1
        if disk.fail_write is not None:
            raise disk.fail_write
        view = bytes(data)
        short = False
        if disk.space is not None:
            grown = max(0, offset + len(view) - len(disk.now[self.name]))
            if grown > disk.space:
                view = view[: max(0, len(view) - grown + disk.space)]
                short = True
            disk.space -= min(grown, disk.space)
        held = disk.now[self.name]
        if len(held) < offset:
            held.extend(bytes(offset - len(held)))
        held[offset : offset + len(view)] = view
        if short:
            raise OSError(errno.ENOSPC, "No space left on device", self.name)

    def read(self, size: int, offset: int) -> bytes:
        return bytes(self._disk.now[self.name][offset : offset + size])

    def size(self) -> int:
        return len(self._disk.now[self.name])

    def map(self) -> mmap.mmap | None:
        return None

    def sync(self) -> None:
        disk = self._disk
        disk.syncs += 1
        if disk.fail_sync is not None:
            # The kernel has dropped the dirty pages: a later sync would succeed and prove nothing.
            error, disk.fail_sync = disk.fail_sync, None
            disk.now[self.name][:] = disk.synced.get(self.name, b"")
            raise error
        disk.synced[self.name] = bytes(disk.now[self.name])

    def truncate(self, size: int) -> None:
        del self._disk.now[self.name][size:]

    def close(self) -> None:
        """Nothing is held."""


class MemoryLock(Lock):
    """The lock of a Disk."""

    def __init__(self, disk: Disk) -> None:
        if disk.locked:
            raise StoreLocked("the store is locked by pid 0")
        disk.locked = True
        self._disk: Final = disk

    def release(self) -> None:
        self._disk.locked = False


class FaultyFiles(Files):
    """The files of a Disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__("memory")
        self.disk: Final = disk

    def make_folder(self) -> None:
        """The folder is there."""

    def names(self) -> list[str]:
        return sorted(self.disk.now)

    def open(self, name: str, *, write: bool = False, create: bool = False) -> File:
        if create:
            self.disk.now[name] = bytearray()
        elif name not in self.disk.now:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        return FaultyFile(self.disk, name)

    def rename(self, old: str, new: str) -> None:
        self.disk.now[new] = self.disk.now.pop(old)
        self.disk.synced[new] = self.disk.synced.pop(old, b"")

    def salt(self) -> int:
        return zlib.crc32(b"%d %d" % (self.disk.seed, len(self.disk.now)))

    def unlink(self, name: str) -> None:
        del self.disk.now[name]
        self.disk.synced.pop(name, None)

    def sync_folder(self) -> None:
        self.disk.synced_names = set(self.disk.now)

    def lock(self) -> Lock:
        return MemoryLock(self.disk)
