"""The commands that made the data what they are, in their order, until somebody takes them to write them down.

Knows no disk. While nobody wants them (`on` is false) nothing is kept and a write pays one test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from heroredis.reply import Committing

MULTI: Final = [b"MULTI"]
EXEC: Final = [b"EXEC"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Copying:
    """Base of who copies the whole keyspace while it is in use."""

    def before_write(self, database: int, key: bytes) -> None:
        """`key` of `database` is about to be written."""

    def swapped(self, one: int, two: int) -> None:
        """Two databases have exchanged their contents."""


class Journal:
    """What is to be written. `active` is true while somebody keeps it or copies the keyspace."""

    def __init__(self) -> None:
        self.on = False
        self.active = False
        self.refusal = b""
        """Why no write may happen now: the error that the client gets; empty = all is well."""
        self.commit: Committing | None = None
        """What the replies to writes have to wait for; None = they need not wait."""
        self.copying: Copying | None = None
        self.reader: Callable[[list[list[bytes]]], None] | None = None
        """Is shown everything that is taken."""
        self.wake: Callable[[], None] | None = None
        """Called when something is added after everything was taken."""
        self.transaction = False
        """Commands of one transaction are being added: nothing may be taken now."""
        self._kept = False
        self._told: list[list[bytes]] = []
        self._commands: list[list[bytes]] = []
        self._database = -1

    def switch(self, on: bool) -> None:
        """Somebody keeps it from now on, or no longer."""
        self._kept = on
        self._decide()
        if not on:
            self.commit = None
            self.refusal = b""

    def follow(self, reader: Callable[[list[list[bytes]]], None] | None) -> None:
        self.reader = reader
        self._decide()

    def _decide(self) -> None:
        self.on = self._kept or self.reader is not None
        self.active = self.on or self.copying is not None
        if not self.on:
            self._commands = []

    def copy_for(self, copying: Copying | None) -> None:
        """Tell `copying` of each key before it is written, until this is called with None."""
        self.copying = copying
        self.active = self.on or copying is not None

    def add(self, database: int, argv: list[bytes]) -> None:
        commands = self._commands
        if not commands and self.wake is not None:
            self.wake()
        if database != self._database:
            self._database = database
            commands.append([b"SELECT", b"%d" % database])
        commands.append(argv)

    def tell(self, database: int, argv: list[bytes]) -> None:
        """For the reader alone, in its order: it changes nothing."""
        if self.reader is not None:
            self._told.append(argv)
            self.add(database, argv)

    def removed(self, database: int, key: bytes) -> None:
        """The server itself has removed a key: its time had come, or memory was full."""
        if self.on:
            self.add(database, [b"DEL", key])

    def begin(self) -> int:
        """Commands from here on are one transaction."""
        self.transaction = True
        return len(self._commands)

    def end(self, start: int) -> None:
        self.transaction = False
        commands = self._commands
        if len(commands) > start and commands[start][0] == b"SELECT":
            start += 1
        if len(commands) - start > 1:
            commands.insert(start, MULTI)
            commands.append(EXEC)

    def take(self) -> list[list[bytes]]:
        """All that was added since the last time."""
        commands = self._commands
        self._commands = []
        if self.reader is not None and commands:
            self.reader(commands)
            if self._told:
                told = {id(argv) for argv in self._told}
                self._told = []
                return [argv for argv in commands if id(argv) not in told]
        return commands

    def restart(self) -> None:
        """What comes next is read without what came before: it must name its database."""
        self._database = -1
