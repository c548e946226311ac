"""What counts as the same answer: everything exact, but for order where Redis promises none, and for the clock."""

from __future__ import annotations

import re
from typing import Final

from tests.differential.grammar import Command
from tests.differential.harness import Failure, Status, Tagged, Wire, same

UNORDERED: Final = frozenset({b"KEYS", b"HKEYS", b"HVALS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF"})
PAIRED: Final = frozenset({b"HGETALL"})
SECONDS: Final = frozenset({b"TTL", b"EXPIRETIME"})
MILLISECONDS: Final = frozenset({b"PTTL", b"PEXPIRETIME"})
SCANNING: Final = {b"SCAN": 1, b"HSCAN": 2, b"SSCAN": 2, b"ZSCAN": 2}
"""Commands with a cursor, and where in the request it stands."""
CHANCE: Final = frozenset({b"SPOP", b"SRANDMEMBER", b"ZRANDMEMBER", b"HRANDFIELD", b"RANDOMKEY"})
"""Only how much they answer can be compared."""
OWN_FACTS: Final = frozenset({b"id", b"version"})


def normal(command: Command, reply: object) -> object:
    """A reply with what may differ taken out."""
    name = command[0].upper()
    if name in UNORDERED and isinstance(reply, list):
        return sorted(reply, key=repr)
    if name in UNORDERED and isinstance(reply, Tagged) and isinstance(reply.value, list):
        return Tagged(reply.marker, sorted(reply.value, key=repr))
    if name in CHANCE:
        return _shape(reply)
    if name in PAIRED and isinstance(reply, list):
        return sorted(zip(reply[::2], reply[1::2], strict=True))
    if name in PAIRED and isinstance(reply, Tagged) and isinstance(reply.value, list):
        return Tagged(reply.marker, sorted(reply.value))
    if name == b"HELLO" and isinstance(reply, list):
        return [item for key, value in zip(reply[::2], reply[1::2], strict=True) if key not in OWN_FACTS
                for item in (key, value)]
    if name == b"HELLO" and isinstance(reply, Tagged) and isinstance(reply.value, list):
        return [pair for pair in reply.value if pair[0] not in OWN_FACTS]
    return reply


def _shape(reply: object) -> object:
    if isinstance(reply, list):
        return [_shape(item) for item in reply]
    if isinstance(reply, Tagged):
        return Tagged(reply.marker, _shape(reply.value))
    return type(reply) if isinstance(reply, bytes) and not isinstance(reply, Failure) else reply


def close_in_time(name: bytes, one: object, two: object) -> bool:
    if not isinstance(one, int) or not isinstance(two, int) or one < 0 or two < 0:
        return same(one, two)
    return abs(one - two) <= (1000 if name in MILLISECONDS else 1)


def alike(command: Command, real: object, ours: object) -> bool:
    name = command[0].upper()
    if name in SECONDS or name in MILLISECONDS:
        return close_in_time(name, real, ours)
    if [word.upper() for word in command[:2]] == [b"OBJECT", b"IDLETIME"] and isinstance(real, int):
        return isinstance(ours, int) and abs(real - ours) <= 1  # the real server's clock for it is up to a second old
    if [word.upper() for word in command[:2]] == [b"DEBUG", b"SDSLEN"]:
        real, ours = without_allocations(real), without_allocations(ours)
    return same(normal(command, real), normal(command, ours))


def without_allocations(answer: object) -> object:
    """DEBUG SDSLEN without the sizes that the allocator has chosen, which depend on what was there before."""
    return re.sub(rb"zmalloc: \d+", b"zmalloc: ?", answer) if isinstance(answer, bytes) else answer


class Pair:
    """The same connection to both servers. `step` fails where the answers differ."""

    def __init__(self, real: str, ours: str, resp: int) -> None:
        self.real: Final = Wire(real, resp)
        self.ours: Final = Wire(ours, resp)
        self.history: Final[list[str]] = []
        self._queued: list[Command] = []

    def step(self, command: Command) -> object:
        """The reply of the real server."""
        real, ours = self.real.call(*command), self.ours.call(*command)
        name = command[0].upper()
        if name in SCANNING and not isinstance(real, Failure | Status):
            real, ours = _whole_scan(self.real, command, real), _whole_scan(self.ours, command, ours)
        if name == b"EXEC" and isinstance(real, list) and isinstance(ours, list):
            agreed = len(real) == len(ours) == len(self._queued) and all(
                alike(*three) for three in zip(self._queued, real, ours, strict=True))
        else:
            agreed = alike(command, real, ours)
        self.history.append(f"{command!r}")
        if name == b"SPOP" and len(command) > 1 and not isinstance(real, Failure | Status):
            self.real.call("DEL", command[1])
            self.ours.call("DEL", command[1])
        assert agreed, f"{command!r}\n  real: {real!r}\n  ours: {ours!r}"
        if real == Status(b"QUEUED"):
            self._queued.append(command)
        elif name in (b"EXEC", b"DISCARD", b"RESET", b"MULTI") and "MULTI" not in str(real):
            self._queued = []
        return real

    def close(self) -> None:
        self.real.close()
        self.ours.close()


def _whole_scan(wire: Wire, command: Command, reply: object) -> object:
    """Go on until the cursor is 0; the set of what was seen. Anything but a step of a scan is returned as it is."""
    seen: list[object] = []
    at = SCANNING[command[0].upper()]
    width = 2 if command[0].upper() in (b"HSCAN", b"ZSCAN") else 1
    while isinstance(reply, list) and len(reply) == 2:
        cursor, part = reply
        assert isinstance(cursor, bytes), reply
        assert isinstance(part, list), reply
        seen += zip(*(part[start::width] for start in range(width)), strict=True)
        if cursor == b"0":
            return sorted(set(seen), key=repr)
        reply = wire.call(*command[:at], cursor, *command[at + 1 :])
    return reply


def dump(wire: Wire, databases: int) -> dict[tuple[int, bytes], tuple[object, object, int]]:
    """Every key: its type, its value, and when it expires in ms (0 = never)."""
    found: dict[tuple[int, bytes], tuple[object, object, int]] = {}
    wire.call("RESET")
    for index in range(databases):
        wire.call("SELECT", index)
        names = wire.call("KEYS", "*")
        assert isinstance(names, list), names
        for name in names:
            kind = wire.call("TYPE", name)
            reader: Command = {
                b"string": (b"GET", name), b"list": (b"LRANGE", name, b"0", b"-1"), b"hash": (b"HGETALL", name),
                b"set": (b"SMEMBERS", name), b"zset": (b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"),
            }[bytes(kind) if isinstance(kind, Status) else b""]
            left = wire.call("PEXPIRETIME", name)
            assert isinstance(left, int), left
            found[index, name] = kind, normal(reader, wire.call(*reader)), max(0, left)
    return found


def compare_dumps(pair: Pair, databases: int = 3) -> None:
    real, ours = dump(pair.real, databases), dump(pair.ours, databases)
    assert real.keys() == ours.keys()
    for key, (kind, value, expires) in real.items():
        our_kind, our_value, our_expires = ours[key]
        assert same([kind, value], [our_kind, our_value]), key
        assert (expires == 0) == (our_expires == 0), key
        assert abs(expires - our_expires) <= 1000, key
