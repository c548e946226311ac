"""One store, one size, in a process of its own: `python -m benchmarks.ourdb.trial STORE COUNT SIZE` prints JSON."""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.ourdb.peers import BATCH, PEERS

SYNCED: Final = 20_000
SYNCED_BATCH: Final = 100


def cpu_us(work: Callable[[], Any], count: int) -> float:
    """CPU time of all threads of this process, per operation."""
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e6 / count


def shuffled(count: int, seed: int) -> Sequence[int]:
    ids = list(range(1, count + 1))
    random.Random(seed).shuffle(ids)
    return array("Q", ids)


def pool(size: int) -> list[bytes]:
    """Values that cannot be compressed."""
    rng = random.Random(size)
    return [rng.randbytes(size) for _ in range(BATCH)]


def trial(name: str, count: int, size: int, folder: Path) -> dict[str, float]:
    values = pool(size)
    store = PEERS[name](folder, False)
    found = {"put": cpu_us(lambda: store.put(values, count), count)}
    read = store.scan()
    if read != size * count:
        raise RuntimeError(f"{name} read {read} bytes, {size * count} were put")
    found["scan"] = cpu_us(store.scan, count)
    ids = shuffled(count, 1)
    found["update"] = cpu_us(lambda: store.update(ids, values), count)
    ids = shuffled(count, 2)
    if store.get(ids[:1000]) != size * 1000:
        raise RuntimeError(f"{name} does not give back what was put")
    found["get"] = cpu_us(lambda: store.get(ids), count)
    if hasattr(store, "delete"):
        ids = shuffled(count, 3)
        found["delete"] = cpu_us(lambda: store.delete(ids), count)
    store.close()
    return found


def synced_trial(name: str, size: int, folder: Path) -> float:
    values = pool(size)
    store = PEERS[name](folder, True)
    store.put(values, SYNCED_BATCH * 10, SYNCED_BATCH)
    spent = cpu_us(lambda: store.put(values, SYNCED, SYNCED_BATCH), SYNCED)
    store.close()
    return spent


def main() -> None:
    name, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="ourdb-bench-", dir=sys.argv[4] if len(sys.argv) > 4 else None) as folder:
        found = trial(name, count, size, Path(folder))
    with tempfile.TemporaryDirectory(prefix="ourdb-bench-", dir=sys.argv[4] if len(sys.argv) > 4 else None) as folder:
        found["synced"] = synced_trial(name, size, Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
