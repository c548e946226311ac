"""How many work for this server, and whether they take jobs: JOB.POOL, which changes both while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import Context, Map, Reply, natural
from jobs.arguments import number_of, read_options
from jobs.errors import BadOption
from jobs.manager import JobManager
from jobs.process_pool import ProcessPool
from jobs.worker import WorkerPool

MOST_WORKERS: Final = 100_000
MOST_PROCESSES: Final = 1000
WORK: Final = ("work", "", "")
"""Told when the server's own processes are to be quiet, and when they may take jobs again: each asks anew then."""


class PoolControl:
    """The embedded workers and the worker processes of one server. Workers elsewhere are not its business."""

    def __init__(self, manager: JobManager, pool: WorkerPool, processes: Callable[[], ProcessPool | None],
                 signal: Callable[[tuple[str, object, str]], None]) -> None:
        self._manager: Final = manager
        self._pool: Final = pool
        self._processes: Final = processes
        self._signal: Final = signal

    def resize(self, workers: int) -> None:
        """Those that are too many end after their job."""
        if not 0 <= workers <= MOST_WORKERS:
            raise BadOption(f"WORKERS {workers} is out of range, give 0 to {MOST_WORKERS}")
        self._pool.resize(workers)

    def resize_processes(self, count: int) -> None:
        if not 0 <= count <= MOST_PROCESSES:
            raise BadOption(f"PROCESSES {count} is out of range, give 0 to {MOST_PROCESSES}")
        processes = self._processes()
        if processes is None:
            raise BadOption("there are no worker processes: no handler asks for one")
        processes.resize(count)

    def set_quiet(self, quiet: bool) -> None:
        """Take no more jobs, or take jobs again; running ones go on."""
        self._manager.is_quiet = quiet
        self._pool.quiet = quiet
        if not quiet:
            self._pool.wake_all()
        self._signal(WORK)

    def facts(self) -> dict[str, int]:
        processes = self._processes()
        return {
            "workers": self._pool.size(), "busy": len(self._pool.running()),
            "processes": 0 if processes is None else processes.count,
            "processes_busy": 0 if processes is None else processes.busy(),
            "quiet": int(self._manager.is_quiet),
        }


class PoolCommands:
    """The command over one control."""

    def __init__(self, control: Callable[[], PoolControl]) -> None:
        self._control: Final = control

    def handlers(self) -> dict[str, Callable[..., Reply]]:
        return {"JOB.POOL": self.pool}

    def pool(self, ctx: Context, *options: bytes) -> Reply:
        found = read_options(options, ("QUIET", "WORK"), {"WORKERS": natural, "PROCESSES": natural})
        if "QUIET" in found and "WORK" in found:
            raise BadOption("give QUIET or WORK, not both")
        control = self._control()
        if "PROCESSES" in found:
            control.resize_processes(number_of(found, "PROCESSES", 0))
        if "WORKERS" in found:
            control.resize(number_of(found, "WORKERS", 0))
        if "QUIET" in found or "WORK" in found:
            control.set_quiet("QUIET" in found)
        return Map([(name.encode(), value) for name, value in control.facts().items()])
