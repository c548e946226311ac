"""Which peers there are: their program, what it needs, and how many jobs take about a second."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PROGRAMS: Final = Path(__file__).parent / "programs"
DURABLE: Final = "durable"
FASTEST: Final = "fastest"
SETTINGS: Final = (DURABLE, FASTEST)
KEPT: Final = {
    ("redis", DURABLE): "each write synced (appendfsync always)",
    ("redis", FASTEST): "nothing (no AOF, no RDB)",
    ("sqlite", DURABLE): "each transaction synced (WAL, synchronous FULL)",
    ("sqlite", FASTEST): "nothing synced (WAL, synchronous OFF)",
    ("beanstalkd", DURABLE): "each write synced (-b -f0)",
    ("beanstalkd", FASTEST): "nothing (no binlog)",
    ("heroredis", DURABLE): "created and done synced before they are answered",
}
"""What is on disk when an answer comes, by broker and setting."""


class Peer:
    """`packages` = what pip (or, for a program of Node, npm) installs; `jobs` = (durable, fastest) of one trial."""

    def __init__(self, name: str, program: str, broker: str, jobs: tuple[int, int], packages: tuple[str, ...] = (),
                 settings: tuple[str, ...] = SETTINGS) -> None:
        self.name: Final = name
        self.program: Final = PROGRAMS / program
        self.broker: Final = broker
        self.packages: Final = packages
        self.settings: Final = settings
        self.jobs: Final = dict(zip(SETTINGS, jobs, strict=True))

    @property
    def is_node(self) -> bool:
        return self.program.suffix == ".mjs"

    @property
    def is_own(self) -> bool:
        """Whether it runs with the Python of this project: ourselves, and what needs no package."""
        return not self.packages


FAST_REDIS: Final = ("hiredis>=3,<4", "uvloop>=0.21,<1")
OURS: Final = Peer("heroredis, socket", "heroredis_peer.py", "heroredis", (20_000, 20_000), settings=(DURABLE,))
PEERS: Final = [
    Peer("RQ", "rq_peer.py", "redis", (300, 1000), ("rq>=2.8,<4", *FAST_REDIS)),
    Peer("Celery", "celery_peer.py", "redis", (500, 1500), ("celery[redis]>=5.5,<6", *FAST_REDIS)),
    Peer("dramatiq", "dramatiq_peer.py", "redis", (1200, 3000), ("dramatiq[redis]>=2,<3", *FAST_REDIS)),
    Peer("Huey, Redis", "huey_peer.py", "redis", (3000, 6000), ("huey>=3,<4", "redis>=5,<9", *FAST_REDIS)),
    Peer("Huey, SQLite", "huey_peer.py", "sqlite", (3000, 10_000), ("huey>=3,<4", "redis>=5,<9", *FAST_REDIS)),
    Peer("arq", "arq_peer.py", "redis", (1000, 2500), ("arq>=0.26,<1", *FAST_REDIS)),
    Peer("SAQ", "saq_peer.py", "redis", (2000, 3000), ("saq[redis]>=0.26,<1", "typing_extensions", *FAST_REDIS)),
    Peer("taskiq, streams", "taskiq_peer.py", "redis", (2500, 4000), ("taskiq>=0.12,<1", "taskiq-redis>=1.1,<2",
                                                                      *FAST_REDIS)),
    Peer("BullMQ", "bullmq_peer.mjs", "redis", (8000, 15_000), ("bullmq@6", "ioredis@5")),
    Peer("greenstalk", "greenstalk_peer.py", "beanstalkd", (2000, 6000), ("greenstalk>=2,<3",)),
    Peer("beanstalkd", "beanstalkd_peer.py", "beanstalkd", (4000, 40_000)),
]


def environment_name(peer: Peer) -> str:
    """Peers of the same program share their environment."""
    return "own" if peer.is_own else peer.program.stem
