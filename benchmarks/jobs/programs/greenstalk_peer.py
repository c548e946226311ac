"""beanstalkd as most Python programs use it: greenstalk, one command at a time over one connection. The library has no
bulk call and no pipelining; more threads are not quicker."""

from __future__ import annotations

import greenstalk
from tally import main, noop, timed


def client(address: str) -> greenstalk.Client:
    host, _, port = address.rpartition(":")
    return greenstalk.Client((host, int(port)))


def create(address: str, count: int) -> None:
    with client(address) as queue:
        def many() -> None:
            for _ in range(count):
                queue.put("x")
        timed(lambda: queue.put("x"), many)


def work(address: str) -> None:
    with client(address) as queue:
        while True:
            job = queue.reserve()
            noop()
            queue.delete(job)


if __name__ == "__main__":
    main(create, work)
