"""How an attempt of an embedded worker is told to the manager when it has not simply returned."""

from __future__ import annotations

import logging
from typing import Final

from jobs.errors import JobRefused, Refused
from jobs.failure import described, facts_of, own_backoff_ms, traced
from jobs.handlers import Handler
from jobs.job import Job
from jobs.limits import MAX_ERROR
from jobs.manager import JobManager
from jobs.outcomes import Outcome, RetryAt, Snooze
from jobs.states import DISCARD, Reason

logger = logging.getLogger("heroredis.jobs")


class Endings:
    """The ends of one server's attempts."""

    def __init__(self, manager: JobManager) -> None:
        self._manager: Final = manager

    def finish(self, by: str, job: Job, result: bytes) -> None:
        """The handler has returned."""
        try:
            self._manager.finish(job.job_id, result, by, job.token)
        except Refused as refused:
            self.fail(by, job, refused.text, None, Reason.FAILED, final=True)
        except JobRefused as late:
            logger.warning("the result of job %d came too late: %s", job.job_id, late.text, extra=facts_of(job))

    def fell(self, by: str, job: Job, error: BaseException) -> None:
        """The worker itself has failed."""
        try:
            self._manager.fail(job.job_id, described(error).encode("utf-8", "replace"), by, job.token)
        except Exception:
            logger.exception("the failure of job %d could not be kept", job.job_id, extra=facts_of(job))

    def steered(self, by: str, job: Job, outcome: Outcome) -> None:
        """The handler has said what is to become of the job."""
        manager = self._manager
        try:
            if isinstance(outcome, Snooze):
                manager.snooze(job.job_id, outcome.wait_ms, by, job.token)
            elif isinstance(outcome, RetryAt):
                wait = max(0, outcome.at_ms - manager.now_ms())
                manager.fail(job.job_id, str(outcome).encode("utf-8", "replace"), by, job.token, retry_ms=wait)
            else:
                manager.fail(job.job_id, str(outcome).encode("utf-8", "replace"), by, job.token,
                             reason=Reason.DISCARDED, final=True, event=DISCARD)
        except JobRefused as late:
            logger.warning("what the handler of job %d asked for came too late: %s", job.job_id, late.text,
                           extra=facts_of(job))

    def fail(self, by: str, job: Job, text: str, error: BaseException | None, reason: str,
             handler: Handler | None = None, final: bool = False) -> None:
        """The attempt has failed."""
        logger.info("job %d of topic %s failed: %s", job.job_id, job.topic, text[:200], extra=facts_of(job))
        trace = None if error is None else traced(error).encode("utf-8", "replace")
        wait = own_backoff_ms(handler, job, error)
        try:
            self._manager.fail(job.job_id, text[:MAX_ERROR].encode("utf-8", "replace"), by, job.token, reason=reason,
                               traceback=trace, final=final, retry_ms=wait)
        except JobRefused as refused:
            logger.warning("the failure of job %d came too late: %s", job.job_id, refused.text, extra=facts_of(job))
