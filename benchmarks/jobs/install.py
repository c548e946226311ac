"""Environments of the peers: one virtual environment each, since their demands on redis-py exclude one another; BullMQ
with npm. They stand in `.bench/` and are made once. What cannot be had is said loudly and left out."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.jobs.peers import Peer, environment_name

ROOT: Final = Path(__file__).parents[2]
BROKERS: Final = {"redis": "redis-server", "beanstalkd": "beanstalkd", "sqlite": "", "heroredis": ""}
"""The program of a broker, which is also the name of its Debian package."""
MARK: Final = ".installed"
TIMEOUT_S: Final = 600


def home() -> Path:
    """HEROREDIS_BENCH_DIR or `.bench` in the project's root."""
    return Path(os.environ.get("HEROREDIS_BENCH_DIR") or ROOT / ".bench")


def environment(peer: Peer) -> Path:
    return home() / environment_name(peer)


class Missing(Exception):
    """A peer cannot take part; the message says why."""


def interpreter(peer: Peer) -> list[str]:
    """The command that runs a peer's program. Installs what it needs; raises Missing."""
    _have_broker(peer)
    if peer.is_own:
        return [sys.executable, str(peer.program)]
    folder = environment(peer)
    mark = folder / MARK
    wanted = hashlib.sha256(" ".join(peer.packages).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"installing {', '.join(peer.packages)} for {peer.name}", flush=True)
        (_npm if peer.is_node else _pip)(folder, peer.packages)
        mark.write_text(wanted)
    if peer.is_node:
        return [_found("node"), str(peer.program)]
    return [str(folder / "bin" / "python"), str(peer.program)]


def versions(peer: Peer) -> str:
    """Name and version of a peer's own package, as installed."""
    folder = environment(peer)
    if peer.is_own:
        done = _run([BROKERS[peer.broker], "-v"]) if BROKERS[peer.broker] else ""
        return done.strip()
    if peer.is_node:
        return _run(["node", "-p", "'bullmq ' + require('bullmq/package.json').version"], folder).strip()
    name = peer.packages[0].partition(">")[0].partition("[")[0]
    script = f"import importlib.metadata as m; print({name!r}, m.version({name!r}))"
    return _run([str(folder / "bin" / "python"), "-c", script]).strip()


def _have_broker(peer: Peer) -> None:
    program = BROKERS[peer.broker]
    if not program or shutil.which(program):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing the Debian package {program}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", program], env=environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
    if not shutil.which(program):
        raise Missing(f"{program} is not installed and could not be: apt-get install {program}")


def _pip(folder: Path, packages: tuple[str, ...]) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages])


def _npm(folder: Path, packages: tuple[str, ...]) -> None:
    _found("node")
    _run([_found("npm"), "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages])


def _found(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def _run(command: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"{' '.join(command[:4])} … failed: {''.join(last)}")
    return done.stdout
