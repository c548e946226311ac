"""The JSON API under /api: the same job service as the pages, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from heroredis.extension import JobNotFound, JobRefused, changed
from ui import query
from ui.acts import MAX_COUNT, Acts, NewJob, answer
from ui.errors import BadRequest
from ui.events import EventStreams
from ui.shown import STATES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from heroredis.extension import Cost, JobService, JobView

DEFAULT_COUNT: Final = 50
MAX_HISTORY: Final = 1000


class Api:
    """Handlers of the JSON API."""

    def __init__(self, jobs: JobService | None) -> None:
        self._jobs = jobs
        self._acts = None if jobs is None else Acts(jobs)
        self._streams = None if jobs is None else EventStreams(jobs)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/topics", refusals(self.topics)),
            web.get("/api/stats", refusals(self.stats)),
            web.get("/api/jobs", refusals(self.list_jobs)),
            web.post("/api/jobs", refusals(self.create)),
            web.get("/api/jobs/{id}", refusals(self.job)),
            web.get("/api/jobs/{id}/history", refusals(self.history)),
            web.delete("/api/jobs/{id}", refusals(lambda request: self.acts.delete(request))),
            web.post("/api/jobs/{id}/retry", refusals(lambda request: self.acts.retry(request))),
            web.post("/api/jobs/{id}/cancel", refusals(lambda request: self.acts.cancel(request))),
            web.get("/api/jobs/{id}/logs", refusals(lambda request: self.acts.logs(request))),
            web.get("/api/topics/{topic}/details", refusals(lambda request: self.acts.details(request))),
            web.get("/api/count", refusals(lambda request: self.acts.count(request))),
            web.post("/api/bulk", refusals(lambda request: self.acts.bulk(request))),
            web.get("/api/events", refusals(lambda request: self.streams.events(request))),
            web.get("/metrics", refusals(lambda request: self.acts.metrics(request))),
            web.route("*", "/api/{rest:.*}", self.unknown),
        ]

    @property
    def jobs(self) -> JobService:
        if self._jobs is None:
            raise BadRequest("the job system is switched off", status=503, code="JOBS_OFF")
        return self._jobs

    @property
    def acts(self) -> Acts:
        if self._acts is None:
            raise BadRequest("the job system is switched off", status=503, code="JOBS_OFF")
        return self._acts

    @property
    def streams(self) -> EventStreams:
        if self._streams is None:
            raise BadRequest("the job system is switched off", status=503, code="JOBS_OFF")
        return self._streams

    async def topics(self, request: web.Request) -> web.Response:
        return answer({topic: counts(stats) for topic, stats in self.jobs.topics().items()})

    async def stats(self, request: web.Request) -> web.Response:
        return answer(counts(self.jobs.stats(query.topic_filter(request))))

    async def list_jobs(self, request: web.Request) -> web.Response:
        count = query.number(request, "count", DEFAULT_COUNT, least=1, most=MAX_COUNT)
        if "q" in request.query or "at" in request.query:
            return await self.acts.search(request, count)
        cursor, found = self.jobs.list_jobs(
            topic=query.topic_filter(request),
            state=query.state_filter(request),
            cursor=query.number(request, "cursor", 0),
            count=count,
        )
        return answer({"cursor": cursor, "jobs": [msgspec.Raw(self.jobs.to_json(job)) for job in found]})

    async def job(self, request: web.Request) -> web.Response:
        found = await self.jobs.get_job(query.job_id(request))
        if found is None:
            raise no_such_job()
        facts = msgspec.json.decode(self.jobs.to_json(found), type=dict[str, msgspec.Raw])
        return answer({**facts, **cost_row(self.jobs.accounting(found.job_id))})

    async def history(self, request: web.Request) -> web.Response:
        depth = query.number(request, "count", 100, least=1, most=MAX_HISTORY)
        versions = await self.jobs.get_history(query.job_id(request), depth + 1)
        if not versions:
            raise no_such_job()
        costs = self.jobs.costs(versions)
        return answer({"history": [{**version_row(job, before), **cost_row(cost)} for job, cost, before
                                   in zip(versions[:depth], costs, [*versions[1:], None], strict=False)]})

    async def create(self, request: web.Request) -> web.Response:
        jobs = self.jobs
        if request.content_type != "application/json":
            raise BadRequest("the body must be application/json", status=415, code="UNSUPPORTED_TYPE")
        topic, params, options = read_new_job(await request.read())
        job = await jobs.create_job(topic, params, **options)
        facts: dict[str, object] = {"id": job.job_id}
        if options.get("idempotency"):
            facts["job"] = msgspec.Raw(jobs.to_json(job))
        made = answer(facts, status=201)
        made.headers["Location"] = f"/api/jobs/{job.job_id}"
        return made

    async def unknown(self, request: web.Request) -> web.Response:
        raise BadRequest("no such resource or method", status=404, code="NOT_FOUND")


def refusals(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Turn a refusal of the job service into the error answer with the right status."""

    async def translated(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except JobNotFound as refused:
            raise BadRequest(refused.text, status=404, code=refused.code) from refused
        except JobRefused as refused:
            raise BadRequest(refused.text, status=query.status_of(refused), code=refused.code) from refused

    return translated


def read_new_job(body: bytes) -> tuple[str, bytes, dict[str, Any]]:
    try:
        new = msgspec.json.decode(body, type=NewJob)
        raw = bytes(new.params).strip()
        if raw.startswith(b'"'):
            raw = msgspec.json.decode(raw, type=str).encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(f"the body is not a job: {error}") from error
    return new.topic, raw, new.options()


def counts(stats: object) -> dict[str, int]:
    return {state: int(getattr(stats, state)) for state in STATES}


def version_row(job: JobView, before: JobView | None) -> dict[str, object]:
    """A version; one with which an attempt has failed, with its error and traceback."""
    row: dict[str, object] = {
        "version": job.version, "state": job.state, "reason": job.reason, "by": job.by, "at": job.at,
        "worker": job.worker, "attempts": job.attempts, "changed": changed(job, before)}
    if job.state == "error" or job.reason == "retry":
        row["error"], row["traceback"] = text(job.error), text(job.traceback)
    return row


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def cost_row(cost: Cost) -> dict[str, object]:
    return {"queue_wait_ms": cost.queue_wait_ms, "wall_ms": cost.wall_ms, "cpu_us": cost.cpu_us,
            "max_rss": cost.max_rss}


def no_such_job() -> BadRequest:
    return BadRequest("there is no such job", status=404, code="NOT_FOUND")
