"""A connected client as CLIENT LIST and CLIENT INFO show it, and how much memory it holds."""

from __future__ import annotations

from typing import Final

from heroredis.registry import SUBSCRIBED
from heroredis.session.client import Client

BASE: Final = 2048
"""What a connection holds when nothing is under way."""
PER_ARGUMENT: Final = 40
PER_NAME: Final = 120
"""A watched key, a channel, a pattern or a prefix, in the tables on both sides."""
READ_ROOM: Final = 16 * 1024
"""Set aside for what a connection sends, while it does."""
REPLY_ROOM_MS: Final = 5000
KEPT_MS: Final = 2000
"""So long after its last request the room of a silent connection is counted."""
REPLY_ROOM: Final = 16 * 1024
SMALL_REPLY_ROOM: Final = 1024


def argument_memory(argv: list[bytes]) -> int:
    return sum(len(argument) + PER_ARGUMENT for argument in argv)


def wire_size(argv: list[bytes]) -> int:
    """How long a request was as it came."""
    return 3 + len(str(len(argv))) + sum(len(argument) + 5 + len(str(len(argument))) for argument in argv)


def memory_of(client: Client) -> int:
    """A close estimate of the memory that the connection holds, in bytes."""
    queued = sum(argument_memory(one.argv) for one in client.queued or ())
    names = len(client.watched) + len(client.channels) + len(client.patterns) + len(client.shards)
    if client.tracked is not None:
        names += len(client.tracked.prefixes)
    return (BASE + client.pending_input() + argument_memory(client.running) + queued + client.pending_output()
            + PER_NAME * names)


def read_room(client: Client, held: int, now_ms: int) -> int:
    """What is set aside for reading beyond what is there: for a large argument as much as is still to come."""
    if now_ms - client.active_ms >= KEPT_MS:
        return 0
    _, to_come, largest = client.unfinished()
    return max(to_come, max(READ_ROOM, largest) - held)


def reply_room(client: Client, now_ms: int, keep_ms: int) -> int:
    """Room for replies: that of a large one is given back `keep_ms` after the last of them (negative: never)."""
    is_kept = keep_ms < 0 or now_ms - client.large_reply_ms < keep_ms
    return REPLY_ROOM if is_kept else SMALL_REPLY_ROOM


def flags(client: Client) -> str:
    shown = ""
    if client.is_monitor:
        shown += "O"
    if client.is_replica:
        shown += "S"
    if client.channels or client.patterns or client.shards:
        shown += "P"
    if client.queued is not None:
        shown += "x"
    if client.is_blocked:
        shown += "b"
    if client.tracked is not None:
        shown += "t" + "R" * client.tracked.broken + "B" * client.tracked.bcast
    if client.touched:
        shown += "d"
    if client.laddr.startswith("/"):
        shown += "U"
    if client.no_evict:
        shown += "e"
    if client.no_touch:
        shown += "T"
    return shown or "N"


def describe(client: Client, now_ms: int, reply_room_ms: int = REPLY_ROOM_MS) -> str:
    """One line of CLIENT LIST."""
    queued = sum(argument_memory(one.argv) for one in client.queued or ())
    waiting = client.pending_output()
    received = client.pending_input()
    last_argument = client.unfinished()[0]
    qbuf = (last_argument or received) + (wire_size(client.running) if client.running else 0)
    argument = argument_memory(client.running) + (received - last_argument if last_argument else 0)
    room = reply_room(client, now_ms, reply_room_ms)
    facts: list[tuple[str, object]] = [
        ("id", client.client_id), ("addr", client.addr), ("laddr", client.laddr), ("fd", client.fd),
        ("name", _text(client.name)), ("age", max(0, now_ms - client.created_ms) // 1000),
        ("idle", max(0, now_ms - client.active_ms) // 1000), ("flags", flags(client)), ("db", client.db_index),
        ("sub", len(client.channels)), ("psub", len(client.patterns)), ("ssub", len(client.shards)),
        ("multi", -1 if client.queued is None else len(client.queued)), ("qbuf", qbuf),
        ("qbuf-free", read_room(client, qbuf, now_ms)), ("argv-mem", argument), ("multi-mem", queued), ("rbs", room),
        ("rbp", 0), ("obl", 0),
        ("oll", 1 if waiting else 0), ("omem", waiting), ("tot-mem", memory_of(client)),
        ("events", "rw" if waiting else "r"),
        ("cmd", "NULL" if client.last_entry is None else client.last_entry.shown), ("user", _text(client.user)),
        ("redir", -1 if client.tracked is None else client.tracked.redirect), ("resp", client.resp),
        ("lib-name", _text(client.lib_name)), ("lib-ver", _text(client.lib_version)),
    ]
    return " ".join(f"{name}={value}" for name, value in facts)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


class OutputLimits:
    """client-output-buffer-limit: how much may wait for a client, at all and for how long."""

    def __init__(self) -> None:
        self._limits: dict[bytes, tuple[int, int, int]] = {}
        self._over: Final[dict[Client, None]] = {}
        """Beyond the soft limit, and not yet for too long."""

    def set(self, value: bytes) -> None:
        words = value.split()
        self._limits = {words[at]: (int(words[at + 1]), int(words[at + 2]), int(words[at + 3]))
                        for at in range(0, len(words), 4)}

    def is_beyond(self, client: Client, waiting: int, now_ms: int) -> bool:
        """Whether the client has to go, with `waiting` bytes for it."""
        name = b"slave" if client.is_replica else b"pubsub" if client.gates & SUBSCRIBED else b"normal"
        hard, soft, seconds = self._limits.get(name, (0, 0, 0))
        if hard and waiting >= hard:
            return True
        if not soft or waiting < soft:
            if client.soft_since_ms:
                self.forget(client)
            return False
        if client.soft_since_ms == 0:
            client.soft_since_ms = now_ms
            self._over[client] = None
        return now_ms - client.soft_since_ms > seconds * 1000

    def look_again(self) -> None:
        """Those who were beyond the soft limit may have been for too long by now."""
        for client in list(self._over):
            if client.look_at_output is not None:
                client.look_at_output()

    def forget(self, client: Client) -> None:
        client.soft_since_ms = 0
        self._over.pop(client, None)
