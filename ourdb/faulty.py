"""A disk in memory that fails when told to: the double of Files for tests of stores and of what is built on them.

It knows what was synced: `power_cut` gives the files as they may be after the power failed.
"""

from __future__ import annotations

import errno
import mmap
import random
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from ourdb.errors import StoreLocked
from ourdb.files import File, Files, Lock

SECTOR: Final = 512


class Inode:
    """A file's contents as they are now and as they were at its last sync."""

    def __init__(self, data: bytes = b"", synced: bool = False) -> None:
        self.data: Final = bytearray(data)
        self.synced = bytes(data) if synced else b""


class Disk:
    """Files by name. What was not synced, of contents and of names, may be lost in a power failure."""

    def __init__(self, seed: int = 0) -> None:
        self.seed: Final = seed
        self.files: Final[dict[str, Inode]] = {}
        self.fail_write: OSError | None = None
        self.fail_sync: OSError | None = None
        self.space: int | None = None
        """Bytes that may still be written; None = no limit."""
        self.writes = 0
        self.syncs = 0
        self.locked = False
        self.before_change: Callable[[], None] | None = None
        """Called before anything changes: the moment to look at what a crash would leave."""
        self._folders: list[dict[str, Inode]] = [{}]
        """The folder as it was synced, then after each change since."""

    @property
    def now(self) -> dict[str, bytearray]:
        """Contents by name, to look at and to damage."""
        return {name: inode.data for name, inode in self.files.items()}

    def put(self, name: str, data: bytes) -> None:
        """Place a file, all of it synced."""
        self.files[name] = Inode(data, synced=True)
        self.sync_names()

    def remove(self, name: str) -> None:
        """Take a file away for good."""
        del self.files[name]
        self.sync_names()

    def changing(self) -> None:
        if self.before_change is not None:
            self.before_change()

    def names_changed(self) -> None:
        self._folders.append(dict(self.files))

    def sync_names(self) -> None:
        self._folders = [dict(self.files)]

    def copy(self) -> Disk:
        """The same contents, everything synced and unlocked: what a killed process leaves."""
        return self._holding({name: bytes(inode.data) for name, inode in self.files.items()})

    def power_cut(self, rng: random.Random) -> Disk:
        """What the disk may hold after a power failure: all that was synced, any part of the rest, torn anywhere."""
        names = rng.choice(self._folders)
        return self._holding({name: _torn(inode.synced, bytes(inode.data), rng) for name, inode in names.items()})

    def _holding(self, contents: dict[str, bytes]) -> Disk:
        disk = Disk(self.seed)
        for name, data in contents.items():
            disk.put(name, data)
        return disk


def _torn(base: bytes, data: bytes, rng: random.Random) -> bytes:
    """Between the synced contents and the present ones: any length, and any sector may be the old one."""
    if base == data:
        return data
    length = rng.randint(min(len(base), len(data)), max(len(base), len(data)))
    longer = data if len(data) >= len(base) else base
    out = bytearray(longer[:length])
    for start in range(0, length, SECTOR):
        if rng.random() < 0.25:
            end = min(start + SECTOR, length)
            old = base[start:end]
            out[start:end] = old + bytes(end - start - len(old))
    return bytes(out)


class FaultyFile(File):
    """A file of a Disk."""

    def __init__(self, disk: Disk, name: str, inode: Inode) -> None:
        super().__init__(-1, name)
        self._disk: Final = disk
        self._inode: Final = inode

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        disk = self._disk
        disk.changing()
        disk.writes += 1
        if disk.fail_write is not None:
            raise disk.fail_write
        held = self._inode.data
        view = bytes(data)
        short = False
        if disk.space is not None:
            grown = max(0, offset + len(view) - len(held))
            if grown > disk.space:
                view = view[: max(0, len(view) - grown + disk.space)]
                short = True
            disk.space -= min(grown, disk.space)
        if len(held) < offset:
            held.extend(bytes(offset - len(held)))
        held[offset : offset + len(view)] = view
        if short:
            raise OSError(errno.ENOSPC, "No space left on device", self.name)

    def write_parts(self, parts: Sequence[bytes], size: int, offset: int) -> None:
        self.write(b"".join(parts), offset)

    def read(self, size: int, offset: int) -> bytes:
        return bytes(self._inode.data[offset : offset + size])

    def size(self) -> int:
        return len(self._inode.data)

    def map(self) -> mmap.mmap | None:
        return None

    def sync(self) -> None:
        disk = self._disk
        disk.changing()
        disk.syncs += 1
        if disk.fail_sync is not None:
            # The kernel has dropped the dirty pages: a later sync would succeed and prove nothing.
            error, disk.fail_sync = disk.fail_sync, None
            self._inode.data[:] = self._inode.synced
            raise error
        self._inode.synced = bytes(self._inode.data)

    def truncate(self, size: int) -> None:
        del self._inode.data[size:]

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
        return sorted(self.disk.files)

    def open(self, name: str, *, write: bool = False, create: bool = False) -> File:
        disk = self.disk
        inode = disk.files.get(name)
        if inode is None:
            if not create:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
            disk.changing()
            inode = disk.files[name] = Inode()
            disk.names_changed()
        elif create:
            disk.changing()
            inode.data.clear()
        return FaultyFile(disk, name, inode)

    def rename(self, old: str, new: str) -> None:
        self.disk.changing()
        self.disk.files[new] = self.disk.files.pop(old)
        self.disk.names_changed()

    def unlink(self, name: str) -> None:
        self.disk.changing()
        if self.disk.files.pop(name, None) is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        self.disk.names_changed()

    def sync_folder(self) -> None:
        self.disk.changing()
        self.disk.sync_names()

    def salt(self) -> int:
        return zlib.crc32(b"%d %d" % (self.disk.seed, self.disk.writes))

    def lock(self) -> Lock:
        return MemoryLock(self.disk)
