"""Handlers with middleware around them, for workers outside of the server."""

from __future__ import annotations

from typing import Any

from jobs import Handlers, Job
from jobs.client import Client
from jobs.middleware import Middleware, Run, RunInThread, Tracing, traceparent

handlers = Handlers()


class Wrap(Middleware):
    async def run(self, job: Job, go_on: Run) -> Any:
        return f"run({await go_on(job)})"

    def run_in_thread(self, job: Job, go_on: RunInThread) -> Any:
        return f"thread({go_on()})"


handlers.middleware(Tracing())
handlers.middleware(Wrap())


@handlers.on("plain", isolation="process")
def plain(job: Job) -> str:
    return traceparent()


@handlers.on("coroutine", isolation="process")
async def coroutine(job: Job) -> str:
    return traceparent()


@handlers.on("onward", isolation="process")
def onward(job: Job) -> str:
    """Creates a job through a client of the server whose address the params are."""
    with Client(job.text) as client:
        return str(client.create_job("elsewhere", meta={"mine": 1}))
