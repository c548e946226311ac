"""Id to position of its newest record, in pages of 512; bit 61 marks a deleted id, whose history stays."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from ourdb.record import DELETED_BIT

PAGE_BITS: Final = 9
PAGE: Final = 1 << PAGE_BITS
PAGE_MASK: Final = PAGE - 1
LIVE: Final = PAGE
"""The place behind the positions of a page, where its living ids are counted."""
_EMPTY: Final = bytes(8 * (PAGE + 1))


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
            change = 1 if now else -1
            self.live += change
            page[LIVE] += change
        return before

    def set_page(self, number: int, page: array[int]) -> None:
        """A whole page, as a checkpoint kept it."""
        self.pages[number] = page
        self.live += page[LIVE]

    def ids(self, first: int, last: int) -> Iterator[int]:
        """Living ids from `first` to `last`, upwards."""
        for number in sorted(self.pages):
            start = number << PAGE_BITS
            if start > last or start + PAGE <= first:
                continue
            page = self.pages[number]
            if not page[LIVE]:
                continue
            for slot in range(PAGE):
                if 0 < page[slot] < DELETED_BIT and first <= start + slot <= last:
                    yield start + slot

    def drop_empty(self, number: int) -> None:
        """Let go of a page in which nothing is left."""
        page = self.pages.get(number)
        if page is not None and not page[LIVE] and not any(page):
            del self.pages[number]
