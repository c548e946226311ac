"""JOB.* commands by which a worker tells how an attempt ended: parse, one call of the manager, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import OK, Context, Durable, Reply, natural, raw
from jobs.arguments import author, bytes_of, decoded, job_id_of, number_of, read_options, token_in, token_of
from jobs.errors import BadOption
from jobs.limits import cut
from jobs.manager import JobManager
from jobs.options import check_retries
from jobs.retry import check_backoff
from jobs.states import Reason

REASONS: Final = (Reason.FAILED, Reason.INVALID, Reason.TIMEOUT, Reason.DISCARDED, Reason.CRASHED)
"""What a worker may say of a failure."""
USAGE: Final = {"CPU": natural, "RSS": natural}
"""What it may say of what the attempt has used: microseconds and bytes."""


class AttemptCommands:
    """The commands over one manager."""

    def __init__(self, manager: Callable[[], JobManager]) -> None:
        self._manager: Final = manager

    def handlers(self) -> dict[str, Callable[..., Reply]]:
        return {"JOB.COMPLETE": self.complete, "JOB.FAIL": self.fail, "JOB.SNOOZE": self.snooze,
                "JOB.RELEASE": self.release}

    def complete(self, ctx: Context, job_id: bytes, result: bytes, *options: bytes) -> Reply:
        if len(options) <= 2:
            token, _ = token_of(options)
        else:
            found = read_options(options, (), {"TOKEN": decoded, **USAGE})
            token = token_in(found)
            self._measured(job_id_of(job_id), token, found)
        return Durable(OK, self._manager().finish(job_id_of(job_id), result, author(ctx.client), token))

    def _measured(self, job_id: int, token: str | None, found: dict[str, object]) -> None:
        if "CPU" in found or "RSS" in found:
            self._manager().measured(job_id, token, number_of(found, "CPU", 0), number_of(found, "RSS", 0))

    def fail(self, ctx: Context, job_id: bytes, error: bytes, *options: bytes) -> Reply:
        found = read_options(options, ("DEAD",), {
            "TOKEN": decoded, "TRACEBACK": raw, "REASON": decoded, "RETRY": natural, "AT": natural, "RETRIES": natural,
            "BACKOFF": decoded, **USAGE})
        if len(found.keys() & {"DEAD", "RETRY", "AT"}) > 1:
            raise BadOption("give one of DEAD, RETRY and AT")
        token = token_in(found)
        reason = str(found.get("REASON", Reason.FAILED))
        if reason not in REASONS:
            raise BadOption(f"REASON {reason!r} does not exist, give one of {', '.join(REASONS)}")
        manager = self._manager()
        wait = number_of(found, "RETRY", -1)
        if "AT" in found:
            wait = max(0, number_of(found, "AT", 0) - manager.now_ms())
        retries, backoff = number_of(found, "RETRIES", 0), str(found.get("BACKOFF", ""))
        check_retries("RETRIES", retries)
        if backoff:
            check_backoff(backoff)
        if retries or backoff:
            manager.handled_with(job_id_of(job_id), token, retries, backoff)
        trace = cut(bytes_of(found, "TRACEBACK")) if "TRACEBACK" in found else None
        self._measured(job_id_of(job_id), token, found)
        if reason == Reason.CRASHED:
            return Durable(OK, manager.died_with(job_id_of(job_id), error, author(ctx.client), trace, wait, token,
                                                 "DEAD" in found))
        return Durable(OK, manager.fail(job_id_of(job_id), error, author(ctx.client), token, reason=reason,
                                        traceback=trace, final="DEAD" in found, retry_ms=wait))

    def snooze(self, ctx: Context, job_id: bytes, milliseconds: bytes, *options: bytes) -> Reply:
        token, _ = token_of(options)
        return Durable(OK, self._manager().snooze(job_id_of(job_id), natural(milliseconds), author(ctx.client), token))

    def release(self, ctx: Context, job_id: bytes, *options: bytes) -> Reply:
        token, _ = token_of(options)
        return Durable(OK, self._manager().release(job_id_of(job_id), author(ctx.client), token))
