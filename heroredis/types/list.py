"""A Redis list: two Python lists back to back, so that both ends, any index and any range are cheap.

`left` holds the front part in reverse order, `right` the rest; an empty side takes half of the other.
"""

from __future__ import annotations

from typing import Final

from heroredis.types.base import Container

FAR: Final = 1024
"""So many elements may be moved for one that is put between others before the sides are balanced anew."""


class List(Container):
    """Byte strings in order. Indexes are 0-based from the head; the caller keeps them in range."""

    def __init__(self) -> None:
        self.left: list[bytes] = []
        self.right: list[bytes] = []

    def __len__(self) -> int:
        return len(self.left) + len(self.right)

    def type_name(self) -> bytes:
        return b"list"

    def size(self) -> int:
        return len(self.left) + len(self.right)

    def names(self) -> list[bytes]:
        return self.slice(0, self.size())

    def copy(self) -> List:
        twin = List()
        twin.packed = self.packed
        twin.left = self.left.copy()
        twin.right = self.right.copy()
        return twin

    def push_left(self, element: bytes) -> None:
        self.left.append(element)

    def push_right(self, element: bytes) -> None:
        self.right.append(element)

    def pop_left(self) -> bytes:
        """The head; IndexError when empty."""
        if not self.left:
            self._refill_left()
        return self.left.pop()

    def pop_right(self) -> bytes:
        """The tail; IndexError when empty."""
        if not self.right:
            self._refill_right()
        return self.right.pop()

    def _refill_left(self) -> None:
        half = (len(self.right) + 1) // 2
        moved = self.right[:half]
        moved.reverse()
        if self.left:
            moved.extend(self.left)
        self.left = moved
        del self.right[:half]

    def _refill_right(self) -> None:
        half = (len(self.left) + 1) // 2
        self.right = self.left[:half]
        self.right.reverse()
        del self.left[:half]

    def get(self, index: int) -> bytes:
        front = len(self.left)
        if index < front:
            return self.left[front - 1 - index]
        return self.right[index - front]

    def put(self, index: int, element: bytes) -> None:
        front = len(self.left)
        if index < front:
            self.left[front - 1 - index] = element
        else:
            self.right[index - front] = element

    def insert(self, index: int, element: bytes) -> None:
        """Put `element` before the one at `index`; index = length appends."""
        front, behind = len(self.left), len(self.right)
        if index >= front and front + behind - index > FAR and index - front < behind // 2:
            # Nearly all of the right side would have to move, for this element and for those that follow it here.
            self._refill_left()
            front = len(self.left)
        if index < front:
            self.left.insert(front - index, element)
        else:
            self.right.insert(index - front, element)

    def take_out(self, index: int) -> bytes:
        """Remove the element at an index, and nothing else is moved than what stands beside it in memory."""
        front = len(self.left)
        return self.left.pop(front - 1 - index) if index < front else self.right.pop(index - front)

    def find(self, element: bytes) -> int:
        """The index of the first such element; -1 = there is none."""
        front = len(self.left)
        if element in self.left:
            return front - 1 - max(at for at in range(front) if self.left[at] == element)
        return front + self.right.index(element) if element in self.right else -1

    def slice(self, start: int, stop: int) -> list[bytes]:
        """Elements start to stop - 1."""
        front = len(self.left)
        if start >= front:
            return self.right[start - front : stop - front]
        if stop >= front:
            part = self.left[: front - start]
            part.reverse()
            if stop > front:
                part += self.right[: stop - front]
            return part
        part = self.left[front - stop : front - start]
        part.reverse()
        return part

    def to_list(self) -> list[bytes]:
        return self.slice(0, self.size())

    def replace(self, elements: list[bytes]) -> None:
        self.left = []
        self.right = elements

    def keep(self, start: int, stop: int) -> None:
        """Drop everything outside start to stop - 1 (LTRIM)."""
        front = len(self.left)
        if start >= front or stop <= front:
            self.replace(self.slice(start, stop))
            return
        del self.right[stop - front :]
        del self.left[front - start :]

    def remove(self, element: bytes, count: int) -> int:
        """Remove the first `count` equal elements (from the tail when negative, all when 0); how many went."""
        items = self.to_list()
        limit = abs(count) or len(items)
        if element not in items:
            return 0
        if count < 0:
            items.reverse()
        kept: list[bytes] = []
        removed = 0
        for item in items:
            if removed < limit and item == element:
                removed += 1
            else:
                kept.append(item)
        if count < 0:
            kept.reverse()
        self.replace(kept)
        return removed


LIST: Final = 1
