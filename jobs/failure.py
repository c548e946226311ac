"""What is kept of an exception that a handler has raised; nothing that it does when it is looked at gets out."""

from __future__ import annotations

import logging
import signal
import traceback

from jobs.handlers import Handler
from jobs.job import Job
from jobs.limits import MAX_ERROR
from jobs.options import FAR_FUTURE_MS

logger = logging.getLogger("heroredis.jobs")


class RanTooLong(TimeoutError):
    """The time of the attempt is over. Other TimeoutErrors are the handler's own affair."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"ran longer than {limit_s:g} s")


def described(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:
        # A hostile __str__ must not hide that the handler failed, nor end the program by sys.exit.
        text = "(its message cannot be shown)"
    if isinstance(error, MemoryError) and not text:
        text = "out of memory"
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:MAX_ERROR]


def traced(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))[-MAX_ERROR:]
    except BaseException:
        # The same, for a traceback that cannot be printed.
        return "".join(traceback.format_tb(error.__traceback__))[-MAX_ERROR:]


def ends_program(error: BaseException) -> bool:
    """Whether it is not the handler's affair: its coroutine is being closed, or an interrupt from the keyboard has hit
    it by chance. Where the program takes interrupts otherwise, as a server does, only the handler itself can have
    raised one."""
    if isinstance(error, KeyboardInterrupt):
        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, GeneratorExit)


def own_backoff_ms(handler: Handler | None, job: Job, error: BaseException | None) -> int:
    """Milliseconds that the handler's own function wants to wait; -1 = there is none, or it fails."""
    function = None if handler is None or error is None else handler.wait_after
    if function is None or error is None:
        return -1
    try:
        return max(0, min(round(float(function(job.attempts, error)) * 1000), FAR_FUTURE_MS))
    except BaseException:
        # The failure of the job must be told even when the function that spaces attempts is broken.
        logger.exception("the backoff function of topic %s failed; the usual backoff is taken", job.topic)
        return -1


def facts_of(job: Job) -> dict[str, object]:
    """What a log record about a job carries beside its text."""
    return {"job_id": job.job_id, "topic": job.topic, "worker": job.worker}
