"""Commands as bits, so that what a user may run is one number; categories are sets of such bits.

A number has infinitely many leading ones when it began as "all commands", as later commands belong to it too.
"""

from __future__ import annotations

from typing import Final

from heroredis.registry import Entry, Registry

CATEGORIES: Final = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "jobs",
)
"""In the order in which Redis tells them; the last is ours."""
CONTAINER: Final = frozenset({"slow"})
"""What a command is that only holds others."""


class CommandIndex:
    """The bits of all commands of a registry, whatever is added to it later included."""

    def __init__(self, registry: Registry) -> None:
        self._registry: Final = registry
        self._bits: Final[dict[str, int]] = {}
        self._belonging: Final[dict[str, int]] = {}
        self._reached: Final[dict[str, int]] = {}

    def bit(self, entry: Entry) -> int:
        if entry.name not in self._bits:
            self._refresh()
        return self._bits[entry.name]

    def with_children(self, entry: Entry) -> int:
        """The command and its subcommands."""
        found = self.bit(entry)
        for child in (entry.children or {}).values():
            found |= self.bit(child)
        return found

    def belonging(self, category: str) -> int:
        """The commands of a category."""
        self._refresh()
        return self._belonging.get(category, 0)

    def reached(self, category: str) -> int:
        """The commands that a rule for the category reaches: a command's subcommands go with it."""
        self._refresh()
        return self._reached.get(category, 0)

    def names(self) -> list[str]:
        """The categories that have commands, or that Redis has."""
        return [name for name in CATEGORIES if name != "jobs" or self.belonging(name)]

    def members(self, category: str) -> list[str]:
        """Names of the commands of a category, as ACL CAT tells them."""
        mask = self.belonging(category)
        return [shown(name) for name, entry in self._registry.commands.items() if self.bit(entry) & mask]

    def find(self, name: bytes) -> Entry | None:
        """By its original name, whatever it was renamed to; a subcommand as container|name."""
        words = name.decode("latin-1").upper().split("|")
        return self._registry.commands.get(" ".join(words)) if len(words) <= 2 and "" not in words else None

    def sorted_tops(self) -> list[Entry]:
        return sorted(self._registry.top_level(), key=_name)

    def _refresh(self) -> None:
        if len(self._bits) == len(self._registry.commands):
            return
        for name in self._registry.commands:
            self._bits.setdefault(name, 1 << len(self._bits))
        self._belonging.clear()
        self._reached.clear()
        for name, entry in self._registry.commands.items():
            own = self._bits[name]
            family = own
            for child in (entry.children or {}).values():
                family |= self._bits[child.name]
            for category in CONTAINER if entry.command is None else entry.command.categories():
                self._belonging[category] = self._belonging.get(category, 0) | own
                self._reached[category] = self._reached.get(category, 0) | family


def _name(entry: Entry) -> str:
    return entry.name


def shown(name: str) -> str:
    """A command's name as users see it."""
    return name.lower().replace(" ", "|")
