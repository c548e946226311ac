"""The guide's examples in Python run as they stand there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from heroredis import Config, Handlers, Job, run_in_thread
from jobs.manager import JobManager
from jobs.testing import JobBench

GUIDE = Path(__file__).parent.parent.parent / "docs" / "guide.md"


def example(heading: str, **given: object) -> dict[str, Any]:
    """What the Python below a heading defines, over what its reader has already."""
    part = GUIDE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    names: dict[str, Any] = {"__name__": "example", **given}
    exec(compile(code, f"{GUIDE.name}, {heading}", "exec", dont_inherit=True), names)
    return names


@dataclass
class Mail:
    host: str
    is_spam: bool = False


async def reachable(host: str) -> bool:
    return host != "away"


async def test_handlers() -> None:
    names = example("Handlers", Mail=Mail, reachable=reachable)
    bench = JobBench(names["handlers"])
    ends = []
    for params in ({"host": "a"}, {"host": "away"}, {"host": "a", "is_spam": True}, {"no": "mail"}):
        job = await bench.manager.create_job("email", params)
        await bench.run_one()
        ended = await bench.manager.get_job(job.job_id)
        assert ended is not None
        ends.append((ended.state, ended.reason, ended.attempts, len(bench.manager.trail(job.job_id))))
    assert ends == [("done", "", 1, 2), ("new", "snoozed", 0, 1), ("error", "discarded", 1, 1),
                    ("error", "invalid", 0, 0)]


async def test_middleware(capsys: Any) -> None:
    handlers = Handlers()

    @handlers.on("t")
    async def handler(job: Job) -> None: ...

    example("Middleware", handlers=handlers, time=time)
    bench = JobBench(handlers)
    job = await bench.manager.create_job("t")
    await bench.drain()
    assert b"traceparent" in job.meta
    assert re.fullmatch(r"t \d\S*\n", capsys.readouterr().out)


async def test_tests() -> None:
    handlers = Handlers()

    @handlers.on("email")
    async def email(job: Job) -> str:
        return "sent"

    async def sign_up(manager: JobManager, address: str) -> None:
        await manager.create_job("email", {"to": address})
        await manager.create_job("email", {"to": address, "again": True}, delay=7 * 86400)

    names = example("Tests of programs with jobs", handlers=handlers, sign_up=sign_up)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    await cast("Callable[[], Coroutine[Any, Any, None]]", tests[0])()


def test_clients(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port, config.redis.unix_socket_path = 0, str(tmp_path / "s")
    handlers = Handlers()

    @handlers.on("email")
    async def email(job: Job) -> str:
        return "sent"

    with run_in_thread(config, handlers=handlers):
        part = GUIDE.read_text().split("\n## Jobs from other programs\n")[1]
        [code] = re.findall(r"```python\n(.*?)```", part.split("\n## ")[0], re.DOTALL)
        url = "redis://127.0.0.1:6379"
        assert url in code
        code = code.replace(url, f"unix://{tmp_path}/s").replace("delay=60", "delay=0.01")
        names: dict[str, Any] = {}
        exec(compile(code, GUIDE.name, "exec", dont_inherit=True), names)
    assert (names["job"]["state"], names["job"]["result"]) == ("done", b"sent")
