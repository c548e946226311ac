"""Huey, over Redis or, where the address is a path, SQLite: no results, one worker thread (more are slower)."""

from __future__ import annotations

import logging

from huey import Huey, RedisHuey, SqliteHuey
from tally import DURABLE, main, noop, timed


def opened(address: str) -> Huey:
    if address.startswith("redis"):
        return RedisHuey("bench", url=address, results=False, blocking=True)
    return SqliteHuey("bench", filename=address, results=False, fsync=DURABLE)


def create(address: str, count: int) -> None:
    task = opened(address).task(name="noop")(noop)

    def many() -> None:
        for _ in range(count):
            task()
    timed(task, many)


def work(address: str) -> None:
    huey = opened(address)
    huey.task(name="noop")(noop)
    logging.getLogger("huey").setLevel(logging.ERROR)
    huey.create_consumer(workers=1, periodic=False, initial_delay=0.001, max_delay=0.01,
                         check_worker_health=False).run()


if __name__ == "__main__":
    main(create, work)
