"""What runs around the creating and the running of jobs: a program's own concerns, each in one class.

The first one added is the outermost: it sees a new job or a run first, and its end last.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import msgspec

from heroredis.extension import Committing
from jobs.job import Job
from jobs.options import JobOptions
from jobs.trace import TRACE, child, current, traceparent

__all__ = ["Create", "Middleware", "NewJobs", "Run", "RunInThread", "Stack", "Tracing", "traceparent"]


@dataclass(slots=True)
class NewJobs:
    """What is about to be created, one job or several of a topic. May be changed before it goes on."""

    topic: str
    params: list[object]
    options: JobOptions
    by: str
    is_batch: bool = False
    commit: Committing | None = field(default=None, repr=False)


Create = Callable[[NewJobs], Sequence[Job]]
Run = Callable[[Job], Awaitable[Any]]
RunInThread = Callable[[], Any]


class Middleware:
    """Override what is of interest. Each calls `go_on` once, or raises: jobs.errors.Refused refuses a creation, and
    what a run raises counts as the handler's own error. `run` is around every handler, its timeout included;
    `run_in_thread` around plain functions, in the thread in which they run."""

    def create(self, new: NewJobs, go_on: Create) -> Sequence[Job]:
        """Runs on the loop, for every way of creating jobs; the records are not on disk yet when `go_on` returns."""
        return go_on(new)

    async def run(self, job: Job, go_on: Run) -> Any:
        """Returns the handler's result."""
        return await go_on(job)

    def run_in_thread(self, job: Job, go_on: RunInThread) -> Any:
        """Returns the function's result. Context variables are those of `run`."""
        return go_on()


class Stack:
    """The middleware of one program."""

    def __init__(self) -> None:
        self._all: Final[list[Middleware]] = []

    def add(self, middleware: Middleware) -> None:
        self._all.append(middleware)

    def extend(self, other: Stack) -> None:
        """All of another program's, inside of what is here."""
        self._all.extend(other._all)

    @property
    def is_empty(self) -> bool:
        return not self._all

    def create(self, new: NewJobs, innermost: Create) -> Sequence[Job]:
        step = innermost
        for one in reversed(self._all):
            step = partial(_create, one, step)
        return step(new)

    async def run(self, job: Job, innermost: Run) -> Any:
        step = innermost
        for one in reversed(self._all):
            step = partial(_run, one, step)
        return await step(job)

    def in_thread(self, job: Job, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with everything around it, in the context of the caller."""
        context = contextvars.copy_context()

        def call(*arguments: object) -> Any:
            step: RunInThread = partial(function, *arguments)
            for one in reversed(self._all):
                step = partial(one.run_in_thread, job, step)
            return context.run(step)

        return call


def _create(one: Middleware, go_on: Create, new: NewJobs) -> Sequence[Job]:
    return one.create(new, go_on)


def _run(one: Middleware, go_on: Run, job: Job) -> Awaitable[Any]:
    return one.run(job, go_on)


class Tracing(Middleware):
    """Carries the W3C trace context from who creates a job to the job's run, in the field `traceparent` of its META.

    A job that is created while another runs belongs to the same trace, also when `jobs.client` creates it, in a worker
    process or on another machine; otherwise it begins one."""

    def create(self, new: NewJobs, go_on: Create) -> Sequence[Job]:
        try:
            meta = msgspec.json.decode(new.options.meta or b"{}", type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError):
            return go_on(new)  # where it is refused
        if TRACE not in meta:
            meta[TRACE] = msgspec.Raw(msgspec.json.encode(child(current.get())))
            new.options = replace(new.options, meta=msgspec.json.encode(meta))
        return go_on(new)

    async def run(self, job: Job, go_on: Run) -> Any:
        token = current.set(child(_of(job)))
        try:
            return await go_on(job)
        finally:
            current.reset(token)


def _of(job: Job) -> str:
    try:
        found = msgspec.json.decode(job.meta or b"{}").get(TRACE)
    except (msgspec.DecodeError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""
