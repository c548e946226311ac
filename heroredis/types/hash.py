"""A Redis hash: fields and values, both byte strings, in the order of their making."""

from __future__ import annotations

from typing import Final


class Hash:
    """The fields are reached directly; the keyspace never hands out an empty one."""

    def __init__(self) -> None:
        self.fields: Final[dict[bytes, bytes]] = {}

    def size(self) -> int:
        return len(self.fields)

    def names(self) -> list[bytes]:
        return list(self.fields)
