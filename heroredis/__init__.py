"""heroredis: one process with a Redis server, a durable job system, a web UI and a WebDAV share.

Public names are handed on when they are first asked for, so that importing one part loads no other.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "Config": "heroredis.settings",
    "ServerFactory": "heroredis.factory",
    "run_in_thread": "heroredis.threaded",
    "Handlers": "jobs.handlers",
    "Job": "jobs.job",
    "JobState": "jobs.states",
}
__all__ = ["Config", "Handlers", "Job", "JobState", "ServerFactory", "__version__", "run_in_thread"]

if TYPE_CHECKING:
    from heroredis.factory import ServerFactory
    from heroredis.settings import Config
    from heroredis.threaded import run_in_thread
    from jobs.handlers import Handlers
    from jobs.job import Job
    from jobs.states import JobState


if os.environ.get("HEROREDIS_PURE"):
    importlib.import_module("heroredis.pure").install()


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'heroredis' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
