"""The commands of one server: prepared records found by name, with their counters.

Containers such as CONFIG are made from their children. Knows no client.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Final

from heroredis.command import NO_KEYS, UNLIMITED, Command, Form
from heroredis.facts import has_facts, synopsis
from heroredis.reply import Simple

# Gates: bits of a client's or server's condition that make the pipeline look twice before it runs a command.
NEEDS_AUTH: Final = 1
IN_MULTI: Final = 2
SUBSCRIBED: Final = 4
CLOSING: Final = 8
RESTRICTED: Final = 1 << 12
"""The client's user may not do everything."""
MUTED: Final = 16
"""CLIENT REPLY OFF or SKIP."""
TRACKING: Final = 32
"""What this client reads is remembered for it."""
# Conditions of the whole server: such a bit is set in every client.
OBSERVED: Final = 64
"""Somebody monitors, or each command is to be timed by itself."""
PAUSED: Final = 128
LIMITED: Final = 256
"""There is a limit on memory."""
LONELY: Final = 1 << 13
"""Writes need replicas, of which there are none."""
LOADING: Final = 512
"""The keys are not all there yet."""

QUICK: Final = frozenset({"ECHO", "GET", "PING", "SET"})
"""Besides the fast writes: commands that are run without a look at the clock."""
STORING: Final = frozenset({"BITOP", "GEOSEARCHSTORE", "SDIFFSTORE", "SINTERSTORE", "SUNIONSTORE", "ZDIFFSTORE",
                            "ZINTERSTORE", "ZRANGESTORE", "ZUNIONSTORE"})
"""Writes that read all their keys but the first."""
COPYING: Final = frozenset({"COPY", "SORT"})
"""Writes that read their first key."""
READING_WRITES: Final = frozenset({"GETDEL", "GETEX", "GETSET", *STORING, *COPYING})
MAY_REPLICATE: Final = frozenset({"PUBLISH", "SPUBLISH", "PFCOUNT", "EVAL", "EVALSHA", "FCALL"})
"""No writes by their flags, and yet held back by CLIENT PAUSE WRITE."""
STEPS: Final = 16
"""Buckets for latencies between a power of two and the next."""


def latency_bucket(nanoseconds: float) -> int:
    mantissa, exponent = math.frexp(nanoseconds if nanoseconds > 1.0 else 1.0)
    return exponent * STEPS + int((mantissa - 0.5) * 2 * STEPS)


def bucket_limit(bucket: int) -> float:
    """The upper end of a bucket in nanoseconds."""
    exponent, step = divmod(bucket, STEPS)
    return math.ldexp(0.5 + (step + 1) / (2 * STEPS), exponent)
HELP_SINCE: Final = {"ACL": "6.0.0", "FUNCTION": "7.0.0", "LATENCY": "2.8.13", "MEMORY": "4.0.0", "OBJECT": "6.2.0",
                     "PUBSUB": "6.2.0", "SLOWLOG": "6.2.0"}


class Entry:
    """A command as the pipeline wants it: bounds on the length of the request, bits, counters."""

    def __init__(self, command: Command | None, name: str) -> None:
        self.command: Final = command
        self.name: Final = name
        self.children: dict[bytes, Entry] | None = None if command is not None else {}
        self.words = 1 if command is None else command.words
        self.run: object = None if command is None else command.run
        self.run_one: object = self.run
        """What is called with so many arguments."""
        self.run_two: object = self.run
        self.run_three: object = self.run
        self.run_list: object = None
        """What is called with the whole request when there are more, None = `run`."""
        if command is not None and command.quick is not None:
            self._shorten(command.quick, command.quick_count)
        if command is not None and command.words == 1:
            self.run_list = command.listed
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
        self.while_loading = "loading" in flags
        self.is_fast = "fast" in flags
        self.is_read = ("readonly" in flags or name in READING_WRITES) and command is not None and (
            command.keys.first > 0 or command.keys.finder is not None)
        self.may_replicate = self.is_write or name in MAY_REPLICATE
        self.deny_oom = "denyoom" in flags
        self.skip_monitor = "skip_monitor" in flags or "admin" in flags
        self.skip_slowlog = "skip_slowlog" in flags
        self.is_plain = name in QUICK or (
            self.is_fast and self.is_write and not self.is_read and "blocking" not in flags)
        """Small work whatever the data: many of them in a row are timed together."""
        self.shown = name.lower().replace(" ", "|")
        self.rejected = 0
        self.calls = 0
        self.failed = 0
        self.seconds = 0.0
        self.latencies: dict[int, int] = {}

    def _shorten(self, quick: object, count: int) -> None:
        if count == 1:
            self.run_one = quick
        elif count == 2:
            self.run_two = quick
        else:
            self.run_three = quick

    def charge(self, seconds: float, calls: int) -> None:
        """`calls` of it took so long together."""
        self.seconds += seconds
        bucket = latency_bucket(seconds * 1e9 / calls)
        self.latencies[bucket] = self.latencies.get(bucket, 0) + calls

    def reset_stats(self) -> None:
        self.calls = self.failed = self.rejected = 0
        self.seconds = 0.0
        self.latencies.clear()

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
            elif name == "COMMANDS":
                for declared in value:
                    self.add(declared)

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
        for name in sorted(children, key=lambda name: (name == b"HELP", name)):
            command = children[name].command
            if command is not None:
                arguments = synopsis(children[name].shown) if has_facts(children[name].shown) else command.syntax
                shown = f"{name.decode()} {arguments}".rstrip()
                lines += [Simple(shown.encode()), Simple(f"    {command.summary}".encode())]
        return lines

    return Command(f"{container.name} HELP", "Shows this help.", container.group(),
                   HELP_SINCE.get(container.name, "5.0.0"), frozenset({"loading", "stale"}), NO_KEYS, run, None,
                   "O(1)", (0, 0, []))
