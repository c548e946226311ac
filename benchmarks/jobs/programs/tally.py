"""What all programs share. Nothing but the standard library: each runs in the environment of its own library.

    PROGRAM create ADDRESS COUNT            one warm-up job, then COUNT (hundreds of) no-op jobs; prints when they
                                            began and ended
    PROGRAM work ADDRESS MARKS NUMBER...    one worker process that runs until it is killed; a line in the file MARKS
                                            when the NUMBERth job is run

Moments are nanoseconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable

DURABLE = os.environ.get("BENCH_DURABLE") == "1"
BATCH = 500
"""Jobs of one bulk call."""
PRODUCERS = 20
"""Coroutines that create at once, where a library has no bulk call."""


class Tally:
    """Counts the jobs that this process has run, from any thread."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._wanted: frozenset[int] = frozenset()
        self._file = -1

    def watch(self, path: str, wanted: list[int]) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._wanted = frozenset(wanted)

    def add(self) -> None:
        number = next(self._numbers)
        if number in self._wanted:
            os.write(self._file, b"%d %d\n" % (number, time.monotonic_ns()))


tally = Tally()


def noop() -> None:
    """The job of the synchronous libraries."""
    tally.add()


async def anoop(*ignored: object) -> None:
    """The job of the asynchronous ones."""
    tally.add()


def timed(warm: Callable[[], object], create: Callable[[], object]) -> None:
    """One job first, so that connections are open, then the rest between two looks at the clock."""
    warm()
    begin = time.monotonic_ns()
    create()
    print(json.dumps({"begin": begin, "end": time.monotonic_ns()}), flush=True)


async def timed_together(once: Callable[[], Awaitable[object]], count: int) -> None:
    """The same by many coroutines, each of which waits for its answer before it goes on."""
    async def some(number: int) -> None:
        for _ in range(number):
            await once()
    await once()
    begin = time.monotonic_ns()
    await asyncio.gather(*(some(count // PRODUCERS) for _ in range(PRODUCERS)))
    print(json.dumps({"begin": begin, "end": time.monotonic_ns()}), flush=True)


def main(create: Callable[[str, int], object], work: Callable[[str], object]) -> None:
    command, address, *rest = sys.argv[1:]
    if command == "create":
        create(address, int(rest[0]))
    else:
        tally.watch(rest[0], [int(number) for number in rest[1:]])
        work(address)
