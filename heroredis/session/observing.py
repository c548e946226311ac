"""Who looks on: MONITOR's lines, the slow log and the latency monitor. Secrets in requests are never shown.

Source: https://redis.io/docs/latest/commands/slowlog-get/
"""

from __future__ import annotations

from collections import deque
from typing import Final

from heroredis.parameters import Parameters
from heroredis.registry import Entry
from heroredis.session.client import Client

REDACTED: Final = b"(redacted)"
NEVER: Final = float("inf")
SLOWLOG_ARGUMENTS: Final = 32
SLOWLOG_BYTES: Final = 128
LATENCY_SAMPLES: Final = 160
SECRET_PARAMETERS: Final = frozenset({b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass",
                                      b"tls-client-key-file-pass"})
ESCAPES: Final = {ord("\\"): "\\\\", ord('"'): '\\"', 10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b"}


def redacted(entry: Entry, argv: list[bytes]) -> list[bytes]:
    """A request as others may see it."""
    name = entry.name
    if name == "AUTH":
        return [argv[0], *[REDACTED for _ in argv[1:]]]
    if name == "HELLO":
        return _hidden_behind(argv, {b"AUTH": 2})
    if name == "MIGRATE":
        return _hidden_behind(argv, {b"AUTH": 1, b"AUTH2": 2})
    if name == "ACL SETUSER":
        return [*argv[:2], *[REDACTED for _ in argv[2:]]]
    if name == "CONFIG SET":
        return [REDACTED if at % 2 and at > 2 and argv[at - 1].lower() in SECRET_PARAMETERS else argument
                for at, argument in enumerate(argv)]
    return argv


def _hidden_behind(argv: list[bytes], words: dict[bytes, int]) -> list[bytes]:
    shown = []
    hide = 0
    for argument in argv:
        shown.append(REDACTED if hide > 0 else argument)
        hide = hide - 1 if hide > 0 else words.get(argument.upper(), 0)
    return shown


def quoted(text: bytes) -> str:
    """A byte string in quotes, with escapes for what cannot be printed."""
    if text.isalnum():
        return f'"{text.decode("ascii")}"'
    return '"' + "".join(
        ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in text) + '"'


def monitor_line(now_us: int, database: int, addr: str, argv: list[bytes]) -> bytes:
    arguments = " ".join([quoted(argument) for argument in argv])
    return f"{now_us // 1_000_000}.{now_us % 1_000_000:06d} [{database} {addr}] {arguments}".encode("latin-1")


class SlowEntry:
    """One slow command."""

    def __init__(self, number: int, at_s: int, took_us: int, argv: list[bytes], addr: str, name: bytes) -> None:
        self.number: Final = number
        self.at_s: Final = at_s
        self.took_us: Final = took_us
        self.argv: Final = argv
        self.addr: Final = addr
        self.name: Final = name


class Slowlog:
    """The latest slow commands, newest first."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters: Final = parameters
        self.entries: deque[SlowEntry] = deque()
        self.threshold_s = NEVER
        self._next = 0
        self.adapt()

    def adapt(self) -> None:
        """The parameters may have changed."""
        limit_us = self._parameters.integer("slowlog-log-slower-than")
        self.threshold_s = NEVER if limit_us < 0 else limit_us / 1e6

    def note(self, client: Client, now_ms: int, argv: list[bytes], seconds: float) -> None:
        shown = []
        for argument in argv[:SLOWLOG_ARGUMENTS]:
            more = len(argument) - SLOWLOG_BYTES
            shown.append(b"%b... (%d more bytes)" % (argument[:SLOWLOG_BYTES], more) if more > 0 else argument)
        if len(argv) > SLOWLOG_ARGUMENTS:
            shown[-1] = b"... (%d more arguments)" % (len(argv) - SLOWLOG_ARGUMENTS + 1)
        self.entries.appendleft(SlowEntry(
            self._next, now_ms // 1000, int(seconds * 1e6), shown, client.addr, client.name))
        self._next += 1
        limit = self._parameters.integer("slowlog-max-len")
        while len(self.entries) > limit:
            self.entries.pop()


class Spikes:
    """The samples of one kind of event: second and milliseconds, oldest first."""

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=LATENCY_SAMPLES)
        self.highest = 0

    def add(self, at_s: int, took_ms: int) -> None:
        if self.samples and self.samples[-1][0] == at_s:
            took_ms = max(took_ms, self.samples[-1][1])
            self.samples.pop()
        self.samples.append((at_s, took_ms))
        self.highest = max(self.highest, took_ms)


class Latency:
    """The latency monitor: spikes by event."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters: Final = parameters
        self.events: dict[bytes, Spikes] = {}
        self.threshold_s = NEVER
        self.adapt()

    def adapt(self) -> None:
        limit_ms = self._parameters.integer("latency-monitor-threshold")
        self.threshold_s = limit_ms / 1000 if limit_ms > 0 else NEVER

    def note(self, event: bytes, now_ms: int, seconds: float) -> None:
        """An event that reached the threshold."""
        self.events.setdefault(event, Spikes()).add(now_ms // 1000, int(seconds * 1000))

    def reset(self, names: tuple[bytes, ...]) -> int:
        """Forget these events, or all; how many."""
        chosen = [name for name in names if name in self.events] if names else list(self.events)
        for name in chosen:
            del self.events[name]
        return len(chosen)
