"""The aiohttp application of the web UI: pages, API, live updates and static files behind the guard."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ui.api import Api
from ui.errors import error_response
from ui.live import LiveHub, stream
from ui.pages import Pages
from ui.security import MAX_BODY, Guard, add_headers, middleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from heroredis.extension import JobService

STATIC_TYPES: Final = {"ui.css": "text/css", "ui.js": "text/javascript", "icon.svg": "image/svg+xml"}


def make_app(jobs: JobService | None, guard: Guard) -> tuple[web.Application, LiveHub | None]:
    """Build the application; the hub is handed out so that stopping can end the open streams."""
    pages = Pages(jobs, guard.gate)
    hub = LiveHub(jobs, pages.live) if jobs is not None else None
    app = web.Application(middlewares=[middleware(guard)], client_max_size=MAX_BODY)
    app.on_response_prepare.append(add_headers)

    async def events(request: web.Request) -> web.StreamResponse:
        if hub is None:
            return error_response(request, 503, "JOBS_OFF", "the job system is switched off")
        return await stream(request, hub)

    app.router.add_get("/events", events, allow_head=False)
    app.router.add_routes(pages.routes())
    api = Api(jobs)
    app.router.add_routes(api.routes())
    if jobs is not None:
        app.on_shutdown.append(api.streams.close)
    app.router.add_routes(static_routes())
    return app, hub


def static_routes() -> list[web.RouteDef]:
    """A fixed set of small files, read once: no path of the request ever reaches the file system."""
    folder = resources.files("ui") / "static"
    return [
        web.get(f"/static/{name}", static_handler((folder / name).read_bytes(), content_type))
        for name, content_type in STATIC_TYPES.items()
    ]


def static_handler(body: bytes, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    return answer
