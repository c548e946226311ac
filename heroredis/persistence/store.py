"""Ordinary keys on disk: the folder `appendonlydir`, loaded at start and written from then on.

Owns the manifest. Replies that wait, waking and timers are the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final

from heroredis.persistence import manifest as names
from heroredis.persistence.files import Files, write_whole
from heroredis.persistence.manifest import Manifest, ManifestError, Part, read_manifest
from heroredis.persistence.output import Growing, Output
from heroredis.persistence.recovery import Applier, Recovery, RecoveryError
from heroredis.session.core import Core
from heroredis.session.keeper import Keeper

TICK_S: Final = 0.1
TURN_S: Final = 0.01
"""How long loading may keep the loop at a time."""
logger = logging.getLogger("heroredis")


class Persistence(Keeper):
    """What keeps the keys of one server. Without `use` nothing is written and nothing is loaded."""

    def __init__(self, core: Core, new_applier: Callable[[], Applier]) -> None:
        self._core: Final = core
        self._new_applier: Final = new_applier
        self._files: Files | None = None
        self._parent: Files | None = None
        self.output: Final = Output(core.journal, core.clock)
        self._manifest: Manifest | None = None
        self._recovery: Recovery | None = None
        self._load_began_ms = 0
        self._timer: asyncio.TimerHandle | None = None
        self._base_size = 0
        self._old_size = 0
        """Bytes of the increments before the one that grows."""
        self._growing: Growing | None = None
        core.parameters.when_changed("appendfsync", self._policy_changed)

    def use(self, files: Files, parent: Files) -> None:
        """Keep the keys in this folder; in `parent` older Redis servers kept a single append-only file."""
        self._files = files
        self._parent = parent

    @property
    def _stem(self) -> str:
        return self._core.parameters.get("appendfilename").decode("utf-8", "surrogateescape")

    # Starting and stopping

    async def start(self) -> None:
        """Load what is there and begin to write. Raises RecoveryError or OSError."""
        if self._files is None:
            return
        await self.load()
        if self._core.parameters.is_on("appendonly"):
            await asyncio.to_thread(self._open_files)
            self._begin()

    def size_to_load(self) -> int:
        """Bytes that `load` will read. Raises RecoveryError."""
        recovery = self._recovery or self._new_recovery()
        self._recovery = recovery
        return 0 if recovery is None else recovery.total

    async def load(self) -> None:
        """Run the files through the handlers, leaving the loop to others now and then."""
        self.size_to_load()
        recovery = self._recovery
        if recovery is None:
            return
        clock = self._core.clock
        began = clock.monotonic()
        turn = began
        with self._loading():
            for _ in recovery.steps():
                if clock.monotonic() - turn > TURN_S:
                    await asyncio.sleep(0)
                    turn = clock.monotonic()
        if recovery.total:
            logger.info("loaded %d bytes of append-only files in %.3f s", recovery.total, clock.monotonic() - began)

    @contextlib.contextmanager
    def _loading(self) -> Iterator[None]:
        self.loading = True
        self._load_began_ms = self._core.clock.now_ms()
        try:
            yield
        finally:
            self.loading = False
            self._recovery = None
            self._core.space.refresh()

    def _new_recovery(self) -> Recovery | None:
        files = self._files
        if files is None:
            return None
        self._manifest = self._find_manifest(files)
        if self._manifest is None:
            return None
        recovery = Recovery(files, self._manifest.loaded(), self._new_applier(),
                            self._core.parameters.is_on("aof-load-truncated"))
        recovery.measure()
        return recovery

    def _find_manifest(self, files: Files) -> Manifest | None:
        """The manifest of the folder; made when an older Redis left a single file beside it."""
        name = names.manifest_name(self._stem)
        present = files.names()
        if name in present:
            found = self._read_manifest(files, name)
            base = found.base
            if base is not None and base.name == self._stem and self._stem not in present:
                self._take_single_file(files)
            return found
        numbered = [each for each in present if each.startswith(self._stem + ".") and each.endswith(".aof")]
        if numbered:
            raise RecoveryError(f"there is no {name}, but {numbered[0]} is there; restore the manifest, or move the "
                                "files away to start empty")
        if self._parent is None or self._stem not in self._parent.names():
            return None
        files.make_folder()
        made = Manifest([Part(self._stem, 1, names.BASE)])
        write_whole(files, name, made.text())
        self._take_single_file(files)
        return made

    def _read_manifest(self, files: Files, name: str) -> Manifest:
        file = files.open(name)
        try:
            return read_manifest(file.read(file.size(), 0))
        except ManifestError as error:
            raise RecoveryError(f"{name}: {error}") from None
        finally:
            file.close()

    def _take_single_file(self, files: Files) -> None:
        if self._parent is None or self._stem not in self._parent.names():
            return
        logger.info("the append-only file %s of an older Redis is taken into the folder", self._stem)
        files.rename(f"../{self._stem}", self._stem)
        files.sync_folder()
        self._parent.sync_folder()

    def _open_files(self) -> None:
        """Open the increment that grows, and remove what a rewrite that was cut short left behind."""
        files = self._files
        if files is None:
            return
        files.make_folder()
        manifest = self._manifest
        gone = {part.name for part in manifest.history} if manifest is not None else set()
        if manifest is None or not manifest.increments:
            manifest = self._first_files(files, manifest)
        elif manifest.history:
            manifest = Manifest([part for part in manifest.parts if part.kind != names.HISTORY])
            write_whole(files, names.manifest_name(self._stem), manifest.text())
        for name in files.names():
            if name.startswith("temp-") or name in gone:
                files.unlink(name)
        self._manifest = manifest
        last = manifest.increments[-1]
        file = files.open(last.name, write=True)
        self._growing = Growing(file, last.name, file.size())
        self._measure(files, manifest)

    def _first_files(self, files: Files, manifest: Manifest | None) -> Manifest:
        """An increment, and an empty base where there is none; the manifest that names them."""
        parts = [] if manifest is None else list(manifest.parts)
        if not parts:
            parts.append(Part(names.base_name(self._stem, 1), 1, names.BASE))
            files.open(parts[0].name, write=True, create=True).close()
        number = 1 if manifest is None else manifest.next_increment()
        parts.append(Part(names.increment_name(self._stem, number), number, names.INCREMENT))
        files.open(parts[-1].name, write=True, create=True).close()
        files.sync_folder()
        made = Manifest(parts)
        write_whole(files, names.manifest_name(self._stem), made.text())
        return made

    def _measure(self, files: Files, manifest: Manifest) -> None:
        self._base_size = 0
        self._old_size = 0
        for part in manifest.loaded():
            if self._growing is not None and part.name == self._growing.name:
                continue
            file = files.open(part.name)
            size = file.size()
            file.close()
            if part.kind == names.BASE:
                self._base_size = size
            else:
                self._old_size += size

    def _begin(self) -> None:
        if self._growing is None:
            return
        loop = self._core.loop
        if loop is not None:
            self.output.schedule = self._schedule
            self._timer = loop.call_later(TICK_S, self._tick)
        self.output.open(self._growing, self._policy())

    def _schedule(self, work: Callable[[], None]) -> None:
        loop = self._core.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the end of the journal is written by `stop`
                loop.call_soon_threadsafe(work)

    def _policy(self) -> str:
        return self._core.parameters.get("appendfsync").decode()

    def _policy_changed(self) -> str:
        if self._core.journal.on:
            self.output.set_policy(self._policy())
        return ""

    def _tick(self) -> None:
        self.output.tick()
        if self._core.loop is not None:
            self._timer = self._core.loop.call_later(TICK_S, self._tick)

    async def stop(self) -> None:
        """Write and sync everything that was journaled; who runs the server is told when that cannot be done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._core.journal.on:
            try:
                await asyncio.to_thread(self.output.close)
            except OSError as error:
                if self._core.commits.on_failure is not None:
                    self._core.commits.on_failure(error)
        if self._growing is not None:
            self._growing.file.close()
            self._growing = None

    # Telling

    def facts(self) -> list[tuple[str, str]]:
        output = self.output
        current = self._base_size + self._old_size + (0 if self._growing is None else self._growing.size)
        found = [
            ("loading", str(int(self.loading))), ("async_loading", "0"),
            ("aof_enabled", str(int(self._core.journal.on))), ("aof_rewrite_in_progress", "0"),
            ("aof_last_write_status", "err" if output.write_error else "ok"),
        ]
        if self._core.journal.on:
            found += [("aof_current_size", str(current)), ("aof_base_size", str(self._base_size)),
                      ("aof_buffer_length", str(output.pending())), ("aof_delayed_fsync", str(output.delayed_syncs)),
                      ("aof_pending_bio_fsync", str(int(output.is_syncing())))]
        return found + self._loading_facts()

    def _loading_facts(self) -> list[tuple[str, str]]:
        recovery = self._recovery
        if not self.loading or recovery is None:
            return []
        seconds = max(0, self._core.clock.now_ms() - self._load_began_ms) / 1000
        share = recovery.loaded / max(1, recovery.total)
        left = int(seconds / share - seconds) if share > 0 else 1
        return [("loading_start_time", str(self._load_began_ms // 1000)), ("loading_total_bytes", str(recovery.total)),
                ("loading_loaded_bytes", str(recovery.loaded)), ("loading_loaded_perc", f"{100 * share:.2f}"),
                ("loading_eta_seconds", str(left))]
