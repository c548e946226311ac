"""Worker processes: whatever a handler does, its job gets an end that says so, and the server goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from heroredis import Config, ServerFactory
from jobs.leftovers import marked
from jobs.process_pool import described
from tests.jobs.isolated_handlers import handlers

WAIT_S = 30


def settings(folder: Path) -> Config:
    config = Config(data_dir=str(folder), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.ourdb_path = str(folder / "jobsdb")
    config.jobs.process_count = 1
    return config


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[ServerFactory]:
    async with ServerFactory(settings(tmp_path), handlers=handlers) as running:
        yield running


async def end_of(factory: ServerFactory, topic: str, params: object = b"") -> tuple[str, str, str]:
    """State, reason and error (or result) of a job that has run."""
    manager = factory.job_manager
    job = await manager.create_job(topic, params)
    ended = await manager.wait(job.job_id, WAIT_S)
    assert ended is not None, f"a job of {topic} did not end"
    return ended.state, ended.reason, ((ended.error or ended.result) or b"").decode("utf-8", "replace")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - another process brings it about, nothing here can tell
            await asyncio.sleep(0.01)


async def test_a_handler_runs_in_another_process(factory: ServerFactory) -> None:
    state, _, result = await end_of(factory, "pid")
    assert state == "done"
    assert int(result) != os.getpid()
    assert await end_of(factory, "coroutine", b"abc") == ("done", "", "ABC")


@pytest.mark.parametrize(("topic", "params", "text"), [
    ("abort", b"", "signal 6 (SIGABRT)"), ("segfault", b"", "signal 11 (SIGSEGV)"),
    ("os-exit", b"7", "exit status 7"), ("os-exit", b"0", "exit status 0"), ("os-exit", b"113", "exit status 113"),
])
async def test_a_crash_fails_its_job_and_the_next_one_runs(factory: ServerFactory, topic: str, params: bytes,
                                                           text: str) -> None:
    state, reason, error = await end_of(factory, topic, params)
    assert (state, reason) == ("error", "crashed")
    assert text in error
    assert (await end_of(factory, "pid"))[0] == "done"


async def test_what_a_crashed_worker_printed_last_is_kept(factory: ServerFactory) -> None:
    job = await factory.job_manager.create_job("abort")
    ended = await factory.job_manager.wait(job.job_id, WAIT_S)
    assert ended is not None
    assert b"the last words before the end" in (ended.traceback or b"")
    job = await factory.job_manager.create_job("loud")
    ended = await factory.job_manager.wait(job.job_id, WAIT_S)
    assert ended is not None
    assert ended.traceback is not None
    lines = ended.traceback.split(b"\n")
    assert (lines[-1][:8], {len(line) for line in lines[1:]}) == (b"line 29 ", {2000})


async def test_jobs_fetched_together_with_a_crashing_one_are_not_blamed(factory: ServerFactory) -> None:
    manager = factory.job_manager
    await end_of(factory, "pid")
    [bad] = await manager.create_jobs("os-exit", [b"7"])
    good = await manager.create_jobs("pid", [b""] * 5)
    ended = [await manager.wait(job.job_id, WAIT_S) for job in [bad, *good]]
    assert [job.state for job in ended if job is not None] == ["error", *["done"] * 5]
    assert [job.losses for job in ended if job is not None] == [0] * 6


async def test_leaving_by_sys_exit_fails_the_attempt_only(factory: ServerFactory) -> None:
    before = (await end_of(factory, "pid"))[2]
    assert await end_of(factory, "sys-exit") == ("error", "dead", "SystemExit: 3")
    assert (await end_of(factory, "pid"))[2] == before


@pytest.mark.parametrize("topic", ["for-ever", "hold-in-c"])
async def test_a_handler_that_hangs_is_killed_at_its_timeout(factory: ServerFactory, topic: str) -> None:
    assert await end_of(factory, topic) == ("error", "timeout", "ran longer than 0.3 s")
    assert (await end_of(factory, "pid"))[0] == "done"


async def test_a_cancelled_job_ends_its_process(factory: ServerFactory, tmp_path: Path) -> None:
    manager, begun = factory.job_manager, tmp_path / "begun"
    before = (await end_of(factory, "pid"))[2]
    job = await manager.create_job("touch-and-wait", str(begun))
    await until(begun.exists)
    manager.cancel(job.job_id, "operator")
    ended = await manager.wait(job.job_id, WAIT_S)
    assert ended is not None
    assert (ended.state, ended.reason, ended.by) == ("error", "cancelled", "operator")
    assert (await end_of(factory, "pid"))[2] != before


async def test_a_daemon_that_a_handler_leaves_behind_is_found_and_killed(factory: ServerFactory,
                                                                         tmp_path: Path) -> None:
    file = tmp_path / "daemon"
    assert (await end_of(factory, "daemon", str(file)))[1] == "crashed"
    status = Path(f"/proc/{int(file.read_text())}/status")
    await until(lambda: not status.exists() or "\nState:\tZ" in status.read_text())


async def test_output_without_end_is_read_and_dropped(factory: ServerFactory) -> None:
    assert await end_of(factory, "shout") == ("done", "", "said")


async def test_hostile_errors_and_results_end_their_job(factory: ServerFactory) -> None:
    assert await end_of(factory, "hostile") == ("error", "dead", "Hostile: (its message cannot be shown)")
    assert await end_of(factory, "exits") == ("error", "dead", "Exits: (its message cannot be shown)")
    for kind, word in (("object", "TypeError"), ("cycle", "TypeError"), ("itself", "ValueError: what contains itself")):
        state, _, error = await end_of(factory, "odd-result", kind)
        assert state == "error"
        assert error.startswith(word)
    state, _, error = await end_of(factory, "odd-result", "huge")
    assert state == "error"
    assert "at most" in error


async def test_progress_lines_and_outcomes_reach_the_server(factory: ServerFactory) -> None:
    manager = factory.job_manager
    assert await end_of(factory, "steered", "discard") == ("error", "discarded", "not wanted")
    job = await manager.create_job("steered", "snooze")
    await until(lambda: getattr(manager.find(job.job_id), "reason", "") == "snoozed")
    snoozed = manager.find(job.job_id)
    assert snoozed is not None
    assert (snoozed.state, snoozed.attempts) == ("new", 0)
    assert [note.line for note in manager.trail(job.job_id)] == ["half", "a line"]


async def test_a_worker_cannot_get_beyond_its_memory(tmp_path: Path) -> None:
    config = settings(tmp_path)
    config.jobs.process_memory_limit = 1 << 30
    async with ServerFactory(config, handlers=handlers) as factory:
        state, _, error = await end_of(factory, "leak")
        assert state == "error"
        assert error == "MemoryError: out of memory"


async def test_a_worker_is_replaced_after_so_many_jobs(tmp_path: Path) -> None:
    config = settings(tmp_path)
    config.jobs.process_max_jobs = 2
    async with ServerFactory(config, handlers=handlers) as factory:
        jobs = await factory.job_manager.create_jobs("pid", [b""] * 6)
        ended = [await factory.job_manager.wait(job.job_id, WAIT_S) for job in jobs]
        pids = [job.result for job in ended if job is not None]
        assert len(pids) == 6
        assert max(pids.count(pid) for pid in pids) <= 2
        assert [job.losses for job in ended if job is not None] == [0] * 6


async def test_stopping_gives_unfinished_jobs_back_and_leaves_no_process(tmp_path: Path) -> None:
    config, begun = settings(tmp_path), tmp_path / "begun"
    config.jobs.grace = "0s"
    factory = ServerFactory(config, handlers=handlers)
    await factory.start()
    job = await factory.job_manager.create_job("touch-and-wait", str(begun))
    await until(begun.exists)
    manager = factory.job_manager
    await factory.stop()
    found = manager.live[job.job_id]
    assert (found.state, found.reason, found.losses) == ("new", "returned", 0)


def test_an_exit_status_is_told_in_words() -> None:
    assert [described(3), described(-9), described(-63)] == ["exit status 3", "signal 9 (SIGKILL)", "signal 63"]


def test_marks_are_found_in_the_environment_only(tmp_path: Path) -> None:
    for number, text in (("12", b"A=1\0HEROREDIS_WORKER=ab\0"), ("13", b"HEROREDIS_WORKER=abc\0"), ("self", b"")):
        (tmp_path / number).mkdir()
        (tmp_path / number / "environ").write_bytes(text)
    assert marked("ab", tmp_path) == [12]


@pytest.mark.parametrize("quick", [0, 200])
async def test_no_process_is_idle_while_jobs_wait_behind_a_long_one(tmp_path: Path, quick: int) -> None:
    config = settings(tmp_path)
    config.jobs.process_count = 2
    async with ServerFactory(config, handlers=handlers) as factory:
        manager = factory.job_manager
        before = [await manager.wait(job.job_id, WAIT_S) for job in await manager.create_jobs("pid", [b""] * quick)]
        assert len({job.result for job in before if job is not None}) <= 2
        files = [(tmp_path / f"begun-{number}", tmp_path / f"end-{number}") for number in range(2)]
        jobs = await manager.create_jobs("until", [f"{begun}|{end}" for begun, end in files])
        await until(lambda: all(begun.exists() for begun, _ in files))
        for _, end in files:
            end.touch()
        ended = [await manager.wait(job.job_id, WAIT_S) for job in jobs]
    assert [(job.state, job.attempts, job.losses) for job in ended if job is not None] == [("done", 1, 0)] * 2
    assert len({job.result for job in ended if job is not None}) == 2


async def test_a_process_that_cannot_begin_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = settings(tmp_path)
    config.jobs.handlers = str(tmp_path / "broken.py")
    (tmp_path / "broken.py").write_text(
        "import os\nfrom heroredis import Handlers\nhandlers = Handlers()\n@handlers.on('t', isolation='process')\n"
        "def run(job): ...\nif 'HEROREDIS_WORKER' in os.environ: raise OSError('what it needs is not here')\n")
    async with ServerFactory(config):
        await until(lambda: "what it needs is not here" in caplog.text)
    assert "has ended: exit status 1" in caplog.text


async def test_a_job_that_ends_one_process_after_the_other_is_set_aside(factory: ServerFactory) -> None:
    manager = factory.job_manager
    job = await manager.create_job("os-exit", b"7", retries=25, backoff="fixed:0")
    for _ in range(2):  # its deaths are counted anew when somebody has queued it again
        ended = await manager.wait(job.job_id, WAIT_S)
        assert ended is not None
        assert (ended.state, ended.reason, ended.attempts) == ("error", "poison", 3)
        assert (ended.error or b"").startswith(b"its workers were lost 3 times, the last was process-1")
        await manager.retry_job(job.job_id)
    few = await manager.create_job("os-exit", b"7", retries=1, backoff="fixed:0")
    ended = await manager.wait(few.job_id, WAIT_S)
    assert ended is not None
    assert (ended.reason, ended.attempts, ended.error) == ("crashed", 2, b"the worker process ended by exit status 7")


@pytest.mark.parametrize("params", ["exit", "hang"])
async def test_the_programs_own_backoff_counts_after_a_death_too(factory: ServerFactory, params: str) -> None:
    manager = factory.job_manager
    job = await manager.create_job("own-backoff", params)
    await until(lambda: len(manager.history(job.job_id, 9)) == 3)
    after = manager.history(job.job_id, 1)[0]
    assert (after.state, after.reason, after.run_at - after.at) == ("new", "retry", 501_000)


async def test_a_job_is_cancelled_however_lately_it_has_begun(factory: ServerFactory, tmp_path: Path) -> None:
    manager = factory.job_manager
    for number in range(4):
        first, end, begun = (tmp_path / f"{name}-{number}" for name in ("first", "end", "begun"))
        before = await manager.create_job("until", f"{first}|{end}")
        await until(first.exists)
        await until(lambda job_id=before.job_id: is_watched(factory, job_id))  # type: ignore[misc]
        end.touch()
        ended = await manager.wait(before.job_id, WAIT_S)
        assert ended is not None
        job = await manager.create_job("touch-and-wait", str(begun))
        await until(begun.exists)
        await manager.cancel_job(job.job_id)
        assert (await end_of(factory, "pid"))[2] != (ended.result or b"").decode()


def is_watched(factory: ServerFactory, job_id: int) -> bool:
    """Whether the pool has noticed that a process works on this job."""
    manager = factory.job_manager
    manager.on_measure(manager.live[job_id])
    return manager.live[job_id].more.max_rss > 0


async def test_a_job_that_was_cancelled_before_its_process_began_it_never_begins(factory: ServerFactory,
                                                                                 tmp_path: Path) -> None:
    manager = factory.job_manager
    for job in await manager.create_jobs("pid", [b""] * 200):  # short jobs are fetched together from then on
        await manager.wait(job.job_id, WAIT_S)
    end = tmp_path / "end"
    first, second = await manager.create_jobs("until", [f"{tmp_path / name}|{end}" for name in ("one", "two")])
    await until((tmp_path / "one").exists)
    await manager.cancel_job(second.job_id)
    end.touch()
    ended = await manager.wait(first.job_id, WAIT_S)
    assert ended is not None
    assert (ended.state, ended.losses) == ("done", 0)
    assert (await end_of(factory, "pid"))[0] == "done"
    assert not (tmp_path / "two").exists()
