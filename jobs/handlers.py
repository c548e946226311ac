"""Handlers: the functions that do the work of a topic, and how their arguments and results are read."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection
from types import CodeType
from typing import Any, Final

from jobs.job import Job, params_bytes
from jobs.job_record import DEFAULT_BACKOFF
from jobs.middleware import Middleware, Stack
from jobs.payload import readers, target_of
from jobs.retry import check_backoff
from jobs.run import Run

Function = Callable[..., Any]
Backoff = Callable[[int, BaseException], float]
PROCESS: Final = "process"


class Handler:
    """One topic's function. `timeout` in seconds, 0 = none."""

    def __init__(self, topic: str, function: Function, retries: int, timeout: float,
                 backoff: str | Backoff = DEFAULT_BACKOFF, isolation: str = "") -> None:
        self.topic: Final = topic
        self.function: Final = function
        self.retries: Final = retries
        self.timeout: Final = timeout
        self.backoff: Final = backoff if isinstance(backoff, str) else DEFAULT_BACKOFF
        self.own_backoff: Final = self.backoff if self.backoff != DEFAULT_BACKOFF else ""
        self.wait_after: Final = None if isinstance(backoff, str) else backoff
        """The program's own backoff: seconds to wait after (number of the failed attempt, its error)."""
        self.is_isolated: Final = isolation == PROCESS
        """Whether it runs in a worker process."""
        self.is_async: Final = inspect.iscoroutinefunction(target_of(function))
        self._arguments: Final = readers(function)
        self.wants_run: Final = Run in self._arguments
        self.is_plain: Final = self.is_async and not timeout and not self.wants_run
        self.takes_job: Final = self.is_plain and len(self._arguments) == 1 and self._arguments[0] is None
        """Whether nothing needs to be looked at to call it."""

    def arguments(self, job: Job, run: Run | None = None) -> list[object]:
        """What the function is called with; InvalidParams when the params do not fit its types."""
        return [job if read is None else run if read is Run else read(job) for read in self._arguments]


def result_bytes(value: object) -> bytes:
    """A handler's return value as the job's result; TypeError or ValueError when it cannot be encoded."""
    return b"" if value is None else params_bytes(value)


class Handlers:
    """The handlers of a program, by topic."""

    def __init__(self) -> None:
        self._by_topic: Final[dict[str, Handler]] = {}
        self.stack: Final = Stack()

    def middleware(self, middleware: Middleware) -> Middleware:
        """Put it around the creating and running of all jobs; those added before are around it."""
        self.stack.add(middleware)
        return middleware

    def on(self, topic: str, *, retries: int = 0, timeout: float = 0,
           backoff: str | Backoff = DEFAULT_BACKOFF, isolation: str = "") -> Callable[[Function], Function]:
        """Decorator: `function` runs the jobs of `topic`. `retries` = runs after the first failed one; `backoff` is
        `fixed:MS`, `exp:MS[:MAX[:JITTER%]]`, `list:MS,MS,...` or a function (attempt, error) -> seconds. With
        `isolation="process"` it runs in a worker process, which may hang, crash or leak without harm to the rest."""
        if isolation not in ("", PROCESS):
            raise ValueError(f"topic {topic!r}: isolation {isolation!r} does not exist, give \"process\" or nothing")
        if isinstance(backoff, str):
            check_backoff(backoff)

        def register(function: Function) -> Function:
            if topic in self._by_topic:
                raise ValueError(f"topic {topic!r} already has a handler")
            if type(retries) is not int or retries < 0 or not 0 <= timeout < math.inf:
                raise ValueError(f"topic {topic!r}: retries is a whole number, timeout a number of seconds; neither "
                                 "can be negative")
            self._by_topic[topic] = Handler(topic, function, retries, timeout, backoff, isolation)
            return function

        return register

    def include(self, others: Handlers) -> None:
        """Take over the handlers of others; ValueError when both have one for the same topic."""
        for topic, handler in others._by_topic.items():
            if topic in self._by_topic:
                raise ValueError(f"topic {topic!r} already has a handler")
            self._by_topic[topic] = handler

    def part(self, isolated: bool, topics: Collection[str] = ()) -> Handlers:
        """Those that run in worker processes, or those that do not; only of `topics`, if any are given."""
        found = Handlers()
        found.stack.extend(self.stack)
        found._by_topic.update((topic, handler) for topic, handler in self._by_topic.items()
                               if handler.is_isolated == isolated and (not topics or topic in topics))
        return found

    def source(self) -> str:
        """The one file in which all of them are. ValueError when there is none, so that no other process can load
        them."""
        files = {path for handler in self._by_topic.values()
                 if (path := inspect.getsourcefile(inspect.unwrap(target_of(handler.function)))) is not None}
        if len(files) != 1:
            raise ValueError("the handlers of worker processes must be in one file, or be named by jobs.handlers; they "
                             f"are in {', '.join(sorted(files)) or 'none'}")
        return files.pop()

    def get(self, topic: str) -> Handler | None:
        return self._by_topic.get(topic)

    def codes(self) -> dict[CodeType, str]:
        """The code of each async handler with its topic: what a blocked loop is recognised by."""
        found: dict[CodeType, str] = {}
        for topic, handler in self._by_topic.items():
            code = getattr(inspect.unwrap(target_of(handler.function)), "__code__", None)
            if handler.is_async and isinstance(code, CodeType):
                found[code] = topic
        return found

    def topics(self) -> list[str]:
        return sorted(self._by_topic)

    def defaults(self, topic: str) -> tuple[int, str]:
        """Retries and backoff of jobs that are made without them."""
        handler = self._by_topic.get(topic)
        return (0, DEFAULT_BACKOFF) if handler is None else (handler.retries, handler.backoff)
