"""One attempt at a job outside of the server: run the handler, and say in one request how it ended.

Used by worker processes and by remote workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Unpack

from jobs import requests
from jobs.errors import InvalidParams
from jobs.failure import RanTooLong, described, own_backoff_ms, traced
from jobs.handlers import Handler, result_bytes
from jobs.job import Job
from jobs.options import chosen
from jobs.outcomes import Discard, Outcome, RetryAt, Snooze
from jobs.requests import CreateOptions, JobMap, Request
from jobs.run import Run, line_of

MAX_RESULT: Final = 16 * 1024 * 1024


class Attempt(Run):
    """What a handler may ask of the attempt it works on, by requests to the server."""

    def __init__(self, job: Job, max_result: int = MAX_RESULT) -> None:
        super().__init__(job)
        self.over_at = math.inf
        """When it has to be over, by the loop's clock, where there is one."""
        self.max_result: Final = max_result
        """What is larger is not sent: the server would refuse it."""
        self.report: Callable[[Request[Any]], None] = lambda request: None

    def progress(self, percent: float, text: str = "") -> None:
        self.report(requests.progress(self.job.job_id, int(percent), line_of(text), self.job.token))

    def log(self, line: str) -> None:
        self.report(requests.log(self.job.job_id, line_of(line), self.job.token))

    def create_job(self, topic: str, params: object = b"", **options: Unpack[CreateOptions]) -> None:
        requests.check_names(options, CreateOptions)
        chosen(**options)  # what is wrong is told here rather than by the server
        self.report(requests.create(topic, params, **requests.with_own_key(options)))

    def run(self, call: Callable[[], object], handler: Handler) -> Request[None]:
        """Call the handler; the request that tells the end. Nothing that a handler raises gets out."""
        try:
            return self.finished(call())
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            return self.failed(error, handler)

    def finished(self, value: object) -> Request[None]:
        """The end of an attempt that returned; TypeError or ValueError when the value cannot be a result."""
        result = result_bytes(value)
        if len(result) > self.max_result:
            raise ValueError(f"the result has {len(result)} bytes, at most {self.max_result} are kept; keep large data "
                             "elsewhere and name it in the result")
        return requests.complete(self.job.job_id, result, self.job.token)

    def failed(self, error: BaseException, handler: Handler) -> Request[None]:
        """The end of an attempt that raised."""
        job = self.job
        if isinstance(error, Snooze):
            return requests.snooze(job.job_id, error.wait_ms / 1000, job.token)
        if isinstance(error, RetryAt):
            return requests.fail(job.job_id, str(error), job.token, retry_at_ms=error.at_ms, retries=handler.retries)
        if isinstance(error, Discard | Outcome):
            return requests.fail(job.job_id, str(error), job.token, dead=True, reason="discarded")
        if isinstance(error, InvalidParams):
            return requests.fail(job.job_id, str(error), job.token, dead=True, reason="invalid")
        wait_ms = own_backoff_ms(handler, job, error)
        is_late = isinstance(error, RanTooLong)
        return requests.fail(job.job_id, str(error) if is_late else described(error), job.token,
                             traceback=traced(error), reason="timeout" if is_late else "",
                             retry_s=None if wait_ms < 0 else wait_ms / 1000, retries=handler.retries,
                             backoff=handler.own_backoff)


def attempt_of(fetched: JobMap, max_result: int = MAX_RESULT) -> Attempt:
    """The attempt that a fetched job is."""
    return Attempt(Job(
        job_id=fetched["id"], topic=fetched["topic"], state=fetched["state"], params=fetched["params"],
        attempts=fetched["attempts"], max_attempts=fetched["max_attempts"], priority=fetched["priority"],
        created_at=fetched["created_at"], started_at=fetched["started_at"], worker=fetched["worker"],
        tags=tuple(fetched["tags"]), token=fetched["token"], timeout_ms=fetched["timeout"],
        meta=fetched["meta"] or b""), max_result)
