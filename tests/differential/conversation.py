"""Conversations of several connections, played to both servers: who is told what, and in which order.

A line is `name: COMMAND argument …` (the next reply is read), `name! COMMAND …` (sent, and nothing is read), or
`name<` (one more reply or message is read). What differs by nature (ids, addresses, times) is masked.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

from tests.differential.harness import Tagged, Wire, same

MASKS: Final = ((re.compile(rb"^\d+\.\d{6} \[(\d+) \S+\]"), rb"<time> [\1 <addr>]"),)


def masked(reply: object) -> object:
    if isinstance(reply, list):
        return [masked(item) for item in reply]
    if isinstance(reply, Tagged) and isinstance(reply.value, list):
        return Tagged(reply.marker, masked(reply.value))
    if isinstance(reply, tuple):
        return tuple(masked(item) for item in reply)
    if isinstance(reply, bytes):
        text = bytes(reply)
        for pattern, instead in MASKS:
            text = pattern.sub(instead, text)
        return type(reply)(text)
    return reply


class Conversation:
    """Connections by name; `{name}` in an argument is the id of that connection."""

    def __init__(self, path: str, resp: dict[str, int]) -> None:
        self._path: Final = path
        self._resp: Final = resp
        self._wires: Final[dict[str, Wire]] = {}
        self._ids: Final[dict[str, bytes]] = {}

    def wire(self, name: str) -> Wire:
        if name not in self._wires:
            wire = Wire(self._path, self._resp.get(name, 2))
            self._wires[name] = wire
            number = wire.call("CLIENT", "ID")
            self._ids[name] = b"%d" % number if isinstance(number, int) else b""
        return self._wires[name]

    def play(self, lines: list[str]) -> list[object]:
        told: list[object] = []
        for line in lines:
            self.wire(re.split(r"[:!<]", line, maxsplit=1)[0])
        for line in lines:
            name, kind, rest = re.split(r"([:!<])", line, maxsplit=1)
            wire = self.wire(name)
            if kind == "<":
                told.append(masked(wire.read()))
                continue
            request = []
            for word in shlex.split(rest):
                found = re.fullmatch(r"\{(\w+)\}", word)
                request.append(self._ids[found.group(1)] if found else word.encode("latin-1"))
            wire.send(*request)
            if kind == ":":
                told.append(masked(wire.read()))
        return told

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()


def compare(both: tuple[str, str], lines: list[str], **resp: int) -> list[object]:
    """Play it to both; the real server's answers. AssertionError at the first difference."""
    answers = []
    for path in both:
        conversation = Conversation(path, resp)
        try:
            answers.append(conversation.play(lines))
        finally:
            conversation.close()
    steps = [line for line in lines if "!" not in line.split(" ")[0]]
    for step, real, ours in zip(steps, *answers, strict=True):
        assert same(real, ours), f"{step}\n  real: {real!r}\n  ours: {ours!r}"
    return answers[0]


