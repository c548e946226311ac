"""Workers outside of the server: the command, the example programs, and one that is killed at work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heroredis.testing import ServerProcess
from jobs.client import Client
from tests.conftest import need

ROOT = Path(__file__).parents[2]
HANDLERS = '''
import os, time
from jobs import Handlers, Job
handlers = Handlers()

@handlers.on("pid")
def pid(job: Job) -> int:
    return os.getpid()

@handlers.on("hold")
def hold(job: Job) -> None:
    if job.attempts == 1:
        time.sleep(600)
'''


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    return start_server("--no-ui", "--no-webdav")


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts programs that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, stdin=subprocess.DEVNULL,
                                   env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # what a killed one has left is in its group, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def done(client: Client, job_id: int) -> dict[str, object]:
    job = client.wait(job_id, 60)
    assert job is not None
    assert job["state"] == "done", job
    return job


def test_the_command_works_and_leaves_in_order(server: ServerProcess, spawn: Callable[..., subprocess.Popen[str]],
                                               tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(HANDLERS)
    with Client(f"unix://{server.unix_path}") as client:
        worker = spawn(sys.executable, "-m", "heroredis", "worker", f"unix://{server.unix_path}",
                       str(tmp_path / "own.py"), "-c", "2", "--name", "far")
        job = done(client, client.create_job("pid"))
        assert (job["result"], job["worker"]) == (str(worker.pid).encode(), "far")
        worker.send_signal(signal.SIGUSR1)
        reason = ""
        while reason != "returned":  # until the signal has come
            quiet = client.create_job("pid")
            while len(client.get_history(quiet)) < 3:
                client.execute("JOB.EVENTS", "$", "BLOCK", 20)
            reason = client.get_history(quiet)[0]["reason"]
        worker.send_signal(signal.SIGTTIN)
        worker.send_signal(signal.SIGUSR2)
        assert done(client, quiet)["attempts"] == 1
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


def test_a_killed_worker_loses_no_job(server: ServerProcess, spawn: Callable[..., subprocess.Popen[str]],
                                      tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(HANDLERS)
    command = [sys.executable, "-m", "heroredis", "worker", f"unix://{server.unix_path}", str(tmp_path / "own.py")]
    with Client(f"unix://{server.unix_path}") as client:
        first = spawn(*command)
        job_id = client.create_job("hold")
        killed_at_work(client, job_id, first)
        spawn(*command)
        runs_again(client, job_id)


def killed_at_work(client: Client, job_id: int, worker: subprocess.Popen[str]) -> None:
    """kill -9 of a worker that has begun a job."""
    cursor, active = b"0", False
    while not active:
        cursor, events = client.execute("JOB.EVENTS", cursor, "BLOCK", 30_000)
        active = any(event[b"id"] == job_id and event[b"state"] == b"active" for event in events)
    worker.kill()


def runs_again(client: Client, job_id: int) -> dict[str, object]:
    job = done(client, job_id)
    states = [version["state"] for version in reversed(client.get_history(job_id))]
    assert states == ["new", "active", "new", "active", "done"]
    return job


def test_a_worker_of_plain_redis_commands_in_the_shell(server: ServerProcess, redis_cli: str,
                                                       spawn: Callable[..., subprocess.Popen[str]]) -> None:
    spawn("sh", "examples/plain_worker.sh", "letters", "-s", server.unix_path)
    with Client(f"unix://{server.unix_path}") as client:
        for number in range(2):
            result = done(client, client.create_job("letters", f"job {number}"))["result"]
            assert isinstance(result, bytes)
            assert int(result) > 100


def test_a_job_of_the_shell_worker_comes_back_when_that_is_killed(server: ServerProcess, redis_cli: str,
                                                                  spawn: Callable[..., subprocess.Popen[str]]) -> None:
    command = ("sh", "examples/plain_worker.sh", "letters", "-s", server.unix_path)
    with Client(f"unix://{server.unix_path}") as client:
        job_id = client.create_job("letters")
        killed_at_work(client, job_id, spawn(*command, WORK="sleep 600"))
        spawn(*command, WORK='read -r job; case $job in *odd*) exit 3;; esac; echo "it\'s \\"done\\""')
        assert runs_again(client, job_id)["result"] == b"its done"
        failed = client.wait(client.create_job("letters", "odd"), 60)
        assert failed is not None
        assert (failed["state"], failed["error"]) == ("error", b"exit status 3")


def test_a_worker_of_plain_redis_commands_in_node(server: ServerProcess, ioredis_folder: Path,
                                                  spawn: Callable[..., subprocess.Popen[str]]) -> None:
    script = ioredis_folder / "plain_worker.mjs"
    script.write_text((ROOT / "examples" / "plain_worker.mjs").read_text())
    spawn(need("node"), str(script), "letters", server.unix_path)
    with Client(f"unix://{server.unix_path}") as client:
        assert done(client, client.create_job("letters", "seven77"))["result"] == b'{"length":7}'
        job_id = client.create_job("slow", "four")
        command = (need("node"), str(script), "slow", server.unix_path)
        killed_at_work(client, job_id, spawn(*command, WORK_MS="600000"))
        spawn(*command)
        assert runs_again(client, job_id)["result"] == b'{"length":4}'


def test_the_example_with_the_client(server: ServerProcess) -> None:
    with Client(f"unix://{server.unix_path}") as client:
        job_id = client.create_job("shout", "quiet")
        code = ("import sys; sys.path.insert(0, 'examples'); import remote_worker\n"
                f"print(remote_worker.work_once({str(client.address)!r}, 'shout'))")
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=60,
                             check=True)
        assert ran.stdout == "1\n"
        assert done(client, job_id)["result"] == b"QUIET"


def test_a_client_loads_no_server() -> None:
    code = "import sys, jobs.client; print([n for n in sys.modules if n.startswith('heroredis') or n == 'uvloop'])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=60,
                         check=True)
    assert ran.stdout == "[]\n"
