"""Which keys a request would read and which it would write: what its key specs say, for key permissions."""

from __future__ import annotations

from typing import Final

from heroredis.acl.rules import READ, WRITE
from heroredis.facts import flags_of_keys, has_facts
from heroredis.registry import Entry

MEANING: Final = {"access": READ, "insert": WRITE, "update": WRITE, "delete": WRITE}
NO_KEY: Final = "not_key"
"""A channel that stands where keys stand."""


def needs(entry: Entry, argv: list[bytes]) -> list[tuple[int, int]]:
    """Indexes of the keys in a request, with what is done to each; what only asks whether a key exists does nothing."""
    command = entry.command
    if command is None:
        return []
    indexes = command.keys.indexes(argv)
    if not indexes:
        return []
    if not has_facts(entry.shown):
        access = READ if "readonly" in command.flags else WRITE
        return [(index, access) for index in indexes]
    found = []
    for index, flags in zip(indexes, flags_of_keys(entry.shown, argv, indexes), strict=True):
        if NO_KEY not in flags:
            access = 0
            for flag in flags:
                access |= MEANING.get(flag, 0)
            found.append((index, access))
    return found
