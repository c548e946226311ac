"""More workers and fewer, quiet and at work again, while jobs run: nothing that runs is ended by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from heroredis import Config, ServerFactory
from jobs import Handlers, Job
from jobs.errors import BadOption
from jobs.pool_control import PoolControl
from jobs.remote_worker import RemoteWorker
from tests.jobs.desk import Desk, as_map
from tests.jobs.isolated_handlers import handlers as isolated

WAIT_S = 30


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - others bring it about
            await asyncio.sleep(0.005)


class Gate:
    """A server whose handlers begin and then wait to be let through, one after the other."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.handlers = Handlers()
        self.doors: dict[int, asyncio.Event] = {}

        @self.handlers.on("gate")
        async def gate(job: Job) -> None:
            self.begun.append(job.job_id)
            await self.doors.setdefault(job.job_id, asyncio.Event()).wait()
            self.ended.append(job.job_id)

    def open(self, *job_ids: int) -> None:
        for job_id in job_ids:
            self.doors.setdefault(job_id, asyncio.Event()).set()


def control_of(factory: ServerFactory) -> PoolControl:
    assert factory._jobs is not None
    return factory._jobs.control


def settings(folder: Path) -> Config:
    config = Config(data_dir=str(folder / "data"), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = str(folder / "s")
    config.jobs.worker_count = 1
    config.jobs.process_count = 1
    return config


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def factory(tmp_path: Path, gate: Gate) -> AsyncIterator[ServerFactory]:
    async with ServerFactory(settings(tmp_path), handlers=gate.handlers) as running:
        yield running
        gate.open(*range(1, 100))


async def test_more_and_fewer_workers_while_jobs_run(factory: ServerFactory, gate: Gate) -> None:
    control = control_of(factory)
    await factory.job_manager.create_jobs("gate", [b""] * 6)
    await until(lambda: gate.begun == [1])
    control.resize(3)
    await until(lambda: gate.begun == [1, 2, 3])
    assert control.facts() == {"workers": 3, "busy": 3, "processes": 0, "processes_busy": 0, "quiet": 0}
    control.resize(1)
    assert (control.facts()["workers"], control.facts()["busy"]) == (1, 3)
    gate.open(2, 3)
    await until(lambda: sorted(gate.ended) == [2, 3] and control.facts()["busy"] == 1)
    gate.open(1)
    await until(lambda: gate.begun == [1, 2, 3, 4])
    control.resize(0)
    gate.open(4)
    await until(lambda: control.facts() == {"workers": 0, "busy": 0, "processes": 0, "processes_busy": 0, "quiet": 0})
    assert gate.begun == [1, 2, 3, 4]
    control.resize(2)
    await until(lambda: gate.begun == [1, 2, 3, 4, 5, 6])
    gate.open(5, 6)
    await until(lambda: sorted(gate.ended) == [1, 2, 3, 4, 5, 6])
    assert factory.job_manager.stats("gate").done == 6


async def test_a_quiet_server_finishes_what_runs_and_takes_nothing(factory: ServerFactory, gate: Gate) -> None:
    control = control_of(factory)
    await factory.job_manager.create_jobs("gate", [b""] * 2)
    await until(lambda: gate.begun == [1])
    control.set_quiet(True)
    gate.open(1)
    await until(lambda: control.facts()["busy"] == 0)
    later = await factory.job_manager.create_job("gate")
    assert (gate.begun, gate.ended, factory.job_manager.stats("gate").new) == ([1], [1], 2)
    assert control.facts()["quiet"] == 1
    control.set_quiet(False)
    gate.open(2, later.job_id)
    await until(lambda: gate.ended == [1, 2, 3])


async def test_processes_come_and_go_and_end_no_job(tmp_path: Path) -> None:
    async with ServerFactory(settings(tmp_path), handlers=isolated) as factory:
        control, manager = control_of(factory), factory.job_manager
        pool = factory._jobs and factory._jobs._processes
        assert pool is not None
        control.resize_processes(2)
        files = [(tmp_path / f"begun-{number}", tmp_path / f"end-{number}") for number in range(4)]
        jobs = [await manager.create_job("until", f"{begun}|{end}") for begun, end in files[:2]]
        await until(lambda: (files[0][0].exists() and files[1][0].exists()) or len(pool.pids()) == 2)
        await until(lambda: files[0][0].exists())
        control.resize_processes(1)
        control.set_quiet(True)
        files[0][1].write_text("")
        files[1][1].write_text("")
        ended = [await manager.wait(job.job_id, WAIT_S) for job in jobs[:1]]
        assert [job.state for job in ended if job is not None] == ["done"]
        await until(lambda: len(pool.pids()) == 1 and control.facts()["processes_busy"] == 0)
        held = manager.stats("until").new
        quiet = await manager.create_job("pid")
        control.set_quiet(False)
        assert (await manager.wait(quiet.job_id, WAIT_S) or quiet).state == "done"
        if held:
            assert (await manager.wait(jobs[1].job_id, WAIT_S) or jobs[1]).state == "done"
        versions = [version for job in jobs for version in manager.history(job.job_id, 99)]
        assert {version.reason for version in versions} <= {"", "returned"}
        assert max(version.losses for version in versions) == 0
        control.resize_processes(0)
        await until(lambda: pool.pids() == [])
        control.resize_processes(1)
        assert (await manager.wait((await manager.create_job("pid")).job_id, WAIT_S) or quiet).state == "done"


async def test_quiet_processes_take_nothing(tmp_path: Path) -> None:
    async with ServerFactory(settings(tmp_path), handlers=isolated) as factory:
        control, manager = control_of(factory), factory.job_manager
        first = await manager.create_job("pid")
        await manager.wait(first.job_id, WAIT_S)
        control.set_quiet(True)
        waiting = await manager.create_job("pid")
        other = await manager.create_job("elsewhere")
        assert manager.claim("elsewhere", "far", 7) is not None
        await manager.flushed()
        assert (manager.live[waiting.job_id].state, manager.live[other.job_id].state) == ("new", "active")
        control.set_quiet(False)
        assert (await manager.wait(waiting.job_id, WAIT_S) or waiting).state == "done"


async def test_a_worker_elsewhere_is_quiet_and_grows(tmp_path: Path, gate: Gate) -> None:
    config = settings(tmp_path)
    config.jobs.worker_count = 0
    async with ServerFactory(config) as factory:
        manager = factory.job_manager
        worker = RemoteWorker(f"unix://{tmp_path}/s", gate.handlers, concurrency=1, name="far")
        task = asyncio.create_task(worker.run(grace_s=WAIT_S))
        await manager.create_jobs("gate", [b""] * 2)
        await until(lambda: gate.begun == [1])
        worker.resize(1)
        await until(lambda: gate.begun == [1, 2])
        worker.resize(-5)
        gate.open(1, 2)
        await until(lambda: manager.stats("gate").done == 2)
        await until(lambda: factory.server.blocking.count == 1)  # it waits for its next job: one that comes now is its
        worker.quiet()
        await manager.create_job("gate")
        await until(lambda: len(manager.history(3, 9)) == 3)
        assert [(version.state, version.reason) for version in manager.history(3, 9)] == [
            ("new", "returned"), ("active", ""), ("new", "")]
        assert (manager.live[3].attempts, manager.live[3].losses, gate.begun) == (0, 0, [1, 2])
        worker.work()
        gate.open(3)
        await until(lambda: manager.stats("gate").done == 3)
        worker.stop()
        await task


def test_the_command_and_what_it_refuses() -> None:
    desk = Desk()
    caller = desk.caller()
    nobody = {b"workers": 0, b"busy": 0, b"processes": 0, b"processes_busy": 0, b"quiet": 0}
    assert as_map(caller.call("JOB.POOL")) == nobody
    assert as_map(caller.call("JOB.POOL", "QUIET")) == {**nobody, b"quiet": 1}
    assert as_map(caller.call("JOB.POOL", "WORK")) == nobody
    for words, error in ((("QUIET", "WORK"), "ERR give QUIET or WORK, not both"),
                         (("WORKERS", "100001"), "ERR WORKERS 100001 is out of range, give 0 to 100000"),
                         (("PROCESSES", "1001"), "ERR PROCESSES 1001 is out of range, give 0 to 1000"),
                         (("PROCESSES", "1"), "ERR there are no worker processes: no handler asks for one"),
                         (("LOUD",), "ERR syntax error")):
        assert caller.error("JOB.POOL", *words) == error
    with pytest.raises(BadOption):
        desk.jobs.control.resize(-1)
