"""Cursors of SCAN and HSCAN: a snapshot of the names, handed out slice by slice.

What was there for the whole scan is returned. A cursor that is no longer known starts again, which SCAN's contract
allows (elements may be returned more than once).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

LIVE_SCANS: Final = 64
_POSITION_BITS: Final = 32


class Scans:
    """Snapshots that are being walked, the least recently used ones given up first."""

    def __init__(self) -> None:
        self._live: Final[OrderedDict[int, list[bytes]]] = OrderedDict()
        self._next_id = 1

    def known(self, cursor: int) -> bool:
        return (cursor >> _POSITION_BITS) in self._live

    def open(self, names: list[bytes]) -> int:
        """Keep a snapshot; the cursor of its beginning."""
        scan_id = self._next_id
        self._next_id = scan_id % 0x3FFFFFFF + 1
        self._live[scan_id] = names
        if len(self._live) > LIVE_SCANS:
            self._live.popitem(last=False)
        return scan_id << _POSITION_BITS

    def step(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """The next `count` names of a known cursor, and the cursor behind them (0 = end)."""
        scan_id = cursor >> _POSITION_BITS
        at = cursor & ((1 << _POSITION_BITS) - 1)
        names = self._live[scan_id]
        self._live.move_to_end(scan_id)
        part = names[at : at + count]
        if at + count >= len(names):
            del self._live[scan_id]
            return 0, part
        return cursor + count, part
