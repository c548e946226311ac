"""A running UI over the fake job service, with and without a password."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import pytest

from heroredis.clock import ManualClock
from heroredis.extension import JobService
from tests.ui.fake_jobs import FakeJobs
from ui.extension import UiService


@dataclass
class RunningUi:
    url: str
    jobs: FakeJobs
    clock: ManualClock
    http: aiohttp.ClientSession
    service: UiService

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, str, Any]:
        """Send one request; answers status, body and headers."""
        options.setdefault("allow_redirects", False)
        async with self.http.request(method, self.url.rstrip("/") + path, **options) as answer:
            return answer.status, (await answer.read()).decode(), answer.headers


StartUi = Callable[..., Awaitable[RunningUi]]


@pytest.fixture
async def start_ui() -> AsyncIterator[StartUi]:
    running: list[RunningUi] = []

    async def start(password: str = "", switched_on: bool = True, **options: Any) -> RunningUi:
        jobs, clock = FakeJobs(), ManualClock()
        service = UiService(
            host="127.0.0.1",
            port=0,
            password=password,
            jobs=cast(JobService, jobs) if switched_on else None,
            server=None,
            clock=clock,
            **options,
        )
        (listening,) = await service.start()
        jar = aiohttp.CookieJar(unsafe=True)
        http = aiohttp.ClientSession(cookie_jar=jar, headers={"User-Agent": "test"})
        running.append(RunningUi(listening.url, jobs, clock, http, service))
        return running[-1]

    yield start
    for ui in running:
        await ui.http.close()
        await ui.service.stop(1.0)


@pytest.fixture
async def ui(start_ui: StartUi) -> RunningUi:
    return await start_ui()
