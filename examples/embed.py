"""The server inside a program: `python examples/embed.py`.

First as part of an asyncio program, then beside a plain script.
"""

from __future__ import annotations

import asyncio
import tempfile

from heroredis import Config, Handlers, Job, JobState, ServerFactory, run_in_thread

handlers = Handlers()


@handlers.on("greet", retries=3, timeout=30)
async def greet(job: Job) -> str:
    return f"Hello, {job.text}"


def config_in(folder: str) -> Config:
    """Any free port, no Unix socket, everything in one folder."""
    config = Config(data_dir=folder, enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = ""
    return config


async def with_asyncio(folder: str) -> None:
    async with ServerFactory(config_in(folder), handlers=handlers) as factory:
        manager = factory.job_manager
        job = await manager.create_job("greet", "Ada")
        ended = await manager.wait(job.job_id, timeout=5)
        print("embedded worker:", ended.state if ended else "late", ended.result if ended else b"")

        mine = await manager.create_job("by-hand", {"any": "JSON"})
        await manager.update_job_status(mine.job_id, JobState.ACTIVE)
        await manager.complete_job(mine.job_id, "done by hand")
        for version in await manager.get_history(mine.job_id):
            print("  version", version.version, version.state, "by", version.by)


def without_asyncio(folder: str) -> None:
    with run_in_thread(config_in(folder), handlers=handlers) as server:
        job = server.job_manager.create_job("greet", "Grace")
        ended = server.job_manager.wait(job.job_id, timeout=5)
        print("plain script:", ended.result if ended else b"late")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(with_asyncio(data))
        without_asyncio(data)
