"""What commands share that wait for a key to hold something (BLPOP, BZPOPMIN and their kin)."""

from __future__ import annotations

from heroredis.reply import Wait
from heroredis.session.context import Context


def wait_for(ctx: Context, keys: list[bytes], milliseconds: int, nothing: object) -> Wait:
    """Park the command until one of the keys is written; `nothing` is the answer when time is over."""
    return Wait([(ctx.db.index, key) for key in keys], milliseconds, nothing)


def waited_for(ctx: Context, keys: list[bytes]) -> list[bytes]:
    """The keys to look at: all of them, or the one that woke the command."""
    return keys if ctx.woken_by is None else [ctx.woken_by]
