"""Run: what a handler may ask of the attempt it works on. A parameter of this type is given one."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final, Unpack

from heroredis.extension import Committing, JobRefused
from jobs.job import Job, params_bytes
from jobs.options import PLAIN, JobOptions, chosen
from jobs.requests import CreateOptions, check_names

logger = logging.getLogger("heroredis.jobs")


def line_of(text: object) -> str:
    """What a handler gives as text, which may be anything, as text that can be kept."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return said.encode("utf-8", "replace").decode()


class Reports:
    """The manager's part that a run needs."""

    def __init__(self, progress: Callable[[int, int, str, str, str | None], Committing],
                 log: Callable[[int, str, str, str | None], Committing],
                 create: Callable[[str, object, JobOptions, str], tuple[Job, Committing]]) -> None:
        self.progress: Final = progress
        self.log: Final = log
        self.create: Final = create


class Run:
    """One attempt at a job, wherever it runs."""

    def __init__(self, job: Job) -> None:
        self.job: Final = job
        self.is_cancelled = False
        """Whether the job was taken away: a long handler in a thread looks at it now and then, and returns."""

    def progress(self, percent: float, text: str = "") -> None:
        """How far it is, 0 to 100 (kept as a whole number), with a word about it. Shown at once, and an event."""
        raise NotImplementedError

    def log(self, line: str) -> None:
        """A log line that is kept with the job."""
        raise NotImplementedError

    def create_job(self, topic: str, params: object = b"", **options: Unpack[CreateOptions]) -> None:
        """Another job, with the options of the clients' create_job. It is on disk before the end of this attempt is;
        when the server refuses it, that is logged. TypeError, ValueError, BadOption: what is seen to be wrong here."""
        raise NotImplementedError


class EmbeddedRun(Run):
    """An attempt inside the server. It may be called from the handler's thread as well as from the loop."""

    def __init__(self, job: Job, worker: str, reports: Reports, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(job)
        self._worker: Final = worker
        self._reports: Final = reports
        self._loop: Final = loop
        self._thread: Final = threading.get_ident()

    def progress(self, percent: float, text: str = "") -> None:
        whole, said = int(percent), line_of(text)
        self._do(lambda: self._reports.progress(self.job.job_id, whole, said, self._worker, self.job.token))

    def log(self, line: str) -> None:
        said = line_of(line)
        self._do(lambda: self._reports.log(self.job.job_id, said, self._worker, self.job.token))

    def create_job(self, topic: str, params: object = b"", **options: Unpack[CreateOptions]) -> None:
        check_names(options, CreateOptions)
        given, wanted = params_bytes(params), chosen(**options) if options else PLAIN

        def written(commit: Committing) -> None:
            if commit.error is not None:
                logger.error("job %d made a job of topic %s that was not kept: %s", self.job.job_id, topic,
                             commit.error)

        def create() -> None:
            try:
                _, commit = self._reports.create(topic, given, wanted, self._worker)
                commit.add_callback(written)
            except JobRefused as refused:
                logger.warning("job %d cannot make a job of topic %s: %s", self.job.job_id, topic, refused)
            except Exception:  # of a program's middleware
                logger.exception("job %d cannot make a job of topic %s", self.job.job_id, topic)

        self._do(create)

    def _do(self, report: Callable[[], object]) -> None:
        if threading.get_ident() == self._thread:
            self._report(report)
        else:
            self._loop.call_soon_threadsafe(self._report, report)

    def _report(self, report: Callable[[], object]) -> None:
        try:
            report()
        except JobRefused as refused:
            logger.info("a report of job %d was refused: %s", self.job.job_id, refused.text)
