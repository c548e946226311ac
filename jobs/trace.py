"""The trace context (W3C traceparent) of the running job: for middleware, handlers and clients. Imports no server."""

from __future__ import annotations

import contextvars
import re
import secrets
from typing import Final

TRACE: Final = "traceparent"
"""The field of a job's META that carries it."""
_TRACE: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
current: Final = contextvars.ContextVar(TRACE, default="")


def traceparent() -> str:
    """The trace context (W3C) of the running job, for what the handler calls; empty outside of one."""
    return current.get()


def child(parent: str) -> str:
    """A new span of the parent's trace, or of a new one."""
    if not _TRACE.fullmatch(parent):
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return f"{parent[:36]}{secrets.token_hex(8)}{parent[52:]}"


def with_trace(meta: object) -> object:
    """The META of a job that is created while another one runs: it belongs to the same trace. Whoever gives META as
    text says all of it."""
    running = current.get()
    if not running:
        return meta
    if meta is None:
        return {TRACE: child(running)}
    if isinstance(meta, dict) and TRACE not in meta:
        return {**meta, TRACE: child(running)}
    return meta
