"""May this user run this request? One verdict, with the argument at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.acl.access import needs
from heroredis.acl.index import CommandIndex, shown
from heroredis.acl.rules import READ, WRITE, Selector, User
from heroredis.glob import matches
from heroredis.registry import Entry

COMMAND: Final = 1
KEY: Final = 2
CHANNEL: Final = 3
AUTH: Final = 4
REASONS: Final = {COMMAND: b"command", KEY: b"key", CHANNEL: b"channel", AUTH: b"auth"}
ONE_CHANNEL: Final = frozenset({"PUBLISH", "SPUBLISH"})
ALL_CHANNELS: Final = frozenset({"SUBSCRIBE", "SSUBSCRIBE", "PSUBSCRIBE"})
Implied = Callable[[Entry, list[bytes]], list[bytes]]
"""Keys that a request stands for without naming them."""


class Verdict:
    """Why a request is refused, and by which of its words (or which key that it stands for)."""

    def __init__(self, reason: int, at: int, what: bytes) -> None:
        self.reason: Final = reason
        self.at: Final = at
        self.what: Final = what


def no_implied(entry: Entry, argv: list[bytes]) -> list[bytes]:
    return []


def check(index: CommandIndex, user: User, entry: Entry, argv: list[bytes],
          implied: Implied = no_implied) -> Verdict | None:
    """None when one of the user's selectors permits all of it, else the refusal that came furthest."""
    worst = Verdict(COMMAND, 0, shown(entry.name).encode())
    for selector in user.selectors:
        refusal = _check_selector(index, selector, entry, argv, implied)
        if refusal is None:
            return None
        if refusal.reason > worst.reason or (refusal.reason == worst.reason and refusal.at > worst.at):
            worst = refusal
    return worst


def _check_selector(index: CommandIndex, selector: Selector, entry: Entry, argv: list[bytes],
                    implied: Implied) -> Verdict | None:
    if selector.is_all:
        return None
    if not entry.no_auth and not selector.allowed & index.bit(entry) and not _is_first_arg(selector, entry, argv):
        return Verdict(COMMAND, 0, shown(entry.name).encode())
    if not selector.all_keys:
        for at, access in needs(entry, argv):
            if not may_touch(selector, argv[at], access):
                return Verdict(KEY, at, argv[at])
        for key in implied(entry, argv):
            if not may_touch(selector, key, READ if not entry.is_write else READ | WRITE):
                return Verdict(KEY, len(argv), key)
    if not selector.all_channels:
        names = argv[1:2] if entry.name in ONE_CHANNEL else argv[1:] if entry.name in ALL_CHANNELS else []
        for at, name in enumerate(names, 1):
            if not may_hear(selector.channels, name, entry.name == "PSUBSCRIBE"):
                return Verdict(CHANNEL, at, name)
    return None


def _is_first_arg(selector: Selector, entry: Entry, argv: list[bytes]) -> bool:
    words = selector.first_args.get(entry.name)
    return words is not None and len(argv) > 1 and argv[1].lower() in [word.lower() for word in words]


def may_touch(selector: Selector, key: bytes, access: int) -> bool:
    if selector.all_keys:
        return True
    return any(one.access & access == access and matches(one.pattern, key, False) for one in selector.keys)


def may_hear(patterns: list[bytes], channel: bytes, literal: bool) -> bool:
    """A pattern has to be permitted literally, a channel by any pattern."""
    if literal:
        return channel in patterns
    return any(matches(pattern, channel, False) for pattern in patterns)


def may_read_all(user: User) -> bool:
    """Whether every key may be read: what SORT's BY and GET ask for."""
    return any(selector.all_keys or any(one.pattern == b"*" and one.access & READ for one in selector.keys)
               for selector in user.selectors)


def keeps_channels(new: User, channels: list[bytes], patterns: list[bytes]) -> bool:
    """Whether a subscriber's channels and patterns are all still permitted."""
    if any(selector.all_channels for selector in new.selectors):
        return True
    permitted = [pattern for selector in new.selectors for pattern in selector.channels]
    return (all(may_hear(permitted, name, True) for name in patterns)
            and all(may_hear(permitted, name, False) for name in channels))
