"""Commands as bits, so that what a user may run is one number; categories are sets of such bits.

A number has infinitely many leading ones when it began as "all commands", as later commands belong to it too.
"""

from __future__ import annotations

from typing import Final

from heroredis.acl.absent import ABSENT
from heroredis.registry import Entry, Registry

CATEGORIES: Final = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting", "jobs",
)
"""In the order in which Redis tells them; the last is ours."""
CONTAINER: Final = ("slow",)
"""What a command is that only holds others."""


class Known:
    """A command that rules may name, whether it exists here or only in Redis."""

    def __init__(self, name: str, bit: int) -> None:
        self.name: Final = name
        self.bit: Final = bit
        self.children: list[Known] = []
        self.categories: list[str] = []

    def family(self) -> int:
        """The bits of the command and its subcommands."""
        found = self.bit
        for child in self.children:
            found |= child.bit
        return found


class CommandIndex:
    """The bits of all commands of a registry, whatever is added to it later included."""

    def __init__(self, registry: Registry) -> None:
        self._registry: Final = registry
        self._seen = 0
        self._known: Final[dict[str, Known]] = {}
        self._belonging: Final[dict[str, int]] = {}
        self._reached: Final[dict[str, int]] = {}

    def bit(self, entry: Entry) -> int:
        known = self._known.get(entry.name)
        if known is None:
            self._refresh()
            known = self._known[entry.name]
        return known.bit

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
        """Names of the commands of a category that exist here, as ACL CAT tells them."""
        mask = self.belonging(category)
        return [shown(name) for name, entry in self._registry.commands.items() if self.bit(entry) & mask]

    def find(self, name: bytes) -> Known | None:
        """By its original name, whatever it was renamed to; a subcommand as container|name."""
        self._refresh()
        words = name.decode("latin-1").upper().split("|")
        return self._known.get(" ".join(words)) if len(words) <= 2 and "" not in words else None

    def sorted_tops(self) -> list[Known]:
        self._refresh()
        return [known for name, known in sorted(self._known.items()) if " " not in name]

    def _refresh(self) -> None:
        commands = self._registry.commands
        if self._seen == len(commands):
            return
        self._seen = len(commands)
        for name in [*commands, *ABSENT]:
            if name not in self._known:
                self._known[name] = Known(name, 1 << len(self._known))
        for known in self._known.values():
            known.children = []
        for name, known in self._known.items():
            entry = commands.get(name)
            if entry is not None:
                known.categories = list(CONTAINER) if entry.command is None else entry.command.categories()
            else:
                known.categories = ABSENT[name]
            container = self._known.get(name.partition(" ")[0])
            if " " in name and container is not None:
                container.children.append(known)
        self._belonging.clear()
        self._reached.clear()
        for known in self._known.values():
            for category in known.categories:
                self._belonging[category] = self._belonging.get(category, 0) | known.bit
                self._reached[category] = self._reached.get(category, 0) | known.family()


def shown(name: str) -> str:
    """A command's name as users see it."""
    return name.lower().replace(" ", "|")
