"""What a worker process leaves behind: its group, and daemons that left the group but carry its mark."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

logger = logging.getLogger("heroredis.jobs")
MARK: Final = "HEROREDIS_WORKER"
"""Environment variable by which what a worker has left behind is found, daemons too."""


def signal_group(pid: int, number: int) -> None:
    """To the process and all of its group; nothing when it is gone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        logger.warning("process group %d may not be signalled", pid)


def end_leftovers(pid: int, mark: str) -> None:
    """Kill what a dead worker process has left."""
    signal_group(pid, signal.SIGKILL)
    end_marked(mark, pid)


def end_marked(mark: str, but: int) -> None:
    """Kill all processes with this mark, but for one."""
    for found in marked(mark):
        if found != but:
            try:
                os.kill(found, signal.SIGKILL)
            except OSError:
                continue


def marked(mark: str, root: Path = Path("/proc")) -> Sequence[int]:
    """Processes with this mark in their environment (Linux)."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(folder.name))
    return found
