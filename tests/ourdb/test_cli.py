"""The command `ourdb`, as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ourdb import OurDB
from ourdb.cli import main


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "db"
    with OurDB(folder, clock=lambda: 1_700_000_000_000) as db:
        db.set("größer".encode())
        db.set(b"\xff\xfe")
        db.set(b"second", id=1)
        db.delete(2)
    return folder


def test_check_says_that_all_is_well(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(store)]) == 0
    assert capsys.readouterr().out == "4 records in 1 files, 1 living ids, 0 faults\n"


def test_check_names_faults_and_fails(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = store / "000001.db"
    data = bytearray(path.read_bytes())
    data[150] ^= 1
    path.write_bytes(data)
    assert main(["check", str(store)]) == 1
    assert "fault: 000001.db offset 128" in capsys.readouterr().out


def test_dump_is_json_lines(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", str(store)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"lsn": 1, "id": 1, "time": 1_700_000_000_000, "data": "größer"}
    assert [line.get("base64") for line in lines] == [None, "//4=", None, None]
    assert lines[3]["deleted"] is True
    assert main(["dump", str(store), "--since", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["dump", str(store), "--live"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": 1, "data": "second"}


def test_stats(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(store), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["records"], facts["living_ids"], facts["next_id"], facts["tombstones"]) == (4, 1, 3, 1)
    assert main(["stats", str(store)]) == 0
    assert "living ids" in capsys.readouterr().out


def test_a_wrong_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_status:
        main(["check", str(tmp_path / "nowhere")])
    assert exit_status.value.code == 2
    assert "there is no store in" in capsys.readouterr().err
