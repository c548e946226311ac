"""redis-benchmark against our server and a real redis-server, in turns, over TCP: both without keeping keys, or both
with append-only files and appendfsync everysec. Throughput, latency, and the server's processor time per request."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from heroredis.testing import ServerProcess

TESTS: Final = ("ping_inline", "ping_mbulk", "set", "get", "incr", "lpush", "rpush", "lpop", "rpop", "sadd", "hset",
                "spop", "zadd", "zpopmin", "lrange_100", "lrange_300", "lrange_500", "lrange_600", "mset")
UNPIPELINED: Final = 0.97
PIPELINED: Final = {
    **dict.fromkeys(("set", "get", "lpop", "rpop", "sadd", "hset", "spop"), 1.0),
    **dict.fromkeys(("incr", "lpush", "rpush"), 0.85),
    **dict.fromkeys(("mset", "lrange_100", "lrange_300", "lrange_500", "lrange_600", "zadd", "zpopmin"), 0.75),
}
LONG: Final = ("lrange_100", "lrange_300", "lrange_500", "lrange_600")
"""Run with an eighth of the requests."""
REQUESTS: Final = {1: 120_000, 16: 960_000}
"""By pipeline. Some tenths of a second, as redis-benchmark takes by itself, measure how it begins and ends."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
Run = dict[str, float]


class Redis:
    """A real redis-server on a free port."""

    def __init__(self, folder: Path, keep: bool) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process = subprocess.Popen(
            [shutil.which("redis-server") or "redis-server", "--port", str(self.port), "--save", "",
             "--appendonly", "yes" if keep else "no", "--dir", str(folder), "--daemonize", "no"],
            stdout=subprocess.DEVNULL)
        self.pid = self._process.pid
        ping = ["redis-cli", "-p", str(self.port), "ping"]
        while subprocess.run(ping, capture_output=True, check=False).stdout != b"PONG\n":
            time.sleep(0.05)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, as /proc/PID/stat tells it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def one_run(port: int, pid: int, test: str, pipeline: int, requests: int) -> Run:
    """Requests per second, latencies in ms, processor time per request in µs."""
    before = cpu_seconds(pid)
    output = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-t", test, "-n", str(requests), "-P", str(pipeline), "-c", "50", "--csv"],
        capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(pid) - before
    [row] = [row for row in csv.DictReader(io.StringIO(output)) if "needed to" not in row["test"]]
    return {"rps": float(row["rps"]), "p50_ms": float(row["p50_latency_ms"]), "p99_ms": float(row["p99_latency_ms"]),
            "cpu_us": spent / requests * 1e6}


def measure_kept(quick: bool = False) -> dict[str, Any]:
    print("with append-only files, appendfsync everysec")
    return measure(quick, keep=True)


def measure(quick: bool = False, keep: bool = False) -> dict[str, Any]:
    runs = 1 if quick else 5
    arguments = ["--no-ui", "--no-webdav", "--appendonly", "yes" if keep else "no"]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pure").mkdir()
        ours = {"heroredis": ServerProcess(folder, arguments).start(),
                "interpreted": ServerProcess(folder / "pure", arguments, environment={"HEROREDIS_PURE": "1"}).start()}
        redis = Redis(folder, keep)
        servers = {"redis": (redis.port, redis.pid), **{name: (one.port, one.pid) for name, one in ours.items()}}
        try:
            for pipeline in (1, 16):
                found[f"pipeline_{pipeline}"] = in_turns(servers, pipeline, runs, quick)
        finally:
            redis.close()
            for server in ours.values():
                server.stop()
    return found


def in_turns(servers: dict[str, tuple[int, int]], pipeline: int, runs: int, quick: bool) -> dict[str, Any]:
    """Every test against every server, one after the other; the interpreted form, which has no bar, only once."""
    rows: dict[str, Any] = {}
    print(f"{'pipeline ' + str(pipeline):14}{'redis/s':>10}{'ours/s':>10}{'ratio':>7}{'wanted':>7}{'p50 ms':>15}"
          f"{'p99 ms':>15}{'CPU us':>15}{'interpreted':>12}")
    for test in TESTS:
        requests = REQUESTS[pipeline] // (20 if quick else 1) // (8 if test in LONG else 1)
        samples: dict[str, list[Run]] = {server: [] for server in servers}
        for number in range(runs):
            for server, (port, pid) in servers.items():
                if server != "interpreted" or number == 0:
                    fewer = 4 if server == "interpreted" else 1
                    samples[server].append(one_run(port, pid, test, pipeline, requests // fewer))
        rows[test] = row(test, pipeline, samples)
    return rows


def row(test: str, pipeline: int, samples: dict[str, list[Run]]) -> dict[str, Any]:
    median = {server: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
              for server, runs in samples.items()}
    redis, ours = median["redis"], median["heroredis"]
    ratio = ours["rps"] / redis["rps"]
    wanted = UNPIPELINED if pipeline == 1 else PIPELINED.get(test, 0.6)
    interpreted = median["interpreted"]["rps"] / redis["rps"]
    mark = "" if ratio >= wanted else "  below"

    def both(key: str) -> str:
        return f"{redis[key]:.2f}/{ours[key]:.2f}"

    print(f"{test:14}{redis['rps']:10.0f}{ours['rps']:10.0f}{ratio:7.2f}{wanted:7.2f}{both('p50_ms'):>15}"
          f"{both('p99_ms'):>15}{both('cpu_us'):>15}{interpreted:12.2f}{mark}", flush=True)
    return {"redis": redis, "heroredis": ours, "ratio": round(ratio, 3), "wanted": wanted,
            "interpreted": round(interpreted, 3)}


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    measure()
