"""SAQ over Redis: 100 jobs at a time, no results kept; created by many coroutines at once."""

from __future__ import annotations

import logging

import uvloop
from saq import Queue, Worker
from tally import anoop, main, timed_together


async def noop(ctx: object) -> None:
    await anoop()


async def produce(address: str, count: int) -> None:
    queue = Queue.from_url(address)
    await timed_together(lambda: queue.enqueue("noop", ttl=-1), count)


async def consume(address: str) -> None:
    logging.getLogger("saq").setLevel(logging.ERROR)
    await Worker(Queue.from_url(address), [noop], concurrency=100).start()


if __name__ == "__main__":
    main(lambda address, count: uvloop.run(produce(address, count)), lambda address: uvloop.run(consume(address)))
