"""Ordinary keys on disk: how long another client waits while the files are rewritten, and how long a restart takes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final

import redis

from heroredis.testing import ServerProcess

KEYS: Final = 1_000_000
VALUE: Final = b"x" * 100
BATCH: Final = 10_000


def fill(client: redis.Redis, keys: int) -> None:
    for start in range(0, keys, BATCH):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, start + BATCH):
            pipeline.set(f"key:{number}", VALUE)
        pipeline.execute()


def is_rewriting(client: redis.Redis) -> bool:
    return bool(client.info("persistence")["aof_rewrite_in_progress"])


def waits_during_a_rewrite(client: redis.Redis) -> tuple[float, list[float]]:
    """Seconds that the rewrite took, and what each SET of another client took meanwhile, in ms."""
    while is_rewriting(client):
        time.sleep(0.1)
    waits: list[float] = []
    began = time.perf_counter()
    client.bgrewriteaof()
    while len(waits) % 20 or is_rewriting(client):
        before = time.perf_counter()
        client.set("probe", len(waits))
        waits.append((time.perf_counter() - before) * 1000)
        time.sleep(0.001)
    return time.perf_counter() - began, sorted(waits)


def measure(quick: bool = False) -> dict[str, Any]:
    keys = KEYS // 20 if quick else KEYS
    with tempfile.TemporaryDirectory() as name:
        server = ServerProcess(Path(name), ["--no-ui", "--no-webdav", "--no-jobs"]).start()
        client = redis.Redis(unix_socket_path=server.unix_path)
        fill(client, keys)
        took, waits = waits_during_a_rewrite(client)
        client.close()
        server.kill()
        began = time.perf_counter()
        server.start()
        restart = time.perf_counter() - began
        server.stop()
    found = {"keys": keys, "rewrite_s": round(took, 2), "p50_ms": round(waits[len(waits) // 2], 2),
             "p99_ms": round(waits[len(waits) * 99 // 100], 2), "max_ms": round(waits[-1], 2),
             "restart_s": round(restart, 2)}
    print(" ".join(f"{key}={value}" for key, value in found.items()))
    return found
