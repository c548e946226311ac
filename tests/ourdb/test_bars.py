"""The progress bars, on a terminal; nothing of them where nobody watches."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pytest

from ourdb import OurDB
from tests.ourdb.test_legacy import Original

ROOT = Path(__file__).parents[2]
BAR = re.compile(r"\r(\w+) \[([#.]{30})\] +(\d+)%")


def on_a_terminal(*arguments: str, watched: bool = True) -> tuple[str, str]:
    """What the command shows on its standard error, a terminal or a pipe, and prints on its standard output."""
    outer, inner = os.openpty() if watched else os.pipe()
    if watched:  # the terminal changes nothing in what is written
        flags = termios.tcgetattr(inner)
        flags[1] &= ~termios.OPOST
        termios.tcsetattr(inner, termios.TCSANOW, flags)
    shown = bytearray()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen([sys.executable, "-m", "ourdb.cli", *arguments], cwd=ROOT, stdout=printed,
                                   stderr=inner)
        os.close(inner)
        with contextlib.suppress(OSError):  # how Linux tells that nobody writes to a terminal any more
            while piece := os.read(outer, 65536):
                shown += piece
        os.close(outer)
        process.wait(timeout=60)
        printed.seek(0)
        return shown.decode(), printed.read()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars") / "db"
    with OurDB(folder, "no") as db:
        for number in range(30_000):
            db.append(b"value %d" % number * 4, number % 20_000 + 1)
        db.flush()
    return folder


COMMANDS = {"check": ["check"], "stats": ["read"], "dump": ["dump"], "dump --live": ["dump"],
            "repair": ["repair"], "backup": ["backup", "verify"], "compact": ["compact"], "import": ["import"]}


def arguments_of(command: str, store: Path, folder: Path) -> list[str]:
    if command in ("repair", "backup"):
        return [command, str(store), str(folder / "target")]
    if command == "import":
        original = Original(folder / "old", 4)
        for number in range(3000):
            original.set(b"value %d" % number)
        return [command, str(original.save()), str(folder / "target")]
    if command == "compact":
        with OurDB(store, read_only=True) as db:
            db.backup(folder / "copy")
        return [command, str(folder / "copy"), "--versions", "1"]
    name, *flags = command.split()
    return [name, str(store), *flags]


@pytest.mark.parametrize("command", COMMANDS)
def test_long_work_shows_how_far_it_is(command: str, store: Path, tmp_path: Path) -> None:
    shown, printed = on_a_terminal(*arguments_of(command, store, tmp_path))
    steps = [(label, bar.count("#"), int(percent)) for label, bar, percent in BAR.findall(shown)]
    assert BAR.sub("", shown).strip() == ""
    assert [label for label, _, percent in steps if percent == 100] == COMMANDS[command]
    assert all(filled == percent * 30 // 100 for _, filled, percent in steps if percent in (0, 100))
    for label in COMMANDS[command]:
        done = [percent for name, _, percent in steps if name == label]
        assert done == sorted(done)
    assert shown.endswith("100%\n")
    assert printed


@pytest.mark.parametrize("command", ["check", "dump", "backup"])
def test_no_bar_where_nobody_watches_or_nobody_wants_it(command: str, store: Path, tmp_path: Path) -> None:
    arguments = arguments_of(command, store, tmp_path)
    assert on_a_terminal(*arguments, watched=False)[0] == ""
    assert on_a_terminal("--quiet", *arguments)[0] == ""
