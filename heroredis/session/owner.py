"""What owners of key prefixes are asked before a write to their keys, and told when a client leaves."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from heroredis.command import Command
from heroredis.reply import Sentinel
from heroredis.session.client import Client

PASS: Final = Sentinel("PASS")


@mypyc_attr(allow_interpreted_subclasses=True)
class Owner:
    """Base of extensions: the part that the pipeline calls."""

    def before_write(self, ctx: object, command: Command, argv: list[bytes]) -> object:
        """A write command that names an owned key is about to run in database 0.

        PASS lets it run, a reply value is answered instead, RedisError refuses it. `ctx` is the caller's Context.
        """
        return PASS

    def implied_keys(self, command: Command, argv: list[bytes]) -> list[bytes]:
        """Keys that one of its commands works on without naming them; access control checks them."""
        return []

    def exec_begins(self) -> None:
        """What is written until `exec_ends` belongs together: EXEC runs its commands."""

    def exec_ends(self) -> None:
        """All commands of the EXEC have run."""

    def client_closed(self, client: Client) -> None:
        """A connection is gone."""
