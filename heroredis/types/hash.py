"""A Redis hash: fields and values, both byte strings, in the order of their making."""

from __future__ import annotations

from typing import Final

from heroredis.types.base import Container


class Hash(Container):
    """The fields are reached directly; the keyspace never hands out an empty one."""

    def __init__(self) -> None:
        self.fields: Final[dict[bytes, bytes]] = {}

    def type_name(self) -> bytes:
        return b"hash"

    def size(self) -> int:
        return len(self.fields)

    def names(self) -> list[bytes]:
        return list(self.fields)

    def copy(self) -> Hash:
        twin = Hash()
        twin.packed = self.packed
        twin.fields.update(self.fields)
        return twin
