"""Live updates: one subscription to the jobs, shared by all open pages as server-sent events.

However fast jobs change, a page gets a few updates a second, and a slow page costs one update of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from ui.errors import error_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from heroredis.extension import JobService, JobView

MAX_PAGES: Final = 64
MAX_CHANGED: Final = 500
INTERVAL_S: Final = 0.3
HEARTBEAT_S: Final = 15.0
STREAM_S: Final = 900.0


class Page:
    """One open page: what it has not been told yet. A newer overview replaces an older one."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.overview: dict[str, str] | None = None
        self.changed: set[int] = set()
        self.overflow = False

    def offer(self, overview: dict[str, str], changed: set[int], overflow: bool) -> None:
        self.overview = overview
        self.changed |= changed
        if overflow or len(self.changed) > MAX_CHANGED:
            self.overflow = True
            self.changed.clear()
        self.wake.set()

    def take(self) -> bytes:
        """The update as one event; empty when there is nothing to tell."""
        self.wake.clear()
        if self.overview is None:
            return b""
        data = {"html": self.overview, "changed": None if self.overflow else sorted(self.changed)}
        self.overview = None
        self.changed = set()
        self.overflow = False
        return b"event: update\ndata: " + msgspec.json.encode(data) + b"\n\n"


class LiveHub:
    """Listens to the jobs while at least one page is open, and renders each update once for all pages."""

    def __init__(self, jobs: JobService, render: Callable[[], dict[str, str]], interval_s: float = INTERVAL_S) -> None:
        self._jobs = jobs
        self._render = render
        self._interval_s = interval_s
        self._pages: set[Page] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._changed: set[int] = set()
        self._overflow = False
        self.closing = False

    def open_page(self) -> Page:
        page = Page()
        self._pages.add(page)
        if self._unsubscribe is None:
            self._unsubscribe = self._jobs.subscribe(self._on_job)
        page.offer(self._render(), set(), False)
        return page

    def close_page(self, page: Page) -> None:
        self._pages.discard(page)
        if not self._pages:
            self._quiet()

    @property
    def full(self) -> bool:
        return len(self._pages) >= MAX_PAGES

    def close(self) -> None:
        self.closing = True
        self._quiet()
        for page in self._pages:
            page.wake.set()

    def _quiet(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._changed.clear()
        self._overflow = False

    def _on_job(self, job: JobView) -> None:
        if len(self._changed) < MAX_CHANGED:
            self._changed.add(job.job_id)
        elif job.job_id not in self._changed:
            self._overflow = True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, set()
        overflow, self._overflow = self._overflow, False
        overview = self._render()
        for page in self._pages:
            page.offer(overview, changed, overflow)


async def stream(request: web.Request, hub: LiveHub) -> web.StreamResponse:
    """GET /events. The stream ends after a while; the page connects again and its login is checked again."""
    if hub.full or hub.closing:
        return error_response(request, 503, "BUSY", "too many live pages are open")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    ends = loop.time() + STREAM_S
    page = hub.open_page()
    try:
        with contextlib.suppress(ConnectionError):
            while not hub.closing and loop.time() < ends:
                await response.write(page.take() or b": still here\n\n")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(page.wake.wait(), HEARTBEAT_S)
    finally:
        hub.close_page(page)
    return response
