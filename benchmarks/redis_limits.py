"""What a Redis server costs at its limits, beside a real one: memory of a million keys and of idle connections, and how
long other clients wait while one asks for very much."""

from __future__ import annotations

import resource
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.against_redis import Redis
from benchmarks.persistence import fill
from heroredis.testing import ServerProcess

KEYS: Final = 1_000_000
CONNECTIONS: Final = 10_000
ELEMENTS: Final = 100_000
BIG: Final = (("KEYS", "*"), ("SMEMBERS", "set"), ("LRANGE", "list", "0", "-1"))
WANTED: Final = {"memory": 1.7, "p99_ms": 50.0, "connection_kib": 25.0}


def resident(pid: int) -> int:
    """Bytes that a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


def memory_of_keys(port: int, pid: int, keys: int) -> int:
    """Bytes that keys with values of 100 bytes take."""
    before = resident(pid)
    with redis.Redis(port=port) as client:
        fill(client, keys)
    return resident(pid) - before


def memory_of_connections(port: int, pid: int, count: int) -> float:
    """Bytes for each idle connection that has said PING."""
    before = resident(pid)
    opened = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            opened.append(connection)
            connection.sendall(b"PING\r\n")
            connection.recv(64)
        return (resident(pid) - before) / count
    finally:
        for connection in opened:
            connection.close()


def until_rewritten(client: redis.Redis) -> None:
    """Files that have grown much are rewritten without being asked."""
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.01)


def waits(port: int, request: tuple[str, ...], times: int) -> list[float]:
    """What each SET of one client took, in ms, while another sent the request again and again."""
    done = threading.Event()

    def ask() -> None:
        with redis.Redis(port=port) as client:
            for _ in range(times):
                client.execute_command(*request)
                until_rewritten(client)
        done.set()

    thread = threading.Thread(target=ask)
    found = []
    with redis.Redis(port=port) as client:
        until_rewritten(client)
        thread.start()
        while not done.is_set():
            before = time.perf_counter()
            client.set("probe", "x")
            found.append((time.perf_counter() - before) * 1000)
            time.sleep(0.001)
    thread.join()
    return sorted(found)


def of_keys(port: int, pid: int, quick: bool) -> dict[str, Any]:
    """Asked of a fresh server: what was in memory before must not be used again unseen."""
    keys = KEYS // 20 if quick else KEYS
    found: dict[str, Any] = {"bytes_per_key": round(memory_of_keys(port, pid, keys) / keys, 1)}
    found["BGREWRITEAOF"] = shown(waits(port, ("BGREWRITEAOF",), 1))
    return found


def of_clients(port: int, pid: int, quick: bool) -> dict[str, Any]:
    count = 500 if quick else CONNECTIONS
    found: dict[str, Any] = {"connection_kib": round(memory_of_connections(port, pid, count) / 1024, 1)}
    with redis.Redis(port=port) as client:
        fill(client, ELEMENTS)
        for first in range(0, ELEMENTS, 10_000):
            client.sadd("set", *(f"member:{number}" for number in range(first, first + 10_000)))
            client.rpush("list", *(f"element:{number}" for number in range(first, first + 10_000)))
    for request in BIG:
        found[request[0]] = shown(waits(port, request, 3 if quick else 10))
    return found


def shown(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(times[len(times) // 2], 2), "p99_ms": round(times[len(times) * 99 // 100], 1),
            "max_ms": round(times[-1], 1)}


def of_server(name: str, folder: Path, quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, ask in enumerate((of_keys, of_clients)):
        place = folder / f"{name}{number}"
        place.mkdir()
        if name == "redis":
            real = Redis(place, keep=True)
            found.update(ask(real.port, real.pid, quick))
            real.close()
        else:
            with ServerProcess(place, ["--no-ui", "--no-webdav", "--no-jobs", "--appendonly", "yes"]) as ours:
                found.update(ask(ours.port, ours.pid, quick))
    return found


def measure(quick: bool = False) -> dict[str, Any]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for server in ("redis", "heroredis"):
            found[server] = of_server(server, folder, quick)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    redis_, ours_ = found["redis"], found["heroredis"]
    ratio = ours_["bytes_per_key"] / redis_["bytes_per_key"]
    keys = f"{redis_['bytes_per_key']} / {ours_['bytes_per_key']} = {ratio:.2f}"
    print(f"bytes per key of 100 bytes: {keys} (wanted 1.7)")
    print(f"KiB per idle connection: {redis_['connection_kib']} / {ours_['connection_kib']} (wanted 25)")
    for request in (*BIG, ("BGREWRITEAOF",)):
        pair = f"redis {redis_[request[0]]}, ours {ours_[request[0]]}"
        print(f"other clients during {request[0]}: {pair} (wanted p99 50 ms)")
    return found
