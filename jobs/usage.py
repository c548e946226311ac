"""What a process has used of processor and memory: of itself for each attempt, and of another one that is to be killed.

The peak of ru_maxrss is of no use here: a process inherits it from the one that has started it.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Final, NamedTuple

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
SHORT_S: Final = 0.005
"""Of a shorter attempt the memory at its end is told, which costs less than its peak."""


class Usage(NamedTuple):
    """Microseconds of processor time, children included; bytes of resident memory at most."""

    cpu_us: int
    max_rss: int


class Meter:
    """The usage of this process, attempt by attempt. Off Linux the memory is the peak of the whole process."""

    def __init__(self) -> None:
        self._resident: Final = _opened("/proc/self/statm", os.O_RDONLY)
        self._status: Final = _opened("/proc/self/status", os.O_RDONLY)
        self._clear: Final = _opened("/proc/self/clear_refs", os.O_WRONLY)
        self._cpu_s = 0.0
        self._began_at = 0.0

    def begin(self) -> None:
        if self._clear >= 0:
            os.pwrite(self._clear, b"5", 0)
        self._began_at = time.monotonic()
        self._cpu_s = cpu_s()

    def end(self) -> Usage:
        used = round((cpu_s() - self._cpu_s) * 1_000_000)
        if self._status < 0 or time.monotonic() - self._began_at < SHORT_S:
            return Usage(used, self.resident())
        return Usage(used, peak(os.pread(self._status, 8192, 0)))

    def resident(self) -> int:
        """Bytes in memory now."""
        if self._resident < 0:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return int(os.pread(self._resident, 128, 0).split()[1]) * PAGE


def cpu_s() -> float:
    """Processor time of this process and of those children of it that have ended."""
    times = os.times()
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + times.children_user + times.children_system


def _opened(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return -1


def peak(status: bytes) -> int:
    """VmHWM of a /proc/PID/status, in bytes."""
    at = status.find(b"VmHWM:")
    return int(status[at + 6 :].split(maxsplit=1)[0]) * 1024 if at >= 0 else 0


def usage_of(pid: int, root: Path = Path("/proc")) -> Usage:
    """Of another process since its start; zeros when it is gone, or this is no Linux."""
    try:
        facts = (root / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        status = (root / str(pid) / "status").read_bytes()
    except OSError:
        return Usage(0, 0)
    return Usage(sum(int(ticks) for ticks in facts[11:15]) * TICK_US, peak(status))
