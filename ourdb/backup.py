"""Copies a store segment by segment; a second copy into the same folder brings only what is new. Knows no records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from ourdb import manifest
from ourdb.errors import OurDBError
from ourdb.files import File, Files
from ourdb.segment import Segment, Segments, segment_name

NAME: Final = "backup"
TEMPORARY: Final = "backup.tmp"
STEP: Final = 1024 * 1024

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""


def no_progress(done: int, total: int) -> None:
    """For callers who need not know."""


class BackedUp:
    """What a backup did."""

    def __init__(self) -> None:
        self.copied = 0
        self.size = 0
        self.removed = 0


class _Copier:
    """`known` are the bytes that earlier backups have synced, by number and salt."""

    def __init__(self, target: Files, progress: Progress) -> None:
        self.target: Final = target
        self.result: Final = BackedUp()
        self.new: Final[list[int]] = []
        self._progress: Final = progress
        self._done = 0
        self.known: Final = _load(target)

    def segment(self, segment: Segment, end: int, names: set[str]) -> None:
        """Bring one segment up to `end`."""
        name = segment_name(segment.number)
        if name in names:
            file = self.target.open(name, write=True)
            start = self._agreed(segment, file, end)
        else:
            file = self.target.open(f"{segment.number:06d}.new", write=True, create=True)
            self.new.append(segment.number)
            start = 0
        try:
            self._copy(segment, file, start, end)
        finally:
            file.close()

    def _agreed(self, segment: Segment, file: File, end: int) -> int:
        """Up to where the target already holds the same; OurDBError when it holds something else."""
        size = file.size()
        start = min(self.known.get((segment.number, segment.salt), 0), size)
        while start < size:
            step = min(STEP, size - start)
            if size > end or file.read(step, start) != segment.file.read(step, start):
                raise OurDBError(f"{file.name} in the target is not from a backup of this store")
            start += step
        return start

    def _copy(self, segment: Segment, file: File, start: int, end: int) -> None:
        self._done += start
        if start < end:
            while start < end:
                data = segment.file.read(min(STEP, end - start), start)
                if not data:
                    raise OurDBError(f"{segment.file.name} ends at {start}, not at {end}")
                file.write(data, start)
                start += len(data)
                self.result.copied += len(data)
                self._done += len(data)
                self._progress(self._done, self.result.size)
            file.sync()
        self._progress(self._done, self.result.size)


def copy_store(segments: Segments, last: int, end: int, target: Files, progress: Progress) -> BackedUp:
    """Copy all segments up to `end` in segment `last`. The target is a whole store at every moment, the old one or the
    new one. OurDBError when it holds another store, StoreLocked when it is in use."""
    target.make_folder()
    lock = target.lock()
    try:
        copier = _Copier(target, progress)
        parts = _parts(segments, last, end)
        copier.result.size = sum(size for _, size in parts)
        there, _ = manifest.settle(target, True)
        if there and not copier.known and not parts:
            raise OurDBError("the target holds a store and the source is empty")
        _refuse_strangers(copier, there, parts)
        for segment, size in parts:
            copier.segment(segment, size, set(there.values()))
        _save(target, _planned(copier, parts))
        old = sorted(set(there) - {segment.number for segment, _ in parts})
        if copier.new or old:
            manifest.save(target, copier.new, old)
            manifest.finish(target, copier.new, old)
        with contextlib.suppress(FileNotFoundError):
            target.unlink(manifest.CHECKPOINT)
        _save(target, {(segment.number, segment.salt): size for segment, size in parts})
        copier.result.removed = len(old)
        return copier.result
    finally:
        lock.release()


def _parts(segments: Segments, last: int, end: int) -> list[tuple[Segment, int]]:
    parts = []
    for number in segments.order:
        segment = segments.by_number[number]
        parts.append((segment, end if number == last else segment.file.size()))
        if number == last:
            break
    return parts


def _refuse_strangers(copier: _Copier, there: dict[int, str], parts: list[tuple[Segment, int]]) -> None:
    """Files that would be removed must be known from an earlier backup."""
    known = {number for number, _ in copier.known}
    for number in set(there) - {segment.number for segment, _ in parts} - known:
        raise OurDBError(f"{there[number]} in the target is not from a backup of this store")


def _load(target: Files) -> dict[tuple[int, int], int]:
    known: dict[tuple[int, int], int] = {}
    if NAME in target.names():
        file = target.open(NAME)
        try:
            text = file.read(file.size(), 0).decode("ascii", "replace")
        finally:
            file.close()
        for line in text.splitlines():
            words = line.split()
            if len(words) == 3 and all(word.isdigit() for word in words):
                known[int(words[0]), int(words[1])] = int(words[2])
    return known


def _planned(copier: _Copier, parts: list[tuple[Segment, int]]) -> dict[tuple[int, int], int]:
    """What is known before the new files get their names, so that an interrupted backup can be told from a stranger."""
    return {(segment.number, segment.salt): 0 for segment, _ in parts} | copier.known


def _save(target: Files, known: dict[tuple[int, int], int]) -> None:
    """One line per segment: number, salt, synced size."""
    text = "".join(f"{number} {salt} {size}\n" for (number, salt), size in known.items())
    file = target.open(TEMPORARY, write=True, create=True)
    try:
        file.write(text.encode("ascii"), 0)
        file.sync()
    finally:
        file.close()
    target.rename(TEMPORARY, NAME)
    target.sync_folder()
