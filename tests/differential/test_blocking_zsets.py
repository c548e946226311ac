"""Commands that wait for a member of a sorted set, on both servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.differential.harness import same
from tests.differential.test_blocking import Scene


def both_ends(scene: Scene) -> None:
    scene.wait("least", "BZPOPMIN", "z", 0)
    scene.wait("greatest", "BZPOPMAX", "z", 0)
    scene.wait("late", "BZPOPMIN", "z", 0)
    scene.do("adder", "ZADD", "z", 2, "two", 1, "one", "3.25", "three")
    scene.served("least", "greatest", "late")
    scene.do("adder", "EXISTS", "z")
    scene.end()


def first_key_that_has_one(scene: Scene) -> None:
    scene.do("adder", "ZADD", "c", 1, "x")
    scene.do("adder", "ZADD", "b", 2, "y")
    scene.do("reader", "BZPOPMIN", "a", "b", "c", 0)
    scene.do("reader", "BZPOPMAX", "a", "b", "c", 0)
    scene.do("reader", "BZMPOP", 0, 2, "a", "b", "MIN", "COUNT", 0)
    scene.wait("reader", "BZPOPMIN", "a", "b", "b", 0)
    scene.together("adder", ("ZADD", "b", "1", "x"), ("ZADD", "a", "2", "y"))
    scene.served("reader")
    scene.end()


def several_at_once(scene: Scene) -> None:
    scene.wait("many", "BZMPOP", 0, 2, "a", "b", "MAX", "COUNT", 2)
    scene.wait("rest", "BZMPOP", 0, 1, "b", "MIN", "COUNT", 10)
    scene.wait("late", "BZPOPMIN", "b", 0)
    scene.do("adder", "ZADD", "b", 1, "1", 2, "2", 3, "3", 4, "4")
    scene.served("many", "rest")
    scene.do("adder", "ZINCRBY", "b", 5, "5")
    scene.served("late")
    scene.end()


def woken_by_other_commands(scene: Scene) -> None:
    scene.do("adder", "ZADD", "source", 1, "1", 2, "2", 3, "3")
    for name, command in (("renamed", ("RENAME", "source", "target")), ("copied", ("COPY", "target", "target2")),
                          ("stored", ("ZRANGESTORE", "target3", "target", 0, -1)),
                          ("united", ("ZUNIONSTORE", "target4", 1, "target")),
                          ("common", ("ZINTERSTORE", "target5", 1, "target")),
                          ("different", ("ZDIFFSTORE", "target6", 1, "target"))):
        place = next(str(word) for word in command[1:] if str(word).startswith("target"))
        place = "target2" if name == "copied" else place
        scene.wait(name, "BZPOPMIN", place, 0)
        scene.do("adder", *command)
        scene.served(name)
    scene.end()


def wrong_types(scene: Scene) -> None:
    scene.wait("patient", "BZPOPMIN", "z", 0)
    scene.wait("list", "BLPOP", "z", 0)
    scene.do("adder", "SADD", "z", "member")
    scene.do("adder", "BZPOPMIN", "z", 0)
    scene.do("adder", "BZMPOP", 0, 1, "z", "MIN")
    scene.do("adder", "DEL", "z")
    scene.do("adder", "RPUSH", "z", "element")
    scene.served("list")
    scene.do("adder", "ZADD", "z", 1, "x")
    scene.served("patient")
    scene.end()


def gone_before_the_end_of_the_transaction(scene: Scene) -> None:
    scene.wait("waiter", "BZPOPMIN", "z", 0)
    scene.together("adder", ("ZADD", "z", 1, "a"), ("DEL", "z"))
    scene.expect_waiting(1)
    scene.together("adder", ("ZADD", "z", 1, "a", 2, "b"), ("ZPOPMIN", "z"))
    scene.served("waiter")
    scene.end()


def timeouts(scene: Scene) -> None:
    for command in (("BZPOPMIN", "z", "0.01"), ("BZPOPMAX", "z", "y", "0.001"),
                    ("BZMPOP", "0.01", 2, "z", "y", "MIN", "COUNT", 3)):
        scene.do("waiter", *command)
        scene.together("waiter", (command[0], *("0" if part in ("0.01", "0.001") else part for part in command[1:])))
    scene.expect_waiting(0)
    scene.end()


SCENES: Final[list[Callable[[Scene], None]]] = [
    both_ends, first_key_that_has_one, several_at_once, woken_by_other_commands, wrong_types,
    gone_before_the_end_of_the_transaction, timeouts,
]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
def test_scene(both: tuple[str, str], play: Callable[[Scene], None], resp: int) -> None:
    logs = []
    for path in both:
        scene = Scene(path, resp)
        play(scene)
        logs.append(scene.log)
    for number, (real, ours) in enumerate(zip(*logs, strict=True)):
        assert same(real, ours), f"step {number}\n  real: {real!r}\n  ours: {ours!r}\n  before: {logs[0][:number]!r}"
