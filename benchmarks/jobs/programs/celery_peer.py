"""Celery over Redis: the solo pool, its quickest for empty tasks; no results, no events. Late acknowledgement where it
is to keep what it was given."""

from __future__ import annotations

from celery import Celery
from tally import DURABLE, main, noop, timed

app = Celery("bench")
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=0 if not DURABLE else 64, task_acks_late=DURABLE,
                worker_send_task_events=False, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False,
                task_store_errors_even_if_ignored=False, worker_enable_remote_control=False)
task = app.task(name="noop")(noop)


def create(address: str, count: int) -> None:
    app.conf.broker_url = address

    def many() -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(count):
                task.apply_async(producer=producer)
    timed(task.delay, many)


def work(address: str) -> None:
    app.conf.broker_url = address
    app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat",
                     "--loglevel=ERROR"])


if __name__ == "__main__":
    main(create, work)
