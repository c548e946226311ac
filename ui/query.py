"""Reading parameters of a request, bounded and checked, and naming a refusal's HTTP status."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ui.errors import BadRequest
from ui.shown import STATES

if TYPE_CHECKING:
    from aiohttp import web

    from heroredis.extension import JobRefused

MAX_ID: Final = 2**63 - 1
MAX_TOPIC: Final = 1024
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_STATUS: Final = {
    "NOJOB": 404,
    "NOTFOUND": 404,
    "REFUSED": 409,
    "BADSTATE": 409,
    "STALE": 409,
    "TOOOLD": 410,
    "IOERR": 503,
    "FULL": 503,
    "CLOSED": 503,
}


def integer(text: str, name: str, *, least: int = 0, most: int = MAX_ID) -> int:
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise BadRequest(f"{name} must be a whole number between {least} and {most}")
    return int(text)


def one(request: web.Request, name: str) -> str:
    """A query parameter that may be given once; empty when absent."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise BadRequest(f"{name} is given more than once")
    return values[0] if values else ""


def number(request: web.Request, name: str, default: int, *, least: int = 0, most: int = MAX_ID) -> int:
    text = one(request, name)
    return integer(text, name, least=least, most=most) if text else default


def topic_filter(request: web.Request) -> str | None:
    topic = one(request, "topic")
    if len(topic) > MAX_TOPIC:
        raise BadRequest("topic is too long")
    return topic or None


def state_filter(request: web.Request) -> str | None:
    state = one(request, "state")
    if state and state not in STATES:
        raise BadRequest(f"state must be one of {', '.join(STATES)}")
    return state or None


def job_id(request: web.Request) -> int:
    return integer(request.match_info["id"], "id", least=1)


def status_of(refused: JobRefused) -> int:
    """The HTTP status of a job service's refusal: 404, 409, 410, 503, or 422 for values that cannot be taken."""
    return _STATUS.get(refused.code.upper(), 422)
