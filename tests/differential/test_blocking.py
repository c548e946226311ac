"""Commands that wait, on both servers: who is served when, with what, and who goes on waiting.

A scene is played on each server alone; what it wrote down must be the same. It never sleeps: it asks the server how
many clients wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.differential.harness import Argument, Wire, blocked_clients, same, until


class Scene:
    """Connections by name, and a log of what they were told."""

    def __init__(self, path: str, resp: int) -> None:
        self.log: Final[list[object]] = []
        self.waiting = 0
        self._path: Final = path
        self._resp: Final = resp
        self._wires: Final[dict[str, Wire]] = {}
        self.expect_waiting(0)

    def wire(self, name: str) -> Wire:
        if name not in self._wires:
            self._wires[name] = Wire(self._path, self._resp)
        return self._wires[name]

    def expect_waiting(self, count: int) -> None:
        self.waiting = count
        until(lambda: blocked_clients(self._path) == count,
              f"{count} clients should wait on {self._path}, {blocked_clients(self._path)} do; so far: {self.log}")

    def wait(self, name: str, *arguments: Argument) -> None:
        """Send a command that has to wait."""
        self.wire(name).send(*arguments)
        self.expect_waiting(self.waiting + 1)

    def do(self, name: str, *arguments: Argument) -> object:
        reply = self.wire(name).call(*arguments)
        self.log.append((name, reply))
        return reply

    def together(self, name: str, *commands: tuple[Argument, ...]) -> None:
        """As one transaction."""
        for command in (("MULTI",), *commands, ("EXEC",)):
            self.do(name, *command)

    def served(self, *names: str) -> None:
        """These clients, and no others, wait no more; their answers are written down."""
        for name in names:
            self.log.append((name, self.wire(name).read()))
        self.expect_waiting(self.waiting - len(names))

    def client_id(self, name: str) -> int:
        number = self.wire(name).call("CLIENT", "ID")
        assert isinstance(number, int), number
        return number

    def leave(self, name: str) -> None:
        self._wires.pop(name).close()
        self.expect_waiting(self.waiting - 1)

    def end(self, *keys: str) -> None:
        """What is left in the lists."""
        for key in keys:
            self.do("end", "LRANGE", key, 0, -1)
        for wire in self._wires.values():
            wire.close()
        self.expect_waiting(0)


def fifo(scene: Scene) -> None:
    for name in ("first", "second", "third"):
        scene.wait(name, "BLPOP", "q", 0)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.served("first")
    scene.do("pusher", "RPUSH", "q", "2", "3", "4")
    scene.served("second", "third")
    scene.end("q")


def both_ends(scene: Scene) -> None:
    scene.wait("left", "BLPOP", "q", 0)
    scene.wait("right", "BRPOP", "q", 0)
    scene.do("pusher", "LPUSH", "q", "1", "2", "3")
    scene.served("left", "right")
    scene.end("q")


def first_key_that_has_one(scene: Scene) -> None:
    scene.do("pusher", "RPUSH", "c", "1")
    scene.do("pusher", "RPUSH", "b", "2")
    scene.do("reader", "BLPOP", "a", "b", "c", 0)
    scene.do("reader", "BRPOP", "a", "b", "c", 0)
    scene.do("reader", "BLMPOP", 0, 2, "a", "b", "LEFT", "COUNT", 0)
    scene.wait("reader", "BLPOP", "a", "b", "b", "a", 0)
    scene.do("pusher", "RPUSH", "b", "3", "4")
    scene.served("reader")
    scene.end("a", "b", "c")


def many_keys_in_one_transaction(scene: Scene) -> None:
    scene.wait("any", "BLPOP", "a", "b", "c", 0)
    scene.together("pusher", ("RPUSH", "c", "1"), ("RPUSH", "a", "2"), ("RPUSH", "b", "3"))
    scene.served("any")
    scene.end("a", "b", "c")


def two_waiters_and_two_keys(scene: Scene) -> None:
    scene.wait("any", "BLPOP", "a", "b", 0)
    scene.wait("only b", "BLPOP", "b", 0)
    scene.wait("only a", "BLPOP", "a", 0)
    scene.together("pusher", ("RPUSH", "b", "1"), ("RPUSH", "a", "2"))
    scene.served("any", "only a")
    scene.end("a", "b")


def chain_of_moves(scene: Scene) -> None:
    scene.wait("last", "BLPOP", "c", 0)
    scene.wait("second", "BLMOVE", "b", "c", "LEFT", "RIGHT", 0)
    scene.wait("first", "BRPOPLPUSH", "a", "b", 0)
    scene.do("pusher", "RPUSH", "a", "1", "2")
    scene.served("first", "second", "last")
    scene.end("a", "b", "c")


def circle_of_moves(scene: Scene) -> None:
    scene.wait("there", "BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
    scene.wait("back", "BLMOVE", "b", "a", "LEFT", "RIGHT", 0)
    scene.do("pusher", "RPUSH", "a", "1", "2")
    scene.served("there", "back")
    scene.wait("same", "BLMOVE", "s", "s", "LEFT", "RIGHT", 0)
    scene.do("pusher", "RPUSH", "s", "1", "2")
    scene.served("same")
    scene.end("a", "b", "s")


def several_at_once(scene: Scene) -> None:
    scene.wait("many", "BLMPOP", 0, 2, "a", "b", "RIGHT", "COUNT", 2)
    scene.wait("rest", "BLMPOP", 0, 1, "b", "LEFT", "COUNT", 10)
    scene.wait("late", "BLPOP", "b", 0)
    scene.do("pusher", "RPUSH", "b", "1", "2", "3", "4", "5")
    scene.served("many", "rest")
    scene.end("a", "b")


def woken_by_other_commands(scene: Scene) -> None:
    scene.do("pusher", "RPUSH", "source", "1", "2", "3", "4")
    scene.wait("renamed", "BLPOP", "r", 0)
    scene.do("pusher", "RENAME", "source", "r")
    scene.served("renamed")
    scene.wait("moved", "BLPOP", "m", 0)
    scene.do("pusher", "LMOVE", "r", "m", "LEFT", "LEFT")
    scene.served("moved")
    scene.wait("copied", "BLPOP", "k", 0)
    scene.do("pusher", "COPY", "r", "k")
    scene.served("copied")
    scene.wait("inserted", "BLPOP", "n", 0)
    scene.do("pusher", "RENAMENX", "k", "n")
    scene.served("inserted")
    scene.end("source", "r", "m", "k", "n")


def woken_from_another_database(scene: Scene) -> None:
    scene.do("other", "SELECT", 1)
    scene.do("other", "RPUSH", "q", "from 1")
    scene.do("other", "RPUSH", "p", "swapped")
    scene.wait("moved", "BLPOP", "q", 0)
    scene.wait("swapped", "BLPOP", "p", 0)
    scene.do("other", "MOVE", "q", 0)
    scene.served("moved")
    scene.do("other", "SWAPDB", 0, 1)
    scene.served("swapped")
    scene.wait("here", "BLPOP", "q", 0)
    scene.do("other", "RPUSH", "q", "in database 1")
    scene.do("pusher", "RPUSH", "q", "in database 0")
    scene.served("here")
    scene.end("q", "p")


def wrong_types(scene: Scene) -> None:
    scene.wait("patient", "BLPOP", "q", 0)
    scene.do("pusher", "SET", "q", "a string")
    scene.expect_waiting(1)
    scene.do("other", "BLPOP", "q", 0)
    scene.do("pusher", "DEL", "q")
    scene.wait("mover", "BLMOVE", "p", "d", "LEFT", "LEFT", 0)
    scene.do("pusher", "HSET", "d", "field", "value")
    scene.do("pusher", "RPUSH", "p", "1")
    scene.served("mover")
    scene.do("pusher", "RPUSH", "q", "2")
    scene.served("patient")
    scene.end("p", "q")


def a_failing_waiter_leaves_it_to_the_next(scene: Scene) -> None:
    scene.do("pusher", "SET", "d", "a string")
    scene.wait("mover", "BLMOVE", "q", "d", "LEFT", "LEFT", 0)
    scene.wait("popper", "BLPOP", "q", 0)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.served("mover", "popper")
    scene.end("q")


def gone_before_the_end_of_the_transaction(scene: Scene) -> None:
    scene.wait("waiter", "BLPOP", "q", 0)
    scene.together("pusher", ("RPUSH", "q", "1"), ("DEL", "q"))
    scene.expect_waiting(1)
    scene.together("pusher", ("RPUSH", "q", "1", "2"), ("LPOP", "q"))
    scene.served("waiter")
    scene.wait("waiter", "BLPOP", "q", 0)
    scene.together("pusher", ("RPUSH", "q", "1"), ("SET", "q", "no list"))
    scene.expect_waiting(1)
    scene.do("pusher", "FLUSHALL")
    scene.expect_waiting(1)
    scene.together("pusher", ("SET", "q", "x"), ("DEL", "q"), ("RPUSH", "q", "3"))
    scene.served("waiter")
    scene.end("q")


def timeouts(scene: Scene) -> None:
    for command in (("BLPOP", "q", "0.01"), ("BRPOP", "q", "r", "0.001"), ("BLMOVE", "q", "r", "LEFT", "LEFT", "0.01"),
                    ("BRPOPLPUSH", "q", "r", "0.01"), ("BLMPOP", "0.01", 2, "q", "r", "LEFT", "COUNT", 3)):
        scene.do("waiter", *command)
        scene.together("waiter", (command[0], *("0" if part in ("0.01", "0.001") else part for part in command[1:])))
    scene.expect_waiting(0)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.end("q", "r")


def unblocked(scene: Scene) -> None:
    number = scene.client_id("waiter")
    scene.do("other", "CLIENT", "UNBLOCK", number)
    for reason in ((), ("TIMEOUT",), ("ERROR",), ("error",)):
        for command in (("BLPOP", "q", 0), ("BLMOVE", "q", "r", "LEFT", "LEFT", 0), ("BLMPOP", 0, 1, "q", "LEFT")):
            scene.wait("waiter", *command)
            scene.do("other", "CLIENT", "UNBLOCK", number, *reason)
            scene.served("waiter")
    scene.do("other", "CLIENT", "UNBLOCK", number)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.end("q")


def pipelined_behind_a_wait(scene: Scene) -> None:
    wire = scene.wire("waiter")
    wire.send("BLPOP", "q", 0)
    wire.send("PING", "behind")
    wire.send("BLPOP", "q", 0)
    wire.send("LLEN", "q")
    scene.expect_waiting(1)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.log.extend([wire.read(), wire.read()])
    scene.expect_waiting(1)
    scene.do("pusher", "RPUSH", "q", "2", "3")
    scene.log.extend([wire.read(), wire.read()])
    scene.expect_waiting(0)
    scene.end("q")


def gone_while_waiting(scene: Scene) -> None:
    killed = scene.client_id("killed")
    scene.wait("gone", "BLPOP", "q", 0)
    scene.wait("killed", "BLPOP", "q", 0)
    scene.wait("stays", "BLPOP", "q", 0)
    scene.leave("gone")
    scene.do("killer", "CLIENT", "KILL", "ID", killed)
    assert scene.wire("killed").at_end()
    scene.expect_waiting(1)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.served("stays")
    scene.end("q")


def a_served_pop_breaks_a_watch(scene: Scene) -> None:
    scene.do("watcher", "WATCH", "target")
    scene.wait("mover", "BLMOVE", "q", "target", "LEFT", "LEFT", 0)
    scene.do("pusher", "RPUSH", "q", "1")
    scene.served("mover")
    scene.together("watcher", ("PING",))
    scene.end("q", "target")


def over_before_the_end_of_the_transaction(scene: Scene) -> None:
    scene.wait("reader", "BLPOP", "q", 0)
    scene.together("pusher", ("RPUSH", "q", "1"), ("PEXPIRE", "q", 20), ("DEBUG", "SLEEP", "0.05"))
    scene.expect_waiting(1)
    scene.do("pusher", "RPUSH", "q", "2")
    scene.served("reader")
    scene.end("q")


SCENES: Final[list[Callable[[Scene], None]]] = [
    fifo, both_ends, first_key_that_has_one, many_keys_in_one_transaction, two_waiters_and_two_keys, chain_of_moves,
    circle_of_moves, several_at_once, woken_by_other_commands, woken_from_another_database, wrong_types,
    a_failing_waiter_leaves_it_to_the_next, gone_before_the_end_of_the_transaction, timeouts, unblocked,
    pipelined_behind_a_wait, gone_while_waiting, a_served_pop_breaks_a_watch, over_before_the_end_of_the_transaction,
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
