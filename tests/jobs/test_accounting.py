"""What each attempt of a job has cost: waiting and wall time from the history, processor and memory of processes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from heroredis import Config, ServerFactory
from heroredis.clock import ManualClock
from jobs.accounting import Accounting
from jobs.manager import JobManager
from jobs.memory_queue import MemoryQueue
from jobs.options import JobOptions
from jobs.ourdb_store import OurDBStore
from jobs.usage import Usage, peak, usage_of
from ourdb import OurDB
from tests.jobs.desk import Desk, as_map
from tests.jobs.isolated_handlers import handlers
from tests.jobs.world import World, defer

WAIT_S = 30


def cost(world: World, job_id: int) -> tuple[int | None, int | None]:
    found = world.manager.accounting(job_id)
    return found.queue_wait_ms, found.wall_ms


def test_waiting_and_wall_time_of_each_attempt() -> None:
    world = World()
    job = world.new(retries=2, backoff="fixed:100")
    assert cost(world, job.job_id) == (None, None)
    world.pass_ms(40)
    world.claim()
    assert cost(world, job.job_id) == (40, None)
    world.pass_ms(7)
    world.manager.fail(job.job_id, b"no", "w")
    assert cost(world, job.job_id) == (40, 7)
    world.pass_ms(130)
    world.claim()
    assert cost(world, job.job_id) == (30, None)
    world.pass_ms(11)
    world.manager.finish(job.job_id, b"r", "w")
    assert cost(world, job.job_id) == (30, 11)
    rows = world.manager.costs(world.manager.history(job.job_id, 100))
    assert [(row.queue_wait_ms, row.wall_ms) for row in rows] == [
        (30, 11), (30, None), (40, 7), (40, None), (None, None)]


def test_a_delay_is_no_waiting_and_a_promotion_ends_it() -> None:
    world = World()
    delayed, promoted = world.new(delay_ms=1000), world.new(delay_ms=1000, priority=50)
    world.pass_ms(300)
    world.manager.promote(promoted.job_id, "x")
    world.pass_ms(20)
    assert world.claim().job_id == promoted.job_id
    assert cost(world, promoted.job_id) == (20, None)
    world.pass_ms(700)
    assert world.claim().job_id == delayed.job_id
    assert cost(world, delayed.job_id) == (20, None)


def test_a_job_that_was_given_back_edited_or_never_ran() -> None:
    world = World()
    job, other = world.new(), world.new()
    world.claim(owner=7)
    world.pass_ms(5)
    world.manager.owner_gone(7, "server")
    world.pass_ms(6)
    world.manager.edit(job.job_id, "x", b"q")
    world.pass_ms(7)
    assert world.claim().job_id == job.job_id
    assert cost(world, job.job_id) == (13, None)
    world.manager.finish(other.job_id, b"", "x")
    assert cost(world, other.job_id) == (None, None)
    assert world.manager.accounting(99) == Accounting()


def test_what_a_worker_measures_is_kept_with_the_attempt_also_over_a_restart() -> None:
    desk = Desk()
    caller = desk.caller()
    caller.call("JOB.CREATE", "t", "p", "RETRY", 1, "BACKOFF", "fixed:0")

    def fetched() -> Any:
        desk.pass_ms(1)
        return as_map(caller.call("JOB.FETCH", 1, 0, "t")[0])[b"token"]

    def shown() -> tuple[object, object]:
        job = caller.job(1)
        return job[b"cpu_us"], job[b"max_rss"]

    token = fetched()
    assert caller.error("JOB.COMPLETE", 1, "r", "TOKEN", token, "CPU", "-1") == (
        "ERR value is out of range, must be positive")
    assert caller.error("JOB.COMPLETE", 1, "r", "TOKEN", "stale", "CPU", 9, "RSS", 9).startswith("STALE")
    assert shown() == (None, None)
    assert caller.call("JOB.FAIL", 1, "no", "TOKEN", token, "CPU", 1500, "RSS", 4096) == b"OK"
    assert shown() == (1500, 4096)
    token = fetched()
    assert shown() == (None, None)
    assert caller.call("JOB.COMPLETE", 1, "r", "RSS", 8192, "TOKEN", token, "CPU", 0) == b"OK"
    desk.restart()
    caller = desk.caller()
    assert shown() == (0, 8192)
    versions = [as_map(version) for version in caller.call("JOB.HISTORY", 1)]
    assert [version[b"cpu_us"] for version in versions] == [0, None, 1500, None, None]
    assert [version[b"wall_ms"] for version in versions] == [0, None, 0, None, None]
    assert [as_map(version)[b"queue_wait_ms"] for version in caller.call("JOB.HISTORY", 1, "COUNT", 1)] == [1]


async def test_processes_are_measured_also_when_they_are_killed(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.process_count = 1
    async with ServerFactory(config, handlers=handlers) as factory:
        manager = factory.job_manager
        for topic, least_cpu, least_rss in (("pid", 1, 1 << 20), ("grow", 10_000, 100 << 20), ("pid", 1, 1 << 20),
                                            ("spin", 100_000, 1 << 20)):
            job = await manager.create_job(topic)
            ended = await manager.wait(job.job_id, WAIT_S)
            found = manager.accounting(job.job_id)
            assert ended is not None
            assert found.wall_ms == ended.ended_at - ended.started_at
            assert (found.cpu_us or 0) >= least_cpu, topic
            assert (found.max_rss or 0) >= least_rss, topic
            if topic == "pid":
                assert (found.max_rss or 0) < 100 << 20


async def test_a_worker_is_replaced_by_its_own_size_not_by_that_of_the_server(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.process_count = 1
    config.jobs.process_max_memory = 200 << 20
    ballast = b"x" * (300 << 20)
    async with ServerFactory(config, handlers=handlers) as factory:
        pids = []
        for topic in ("pid", "pid", "keep", "pid", "pid"):
            job = await factory.job_manager.create_job(topic)
            ended = await factory.job_manager.wait(job.job_id, WAIT_S)
            pids.append(None if ended is None else ended.result)
        assert len(ballast) > 0
        assert [pids[0] == pid for pid in pids] == [True, True, True, False, False]
        assert None not in pids
        assert pids[3] == pids[4]


def test_another_process_is_read_from_proc(tmp_path: Path) -> None:
    own = usage_of(os.getpid())
    assert own.cpu_us > 0
    assert own.max_rss > 1 << 20
    assert usage_of(9, tmp_path) == Usage(0, 0)
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "stat").write_bytes(b"9 (a) b) S " + b" ".join(b"%d" % number for number in range(30)))
    (tmp_path / "9" / "status").write_bytes(b"Name:\ta\nVmHWM:\t      12 kB\n")
    assert usage_of(9, tmp_path).max_rss == 12 * 1024
    assert peak(b"Name:\tkernel thread\n") == 0


async def test_a_job_that_is_cancelled_or_queued_again_while_a_process_works_on_it_is_measured(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.process_count = 1
    async with ServerFactory(config, handlers=handlers) as factory:
        manager = factory.job_manager
        for act in (manager.cancel_job, manager.retry_job):
            job = await manager.create_job("spin", timeout=60)
            async with asyncio.timeout(WAIT_S):
                # the processor's time has to pass
                while manager.now_ms() - (manager.live[job.job_id].started_at or manager.now_ms()) < 400:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await act(job.job_id)
            found = manager.accounting(job.job_id)
            assert found.cpu_us, act
            assert found.max_rss, act


def test_memory_is_kept_in_whole_kib_so_that_no_record_looks_like_one_without_keys(tmp_path: Path) -> None:
    for restart in range(2):
        with OurDB(tmp_path / "db") as db:
            manager = JobManager(OurDBStore(db), MemoryQueue(), ManualClock(1_000_000), defer)
            manager.recover()
            [job, *_], _ = manager.create_many("t", [b""] * 192, JobOptions(idempotency=b"k"))  # 192: \xc0
            assert (job.job_id, job.more.batch) == (1, 192)
            db.flush()
            if not restart:
                claimed = manager.claim("t", "w")
                assert claimed is not None
                manager.measured(1, claimed.token, 7, 0xC400C0)  # what such a record ends with
                manager.finish(1, b"", "w", claimed.token)
                assert manager.accounting(1).max_rss == 0xC40000
