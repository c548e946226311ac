"""Commands whose answer is not at hand: it is worked out beside, and the command waits for it like a blocked one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from heroredis.extension import Client, Context, Reply, Wait
from jobs.errors import BadOption, JobRefused

Signal = Callable[[tuple[str, object, str]], None]


class Answers:
    """At most one for each connection; a connection that is gone ends its work."""

    def __init__(self) -> None:
        self.signal: Signal = lambda token: None
        self._open: Final[dict[int, tuple[tuple[bytes, ...], asyncio.Task[Reply]]]] = {}

    def reply(self, ctx: Context, words: tuple[bytes, ...], work: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
        """The answer when it is there, else what makes the command wait for it."""
        number = ctx.client.client_id
        asked, task = self._open.get(number, ((), None))
        if task is None or asked != words:
            if ctx.in_exec:
                raise BadOption("this has to wait for the job index, which is not possible inside MULTI or a script")
            self.gone(ctx.client)
            task = asyncio.get_running_loop().create_task(work())
            self._open[number] = (words, task)
            task.add_done_callback(lambda done: self.signal(("answer", number, "")))
        if not task.done():
            return Wait([("answer", number, "")], 0, None)
        del self._open[number]
        try:
            return task.result()
        except JobRefused:
            raise
        except asyncio.CancelledError:
            raise BadOption("it was given up") from None

    def gone(self, client: Client) -> None:
        found = self._open.pop(client.client_id, None)
        if found is not None:
            found[1].cancel()
