"""What a worker elsewhere tells its server: sent until it is answered, over a connection of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from jobs import requests
from jobs.async_client import AsyncClient
from jobs.failure import facts_of
from jobs.job import Job
from jobs.requests import Request
from jobs.wire import ClientError, NotConnected, OutcomeUnknown

logger = logging.getLogger("heroredis.worker")
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 10.0
NOT_TAKEN: Final = ("REFUSED", "ERR")
"""What a result is answered with that is not kept, however often it is sent: its job fails."""
GONE: Final = ("STALE", "BADSTATE", "NOJOB")
"""What a report is answered with when the attempt is no longer ours, or was reported already."""


class Outage:
    """Tells once that the server is away, however many requests and connections see it, and once that it is back."""

    def __init__(self) -> None:
        self._is_on = False

    def lost(self, error: Exception) -> None:
        logger.log(logging.DEBUG if self._is_on else logging.WARNING, "%s; trying until the server is back", error)
        self._is_on = True

    def over(self) -> None:
        if self._is_on:
            self._is_on = False
            logger.info("the server is back")


class Reporter:
    """The reports of one worker."""

    def __init__(self, client: AsyncClient) -> None:
        self.client: Final = client
        self.outage: Final = Outage()

    async def report(self, request: Request[Any]) -> ClientError | None:
        """An attempt that has ended is told again rather than run again. The error, where the server would not have
        it."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self.client.call(request)
            except ClientError as refused:
                if refused.code != "LOADING":
                    self.outage.over()
                if refused.code in GONE:
                    return None
                if refused.code != "LOADING":
                    logger.error("the server refused %s: %s", request.words[0].decode(), refused)
                    return refused
                self.outage.lost(refused)
            except (NotConnected, OutcomeUnknown) as lost:
                self.outage.lost(lost)
            else:
                self.outage.over()
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def end(self, job: Job, end: Request[Any]) -> ClientError | None:
        """Tell how an attempt has ended; one whose result is refused has failed."""
        if end.words[0] == b"JOB.FAIL":
            logger.info("job %d of topic %s failed: %s", job.job_id, job.topic,
                        end.words[2][:200].decode("utf-8", "replace"), extra=facts_of(job))
        refused = await self.report(end)
        if refused is not None and refused.code in NOT_TAKEN:
            return await self.report(requests.fail(job.job_id, str(refused), job.token, dead=True))
        return refused

    async def release(self, job: Job) -> None:
        """Give an attempt back, which does not count."""
        await self.report(requests.release(job.job_id, job.token))

    async def is_ours(self, job: Job, lease_s: float) -> bool:
        """Heartbeat: False when the job was taken away. Raises NotConnected, OutcomeUnknown."""
        try:
            await self.client.call(requests.extend(job.job_id, lease_s, job.token))
        except ClientError as refused:
            return refused.code not in GONE
        return True


async def fetched(client: AsyncClient, outage: Outage, topics: list[str], count: int, wait_s: float, lease_s: float,
                  name: str) -> list[requests.JobMap]:
    """Jobs, as soon as there are some and however often the connection breaks; none when the time is over."""
    pause = FIRST_PAUSE_S
    while True:
        try:
            jobs = await client.fetch(topics, count, wait_s, lease_s, name)
        except ClientError as refused:
            if refused.code == "LOADING":
                outage.lost(refused)
            else:
                logger.warning("%s; trying again", refused)
        except (NotConnected, OutcomeUnknown) as lost:
            outage.lost(lost)
        else:
            outage.over()
            return jobs
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
