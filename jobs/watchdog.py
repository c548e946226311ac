"""Two alarms about handlers: one that has held the loop too long is named, one that runs far too long is reported.

A thread looks at the loop's heartbeat; what the loop's thread is doing then tells whose handler it is. Only logs.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Final

from jobs.failure import facts_of
from jobs.job import Job

logger = logging.getLogger("heroredis.jobs")
LOOK_EVERY_S: Final = 0.25
BLOCKED_S: Final = 0.5
FAR_EVERY_MS: Final = 2000
"""Between two looks at jobs that run elsewhere, of which there may be many."""
Running = Callable[[], list[tuple[str, Job]]]


def frame_of(thread: int) -> FrameType | None:
    return sys._current_frames().get(thread)


class Watchdog:
    """`codes` tells the topic of a handler's code, `running` who works on what on this loop or in its threads,
    `elsewhere` in processes and on other machines; `stuck_ms` 0 = no second alarm."""

    def __init__(self, codes: Mapping[CodeType, str], running: Running, stuck_ms: int,
                 clock: Callable[[], float] = time.monotonic,
                 frame: Callable[[int], FrameType | None] = frame_of, elsewhere: Running = list) -> None:
        self.blocked = 0
        """How often a handler has held the loop."""
        self.stuck = 0
        """How many attempts have run far too long."""
        self.limit_ms: Callable[[Job], int] = lambda job: job.timeout_ms
        """How long an attempt may take at most, 0 = it has no limit."""
        self._codes: Final = codes
        self._running: Final = running
        self._stuck_ms: Final = stuck_ms
        self._clock: Final = clock
        self._frame: Final = frame
        self._beat = clock()
        self._named = False
        self._elsewhere: Final = elsewhere
        self._far: list[tuple[str, Job]] = []
        self._far_at = 0
        self._reported: set[tuple[int, int]] = set()
        self._thread: threading.Thread | None = None
        self._loop_thread = threading.get_ident()
        self._stop: Final = threading.Event()

    @property
    def stuck_now(self) -> int:
        """How many of them run still."""
        return len(self._reported)

    def start(self) -> None:
        """Called on the loop."""
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="job-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self.look()

    def beat(self) -> None:
        """The loop is alive; called on it several times a second."""
        self._beat = self._clock()
        self._named = False

    def look(self) -> None:
        """Name the handler that holds the loop, once for each time that it does."""
        late = self._clock() - self._beat
        if late < BLOCKED_S or self._named:
            return
        frame = self._frame(self._loop_thread)
        where = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        while frame is not None and frame.f_code not in self._codes:
            frame = frame.f_back
        if frame is None:
            return
        topic = self._codes[frame.f_code]
        self._named = True
        self.blocked += 1
        jobs = [job for _, job in self._running() if job.topic == topic]
        ids = ", ".join(str(job.job_id) for job in jobs)
        logger.warning(
            "the handler of topic %s has blocked the loop for %.1f s (job %s, at %s): everything else waits; make it a "
            "plain function, which runs in a thread", topic, late, ids or "unknown", where,
            extra=facts_of(jobs[0]) if len(jobs) == 1 else {"topic": topic})

    def check_stuck(self, now_ms: int) -> None:
        """Report attempts that run longer than anybody expects, once each."""
        if not self._stuck_ms:
            return
        if abs(now_ms - self._far_at) >= FAR_EVERY_MS:
            self._far_at = now_ms
            self._far = self._elsewhere()
        running = self._running() + self._far
        for worker, job in running:
            ran_ms = now_ms - job.started_at
            name = (job.job_id, job.version)
            if ran_ms >= self._stuck_ms + self.limit_ms(job) and name not in self._reported:
                self._reported.add(name)
                self.stuck += 1
                logger.warning("job %d of topic %s has run for %d s on %s and may be stuck; JOB.CANCEL %d ends it",
                               job.job_id, job.topic, ran_ms // 1000, worker, job.job_id, extra=facts_of(job))
        if self._reported:
            self._reported &= {(job.job_id, job.version) for _, job in running}
