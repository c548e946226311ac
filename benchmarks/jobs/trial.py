"""One trial of one peer: jobs are created, a worker is started and drains them, as many more are created meanwhile.

    created     jobs per second of the producer, while nobody works
    drained     jobs per second of one worker process, while nobody creates
    end_to_end  jobs per second from the first creation to the last handler, both at work
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmarks.jobs.brokers import broker
from benchmarks.jobs.install import ROOT, home
from benchmarks.jobs.peers import DURABLE, Peer

LIMIT_S: Final = 60
LOOK_EVERY_S: Final = 0.002
Rates = dict[str, float]


class Failed(Exception):
    """A trial came to no end; the message says where."""


def marks_of(text: str) -> dict[int, int]:
    """What a worker wrote: the number of the job and the nanosecond when it was run. Unfinished lines are left out."""
    found = {}
    for line in text.splitlines(keepends=True):
        number, _, moment = line.partition(" ")
        if line.endswith("\n") and number.isdigit() and moment.strip().isdigit():
            found[int(number)] = int(moment)
    return found


def wanted_marks(count: int) -> tuple[int, int, int]:
    """First job of the drain, last of the drain, last of all: every call of a producer makes one job more."""
    return 1, count + 1, 2 * (count + 1)


def rates(count: int, first: Mapping[str, int], second: Mapping[str, int], marks: Mapping[int, int]) -> Rates:
    """Jobs per second from what both producers and the worker noted."""
    begun, drained, ended = wanted_marks(count)
    return {"created": count * 1e9 / (first["end"] - first["begin"]),
            "drained": count * 1e9 / (marks[drained] - marks[begun]),
            "end_to_end": count * 1e9 / (marks[ended] - second["begin"])}


def trial(peer: Peer, command: list[str], setting: str, count: int) -> Rates:
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as name:
        folder = Path(name).resolve()
        marks = folder / "marks"
        marks.touch()
        with broker(peer.broker, setting, folder) as address:
            first = _created(command, setting, address, count, folder)
            with _worker(command, setting, address, marks, wanted_marks(count), folder) as process:
                _wait_for(process, marks, count + 1, folder)
                second = _created(command, setting, address, count, folder)
                _wait_for(process, marks, 2 * (count + 1), folder)
        return rates(count, first, second, marks_of(marks.read_text()))


def _environment(setting: str) -> dict[str, str]:
    return {**os.environ, "BENCH_DURABLE": "1" if setting == DURABLE else "0",
            "BENCH_NODE_MODULES": str(home().resolve() / "bullmq_peer")}


def _created(command: list[str], setting: str, address: str, count: int, folder: Path) -> dict[str, int]:
    done = subprocess.run([*command, "create", address, str(count)], env=_environment(setting), cwd=folder,
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise Failed(f"the producer ended with status {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, int] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@contextlib.contextmanager
def _worker(command: list[str], setting: str, address: str, marks: Path, wanted: tuple[int, ...],
            folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with open(folder / "worker.log", "wb") as log:
        process = subprocess.Popen([*command, "work", address, str(marks), *map(str, wanted)], cwd=folder,
                                   env=_environment(setting), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], marks: Path, number: int, folder: Path) -> None:
    deadline = time.monotonic() + LIMIT_S
    while number not in marks_of(marks.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "worker.log").read_text(errors="replace")[-2000:]
            raise Failed(f"the worker did not run {number} jobs, only {marks_of(marks.read_text())}: {log}")
        time.sleep(LOOK_EVERY_S)
