"""Id to position of its newest record, in pages of 512; bit 61 marks a deleted id, whose history stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from librt.strings import read_i64_le
from librt.vecs import vec
from mypy_extensions import i64

from ourdb.record import DELETED_BIT

PAGE_BITS: Final = 9
PAGE: Final = 1 << PAGE_BITS
PAGE_MASK: Final = PAGE - 1
PAGE_BYTES: Final = 8 * PAGE


class Page:
    """512 positions of 8 bytes each."""

    def __init__(self, number: int) -> None:
        self.number: Final = number
        self.slots: Final[vec[i64]] = vec[i64]([0] * PAGE)

    def tobytes(self) -> bytes:
        return bytes(memoryview(self.slots))

    def is_empty(self) -> bool:
        slots = self.slots
        slot: i64 = 0
        while slot < PAGE:
            if slots[slot]:
                return False
            slot += 1
        return True


class Index:
    """Positions by id; 0 = never there. One thread changes it, others may read meanwhile."""

    def __init__(self) -> None:
        self.pages: Final[dict[int, Page]] = {}
        self.live = 0
        self._near = Page(-1)
        """Where the last change was: the next one is often in the same page. Only who changes pages sets it."""

    def get(self, record_id: int) -> int:
        """Position with the deleted bit; 0 when the id was never there."""
        number = record_id >> PAGE_BITS
        page = self._near
        if page.number != number:
            found = self.pages.get(number)
            if found is None:
                return 0
            page = found
        slot: i64 = record_id & PAGE_MASK
        return page.slots[slot]

    def before(self, record_id: int) -> int:
        """As `get`, by the thread that is about to `put`."""
        number = record_id >> PAGE_BITS
        page = self._near
        if page.number != number:
            found = self.pages.get(number)
            if found is None:
                return 0
            page = self._near = found
        slot: i64 = record_id & PAGE_MASK
        return page.slots[slot]

    def put(self, record_id: int, position: int) -> int:
        """Set it (0 takes the id out) and return what was there."""
        number = record_id >> PAGE_BITS
        page = self._near
        if page.number != number:
            found = self.pages.get(number)
            page = Page(number) if found is None else found
            if found is None:
                self.pages[number] = page
            self._near = page
        slot: i64 = record_id & PAGE_MASK
        slots = page.slots
        before: i64 = slots[slot]
        after: i64 = position
        slots[slot] = after
        if (0 < before < DELETED_BIT) != (0 < after < DELETED_BIT):
            self.live += 1 if 0 < after < DELETED_BIT else -1
        return before

    def load_page(self, number: int, data: bytes, at: int) -> None:
        """A whole page, as a checkpoint kept it."""
        page = Page(number)
        slots = page.slots
        live = 0
        slot: i64 = 0
        while slot < PAGE:
            position = read_i64_le(data, at + 8 * slot)
            slots[slot] = position
            if 0 < position < DELETED_BIT:
                live += 1
            slot += 1
        self.pages[number] = page
        self.live += live

    def ids(self, first: int, last: int) -> Iterator[int]:
        """Living ids from `first` to `last`, upwards."""
        for number in sorted(self.pages):
            start = number << PAGE_BITS
            if start > last or start + PAGE <= first:
                continue
            slots = self.pages[number].slots
            for slot in range(max(0, first - start), min(PAGE, last - start + 1)):
                if 0 < slots[slot] < DELETED_BIT:
                    yield start + slot

    def drop_empty(self, number: int) -> None:
        """Let go of a page in which nothing is left."""
        page = self.pages.get(number)
        if page is not None and page.is_empty():
            self._near = Page(-1)
            del self.pages[number]
