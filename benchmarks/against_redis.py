"""redis-benchmark against our server and a real redis-server, in turns: both without persistence of keys, or both with
append-only files and appendfsync everysec."""

from __future__ import annotations

import csv
import io
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from heroredis.testing import ServerProcess

TESTS: Final = "ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,hset,lrange_100,lrange_300,mset"
WANTED: Final = {1: 0.97, 16: 0.6}
WANTED_SET_GET: Final = 0.9


class Redis:
    """A real redis-server on a Unix socket and a free port."""

    def __init__(self, folder: Path, keep: bool) -> None:
        self.socket = str(folder / "real.sock")
        self._process = subprocess.Popen(
            [shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
             "--appendonly", "yes" if keep else "no", "--dir", str(folder), "--daemonize", "no"],
            stdout=subprocess.DEVNULL)
        ping = ["redis-cli", "-s", self.socket, "ping"]
        while subprocess.run(ping, capture_output=True, check=False).stdout != b"PONG\n":
            time.sleep(0.05)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def one_run(socket: str, pipeline: int, requests: int) -> dict[str, float]:
    """Requests per second by test."""
    output = subprocess.run(
        ["redis-benchmark", "-s", socket, "-t", TESTS, "-n", str(requests), "-P", str(pipeline), "-c", "50", "--csv"],
        capture_output=True, text=True, check=True).stdout
    rows = csv.DictReader(io.StringIO(output))
    return {row["test"]: float(row["rps"]) for row in rows if "needed to" not in row["test"]}


def measure_kept(quick: bool = False) -> dict[str, Any]:
    print("with append-only files, appendfsync everysec")
    return measure(quick, keep=True)


def measure(quick: bool = False, keep: bool = False) -> dict[str, Any]:
    runs = 1 if quick else 5
    arguments = ["--no-ui", "--no-webdav", "--appendonly", "yes" if keep else "no"]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = {"heroredis": ServerProcess(folder, arguments).start()}
        (folder / "pure").mkdir()
        servers["interpreted"] = ServerProcess(folder / "pure", arguments, environment={"HEROREDIS_PURE": "1"}).start()
        redis = Redis(folder, keep)
        sockets = {"redis": redis.socket, **{name: server.unix_path for name, server in servers.items()}}
        try:
            for pipeline in (1, 16):
                requests = (5_000 if quick else 60_000) * (1 if pipeline == 1 else 4)
                samples: dict[str, list[dict[str, float]]] = {server: [] for server in sockets}
                for _ in range(runs):
                    for server, socket in sockets.items():
                        samples[server].append(one_run(socket, pipeline, requests))
                found[f"pipeline_{pipeline}"] = table(pipeline, samples)
        finally:
            redis.close()
            for server in servers.values():
                server.stop()
    return found


def table(pipeline: int, samples: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    print(f"{'pipeline ' + str(pipeline):44}{'redis':>12}{'heroredis':>12}{'ratio':>8}{'wanted':>8}{'interpreted':>12}")
    for test in samples["redis"][0]:
        median = {server: statistics.median(run[test] for run in runs) for server, runs in samples.items()}
        ratio = median["heroredis"] / median["redis"]
        wanted = WANTED_SET_GET if pipeline > 1 and test in ("SET", "GET") else WANTED[pipeline]
        rows[test] = {"redis": median["redis"], "heroredis": median["heroredis"], "ratio": round(ratio, 3),
                      "interpreted": round(median["interpreted"] / median["redis"], 3), "wanted": wanted}
        mark = "" if ratio >= wanted else "  below"
        print(f"{test[:43]:44}{median['redis']:12.0f}{median['heroredis']:12.0f}{ratio:8.2f}{wanted:8.2f}"
              f"{median['interpreted'] / median['redis']:12.2f}{mark}")
    return rows


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    measure()
