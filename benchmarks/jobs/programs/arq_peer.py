"""arq: 100 jobs at a time, no results, a short poll; created by many coroutines at once."""

from __future__ import annotations

import logging

import uvloop
from arq import Worker, create_pool, func
from arq.connections import RedisSettings
from tally import anoop, main, timed_together


async def produce(address: str, count: int) -> None:
    pool = await create_pool(RedisSettings.from_dsn(address))
    await timed_together(lambda: pool.enqueue_job("noop"), count)


async def consume(address: str) -> None:
    logging.getLogger("arq").setLevel(logging.ERROR)
    worker = Worker([func(anoop, name="noop", keep_result=0)], redis_settings=RedisSettings.from_dsn(address),
                    max_jobs=100, queue_read_limit=1000, poll_delay=0.01, keep_result=0, handle_signals=False)
    await worker.async_run()


if __name__ == "__main__":
    main(lambda address, count: uvloop.run(produce(address, count)), lambda address: uvloop.run(consume(address)))
