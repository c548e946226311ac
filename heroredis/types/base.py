"""What all values of many elements have in common: who copies, counts or walks over them need not tell them apart.

A value never has an empty container: who takes the last element out removes the key.
"""

from __future__ import annotations


class Container:
    """Base of List, Hash, Set, SortedSet and Stream; strings are held as they are and have none."""

    packed = True
    """Whether Redis would still hold it in its compact encoding; once lost it does not come back."""

    def type_name(self) -> bytes:
        """What TYPE answers."""
        raise NotImplementedError

    def size(self) -> int:
        """How many elements there are."""
        raise NotImplementedError

    def names(self) -> list[bytes]:
        """The elements, fields or members, in the order in which they are shown."""
        raise NotImplementedError

    def copy(self) -> Container:
        """A value of its own with the same elements."""
        raise NotImplementedError
