"""CPU time of one request from received bytes to written ones, without sockets, by command, pipelined 16.

Wall-clock figures of two programs on two cores are noisy; this one moves only when the code does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from heroredis.execute import Session
from heroredis.server import Server
from heroredis.session.client import Client

PIPELINE: Final = 16
ROUNDS: Final = 7
SAMPLES: Final[dict[str, list[bytes]]] = {
    "PING": [b"PING"],
    "SET": [b"SET", b"key:000000000017", b"xxx"],
    "GET": [b"GET", b"key:000000000017"],
    "INCR": [b"INCR", b"counter:000000000017"],
    "LPUSH": [b"LPUSH", b"mylist", b"xxx"],
    "LPOP": [b"LPOP", b"mylist"],
    "RPUSH": [b"RPUSH", b"mylist", b"xxx"],
    "RPOP": [b"RPOP", b"mylist"],
    "HSET": [b"HSET", b"myhash", b"element:000000000017", b"xxx"],
    "MSET_10": [b"MSET", *(text for at in range(10) for text in (b"key:%012d" % at, b"xxx"))],
    "LRANGE_100": [b"LRANGE", b"mylist", b"0", b"99"],
}


def request(words: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def nanoseconds(session: Session, words: list[bytes], batches: int) -> float:
    """CPU ns per request."""
    batch = request(words) * PIPELINE
    begin = time.process_time_ns()
    for _ in range(batches):
        session.received(batch)
    return (time.process_time_ns() - begin) / (batches * PIPELINE)


def measure(quick: bool = False) -> dict[str, Any]:
    server = Server()
    session = Session(server, Client(1, "127.0.0.1:1", "127.0.0.1:2", 0, lambda: None), lambda data: None)
    found: dict[str, Any] = {}
    for name, words in SAMPLES.items():
        batches = 100 if quick else 20_000 if len(words) < 10 and name != "LRANGE_100" else 2_000
        found[name] = round(min(nanoseconds(session, words, batches) for _ in range(1 if quick else ROUNDS)))
        print(f"{name:12}{found[name]:8d} ns of CPU per request")
    return found


if __name__ == "__main__":
    measure()
