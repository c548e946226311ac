"""docs/protocol.md against the declarations: every command with its syntax, every refusal with its first word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.declared import TABLE

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLE)
def test_every_command_stands_there_with_its_syntax_summary_cost_and_answers(name: str) -> None:
    section = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    syntax, summary, _, cost = TABLE[name]
    assert f"`{f'{name} {syntax}'.strip()}`" in section[1]
    assert f"{summary} {cost}." in section[1]
    assert "| answer | when |" in section[1]


def test_no_section_is_about_a_command_that_does_not_exist() -> None:
    assert set(re.findall(r"^### (JOB\..*)$", PAGE, re.MULTILINE)) == set(TABLE)
