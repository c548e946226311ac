"""kill -9 of those who work: worker processes of the server, `heroredis worker`, and programs over jobs.client.

Every job comes to its end, none runs again after that was acknowledged, and the histories tell each attempt.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heroredis.testing import ServerProcess
from jobs.client import Client
from tests.crash.crew import HANDLERS, PATIENCE_S, Crew, torture_workers
from tests.crash.judge import Witness, must

QUIET = ["--no-ui", "--no-webdav", "--no-job-index"]


def start(folder: Path, witness: Witness, *arguments: str) -> ServerProcess:
    return ServerProcess(folder, [*QUIET, *arguments], environment={"WITNESS": str(witness.path)}).start()


def torture_processes(folder: Path, count: int, deaths: int, seed: int, server_deaths: int = 0) -> int:
    witness = Witness(folder / "witness")
    server = start(folder, witness, "--handlers", str(HANDLERS))
    return torture_workers(server, witness, "isolated", None, count=count, deaths=deaths, seed=seed, every=(20, 60),
                           server_deaths=server_deaths)


def torture_remote(folder: Path, lease: str, count: int, deaths: int, seed: int, server_deaths: int = 0,
                   topic: str = "remote") -> int:
    witness = Witness(folder / "witness")
    server = start(folder, witness)
    url = f"redis://127.0.0.1:{server.port}"
    command = ["-m", "heroredis", "worker", url, str(HANDLERS), "-c", "3", "--topic", topic, "--lease", lease]
    crew = Crew([command] * 2, witness, folder / "workers.log")
    return torture_workers(server, witness, topic, crew, count=count, deaths=deaths, seed=seed, every=(20, 60),
                           server_deaths=server_deaths)


def torture_own(folder: Path, lease: str, count: int, deaths: int, seed: int, server_deaths: int = 0) -> int:
    witness = Witness(folder / "witness")
    server = start(folder, witness)
    command = ["-m", "tests.crash.own_worker", f"redis://127.0.0.1:{server.port}", lease]
    crew = Crew([command] * 2, witness, folder / "workers.log")
    return torture_workers(server, witness, "own", crew, count=count, deaths=deaths, seed=seed, every=(20, 60),
                           server_deaths=server_deaths)


def test_worker_processes(tmp_path: Path) -> None:
    torture_processes(tmp_path, 120, 3, 1)


@pytest.mark.parametrize("lease", ["0", "0.5"])
def test_remote_workers(tmp_path: Path, lease: str) -> None:
    torture_remote(tmp_path, lease, 120, 3, 2)


@pytest.mark.parametrize("lease", ["0", "0.5"])
def test_worker_processes_of_remote_workers(tmp_path: Path, lease: str) -> None:
    torture_remote(tmp_path, lease, 120, 3, 2, topic="isolated")


@pytest.mark.parametrize("lease", ["0", "0.5"])
def test_programs_over_the_client(tmp_path: Path, lease: str) -> None:
    torture_own(tmp_path, lease, 120, 3, 3)


@pytest.mark.parametrize("kind", ["processes", "remote", "remote processes", "own"])
def test_workers_and_their_server(tmp_path: Path, kind: str) -> None:
    if kind == "processes":
        torture_processes(tmp_path, 60, 1, 4, server_deaths=1)
    elif kind == "remote processes":
        torture_remote(tmp_path, "0.5", 60, 1, 4, server_deaths=1, topic="isolated")
    else:
        (torture_remote if kind == "remote" else torture_own)(tmp_path, "0.5", 60, 1, 4, server_deaths=1)


def test_a_killed_server_leaves_no_worker_process(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "witness")
    server = start(tmp_path, witness, "--handlers", str(HANDLERS))
    with Client(f"redis://127.0.0.1:{server.port}") as client:
        client.create_job("isolated", "die")
        deadline = time.monotonic() + PATIENCE_S
        while not witness.read():
            client.execute("JOB.EVENTS", "$", "BLOCK", 20)
            must(time.monotonic() < deadline, "the handler has not begun")
        server.kill()
    status = Path(f"/proc/{witness.lines[0].pid}/status")
    while status.exists() and "\nState:\tZ" not in status.read_text():
        must(time.monotonic() < deadline, "the worker process lives on")


DAEMON = """
import subprocess
from jobs import Handlers, Job
handlers = Handlers()

@handlers.on("daemon", isolation="process")
def daemon(job: Job) -> bytes:
    helper = subprocess.Popen(["setsid", "sh", "-c", "echo $$; exec sleep 600"], stdout=subprocess.PIPE)
    return helper.stdout.readline()
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="daemons are found by /proc")
def test_a_killed_server_leaves_no_daemon_of_a_handler(tmp_path: Path) -> None:
    (tmp_path / "daemon.py").write_text(DAEMON)
    with ServerProcess(tmp_path, [*QUIET, "--handlers", str(tmp_path / "daemon.py")]) as server:
        with Client(f"unix://{server.unix_path}") as client:
            job = client.wait(client.create_job("daemon"), PATIENCE_S)
        server.kill()
    assert job is not None
    status, deadline = Path(f"/proc/{int(job['result'])}/status"), time.monotonic() + PATIENCE_S
    while status.exists() and "\nState:\tZ" not in status.read_text():
        must(time.monotonic() < deadline, "the daemon lives on")


DEADLY = """
import os, signal
from jobs import Handlers, Job
handlers = Handlers()

@handlers.on("deadly")
async def deadly(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)

@handlers.on("harmless")
async def harmless(job: Job) -> str:
    return "ok"
"""


def test_a_job_that_ends_the_server_at_once_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    server = ServerProcess(tmp_path, [*QUIET, "--handlers", str(tmp_path / "deadly.py")])
    server.start()
    with Client(f"unix://{server.unix_path}", attempts=1) as client, pytest.raises(ConnectionError):
        job_id = client.create_job("deadly")
        client.wait(job_id, PATIENCE_S)
    server.kill()
    for _ in range(4):  # the death that made the job known may have come before its start was on disk
        try:
            server.start()
            with Client(f"unix://{server.unix_path}", attempts=1) as client:
                client.wait(client.create_job("harmless"), PATIENCE_S)
                poisoned = client.get_job(job_id)
        except (RuntimeError, ConnectionError):
            server.kill()
        else:
            break
    else:
        pytest.fail("the server is ended by the same job again and again")
    server.stop()
    assert poisoned is not None
    assert (poisoned["state"], poisoned["reason"], poisoned["attempts"]) == ("error", "poison", 3)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
def test_worker_processes_for_long(tmp_path: Path, seed: int) -> None:
    assert torture_processes(tmp_path, 3000, 40, seed, server_deaths=10) > 50


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lease", ["0", "0.5"])
def test_remote_workers_for_long(tmp_path: Path, lease: str, seed: int) -> None:
    assert torture_remote(tmp_path, lease, 3000, 40, seed, server_deaths=10) > 50


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lease", ["0", "0.5"])
def test_worker_processes_of_remote_workers_for_long(tmp_path: Path, lease: str, seed: int) -> None:
    assert torture_remote(tmp_path, lease, 3000, 40, seed, server_deaths=10, topic="isolated") > 50


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("lease", ["0", "0.5"])
def test_programs_over_the_client_for_long(tmp_path: Path, lease: str, seed: int) -> None:
    assert torture_own(tmp_path, lease, 3000, 40, seed, server_deaths=10) > 50
