"""Starting and stopping as an operator does it: subsets, addresses, refusals in one line, orderly ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from heroredis.testing import ServerProcess

ROOT = Path(__file__).parents[2]
Start = Callable[..., ServerProcess]


def refused(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Start a server that must not start; its status and what it says on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "heroredis", "--port", "0", "--unix-socket", "", "--ui-port", "0", "--webdav-port", "0",
         "--data-dir", str(folder / "data"), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


@pytest.mark.parametrize("off", [
    [], ["--no-redis"], ["--no-jobs"], ["--no-ui"], ["--no-webdav"], ["--no-redis", "--no-ui", "--no-webdav"],
    ["--no-redis", "--no-jobs", "--no-webdav"], ["--no-redis", "--no-jobs", "--no-ui"],
    ["--no-redis", "--no-jobs", "--no-ui", "--no-webdav"],
])
def test_any_subset_of_services_starts_alone(start_server: Start, off: list[str]) -> None:
    server = start_server(*off)
    on = {"redis", "ui", "webdav"} - {name.removeprefix("--no-") for name in off}
    assert {line.split()[0] for line in server.lines if "://" in line} == on
    if "ui" in on:
        with urllib.request.urlopen(server.url("ui"), timeout=10) as answer:
            assert answer.status == 200
    assert server.stop() == 0


def test_the_ready_file_tells_where_everything_listens(start_server: Start, tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    server = start_server("--ready-file", str(path))
    facts = json.loads(path.read_text())
    assert facts["pid"] == server.pid
    assert facts["redis"] == {"host": "127.0.0.1", "port": server.port, "unix": server.unix_path}
    assert facts["ui"]["url"] == server.url("ui")
    assert facts["webdav"]["url"] == server.url("webdav")
    server.stop()
    assert not path.exists()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flag, option in (("--port", "redis.tcp_port"), ("--ui-port", "ui.port"), ("--webdav-port", "webdav.port")):
            status, line = refused(tmp_path, flag, port)
            assert status != 0
            assert option in line
            assert port in line
            assert "in use" in line


def test_a_live_unix_socket_is_not_disturbed_and_a_stale_one_is_replaced(start_server: Start, tmp_path: Path) -> None:
    first = start_server("--no-ui", "--no-webdav")
    status, line = refused(tmp_path, "--unix-socket", first.unix_path)
    assert status != 0
    assert first.unix_path in line
    assert redis.Redis(unix_socket_path=first.unix_path).ping()
    first.kill()
    assert Path(first.unix_path).exists()
    second = start_server("--no-ui", "--no-webdav", "--unix-socket", first.unix_path)
    assert redis.Redis(unix_socket_path=first.unix_path).ping()
    assert Path(first.unix_path).stat().st_mode & 0o777 == 0o600
    second.stop()
    assert not Path(first.unix_path).exists()


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "not-a-socket"
    path.write_text("precious")
    status, line = refused(tmp_path, "--unix-socket", str(path))
    assert status != 0
    assert str(path) in line
    assert path.read_text() == "precious"


def test_a_data_folder_that_another_server_holds(start_server: Start, tmp_path: Path) -> None:
    first = start_server("--no-ui", "--no-webdav")
    status, line = refused(tmp_path, "--data-dir", str(first.data_dir))
    assert status != 0
    assert "data_dir" in line
    assert str(first.pid) in line
    assert redis.Redis(port=first.port).execute_command("JOB.CREATE", "t", "x") == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, line = refused(tmp_path, "--data-dir", str(tmp_path / "file" / "data"))
    assert status != 0
    assert "data_dir" in line
    assert "cannot be written" in line


@pytest.mark.parametrize(("arguments", "environment", "parts"), [
    (["--bind", "0.0.0.0"], {}, ["redis.bind", "0.0.0.0", "password"]),
    ([], {"HEROREDIS_UI_BIND": "0.0.0.0"}, ["ui.bind", "password"]),
    ([], {"HEROREDIS_WEBDAV_BIND": "::"}, ["webdav.bind", "password"]),
    (["--workers", "many"], {}, ["jobs.worker_count", "'many'", "--workers"]),
    (["--durability", "maybe"], {}, ["durability", "always"]),
    (["--config", "nowhere.toml"], {}, ["--config", "nowhere.toml"]),
    (["--handlers", "nowhere.py"], {}, ["jobs.handlers", "nowhere.py"]),
])
def test_what_cannot_be_used_is_named_with_the_fix(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], parts: list[str]
) -> None:
    status, line = refused(tmp_path, *arguments, **environment)
    assert status != 0
    for part in parts:
        assert part in line
    assert not (tmp_path / "data" / "jobsdb").exists() or "handlers" in parts[0]


def test_handlers_may_be_in_a_file_called_like_one_of_our_packages(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "from heroredis import Handlers, Job\nmine = Handlers()\n@mine.on('t')\ndef run(job: Job) -> str:\n"
        "    return job.text.upper()\n")
    for spec in ("jobs.py:mine", "jobs:mine"):
        with ServerProcess(tmp_path, ["--no-ui", "--no-webdav", "--handlers", spec]) as server:
            client = redis.Redis(port=server.port)
            job_id = client.execute_command("JOB.CREATE", "t", "loud")
            ended = client.execute_command("JOB.WAIT", job_id, 10_000)
            assert b"LOUD" in (ended.values() if isinstance(ended, dict) else ended)


@pytest.mark.parametrize(("number", "handler"), [
    (signal.SIGTERM, "async def slow(job):\n    await asyncio.Event().wait()\n"),
    (signal.SIGINT, "async def slow(job):\n    await asyncio.Event().wait()\n"),
    (signal.SIGTERM, "def slow(job):\n    threading.Event().wait()\n"),
], ids=["terminated", "interrupted", "in a thread"])
def test_an_orderly_stop_gives_unfinished_jobs_back(
    start_server: Start, tmp_path: Path, number: signal.Signals, handler: str
) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio, threading\nfrom heroredis import Handlers\nhandlers = Handlers()\n@handlers.on('slow')\n"
        + handler)
    arguments = ("--no-ui", "--no-webdav", "--data-dir", str(tmp_path / "kept"))
    server = start_server(*arguments, "--handlers", str(tmp_path / "slow.py"), HEROREDIS_JOBS_GRACE="50ms")
    client = redis.Redis(port=server.port)
    client.execute_command("JOB.CREATE", "slow", "x")
    while client.execute_command("JOB.STATS") not in ([b"new", 0, b"active", 1, b"done", 0, b"error", 0],
                                                      {b"new": 0, b"active": 1, b"done": 0, b"error": 0}):
        pass
    os.kill(server.pid, number)
    assert server.stop() == 0
    again = start_server(*arguments)
    assert redis.Redis(port=again.port).lrange("heroqueue:slow", 0, -1) == [b"1"]


def test_shutdown_by_command_and_reload_by_signal(start_server: Start) -> None:
    server = start_server("--no-ui", "--no-webdav")
    os.kill(server.pid, signal.SIGHUP)
    client = redis.Redis(port=server.port)
    assert client.ping()
    client.shutdown()
    assert server.stop() == 0


def test_a_password_is_asked_for_and_shown_nowhere(start_server: Start) -> None:
    secret = "canary-password-91"
    server = start_server("--no-webdav", HEROREDIS_REDIS_PASSWORD=secret)
    client = redis.Redis(port=server.port)
    with pytest.raises(redis.AuthenticationError):
        client.get("k")
    inside = redis.Redis(port=server.port, password=secret)
    assert inside.set("k", "v")
    seen = repr([inside.config_get("*"), inside.info("all"), inside.client_list(), inside.execute_command("COMMAND")])
    assert secret not in seen
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=server.port, password="wrong").get("k")
    server.stop()
    assert secret not in server.log_path.read_text()


def test_help_and_version_of_the_installed_command() -> None:
    command = shutil.which("heroredis", path=str(Path(sys.executable).parent))
    base = [command] if command else [sys.executable, "-m", "heroredis"]
    for flag, text in (("--help", "--unix-socket"), ("--version", "heroredis 0.1.0")):
        done = subprocess.run([*base, flag], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert text in done.stdout
