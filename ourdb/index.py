"""Id to position of its newest record, in pages of 4096; bit 63 marks a deleted id, whose history stays."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from ourdb.record import DELETED_BIT

PAGE_BITS: Final = 12
PAGE: Final = 1 << PAGE_BITS
PAGE_MASK: Final = PAGE - 1
_EMPTY: Final = bytes(8 * PAGE)


class Index:
    """Positions by id; 0 = never there."""

    def __init__(self) -> None:
        self.pages: Final[dict[int, array[int]]] = {}
        self.live = 0

    def get(self, record_id: int) -> int:
        """Position with the deleted bit; 0 when the id was never there."""
        page = self.pages.get(record_id >> PAGE_BITS)
        return 0 if page is None else page[record_id & PAGE_MASK]

    def put(self, record_id: int, position: int) -> int:
        """Set it (0 takes the id out) and return what was there."""
        number = record_id >> PAGE_BITS
        page = self.pages.get(number)
        if page is None:
            page = array("Q", _EMPTY)
            self.pages[number] = page
        slot = record_id & PAGE_MASK
        before = page[slot]
        page[slot] = position
        was = 0 < before < DELETED_BIT
        now = 0 < position < DELETED_BIT
        if was != now:
            self.live += 1 if now else -1
        return before

    def ids(self, first: int, last: int) -> Iterator[int]:
        """Living ids from `first` to `last`, upwards."""
        for number in sorted(self.pages):
            start = number << PAGE_BITS
            if start > last or start + PAGE <= first:
                continue
            for slot, position in enumerate(self.pages[number]):
                if 0 < position < DELETED_BIT and first <= start + slot <= last:
                    yield start + slot
