"""The commands of one server: prepared records found by name, with their counters.

Containers such as CONFIG are made from their children. Knows no client.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from heroredis.command import NO_KEYS, UNLIMITED, Command, Form
from heroredis.reply import Simple

# Gates: bits of a client's or server's condition that make the pipeline look twice before it runs a command.
NEEDS_AUTH: Final = 1
IN_MULTI: Final = 2
SUBSCRIBED: Final = 4
CLOSING: Final = 8
RESTRICTED: Final = 1 << 12
"""The client's user may not do everything."""


class Entry:
    """A command as the pipeline wants it: bounds on the length of the request, bits, counters."""

    def __init__(self, command: Command | None, name: str) -> None:
        self.command: Final = command
        self.name: Final = name
        self.children: dict[bytes, Entry] | None = None if command is not None else {}
        self.words = 1 if command is None else command.words
        self.run: object = None if command is None else command.run
        self.low = 1 if command is None else command.min_args + self.words
        self.high = UNLIMITED if command is None else min(command.max_args + self.words, UNLIMITED)
        flags = frozenset[str]() if command is None else command.flags
        self.is_write = "write" in flags
        self.journaled = self.is_write and command is not None and command.group != "job"
        """Jobs have a log of their own."""
        self.form: Form | None = None
        """What is journaled instead of the request where that would not do the same again."""
        self.plain_words = 0
        """Requests of up to so many words need no other form."""
        self.one_key = command is not None and command.keys.is_first_only
        self.no_auth = "no_auth" in flags
        self.no_multi = "no_multi" in flags
        self.calls = 0
        self.failed = 0
        self.rejected = 0


    def since(self) -> str:
        """Of a container: when the first of its subcommands came."""
        versions = [child.command.since for child in (self.children or {}).values() if child.command is not None]
        return min(versions, key=lambda version: [int(part) for part in version.split(".")], default="1.0.0")

    def group(self) -> str:
        """Of a container: that of its subcommands."""
        return next((child.command.group for child in (self.children or {}).values() if child.command), "server")


class Registry:
    """Finds a command by the name that a client sent."""

    def __init__(self) -> None:
        self.entries: Final[dict[bytes, Entry]] = {}
        """Name as received (upper, lower, and whatever was asked for before) -> record."""
        self.commands: Final[dict[str, Entry]] = {}
        """Every command and subcommand by its full upper-case name."""

    def include(self, module: ModuleType) -> None:
        """Add every Command of a module, in the order of their names."""
        for name in sorted(vars(module)):
            value = getattr(module, name)
            if isinstance(value, Command):
                self.add(value)

    def add(self, command: Command) -> None:
        if command.name in self.commands:
            raise ValueError(f"command {command.name} is declared twice")
        entry = Entry(command, command.name)
        self.commands[command.name] = entry
        first, _, second = command.name.partition(" ")
        if not second:
            self._name(entry, first)
            return
        container = self.commands.get(first)
        if container is None:
            container = Entry(None, first)
            self.commands[first] = container
            self._name(container, first)
        if container.children is None:  # a command of its own that has subcommands too, as COMMAND
            container.children = {}
        container.children[second.encode()] = entry

    def add_help(self) -> None:
        """Give every container a HELP that is made from its children."""
        for container in self.top_level():
            if container.children is not None and b"HELP" not in container.children:
                self.add(help_of(container))

    def _name(self, entry: Entry, name: str) -> None:
        self.entries[name.encode("latin-1")] = entry
        self.entries[name.lower().encode("latin-1")] = entry

    def rename(self, old: bytes, new: bytes) -> str:
        """Let a command be called otherwise, or by no name at all; an empty text when done, else why not."""
        entry = self.find(old)
        if entry is None:
            return "No such command in rename-command"
        if new and self.find(new) is not None:
            return "Target command name already exists"
        for name in (entry.name.encode(), entry.name.lower().encode()):
            self.entries.pop(name, None)
        if new:
            self._name(entry, new.decode("latin-1").upper())
        return ""

    def find(self, name: bytes) -> Entry | None:
        """The record of a top-level command, in any case of letters."""
        entry = self.entries.get(name)
        return entry if entry is not None else self.entries.get(name.upper())

    def resolve(self, words: list[bytes]) -> Entry | None:
        """The record that a request reaches: a subcommand's where the container has it, else the command's."""
        entry = self.find(words[0])
        if entry is not None and entry.children is not None and len(words) > 1:
            return entry.children.get(words[1].upper())
        return entry

    def top_level(self) -> list[Entry]:
        return [entry for name, entry in self.commands.items() if " " not in name]


def help_of(container: Entry) -> Command:
    """The HELP subcommand of a container."""
    children = container.children or {}

    def run(ctx: object) -> object:
        lines = [Simple(f"{container.name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".encode())]
        for name in sorted(children):
            command = children[name].command
            if command is not None:
                shown = " ".join([name.decode(), *(f"<{argument}>" for argument in command.arguments)])
                lines += [Simple(shown.encode()), Simple(f"    {command.summary}".encode())]
        return lines

    return Command(f"{container.name} HELP", "Shows this help.", container.group(), max("5.0.0", container.since()),
                   frozenset({"loading", "stale"}), NO_KEYS, run, None, "O(1)", (0, 0, []))
