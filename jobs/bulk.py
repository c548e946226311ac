"""Retry, cancel or delete all jobs that fit a query, in steps that leave the loop free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from heroredis.extension import Committing
from jobs.errors import BadOption, JobRefused
from jobs.query import Not, Query, Word, Words, both
from jobs.search import Search
from jobs.states import ACTIVE, ERROR, NEW

ACTIONS: Final = ("retry", "cancel", "delete")
PAGE: Final = 200
CAN: Final[dict[str, Query]] = {
    "retry": Words("state", (Word(ERROR),)),
    "cancel": Words("state", (Word(NEW), Word(ACTIVE))),
    "delete": Not(Words("state", (Word(ACTIVE),))),
}
"""Which jobs an action can be done to."""


class Done(msgspec.Struct):
    """What was done: jobs that fitted, and those of them that were changed. `first_refusal` says why one was not."""

    matched: int
    changed: int
    first_refusal: str = ""


def known(action: str) -> str:
    """The action itself; BadOption when there is none of this name."""
    if action not in CAN:
        raise BadOption(f"there is no bulk action {action!r}, give one of {', '.join(ACTIONS)}")
    return action


async def bulk(search: Search, action: str, query: Query, act: Callable[[int], Committing],
               committed: Callable[[Committing], Awaitable[None]], dry_run: bool) -> Done:
    """Do it to all that fit and whose state allows it; `dry_run` only counts. Returns once all is on disk."""
    wanted = both(query, CAN[known(action)])
    if dry_run:
        return Done(await search.count(wanted), 0)
    done = Done(0, 0)
    async for jobs in search.pages(wanted, PAGE):
        last: Committing | None = None
        for job in jobs:
            done.matched += 1
            try:
                last = act(job.job_id)
                done.changed += 1
            except JobRefused as refused:
                done.first_refusal = done.first_refusal or str(refused)
        if last is not None:
            await committed(last)
        await asyncio.sleep(0)
    return done
