"""For an owner that keeps in memory what follows from its records: what a full disk took back of them."""

from __future__ import annotations

import errno

from ourdb.chunk import Chunk
from ourdb.commit import Commit

Lost = list[tuple[int, bytes | None]]
"""Ids with their data, None for a tombstone, in the order in which they were appended."""


class Watch:
    """Whether anybody looks, and what there is to be looked at. Guarded by the log."""

    def __init__(self) -> None:
        self._commit: Commit | None = None
        self._lost: Lost = []
        self.is_held = False
        """Records were taken back, and the owner has not looked at them yet: nothing is written before."""

    def must_not_be_held(self) -> None:
        """Raises what a full disk does."""
        if self.is_held:
            raise OSError(errno.ENOSPC, "what was taken back before is not looked at yet")

    def taken_back(self, chunks: list[Chunk]) -> None:
        if self._commit is not None:
            self.is_held = True
        if self.is_held:
            for chunk in chunks:
                self._lost += [(record_id, data) for record_id, data, _ in chunk.records()]

    def tell(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            commit.finish(None)

    def look(self, commit: Commit) -> Lost:
        """What was taken back; `commit` ends when something is again."""
        lost, self._lost = self._lost, []
        self._commit = commit
        self.is_held = False
        return lost
