"""What every request of the web UI must pass before a page sees it, and what every response carries.

Host allow-list against DNS rebinding, same-origin rule for changes, login, and the protecting headers.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import web

from ui.errors import BadRequest, error_response

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from ui.auth import Gate

LOG: Final = logging.getLogger("heroredis.ui")
COOKIE: Final = "heroredis_session"
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
OPEN_PATHS: Final = frozenset({"/login"})
HAS_PORT: Final = re.compile(r"(?:[^:\[\]]+|\[[^\]]+\]):\d{1,5}")
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

MAX_BODY: Final = 20 * 1024 * 1024
"""Bytes of a request: params of the most that is kept by default, and what stands around them."""


class Guard:
    """The rules of one listener. `hosts` is filled when the port is known."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.hosts: frozenset[str] = frozenset()

    def allow(self, names: tuple[str, ...], port: int) -> None:
        """Set the allow-list: these names and the loopback ones with the port; a name with its own port as it is."""
        exact = {name.lower() for name in names if HAS_PORT.fullmatch(name)}
        bare = {bracketed(name.lower()) for name in (*LOOPBACK_NAMES, *names) if name and name.lower() not in exact}
        with_port = {f"{name}:{port}" for name in bare}
        self.hosts = frozenset(exact | with_port | (bare if port == 80 else set()))

    async def refusal(self, request: web.Request) -> web.StreamResponse | None:
        """The answer that ends this request, or None when it may go on."""
        if not self._own_host(request):
            return error_response(request, 421, "MISDIRECTED", "this server does not answer for that host name")
        if request.method not in SAFE_METHODS and not same_origin(request):
            return error_response(request, 403, "CROSS_ORIGIN", "changes are accepted from this site only; "
                                  "a program sends them with Content-Type: application/json")
        if not self.gate.closed or request.path in OPEN_PATHS or request.path.startswith("/static/"):
            return None
        return await self._login_refusal(request)

    def _own_host(self, request: web.Request) -> bool:
        """On the list, or the very address this connection came in on (an address cannot be rebound)."""
        given = request.headers.getall("Host", [])
        if len(given) != 1:
            return False
        local = request.transport.get_extra_info("sockname") if request.transport is not None else None
        address = f"{bracketed(str(local[0]))}:{local[1]}" if isinstance(local, tuple) else ""
        return given[0].lower() in self.hosts or given[0] == address

    async def _login_refusal(self, request: web.Request) -> web.StreamResponse | None:
        if self.gate.knows(request.cookies.get(COOKIE, "")):
            return None
        caller = request.remote or ""
        password = basic_password(request)
        if password is not None:
            if await self.gate.check(password, caller):
                return None
            wait = self.gate.brake.wait_s(caller)
            if wait > 0:
                return too_many(request, wait)
        if request.path.startswith("/api/") or request.path == "/events":
            return error_response(request, 401, "UNAUTHORIZED", "login needed: HTTP Basic with the UI password")
        target = quote(request.path_qs, safe="") if request.method in SAFE_METHODS else ""
        return web.Response(status=303, headers={"Location": f"/login?next={target}" if target else "/login"})


def middleware(guard: Guard) -> Middleware:
    """The outermost middleware: refuse early, turn HTTP exceptions into our own error answers."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = await guard.refusal(request)
        if refused is not None:
            return refused
        try:
            return await handler(request)
        except BadRequest as error:
            return error_response(request, error.status, error.code, error.message)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            code = (error.reason or "ERROR").upper().replace(" ", "_")
            said = (error.reason or "error").lower()
            if isinstance(error, web.HTTPRequestEntityTooLarge):
                said = f"the body has more than {MAX_BODY} bytes; keep large data elsewhere and name it in the params"
            answer = error_response(request, error.status, code, said)
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            LOG.exception("request failed: %s %s", request.method, request.path)
            return error_response(request, 500, "INTERNAL", "internal error; the log has the details")

    return guarded


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: runs before any response is sent, streams and errors included."""
    response.headers.update(HEADERS)
    if not request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    response.headers["Server"] = "heroredis"


def same_origin(request: web.Request) -> bool:
    """A change comes from our own page, or from a program that is no browser (no such headers, JSON type)."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is not None and not (origin == "null" and site is not None):
        return origin.lower() in (f"http://{request.host.lower()}", f"https://{request.host.lower()}")
    if site is not None:
        return True
    return request.content_type == "application/json"


def basic_password(request: web.Request) -> str | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return decoded.partition(":")[2]


def too_many(request: web.Request, wait: float) -> web.Response:
    seconds = int(wait) + 1
    answer = error_response(request, 429, "TOO_MANY", f"too many failed logins; try again in {seconds} s")
    answer.headers["Retry-After"] = str(seconds)
    return answer


def bracketed(name: str) -> str:
    """An IPv6 address as it stands in a Host header."""
    return f"[{name}]" if ":" in name and not name.startswith("[") else name
