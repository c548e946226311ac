"""The clients of jobs.client over a JobBench: the same methods, options and refusals, without a server or a socket.

What they ask goes through the JOB commands themselves. Nothing waits, for the clock of a bench stands still: fetch,
wait and events_after answer what is so at this moment.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from heroredis.extension import (
    NULL_ARRAY,
    Clock,
    Command,
    Committing,
    Context,
    Core,
    Durable,
    Map,
    Parameters,
    RedisError,
    Reply,
    Simple,
    Wait,
)
from jobs.client import AsyncClient, Client, ClientError
from jobs.commands import JobCommands
from jobs.feed import Feed
from jobs.later import Answers
from jobs.manager import JobManager
from jobs.pool_control import PoolControl
from jobs.requests import Request
from jobs.wire import reply_error
from jobs.worker import WorkerPool

T = TypeVar("T")


class AtOnce(Answers):
    """What would be worked out beside is worked out before the command returns."""

    def reply(self, ctx: Context, words: tuple[bytes, ...], work: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
        steps = work()
        try:
            while steps.send(None) is None:  # it lets others have their turn
                pass
        except StopIteration as end:
            return end.value
        raise RuntimeError("a bench has nothing that this could wait for")


class Door:
    """The JOB commands over one manager in memory."""

    def __init__(self, manager: JobManager, pool: WorkerPool, clock: Clock) -> None:
        self._manager: Final = manager
        self._core: Final = Core(clock, Parameters())
        feed = Feed(manager.store, defer, lambda: self._follow(feed), lambda work, done: done(work()), lambda: None)
        manager.feed = feed
        control = PoolControl(manager, pool, lambda: None, lambda token: None)
        self._commands: Final = JobCommands(lambda: manager, lambda: feed, lambda: control, AtOnce())
        self._by_name: Final = {command.name: command for command in self._commands.commands()}

    def _follow(self, feed: Feed) -> None:
        self._manager.on_append = feed.add

    def seat(self, name: str) -> Context:
        """For one more client."""
        client = self._core.new_client("bench", "bench", lambda: None)
        client.name = name.encode()
        return Context(self._core, client)

    def left(self, seat: Context) -> None:
        """A client is closed: jobs that it holds are back in line."""
        self._commands.steering.gone(seat.client)
        self._manager.owner_gone(seat.client.client_id, "server", is_lost=True)

    def answer(self, seat: Context, words: Sequence[bytes]) -> Any:
        """As hiredis reads it from a server's connection; a refusal is a ClientError value."""
        command, arguments = self._found(words)
        if command is None:
            return ClientError("ERR", f"unknown command {words[0].decode('utf-8', 'replace')!r}; the clients of a "
                               "JobBench have the JOB commands, for others start a server")
        if not command.min_args <= len(arguments) <= command.max_args:
            return ClientError("ERR", f"wrong number of arguments for '{command.name.lower()}' command")
        try:
            reply = command.run(seat, *arguments)
        except RedisError as error:
            return reply_error(str(error))
        return as_read(reply.on_timeout if isinstance(reply, Wait) else reply)

    def _found(self, words: Sequence[bytes]) -> tuple[Command | None, Sequence[bytes]]:
        name = words[0].decode("utf-8", "replace").upper()
        if name == "JOB.SCHEDULE" and len(words) > 1:
            return self._by_name.get(f"{name} {words[1].decode('utf-8', 'replace').upper()}"), words[2:]
        return self._by_name.get(name), words[1:]


def as_read(reply: object) -> Any:
    """A command's reply as it comes out at the other end of a connection."""
    if isinstance(reply, Durable):
        return as_read(reply.value)
    if isinstance(reply, Map):
        return {as_read(name): as_read(value) for name, value in reply.pairs}
    if isinstance(reply, list | tuple):
        return [as_read(one) for one in reply]
    if isinstance(reply, Simple):
        return reply.text
    if isinstance(reply, str):
        return reply.encode()
    return None if reply is NULL_ARRAY else reply


def defer(commit: Committing, action: Callable[[], None]) -> None:
    """Without a loop: as soon as the commit is done."""
    commit.add_callback(lambda done: action())


class _Seat:
    """A client's place at the door that is there now: after the bench's restart it is another one."""

    def __init__(self, door: Callable[[], Door], name: str) -> None:
        self._door: Final = door
        self._name: Final = name
        self._taken: tuple[Door, Context] | None = None

    def answer(self, request: Request[Any]) -> Any:
        door = self._door()
        if self._taken is None or self._taken[0] is not door:
            self._taken = door, door.seat(self._name)
        return door.answer(self._taken[1], request.words)

    def leave(self) -> None:
        if self._taken is not None:
            door, context = self._taken
            door.left(context)
            self._taken = None


class BenchClient(Client):
    """`JobBench.client()`."""

    def __init__(self, door: Callable[[], Door], name: str) -> None:
        super().__init__(name=name)
        self._seat: Final = _Seat(door, name)

    def _exchange(self, batch: Sequence[Request[Any]], is_safe: bool) -> list[Any]:
        return [self._seat.answer(request) for request in batch]

    def close(self) -> None:
        self._seat.leave()


class AsyncBenchClient(AsyncClient):
    """`JobBench.async_client()`."""

    def __init__(self, door: Callable[[], Door], name: str) -> None:
        super().__init__(name=name)
        self._seat: Final = _Seat(door, name)

    async def call(self, request: Request[T]) -> T:
        answer = self._seat.answer(request)
        if isinstance(answer, ClientError):
            raise answer
        return request.read(answer)

    async def close(self) -> None:
        self._seat.leave()
