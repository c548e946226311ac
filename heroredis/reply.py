"""Reply values: what a handler returns, independent of the protocol version that will carry it.

bytes -> bulk string, int, None -> null, bool, float, list/tuple -> array, dict/Map -> map, set -> set,
and the classes below. It knows neither clients nor bytes on a wire.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Protocol, cast

Reply = object


class Simple:
    """A status line such as `+OK`."""

    def __init__(self, text: bytes) -> None:
        self.text: Final = text

    def __repr__(self) -> str:
        return f"Simple({self.text!r})"


class Error:
    """An error as a value, for replies that hold several answers (EXEC)."""

    def __init__(self, message: bytes) -> None:
        self.message: Final = message

    def __repr__(self) -> str:
        return f"Error({self.message!r})"


class Map:
    """Pairs in order: a map in RESP3, a flat array in RESP2."""

    def __init__(self, pairs: list[tuple[object, object]]) -> None:
        self.pairs: Final = pairs


class SetOf:
    """A set in RESP3, an array in RESP2, told in this order."""

    def __init__(self, items: list[object] | list[bytes] | list[Simple]) -> None:
        self.items: Final = cast("list[object]", items)


class Push:
    """An out-of-band message: a push in RESP3, an array in RESP2."""

    def __init__(self, items: list[object]) -> None:
        self.items: Final = items


class Several:
    """Answers of one command that stand on their own, one after the other (SUBSCRIBE)."""

    def __init__(self, replies: list[object]) -> None:
        self.replies: Final = replies


class Encoded:
    """An answer in its wire form, made before the connection changed its protocol version."""

    def __init__(self, wire: bytes) -> None:
        self.wire: Final = wire


class Verbatim:
    """Text for people: verbatim string `txt:` in RESP3, bulk string in RESP2."""

    def __init__(self, text: bytes) -> None:
        self.text: Final = text


class Double:
    """A number that RESP3 carries as a double and RESP2 as a bulk string (scores, distances)."""

    def __init__(self, value: float) -> None:
        self.value: Final = value


class Sentinel:
    """A reply that is no value."""

    def __init__(self, name: str) -> None:
        self.name: Final = name

    def __repr__(self) -> str:
        return self.name


class Committing(Protocol):
    """What a durable reply waits for: one shared object per batch that is being written to disk."""

    @property
    def done(self) -> bool: ...
    @property
    def error(self) -> BaseException | None: ...
    def add_callback(self, callback: Callable[[Committing], None], /) -> None: ...


class Durable:
    """A command that has run, once; its reply, and all later ones of its connection, wait for `commit`."""

    def __init__(self, value: object, commit: Committing) -> None:
        self.value: Final = value
        self.commit: Final = commit


class Wait:
    """Park the command until one of `tokens` is signalled, then run it again.

    `timeout_ms` 0 waits for ever; when time is over, or where a command may not wait (inside EXEC), the client gets
    `on_timeout`. A key of database n is the token `(n, key)`.
    """

    def __init__(self, tokens: list[Hashable], timeout_ms: int, on_timeout: object) -> None:
        self.tokens: Final = tokens
        self.timeout_ms: Final = timeout_ms
        self.on_timeout: Final = on_timeout


OK: Final = Simple(b"OK")
PONG: Final = Simple(b"PONG")
QUEUED: Final = Simple(b"QUEUED")
NULL_ARRAY: Final = Sentinel("NULL_ARRAY")
NO_REPLY: Final = Sentinel("NO_REPLY")
POSTPONED: Final = Sentinel("POSTPONED")
"""The command was not begun: the same request is tried again later."""
EMPTY: Final[list[object]] = []
