"""The job system: durable jobs in four states, kept in OurDB, worked from Redis lists.

Public names are handed on when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

_HOMES = {
    "BadOption": "jobs.errors",
    "BadState": "jobs.errors",
    "Discard": "jobs.outcomes",
    "Handlers": "jobs.handlers",
    "Job": "jobs.job",
    "JobManager": "jobs.manager",
    "JobNotFound": "jobs.errors",
    "JobState": "jobs.states",
    "JobWorker": "jobs.worker",
    "RedisJobManager": "jobs.redis_queue",
    "Refused": "jobs.errors",
    "RetryAt": "jobs.outcomes",
    "Run": "jobs.run",
    "Snooze": "jobs.outcomes",
    "StaleToken": "jobs.errors",
}
__all__ = ["BadOption", "BadState", "Discard", "Handlers", "Job", "JobManager", "JobNotFound", "JobState", "JobWorker",
           "RedisJobManager", "Refused", "RetryAt", "Run", "Snooze", "StaleToken"]

if TYPE_CHECKING:
    from jobs.errors import BadOption, BadState, JobNotFound, Refused, StaleToken
    from jobs.handlers import Handlers
    from jobs.job import Job
    from jobs.manager import JobManager
    from jobs.outcomes import Discard, RetryAt, Snooze
    from jobs.redis_queue import RedisJobManager
    from jobs.run import Run
    from jobs.states import JobState
    from jobs.worker import JobWorker


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'jobs' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
