"""A command is data: one declaration from which arity, COMMAND, DOCS, GETKEYS, HELP and ACL categories follow.

`@command(...)` turns a plain function `(ctx, *args) -> reply` into a Command. It knows no server and no client.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Final

FLAGS: Final = (
    "write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking", "loading", "stale", "skip_monitor",
    "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys",
    "allow_busy",
)
"""In the order in which Redis tells them."""
GROUPS: Final = frozenset({
    "string", "list", "hash", "set", "sorted-set", "generic", "connection", "server", "transactions", "pubsub",
    "scripting", "stream", "bitmap", "hyperloglog", "geo", "cluster", "job",
})
MORE_CATEGORIES: Final = {
    "ASKING": "connection", "READONLY": "connection", "READWRITE": "connection",
    "COMMAND": "connection", "DBSIZE": "keyspace", "FLUSHALL": "keyspace dangerous", "FLUSHDB": "keyspace dangerous",
    "INFO": "dangerous", "KEYS": "dangerous", "LASTSAVE": "admin dangerous", "MIGRATE": "dangerous",
    "RESTORE": "dangerous", "RESTORE-ASKING": "keyspace dangerous", "ROLE": "admin dangerous",
    "SORT": "set sortedset dangerous", "SORT_RO": "set sortedset dangerous", "SWAPDB": "keyspace dangerous",
}
"""ACL categories that do not follow from group and flags."""
OTHER_CATEGORY: Final = {"WAIT": "connection", "SORT": "list", "SORT_RO": "list", "PUBSUB HELP": "slow"}
"""Instead of the one that follows from the group."""
UNLIMITED: Final = 1 << 30
Handler = Callable[..., object]
KeyFinder = Callable[[list[bytes]], list[int]]
Form = Callable[..., list[list[bytes]]]
"""(database, request, reply) -> requests that do the same whenever they are run again."""


class KeySpec:
    """Where the keys stand, as COMMAND tells it: first and last index (name = 0, -1 = last argument) and step."""

    def __init__(self, first: int, last: int, step: int, finder: KeyFinder | None = None) -> None:
        self.first: Final = first
        self.last: Final = last
        self.step: Final = step
        self.finder: Final = finder

    @property
    def is_first_only(self) -> bool:
        """Whether the first argument is the only key, whatever follows."""
        return self.first == 1 and self.last == 1 and self.finder is None

    def indexes(self, argv: list[bytes]) -> list[int]:
        """Indexes of the keys in a whole request (name included)."""
        if self.finder is not None:
            return self.finder(argv)
        if self.first == 0:
            return []
        last = self.last if self.last >= 0 else len(argv) + self.last
        return list(range(self.first, min(last, len(argv) - 1) + 1, self.step))


NO_KEYS: Final = KeySpec(0, 0, 0)
FIRST: Final = KeySpec(1, 1, 1)
FIRST_TWO: Final = KeySpec(1, 2, 1)
ALL: Final = KeySpec(1, -1, 1)
ALL_BUT_LAST: Final = KeySpec(1, -2, 1)


def counted_keys(at: int) -> KeySpec:
    """Keys behind a count that stands at index `at` (numkeys); none when the count cannot be right."""

    def find(argv: list[bytes]) -> list[int]:
        count = int(argv[at]) if at < len(argv) and argv[at].isdigit() else 0
        return list(range(at + 1, at + 1 + count)) if at + count < len(argv) else []

    return KeySpec(0, 0, 0, find)


def stored_counted_keys(at: int) -> KeySpec:
    """The first argument, where the result goes, and keys behind a count at index `at`; none when that is wrong."""
    sources = counted_keys(at)

    def find(argv: list[bytes]) -> list[int]:
        found = sources.indexes(argv)
        return [1, *found] if found else []

    return KeySpec(1, 1, 1, find)


def migrated_keys(argv: list[bytes]) -> list[int]:
    """MIGRATE: the key at its fixed place, or those behind KEYS when that place is empty; none when both are given."""
    at = 6
    while at < len(argv):
        word = argv[at].upper()
        if word == b"KEYS":
            return [] if argv[3] else list(range(at + 1, len(argv)))
        at += {b"AUTH": 2, b"AUTH2": 3}.get(word, 1)
    return [3] if len(argv) > 3 else []


class Command:
    """One command or subcommand, with everything that is known about it before a server exists."""

    def __init__(
        self, name: str, summary: str, group: str, since: str, flags: frozenset[str], keys: KeySpec, run: Handler,
        journal: str | None, complexity: str, arguments: tuple[int, int, list[str]] | None = None, syntax: str = "",
        quick: Handler | None = None, listed: Handler | None = None,
    ) -> None:
        self.name: Final = name
        self.summary: Final = summary
        self.group: Final = group
        self.since: Final = since
        self.flags: Final = flags
        self.keys: Final = keys
        self.run: Final = run
        self.journal: Final = journal
        self.complexity: Final = complexity
        low, high, names = _arguments(run) if arguments is None else arguments
        self.min_args: Final = low
        self.max_args: Final = high
        self.arguments: Final = names
        self.syntax: Final = syntax
        """The arguments as people read them, see syntax.py; empty = their names are all there is to say."""
        self.quick: Final = quick
        """The same for the commonest number of arguments, without options: a call that need not sort its arguments."""
        self.quick_count: Final = -1 if quick is None else _arguments(quick)[0]
        self.listed: Final = listed
        """The same for many arguments, taking the request as a whole: (ctx, request)."""

    @property
    def words(self) -> int:
        """Words of the name: 1, or 2 for a subcommand such as CONFIG GET."""
        return self.name.count(" ") + 1

    @property
    def arity(self) -> int:
        """As COMMAND tells it: arguments with the name; negative = at least that many."""
        least = self.min_args + self.words
        return least if self.max_args == self.min_args else -least

    def categories(self) -> list[str]:
        """ACL categories, derived from group and flags as Redis derives them."""
        found = []
        for flag, name in (("write", "write"), ("readonly", "read"), ("admin", "admin"), ("pubsub", "pubsub"),
                           ("blocking", "blocking"), ("fast", "fast")):
            if flag in self.flags and (flag != "readonly" or self.group != "scripting"):
                found.append(name)
        if "fast" not in self.flags:
            found.append("slow")
        if "admin" in self.flags:
            found.append("dangerous")
        by_group = {"generic": "keyspace", "sorted-set": "sortedset", "transactions": "transaction", "server": "",
                    "cluster": "", "job": "jobs"}
        found.append(OTHER_CATEGORY.get(self.name) or by_group.get(self.group, self.group))
        found += MORE_CATEGORIES.get(self.name.partition(" ")[0], "").split()
        return sorted({name for name in found if name})


def _arguments(run: Handler) -> tuple[int, int, list[str]]:
    """Fewest and most arguments behind the name, and their names, from the handler's signature."""
    low = 0
    high = 0
    names = []
    for parameter in list(inspect.signature(run).parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            high = UNLIMITED
        else:
            low += parameter.default is inspect.Parameter.empty
            high += 1
        names.append(parameter.name)
    return low, min(high, UNLIMITED), names


def command(
    name: str, summary: str, *, group: str, since: str, flags: str = "", keys: KeySpec = NO_KEYS,
    journal: str | None = None, complexity: str = "O(1)", syntax: str = "", quick: Handler | None = None,
    listed: Handler | None = None,
) -> Callable[[Handler], Command]:
    """Declare a command. Raises ValueError at import for a flag or group that does not exist."""
    given = frozenset(flags.split())
    if not given.issubset(FLAGS):
        raise ValueError(f"{name}: unknown flags {sorted(given.difference(FLAGS))}")
    if group not in GROUPS:
        raise ValueError(f"{name}: unknown group {group}")
    if keys.finder is not None:
        given |= {"movablekeys"}

    def declare(run: Handler) -> Command:
        return Command(name, summary, group, since, given, keys, run, journal, complexity, None, syntax, quick, listed)

    return declare
