"""The syntax line of a command and what COMMAND DOCS makes of it."""

from __future__ import annotations

import pytest

from heroredis.syntax import Argument, parse
from jobs.declared import TABLE


def told(argument: Argument) -> str:
    parts = "(" + " ".join(told(part) for part in argument.parts) + ")" if argument.parts else ""
    return f"{argument.name}:{argument.kind}{':' + argument.token if argument.token else ''}{parts}" + (
        "?" if argument.optional else "") + ("*" if argument.multiple else "")


@pytest.mark.parametrize(("line", "expected"), [
    ("", ""), ("id state", "id:integer state:string"), ("topic params [params ...]", "topic:string params:string*"),
    ("[DELAY ms | AT ms] [TAG t]*", "ms:oneof(ms:integer:DELAY ms:integer:AT)? tag:string:TAG?*"),
    ("[UNIQUE key [TTL ms]]", "key:block(key:string:UNIQUE ms:integer:TTL?)?"),
    ("id error [DEAD] [PRIORITY 0-255]", "id:integer error:string dead:pure-token:DEAD? priority:integer:PRIORITY?"),
    ("name (CRON expr | EVERY ms)", "name:string expr:oneof(expr:string:CRON ms:integer:EVERY)"),
    ("count topic [topic ...] [LEASE ms]", "count:integer topic:string* ms:integer:LEASE?"),
])
def test_lines(line: str, expected: str) -> None:
    assert " ".join(told(argument) for argument in parse(line)) == expected


@pytest.mark.parametrize("line", ["[a", "a]", "(a | b", "a | b"])
def test_brackets_that_do_not_fit(line: str) -> None:
    with pytest.raises(ValueError, match="bracket"):
        parse(line)


@pytest.mark.parametrize("name", TABLE)
def test_every_job_command_can_be_told(name: str) -> None:
    assert all(argument.name for argument in parse(TABLE[name][0]))
