"""The file that swaps a compaction in: which segments are new and which are gone. Knows no records."""

from __future__ import annotations

import contextlib
import struct
from typing import Final

from ourdb.checksum import crc32
from ourdb.files import Files

NAME: Final = "compaction"
TEMPORARY: Final = "compaction.tmp"
MAGIC: Final = b"OURDBCPT"
VERSION: Final = 1
HEAD: Final = struct.Struct("<8sHHII")
CHECKPOINT: Final = "checkpoint"


def _numbers(files: Files, ending: str) -> list[int]:
    found = []
    for name in files.names():
        if name.endswith(ending) and name[: -len(ending)].isdigit():
            found.append(int(name[: -len(ending)]))
    return found


def save(files: Files, new: list[int], old: list[int]) -> None:
    """From the moment this returns the new segments are the log. The checkpoint goes first: it knows the old ones."""
    with contextlib.suppress(FileNotFoundError):
        files.unlink(CHECKPOINT)
    files.sync_folder()
    data = HEAD.pack(MAGIC, VERSION, 0, len(new), len(old)) + struct.pack(f"<{len(new) + len(old)}I", *new, *old)
    file = files.open(TEMPORARY, write=True, create=True)
    try:
        file.write(data + struct.pack("<I", crc32(data)), 0)
        file.sync()
    finally:
        file.close()
    files.rename(TEMPORARY, NAME)
    files.sync_folder()


def load(files: Files) -> tuple[list[int], list[int]] | None:
    """(new, old) of a compaction whose swap was interrupted."""
    if NAME not in files.names():
        return None
    file = files.open(NAME)
    try:
        data = file.read(file.size(), 0)
    finally:
        file.close()
    if len(data) < HEAD.size + 4 or crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        return None
    magic, version, _, new, old = HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        return None
    numbers = struct.unpack_from(f"<{new + old}I", data, HEAD.size)
    return list(numbers[:new]), list(numbers[new:])


def finish(files: Files, new: list[int], old: list[int]) -> None:
    """Rename what is new, remove what is old, then the manifest. May be done again after a crash."""
    names = set(files.names())
    for number in new:
        if f"{number:06d}.new" in names:
            files.rename(f"{number:06d}.new", f"{number:06d}.db")
    files.sync_folder()
    for number in old:
        if f"{number:06d}.db" in names:
            files.unlink(f"{number:06d}.db")
    if NAME in names:
        files.sync_folder()
        files.unlink(NAME)
    files.sync_folder()


def settle(files: Files, write: bool) -> dict[int, str]:
    """Names of the segments that count, by number. A writer also brings an interrupted compaction to its end."""
    swap = load(files)
    if write:
        if swap is not None:
            finish(files, swap[0], swap[1])
        for number in _numbers(files, ".new"):
            files.unlink(f"{number:06d}.new")
        swap = None
    names = {number: f"{number:06d}.db" for number in _numbers(files, ".db")}
    if swap is not None:
        for number in swap[1]:
            names.pop(number, None)
        for number in _numbers(files, ".new"):
            if number in swap[0]:
                names[number] = f"{number:06d}.new"
    return names
