"""redis-cli and redis-benchmark as they come from Debian."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from heroredis.testing import ServerProcess

BENCHMARK_TESTS = "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,hset,lrange_100,mset"


def _cli(server: ServerProcess, *arguments: str, text: str | None = None) -> str:
    done = subprocess.run(["redis-cli", "-p", str(server.port), *arguments], input=text, text=True,
                          capture_output=True, timeout=30, check=True)
    return done.stdout


def _read_until(terminal: int, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end):
        chunk = os.read(terminal, 4096)
        if not chunk:
            break
        seen += chunk
    return seen


@pytest.mark.usefixtures("redis_cli")
def test_one_shot_commands(heroredis_server: ServerProcess) -> None:
    assert _cli(heroredis_server, "SET", "cli:a", "1") == "OK\n"
    assert _cli(heroredis_server, "-3", "HSET", "cli:h", "f", "v") == "1\n"
    assert _cli(heroredis_server, "-3", "--no-raw", "HGETALL", "cli:h") == '1# "f" => "v"\n'
    assert _cli(heroredis_server, "-u", f"redis://127.0.0.1:{heroredis_server.port}/0", "GET", "cli:a") == "1\n"


@pytest.mark.usefixtures("redis_cli")
@pytest.mark.parametrize("words", ["MEMORY DOCTOR", "MEMORY MALLOC-STATS", "LATENCY DOCTOR", "LATENCY GRAPH command",
                                   "LOLWUT", "INFO server", "CLIENT LIST"])
def test_texts_that_redis_cli_shows_as_they_are_end_their_line(heroredis_server: ServerProcess, words: str) -> None:
    assert _cli(heroredis_server, *words.split()).endswith("\n")


@pytest.mark.usefixtures("redis_cli")
def test_scan_and_pipe_modes(heroredis_server: ServerProcess) -> None:
    commands = "".join(f"SET pipe:{number} {number}\r\n" for number in range(300))
    assert "errors: 0, replies: 300" in _cli(heroredis_server, "--pipe", text=commands)
    found = _cli(heroredis_server, "--scan", "--pattern", "pipe:*").split()
    assert sorted(found) == sorted(f"pipe:{number}" for number in range(300))


@pytest.mark.usefixtures("redis_cli")
def test_interactive_session_on_a_terminal(heroredis_server: ServerProcess) -> None:
    prompt = f"127.0.0.1:{heroredis_server.port}> ".encode()
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "dumb"
        os.execvp("redis-cli", ["redis-cli", "-p", str(heroredis_server.port)])
    try:
        _read_until(terminal, prompt)
        os.write(terminal, b"SET typed yes\n")
        assert b"OK" in _read_until(terminal, prompt)
        os.write(terminal, b"MULTI\n")
        in_transaction = prompt[:-2] + b"(TX)> "
        assert b"OK" in _read_until(terminal, in_transaction)
        os.write(terminal, b"GET typed\n")
        assert b"QUEUED" in _read_until(terminal, in_transaction)
        os.write(terminal, b"EXEC\n")
        assert b'1) "yes"' in _read_until(terminal, prompt)
        os.write(terminal, b"quit\n")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


@pytest.mark.usefixtures("redis_benchmark")
@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_redis_benchmark_runs_without_an_error(heroredis_server: ServerProcess, pipeline: str) -> None:
    done = subprocess.run(["redis-benchmark", "-p", str(heroredis_server.port), "-n", "2000", "-P", pipeline,
                           "-t", BENCHMARK_TESTS, "--csv"],
                          text=True, capture_output=True, timeout=120, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith('"') and "rps" not in line]
    assert len(rows) >= 12
    assert "error" not in (done.stdout + done.stderr).lower()
