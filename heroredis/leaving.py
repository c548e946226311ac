"""The end of a program on whose loop tasks run that do not let themselves be cancelled: it waits for them no longer."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Final

logger = logging.getLogger("heroredis")
LAST_S: Final = 2.0


async def leave(status: int) -> int:
    """The last thing that a loop does: everything else on it is cancelled. Returns the exit status, unless something
    goes on all the same: then the process ends with it here and now, everything being closed."""
    others = asyncio.all_tasks() - {task for task in (asyncio.current_task(),) if task is not None}
    for task in others:
        task.cancel()
    if others:
        _, late = await asyncio.wait(others, timeout=LAST_S)
        if late:
            names = ", ".join(sorted(_named(task) for task in late))
            logger.warning("the end does not wait for what does not let itself be cancelled: %s", names)
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return status


def _named(task: asyncio.Task[object]) -> str:
    stack = task.get_stack(limit=1)
    where = "" if not stack else f" ({stack[0].f_code.co_filename}:{stack[0].f_lineno})"
    return f"{task.get_name()}{where}"
