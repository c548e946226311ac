"""Users and selectors, and the rules that change them, read as Redis 7.0 reads them. Pure values."""

from __future__ import annotations

import hashlib
from typing import Final

from heroredis.acl.index import CATEGORIES, CommandIndex
from heroredis.inline import split_line

READ: Final = 1
WRITE: Final = 2
HASH_LETTERS: Final = frozenset(b"0123456789abcdef")
UNKNOWN: Final = "Unknown command or category name in ACL"
SYNTAX: Final = "Syntax error"
AFTER_ALL: Final = ("Adding a pattern after the * pattern (or the '%s' flag) is not valid and does not have any "
                    "effect. Try '%s' to start with an empty list of %s")
AFTER_ALL_KEYS: Final = AFTER_ALL % ("allkeys", "resetkeys", "patterns")
AFTER_ALL_CHANNELS: Final = AFTER_ALL % ("allchannels", "resetchannels", "channels")
NO_SUCH_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
BAD_HASH: Final = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
FIRST_ARG_OF_CHILD: Final = "Allowing first-arg of a subcommand is not supported"
BLANKS: Final = frozenset(b" \t\n\v\f\r\0")


class RuleError(Exception):
    """A rule that cannot be applied; the text is Redis's."""


class KeyPattern:
    """A pattern of keys, and whether they may be read, written or both."""

    def __init__(self, pattern: bytes, access: int) -> None:
        self.pattern: Final = pattern
        self.access = access

    def describe(self) -> bytes:
        lead = {READ: b"%R~", WRITE: b"%W~"}.get(self.access, b"~")
        return lead + self.pattern


class Selector:
    """One set of permissions: commands, keys and channels."""

    def __init__(self, all_channels: bool) -> None:
        self.allowed = 0
        """Bits of the commands; see CommandIndex."""
        self.first_args: dict[str, list[bytes]] = {}
        """First arguments with which a command may run that may not run otherwise."""
        self.all_keys = False
        self.keys: list[KeyPattern] = []
        self.all_channels = all_channels
        self.channels: list[bytes] = []

    @property
    def is_all(self) -> bool:
        return self.allowed == -1 and self.all_keys and self.all_channels

    def copy(self) -> Selector:
        made = Selector(self.all_channels)
        made.allowed = self.allowed
        made.first_args = {name: list(words) for name, words in self.first_args.items()}
        made.all_keys = self.all_keys
        made.keys = [KeyPattern(one.pattern, one.access) for one in self.keys]
        made.channels = list(self.channels)
        return made

    def apply(self, index: CommandIndex, rule: bytes) -> None:
        """Change it by one rule; RuleError when it is none."""
        word = rule.lower()
        if word in (b"allkeys", b"~*"):
            self.all_keys, self.keys = True, []
        elif word == b"resetkeys":
            self.all_keys, self.keys = False, []
        elif word in (b"allchannels", b"&*"):
            self.all_channels, self.channels = True, []
        elif word == b"resetchannels":
            self.all_channels, self.channels = False, []
        elif word in (b"allcommands", b"+@all"):
            self.allowed, self.first_args = -1, {}
        elif word in (b"nocommands", b"-@all"):
            self.allowed, self.first_args = 0, {}
        elif rule[:1] in (b"~", b"%"):
            self._add_keys(rule)
        elif rule[:1] == b"&":
            self._add_channel(rule[1:])
        elif rule[:2] in (b"+@", b"-@"):
            self._apply_category(index, rule[:1] == b"+", word[2:].decode("latin-1"))
        elif rule[:1] in (b"+", b"-"):
            self._apply_command(index, rule[:1] == b"+", rule[1:])
        else:
            raise RuleError(SYNTAX)

    def _add_keys(self, rule: bytes) -> None:
        if self.all_keys:
            raise RuleError(AFTER_ALL_KEYS)
        access = READ | WRITE
        pattern = rule[1:]
        if rule[:1] == b"%":
            letters, _, pattern = rule[1:].partition(b"~")
            upper = letters.upper()
            # "%RW" without a tilde is taken, and stands for the empty pattern.
            if not upper or upper not in (b"R", b"W", b"RW", b"WR"):
                raise RuleError(SYNTAX)
            access = (READ if b"R" in upper else 0) | (WRITE if b"W" in upper else 0)
        if BLANKS & set(pattern):
            raise RuleError(SYNTAX)
        for one in self.keys:
            if one.pattern == pattern:
                one.access |= access
                return
        self.keys.append(KeyPattern(pattern, access))

    def _add_channel(self, pattern: bytes) -> None:
        if self.all_channels:
            raise RuleError(AFTER_ALL_CHANNELS)
        if BLANKS & set(pattern):
            raise RuleError(SYNTAX)
        if pattern not in self.channels:
            self.channels.append(pattern)

    def _apply_category(self, index: CommandIndex, allow: bool, name: str) -> None:
        if name not in CATEGORIES:
            raise RuleError(UNKNOWN)
        mask = index.reached(name)
        self._set(mask, allow)
        for command in list(self.first_args):
            known = index.find(command.encode())
            if known is not None and known.bit & mask:
                del self.first_args[command]

    def _apply_command(self, index: CommandIndex, allow: bool, name: bytes) -> None:
        parent, bar, sub = name.rpartition(b"|")
        if allow and bar:
            container = index.find(parent)
            if container is None:
                raise RuleError(UNKNOWN)
            if b"|" in parent:
                raise RuleError(FIRST_ARG_OF_CHILD)
            if not sub:
                raise RuleError(SYNTAX)
            if not container.children:
                words = self.first_args.setdefault(container.name, [])
                if sub.lower() not in [word.lower() for word in words]:
                    words.append(sub)
                return
        known = index.find(name)
        if known is None:
            raise RuleError(UNKNOWN)
        self._set(known.family(), allow)
        self.first_args.pop(known.name, None)

    def _set(self, mask: int, allow: bool) -> None:
        self.allowed = self.allowed | mask if allow else self.allowed & ~mask


def hashed(password: bytes) -> bytes:
    """SHA-256, as users' passwords are kept."""
    return hashlib.sha256(password).hexdigest().encode()


class User:
    """A name, passwords, and selectors of which the first is the user's own."""

    def __init__(self, name: bytes, all_channels: bool) -> None:
        self.name: Final = name
        self.enabled = False
        self.no_password = False
        self.sanitize: bytes | None = None
        self.passwords: list[bytes] = []
        self.selectors = [Selector(all_channels)]

    @property
    def is_all(self) -> bool:
        """Whether nothing has to be checked for this user."""
        return any(selector.is_all for selector in self.selectors)

    def copy_from(self, other: User) -> None:
        self.enabled = other.enabled
        self.no_password = other.no_password
        self.sanitize = other.sanitize
        self.passwords = list(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]

    def flags(self) -> list[bytes]:
        found = [b"on" if self.enabled else b"off"]
        if self.no_password:
            found.append(b"nopass")
        if self.sanitize is not None:
            found.append(self.sanitize)
        return found

    def apply(self, index: CommandIndex, rule: bytes, all_channels: bool) -> None:
        """Change it by one rule; `all_channels` is what a new selector begins with. RuleError when it is none."""
        word = rule.lower()
        if not rule:
            return
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word in (b"skip-sanitize-payload", b"sanitize-payload"):
            self.sanitize = word
        elif word in (b"nopass", b"resetpass"):
            self.no_password, self.passwords = word == b"nopass", []
        elif rule[:1] in (b">", b"#", b"<", b"!"):
            self._apply_password(rule[:1], rule[1:])
        elif rule[:1] == b"(" and rule[-1:] == b")":
            self._add_selector(index, rule[1:-1], all_channels)
        elif word == b"clearselectors":
            del self.selectors[1:]
        elif word == b"reset":
            self.enabled, self.no_password, self.sanitize = False, False, b"sanitize-payload"
            self.passwords, self.selectors = [], [Selector(all_channels)]
        else:
            self.selectors[0].apply(index, rule)

    def _apply_password(self, mark: bytes, text: bytes) -> None:
        if mark in (b"#", b"!") and (len(text) != 64 or not set(text) <= HASH_LETTERS):
            raise RuleError(BAD_HASH)
        password = hashed(text) if mark in (b">", b"<") else text
        if mark in (b">", b"#"):
            if password not in self.passwords:
                self.passwords.append(password)
            self.no_password = False
        elif password in self.passwords:
            self.passwords.remove(password)
        else:
            raise RuleError(NO_SUCH_PASSWORD)

    def _add_selector(self, index: CommandIndex, text: bytes, all_channels: bool) -> None:
        made = Selector(all_channels)
        for rule in split_line(text) or []:
            made.apply(index, rule)
        self.selectors.append(made)


def merged(rules: list[bytes]) -> list[bytes]:
    """Selectors whose rules came as several arguments are put together; RuleError when one is not closed."""
    found: list[bytes] = []
    parts: list[bytes] = []
    for rule in rules:
        if parts or (rule[:1] == b"(" and rule[-1:] != b")"):
            parts.append(rule)
            if len(parts) > 1 and rule[-1:] == b")":
                found.append(b" ".join(parts))
                parts = []
        else:
            found.append(rule)
    if parts:
        start = parts[0].decode("utf-8", "replace")
        raise RuleError(f"Unmatched parenthesis in acl selector starting at '{start}'.")
    return found
