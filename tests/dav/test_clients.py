"""The clients that people use: curl, cadaver, rclone, and litmus as the judge of the protocol."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from heroredis.testing import ServerProcess
from tests.conftest import need


def run(*command: str, folder: Path, text: str | None = None) -> str:
    done = subprocess.run(command, cwd=folder, input=text, text=True, capture_output=True, timeout=120, check=False)
    return done.stdout + done.stderr


def test_curl_round_trip(share: ServerProcess, tmp_path: Path) -> None:
    url = share.url("webdav")
    (tmp_path / "up.txt").write_text("by curl")
    run(need("curl"), "-s", "-f", "-T", "up.txt", f"{url}files/curl.txt", folder=tmp_path)
    assert run(need("curl"), "-s", "-f", f"{url}files/curl.txt", folder=tmp_path) == "by curl"
    assert '"result":"hi"' in run(need("curl"), "-s", "-f", f"{url}jobs/echo/done/1.json", folder=tmp_path)


def test_cadaver_session(share: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "up.txt").write_text("by cadaver")
    commands = "mkcol cadaver\ncd cadaver\nput up.txt\nget up.txt down.txt\nls\ncd /jobs/echo/done\nls\nquit\n"
    output = run(need("cadaver"), share.url("webdav") + "files/", folder=tmp_path, text=commands)
    assert (tmp_path / "down.txt").read_text() == "by cadaver", output
    assert "up.txt" in output
    assert "1.json" in output


def test_rclone_copies_both_ways(share: ServerProcess, tmp_path: Path) -> None:
    remote = f":webdav,url='{share.url('webdav')}':"
    source = tmp_path / "source"
    source.mkdir()
    for number in range(5):
        (source / f"file {number}.txt").write_text(f"content {number}")
    rclone = need("rclone")
    run(rclone, "copy", str(source), f"{remote}files/rclone", folder=tmp_path)
    run(rclone, "copy", f"{remote}files/rclone", str(tmp_path / "back"), folder=tmp_path)
    assert {path.name: path.read_text() for path in (tmp_path / "back").iterdir()} == {
        path.name: path.read_text() for path in source.iterdir()}
    run(rclone, "copy", f"{remote}jobs/echo/all", str(tmp_path / "jobs"), folder=tmp_path)
    assert '"state":"done"' in (tmp_path / "jobs" / "1.json").read_text()


@pytest.mark.parametrize("suite", ["basic", "copymove", "props", "locks"])
def test_litmus(share: ServerProcess, tmp_path: Path, suite: str) -> None:
    folder = share.data_dir / "files" / suite
    folder.mkdir(exist_ok=True)
    output = subprocess.run([need("litmus"), share.url("webdav") + f"files/{suite}/"], cwd=tmp_path, text=True,
                            capture_output=True, timeout=120, check=False,
                            env={"TESTS": suite, "PATH": "/usr/bin:/bin"})
    assert "100.0%" in output.stdout, output.stdout
