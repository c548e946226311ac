"""GET /api/events: the ordered feed of all changes as server-sent events, each with its cursor as id.

A reader that comes again names the last id it has seen and misses nothing, over restarts of the server too.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from heroredis.extension import JobRefused
from ui import query
from ui.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from heroredis.extension import EventPage, JobEvent, JobService, JobView

MAX_STREAMS: Final = 64
HEARTBEAT_S: Final = 15.0
STREAM_S: Final = 900.0
PAGE: Final = 200
KINDS: Final = {"log": "log", "progress": "log", "paused": "topic", "resumed": "topic", "schedule": "schedule"}
"""Names under which events are sent; all others change a job and are called `job`."""


class EventStreams:
    """The open streams of one listener."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs: Final = jobs
        self._open: Final[set[asyncio.Task[None]]] = set()
        self._closing = False

    async def close(self, app: web.Application) -> None:
        """Signal handler: the server stops, and so do all streams."""
        self._closing = True
        for task in self._open:
            task.cancel()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """From behind `Last-Event-ID`, else `since`, else from now on. ?q=… narrows to the changes of such jobs."""
        if self._closing or len(self._open) >= MAX_STREAMS:
            raise BadRequest("too many event streams are open", status=503, code="BUSY")
        text = query.one(request, "q")
        wanted = self._jobs.fits(text) if text else None
        cursor = first_cursor(request)
        if cursor < 0:
            cursor = self._jobs.newest_event()
        page = await self._jobs.events_after(cursor, PAGE)  # what cannot be read is refused with a status
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        task = asyncio.get_running_loop().create_task(self._follow(response, page, wanted))
        self._open.add(task)
        try:
            await task
        except asyncio.CancelledError:
            if not self._closing:
                task.cancel()
                raise
        finally:
            self._open.discard(task)
        return response

    async def _follow(self, response: web.StreamResponse, page: EventPage,
                      wanted: Callable[[JobView], bool] | None) -> None:
        """Pages as they come. The stream ends after a while; the reader connects again, and its login is checked."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + STREAM_S
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(self._sent(page, wanted))
                if loop.time() >= ends:
                    return
                try:
                    page = await self._jobs.events_after(page.cursor, PAGE, HEARTBEAT_S)
                except JobRefused as refused:
                    await response.write(message("error", page.cursor, {"code": refused.code, "message": refused.text}))
                    return

    def _sent(self, page: EventPage, wanted: Callable[[JobView], bool] | None) -> bytes:
        """Ends with the page's own cursor: a reader of whom nothing was wanted goes on behind it too."""
        told = [event for event in page.events
                if wanted is None or (event.job is not None and wanted(event.job))]
        return b"".join([*(self._told(event) for event in told), b"id: %d\n\n" % page.cursor])

    def _told(self, event: JobEvent) -> bytes:
        data: dict[str, object] = {"seq": event.seq, "at": event.at, "event": event.event, "id": event.job_id,
                                   "topic": event.topic, "by": event.by}
        if event.line or event.percent >= 0:
            data["line"] = event.line
            data["percent"] = None if event.percent < 0 else event.percent
        if event.job is not None:
            data["job"] = msgspec.Raw(self._jobs.to_json(event.job))
        return message(KINDS.get(event.event, "job"), event.seq, data)


def first_cursor(request: web.Request) -> int:
    """What the reader has seen; -1 = it begins now."""
    given = request.headers.get("Last-Event-ID", "").strip()
    if given:
        return query.integer(given, "Last-Event-ID")
    return query.number(request, "since", -1)


def message(kind: str, cursor: int, data: object) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (kind.encode(), cursor, msgspec.json.encode(data))
