"""dramatiq over Redis: eight threads, a long prefetch; it has no bulk call."""

from __future__ import annotations

import os
import time

os.environ.setdefault("dramatiq_queue_prefetch", "200")

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from tally import main, noop, timed


def actor(address: str) -> tuple[RedisBroker, dramatiq.Actor]:
    broker = RedisBroker(url=address, middleware=[])
    return broker, dramatiq.actor(noop, broker=broker, actor_name="noop")


def create(address: str, count: int) -> None:
    _, task = actor(address)

    def many() -> None:
        for _ in range(count):
            task.send()
    timed(task.send, many)


def work(address: str) -> None:
    broker, _ = actor(address)
    dramatiq.Worker(broker, worker_threads=8, worker_timeout=100).start()
    time.sleep(3600)


if __name__ == "__main__":
    main(create, work)
