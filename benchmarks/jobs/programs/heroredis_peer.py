"""heroredis over the socket with jobs.client: created in bulk; one worker process fetches and completes."""

from __future__ import annotations

from tally import BATCH, main, tally, timed

from jobs import requests
from jobs.client import Client


def create(address: str, count: int) -> None:
    with Client(address) as client:
        def many() -> None:
            for start in range(0, count, BATCH):
                client.create_jobs("bench", [b"x"] * min(BATCH, count - start))
        timed(lambda: client.create_job("bench", b"x"), many)


def work(address: str) -> None:
    with Client(address) as client:
        while True:
            jobs = client.fetch(["bench"], count=BATCH, wait=60)
            client.pipeline([requests.complete(job["id"], b"", job["token"]) for job in jobs])
            for _ in jobs:  # counted once its end is on disk
                tally.add()


if __name__ == "__main__":
    main(create, work)
