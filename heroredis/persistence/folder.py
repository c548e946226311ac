"""The folder of append-only files and its manifest. Everything here waits for the disk and knows no loop.

Each change of the set of files is one replacement of the manifest, made after what it names is on disk and before what
it no longer names is removed: after a crash at any step the old set or the new one is whole.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from heroredis.persistence.files import File, Files, write_whole
from heroredis.persistence.manifest import (
    BASE,
    HISTORY,
    INCREMENT,
    Manifest,
    ManifestError,
    Part,
    base_name,
    increment_name,
    manifest_name,
    read_manifest,
)
from heroredis.persistence.output import Growing
from heroredis.persistence.recovery import RecoveryError

TEMPORARY: Final = "temp-"
REWRITTEN: Final = TEMPORARY + "rewritten.aof"
NO_FILES: Final = Manifest([])
logger = logging.getLogger("heroredis")


class Folder:
    """Files of one `appendfilename`. In `parent` older Redis servers kept a single file of that name."""

    def __init__(self, files: Files, parent: Files, stem: str) -> None:
        self.files: Final = files
        self.manifest = NO_FILES
        self.base_size = 0
        self.old_size = 0
        """Bytes of the increments before the one that grows."""
        self._taken = 0
        """The highest number of a file that no manifest names."""
        self._parent: Final = parent
        self._stem: Final = stem

    # Opening

    def find(self) -> None:
        """Read the manifest; make one when an older Redis left a single file. Raises RecoveryError."""
        files = self.files
        name = manifest_name(self._stem)
        present = files.names()
        if name in present:
            self.manifest = self._read(name)
            if not self.manifest.parts:
                self._note_strays(present)
            base = self.manifest.base
            if base is not None and base.name == self._stem and self._stem not in present:
                self._take_single_file()
            return
        self._note_strays(present)
        if self._stem in self._parent.names():
            files.make_folder()
            self._install(Manifest([Part(self._stem, 1, BASE)]))
            self._take_single_file()

    def _note_strays(self, present: list[str]) -> None:
        """Files that no manifest names count for nothing, as in Redis; unlike there, they are never written over."""
        shape = re.compile(re.escape(self._stem) + r"\.(\d{1,18})\.(?:base|incr)\.(?:aof|rdb)")
        strays: list[str] = []
        for each in present:
            found = shape.fullmatch(each)
            if found is not None:
                strays.append(each)
                self._taken = max(self._taken, int(found[1]))
        if strays:
            logger.warning("no %s names %s: they are left alone and not loaded",
                           manifest_name(self._stem), ", ".join(sorted(strays)))

    def _read(self, name: str) -> Manifest:
        file = self.files.open(name)
        try:
            return read_manifest(file.read(file.size(), 0))
        except ManifestError as error:
            raise RecoveryError(f"{name}: {error}") from None
        finally:
            file.close()

    def _take_single_file(self) -> None:
        if self._stem in self._parent.names():
            logger.info("the append-only file %s of an older Redis is taken into the folder", self._stem)
            self.files.rename(f"../{self._stem}", self._stem)
            self.files.sync_folder()
            self._parent.sync_folder()

    def _install(self, manifest: Manifest) -> None:
        write_whole(self.files, manifest_name(self._stem), manifest.text())
        self.manifest = manifest

    def open(self) -> Growing:
        """The increment that grows; first what an interrupted rewrite left behind is removed."""
        files = self.files
        files.make_folder()
        if not self.manifest.increments:
            self._make_first()
        self._forget_history()
        for name in files.names():
            if name.startswith(TEMPORARY):
                files.unlink(name)
        last = self.manifest.increments[-1]
        file = files.open(last.name, write=True)
        self._measure()
        size = file.size()
        self.old_size -= size
        return Growing(file, last.name, size)

    def _make_first(self) -> None:
        """An increment, and an empty base where there is none."""
        parts = list(self.manifest.parts)
        if not parts:
            number = self._next_base()
            parts.append(Part(base_name(self._stem, number), number, BASE))
            self.files.open(parts[0].name, write=True, create=True).close()
        parts.append(self._next_increment())
        self.files.open(parts[-1].name, write=True, create=True).close()
        self.files.sync_folder()
        self._install(Manifest(parts))

    def _next_increment(self) -> Part:
        number = max(self.manifest.next_increment(), self._taken + 1)
        return Part(increment_name(self._stem, number), number, INCREMENT)

    def _next_base(self) -> int:
        return max(self.manifest.next_base(), self._taken + 1)

    def _measure(self) -> None:
        self.base_size = 0
        self.old_size = 0
        for part in self.manifest.loaded():
            file = self.files.open(part.name)
            if part.kind == BASE:
                self.base_size = file.size()
            else:
                self.old_size += file.size()
            file.close()

    # Rewriting

    def begin_increment(self, named: bool) -> Growing:
        """A new increment for what is journaled from the beginning of a rewrite on.

        It is `named` in the manifest at once where it continues what is there; where the files are out of date it
        counts only with the new base.
        """
        self.files.make_folder()
        part = self._next_increment()
        file = self.files.open(part.name, write=True, create=True)
        self.files.sync_folder()
        if named:
            self._install(Manifest([*self.manifest.parts, part]))
        return Growing(file, part.name, 0)

    def begin_base(self) -> File:
        """Where the rewrite writes."""
        self.files.make_folder()
        return self.files.open(REWRITTEN, write=True, create=True)

    def finish_base(self, size: int, growing: str) -> None:
        """The rewritten base, which is synced, takes the place of all files but `growing` (empty = of all)."""
        manifest = self.manifest
        number = self._next_base()
        base = Part(base_name(self._stem, number), number, BASE)
        kept = [part for part in manifest.increments if part.name == growing]
        if growing and not kept:
            kept = [self._next_increment()]
        history = [Part(part.name, part.number, HISTORY) for part in manifest.parts if part.name != growing]
        self.files.rename(REWRITTEN, base.name)
        self.files.sync_folder()
        self._install(Manifest([base, *history, *kept]))
        self.base_size = size
        self.old_size = 0
        self._forget_history()

    def _forget_history(self) -> None:
        history = self.manifest.history
        if not history:
            return
        present = self.files.names()
        for part in history:
            if part.name in present:
                self.files.unlink(part.name)
        self._install(Manifest([part for part in self.manifest.parts if part.kind != HISTORY]))

    def drop_base(self) -> None:
        """A rewrite was given up."""
        if REWRITTEN in self.files.names():
            self.files.unlink(REWRITTEN)
