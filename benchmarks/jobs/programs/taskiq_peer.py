"""taskiq over Redis streams, which acknowledge: 100 tasks at a time; created by many coroutines at once."""

from __future__ import annotations

import logging

import uvloop
from tally import anoop, main, timed_together
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker


async def noop() -> None:
    await anoop()


async def produce(address: str, count: int) -> None:
    broker = RedisStreamBroker(address, consumer_id="0")
    task = broker.task(task_name="noop")(noop)
    await broker.startup()
    await timed_together(task.kiq, count)
    await broker.shutdown()


async def consume(address: str) -> None:
    logging.getLogger("taskiq").setLevel(logging.ERROR)
    broker = RedisStreamBroker(address, consumer_id="0", xread_count=100)
    broker.task(task_name="noop")(noop)
    await run_receiver_task(broker, max_async_tasks=100, max_prefetch=100, validate_params=False, run_startup=True)


if __name__ == "__main__":
    main(lambda address, count: uvloop.run(produce(address, count)), lambda address: uvloop.run(consume(address)))
