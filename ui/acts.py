"""The part of the JSON API that changes jobs and searches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web

from ui import query
from ui.errors import BadRequest

if TYPE_CHECKING:
    from heroredis.extension import JobService, JobView

MAX_COUNT: Final = 500
MAX_LINES: Final = 1000
EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"
"""What Prometheus has to be told of the form of its metrics."""
Body = TypeVar("Body")


class NewJob(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/jobs. A string is taken as it is, any other JSON value as its JSON text. Times in seconds."""

    topic: str
    params: msgspec.Raw = msgspec.Raw(b'""')
    delay: float | None = None
    run_at: float | None = None
    priority: int | None = None
    retries: int | None = None
    timeout: float | None = None
    backoff: str | None = None
    expire: float | None = None
    unique: str | None = None
    unique_ttl: float | None = None
    idempotency: str | None = None
    idempotency_ttl: float | None = None
    tags: list[str] | None = None
    meta: dict[str, msgspec.Raw] | None = None

    def options(self) -> dict[str, object]:
        """What was given beyond topic and params, as create_job takes it."""
        names = set(self.__struct_fields__) - {"topic", "params", "meta"}
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.meta is not None:
            found["meta"] = msgspec.json.encode(self.meta)
        return found


class BulkOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/bulk."""

    action: str
    q: str
    dry_run: bool = False


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/jobs/<id>/cancel; it may be left out."""

    reason: str = "cancelled"


def read_body(body: bytes, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(f"the body cannot be read: {error}") from error


def author(request: web.Request) -> str:
    """Who made a change, for the history."""
    return f"http {request.remote or 'unknown'}"


def answer(value: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


class Acts:
    """Handlers over the job service."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs: Final = jobs

    def _shown(self, job: JobView) -> web.Response:
        return web.Response(body=self._jobs.to_json(job), content_type="application/json")

    async def search(self, request: web.Request, count: int) -> web.Response:
        """?q=…, newest first; ?at=ms = as of that moment."""
        cursor, text = query.number(request, "cursor", 0), query.one(request, "q")
        moment = query.number(request, "at", 0)
        if moment:
            following, found = await self._jobs.jobs_as_of(moment, text, cursor, count)
        else:
            following, found = await self._jobs.search_jobs(text, cursor, count)
        return answer({"cursor": following, "jobs": [msgspec.Raw(self._jobs.to_json(job)) for job in found]})

    async def count(self, request: web.Request) -> web.Response:
        return answer({"count": await self._jobs.count_jobs(query.one(request, "q"))})

    async def retry(self, request: web.Request) -> web.Response:
        return self._shown(await self._jobs.retry_job(query.job_id(request), by=author(request)))

    async def cancel(self, request: web.Request) -> web.Response:
        body = await request.read()
        why = read_body(body, Reason).reason if body.strip() else "cancelled"
        return self._shown(await self._jobs.cancel_job(query.job_id(request), why, by=author(request)))

    async def delete(self, request: web.Request) -> web.Response:
        await self._jobs.delete_job(query.job_id(request), by=author(request))
        return web.Response(status=204)

    async def bulk(self, request: web.Request) -> web.Response:
        order = read_body(await request.read(), BulkOrder)
        done = await self._jobs.bulk(order.action, order.q, by=author(request), dry_run=order.dry_run)
        return answer({"matched": done.matched, "changed": done.changed, "refusal": done.first_refusal or None})

    async def logs(self, request: web.Request) -> web.Response:
        count = query.number(request, "count", MAX_LINES, least=1, most=MAX_LINES)
        found = self._jobs.trail(query.job_id(request), count)
        return answer({"lines": [{"at": line.at, "by": line.by, "line": line.line,
                                  "percent": None if line.percent < 0 else line.percent} for line in found]})

    async def details(self, request: web.Request) -> web.Response:
        return answer(self._jobs.details(request.match_info["topic"]))

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._jobs.metrics_text().encode(), headers={"Content-Type": EXPOSITION})
