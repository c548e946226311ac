"""What is told when a user's handlers cannot be loaded: what is wrong, and where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from heroredis.loading import LoadError, load_handlers

HEAD = "from heroredis import Handlers\nhandlers = Handlers()\n"


@pytest.mark.parametrize(("text", "told"), [
    ("@handlers.on('mail')\ndef first(x): ...\n@handlers.on('other')\ndef second(x, y): ...\n",
     r"ValueError: parameter 'y' of a handler has no type: .* \(mine.py, line 5\)$"),
    ("@handlers.on('mail', retry=3)\ndef first(x): ...\n", r"keyword argument .*\(mine.py, line 3\)$"),
    ("import json\njson.loads('x')\n", r"JSONDecodeError: .* \(mine.py, line 4\)$"),
    ("import msgspec\nmsgspec.json.decode(b'x', type=int)\n", r"DecodeError: .* \(mine.py, line 4\)$"),
    ("import helper_of_mine\n", r"ZeroDivisionError: division by zero \(helper_of_mine.py, line 2\)$"),
    ("def first(:\n", r"SyntaxError: .*\(mine.py, line 3\)$"),
])
def test_the_line_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.py").write_text(HEAD + text)
    (tmp_path / "helper_of_mine.py").write_text("\n1 / 0\n")
    with pytest.raises(LoadError, match=told):
        load_handlers(str(tmp_path / "mine.py"))
