"""RQ: SimpleWorker, which does not fork for every job; jobs in bulk through its own pipeline."""

from __future__ import annotations

import logging

from redis import Redis
from rq import Queue, SimpleWorker
from tally import BATCH, main, noop, timed


def create(address: str, count: int) -> None:
    queue = Queue(connection=Redis.from_url(address))

    def many() -> None:
        for start in range(0, count, BATCH):
            size = min(BATCH, count - start)
            queue.enqueue_many([Queue.prepare_data(noop, result_ttl=0) for _ in range(size)])
    timed(lambda: queue.enqueue(noop, result_ttl=0), many)


def work(address: str) -> None:
    connection = Redis.from_url(address)
    logging.getLogger("rq").setLevel(logging.ERROR)
    SimpleWorker([Queue(connection=connection)], connection=connection).work(logging_level="ERROR")


if __name__ == "__main__":
    main(create, work)
