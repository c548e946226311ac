"""Error answers of the web UI: JSON for programs, a plain page for people."""

from __future__ import annotations

import msgspec
from aiohttp import web
from markupsafe import escape


class BadRequest(Exception):
    """The request cannot be understood; becomes the given HTTP status."""

    def __init__(self, message: str, *, status: int = 400, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code


def wants_json(request: web.Request) -> bool:
    return request.path.startswith("/api/") or request.path == "/events"


def error_response(request: web.Request, status: int, code: str, message: str) -> web.Response:
    if wants_json(request):
        body = msgspec.json.encode({"error": {"code": code, "message": message}})
        return web.Response(status=status, body=body, content_type="application/json")
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>heroredis</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/ui.css">'
        f'<main><h1>{status}</h1><p class="notice">{escape(message)}</p><p><a href="/">Overview</a></p></main></html>'
    )
    return web.Response(status=status, text=text, content_type="text/html")
