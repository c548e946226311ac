"""The values of Redis's parameters in one server: read by everyone, changed by CONFIG SET, told to who listens.

What the parameters are stands in config/table.py. Knows nothing of the project's own settings file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.config.table import ALIASES, HIDDEN, IMMUTABLE, PROTECTED, SECRET, TABLE
from heroredis.glob import matches

MASK: Final = b"***"
"""What a secret shows; setting a secret to it changes nothing."""
GLOB_LETTERS: Final = (b"[", b"*", b"?")
Apply = Callable[[], str]


class Refused(Exception):
    """CONFIG SET is refused: the parameter at fault as it is to be named, and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name: Final = name
        self.reason: Final = reason


class Parameters:
    """Values by name; texts are kept as bytes because clients send and read them so."""

    def __init__(self, **values: bytes) -> None:
        self._values: Final[dict[str, bytes]] = {name: one.default for name, one in TABLE.items()}
        self._numbers: Final[dict[str, int]] = {}
        self._listeners: Final[dict[str, list[Apply]]] = {}
        for name in TABLE:
            self._note_number(name)
        for name, value in values.items():
            self.put(name.replace("_", "-"), value)

    def get(self, name: str) -> bytes:
        found = self._values.get(name)
        return self._values[ALIASES[name]] if found is None else found

    def integer(self, name: str) -> int:
        """The number that is kept beside the text; of a switch, whether it is on."""
        return self._numbers[name]

    def is_on(self, name: str) -> bool:
        return self._numbers[name] != 0

    def put(self, name: str, value: bytes) -> None:
        """Set without asking whether it may change, and without telling anyone."""
        if name not in self._values:
            raise KeyError(name)
        self._values[name] = value
        self._note_number(name)

    def _note_number(self, name: str) -> None:
        number = TABLE[name].kind.number(self._values[name])
        if number is not None:
            self._numbers[name] = number

    def when_changed(self, names: str, apply: Apply) -> None:
        """Call `apply` once after a CONFIG SET that changed one of `names`; a text that it returns refuses the change,
        and then it is called again when the old values are back."""
        for name in names.split():
            if name not in TABLE:
                raise KeyError(name)
            self._listeners.setdefault(name, []).append(apply)

    def change(self, name: str, value: bytes) -> str:
        """CONFIG SET of one; an empty text when done, else the reason why not."""
        try:
            self.change_all([(name, value)], True)
        except Refused as refusal:
            return refusal.reason
        return ""

    def change_all(self, pairs: list[tuple[str, bytes]], is_local: bool) -> None:
        """CONFIG SET: all of them or none. Raises Refused; `is_local` tells where the client is."""
        given: list[tuple[str, str, bytes]] = []
        for name, value in pairs:
            canonical = ALIASES.get(name.lower(), name.lower())
            self._check_changeable(name, canonical, is_local)
            if name.lower() in [earlier for earlier, _, _ in given]:
                raise Refused(name, "duplicate parameter")
            given.append((name.lower(), canonical, value))
        before = [(canonical, self._values[canonical]) for _, canonical, _ in given]
        try:
            for name, canonical, value in given:
                words = [value] if not TABLE[canonical].kind.several else value.split(b" ") if value else []
                self.set_words(name, words)
            self._tell(before)
        except Refused:
            changed = [(canonical, self._values[canonical]) for canonical, _ in before]
            for canonical, value in before:
                self.put(canonical, value)
            self._tell_back(changed)
            raise

    def _check_changeable(self, name: str, canonical: str, is_local: bool) -> None:
        flags = TABLE[canonical].flags
        if flags & IMMUTABLE:
            raise Refused(name, "can't set immutable config")
        allowed = self._values["enable-protected-configs"]
        if flags & PROTECTED and not (allowed == b"yes" or (allowed == b"local" and is_local)):
            raise Refused(name, "can't set protected config")

    def set_words(self, name: str, words: list[bytes]) -> None:
        """Set as a line of a redis.conf does: read and checked, but not asked whether it may change. Raises Refused."""
        canonical = ALIASES.get(name, name)
        one = TABLE[canonical]
        old = self._values[canonical]
        if one.flags & SECRET and old and words[0] == MASK:
            return
        try:
            self.put(canonical, one.kind.read(old, words))
        except ValueError as error:
            raise Refused(name, str(error)) from None

    def _tell(self, before: list[tuple[str, bytes]]) -> None:
        told: list[Apply] = []
        for name, old in before:
            if self._values[name] == old:
                continue
            for apply in self._listeners.get(name, ()):
                if apply in told:
                    continue
                told.append(apply)
                reason = apply()
                if reason:
                    raise Refused(name, reason)

    def _tell_back(self, changed: list[tuple[str, bytes]]) -> None:
        told: list[Apply] = []
        for name, value in changed:
            if self._values[name] != value:
                for apply in self._listeners.get(name, ()):
                    if apply not in told:
                        told.append(apply)
                        apply()

    def knows(self, name: str) -> bool:
        return name in TABLE or name in ALIASES

    def shown(self, name: str) -> bytes:
        """The value as CONFIG GET shows it; a secret shows only whether it is set."""
        canonical = ALIASES.get(name, name)
        value = self._values[canonical]
        return MASK if value and TABLE[canonical].flags & SECRET else TABLE[canonical].kind.shown(value)

    def matching(self, pattern: bytes) -> list[tuple[str, bytes]]:
        """Names and values for CONFIG GET; a name without wildcards is shown as it was asked for."""
        if not any(letter in pattern for letter in GLOB_LETTERS):
            name = pattern.decode("latin-1")
            return [(name, self.shown(name.lower()))] if self.knows(name.lower()) else []
        found = []
        for name in sorted([*TABLE, *ALIASES]):
            if not TABLE[ALIASES.get(name, name)].flags & HIDDEN and matches(pattern, name.encode(), True):
                found.append((name, self.shown(name)))
        return found
