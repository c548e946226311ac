"""A connected client as CLIENT LIST shows it. Knows neither its socket nor the commands it sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.acl.rules import User
from heroredis.registry import CLOSING, MUTED, NEEDS_AUTH, RESTRICTED, Entry
from heroredis.reply import Push

REPLY_ON: Final = 0
REPLY_OFF: Final = 1
SKIP_NEXT: Final = 2
SKIP_THIS: Final = 3


class Client:
    """Who is connected, and what the connection has said about itself. Times are Unix milliseconds."""

    def __init__(self, client_id: int, addr: str, laddr: str, now_ms: int, close: Callable[[], None]) -> None:
        self.client_id: Final = client_id
        self.addr: Final = addr
        self.laddr: Final = laddr
        self.created_ms: Final = now_ms
        self.close: Final = close
        """Ends the connection now; what was written before is still sent."""
        self.active_ms = now_ms
        self.name = b""
        self.lib_name = b""
        self.lib_version = b""
        self.db_index = 0
        self.resp = 2
        self.user = b"default"
        self.account: User | None = None
        """Whose rights the connection has; None inside the process, with all rights."""
        self.authenticated = True
        self.last_entry: Entry | None = None
        self.gates = 0
        self.queued: list[QueuedCommand] | None = None
        self.abort_multi = False
        self.touched = False
        self.watched: set[tuple[int, bytes]] = set()
        self.is_blocked = False
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}
        self.push: Callable[[object], None] | None = None
        self.reply_mode = REPLY_ON
        self.no_evict = False
        self.no_touch = False
        self.unblock: Callable[[bool], bool] | None = None
        self.abort: Callable[[], None] | None = None
        """Ends the connection now, and drops what was written."""
        self.wake: Callable[[], None] | None = None
        self.on_admitted: Callable[[bool], None] | None = None

    @property
    def is_local(self) -> bool:
        """Whether the peer is on this machine."""
        return self.addr.startswith(("127.", "[::1]", "/")) or self.addr in ("", "internal", "?:0")

    def act_as(self, user: User) -> None:
        """The connection has this user's rights from now on, or these rights have changed."""
        self.account = user
        self.user = user.name
        if user.is_all:
            self.gates &= ~RESTRICTED
        else:
            self.gates |= RESTRICTED

    def admit(self, authenticated: bool) -> None:
        """The connection has authenticated itself, or has to."""
        self.authenticated = authenticated
        if authenticated:
            self.gates &= ~NEEDS_AUTH
        else:
            self.gates |= NEEDS_AUTH
        if self.on_admitted is not None:
            self.on_admitted(authenticated)

    def send(self, items: list[object]) -> None:
        """Send a message that nobody asked for."""
        if self.push is not None:
            self.push(Push(items))

    def set_reply_mode(self, mode: int) -> None:
        """CLIENT REPLY."""
        self.reply_mode = mode
        if mode == REPLY_ON:
            self.gates &= ~MUTED
        else:
            self.gates |= MUTED

    def skip_reply(self) -> None:
        """A reply is dropped; after CLIENT REPLY SKIP, the second one (its own was the first) is the last."""
        if self.reply_mode == SKIP_NEXT:
            self.reply_mode = SKIP_THIS
        elif self.reply_mode == SKIP_THIS:
            self.set_reply_mode(REPLY_ON)

    def hang_up(self) -> None:
        """End the connection once everything that was answered has been sent."""
        self.gates |= CLOSING
        if self.wake is not None:
            self.wake()

    def flags(self) -> str:
        shown = ""
        if self.is_blocked:
            shown += "b"
        if self.queued is not None:
            shown += "x"
        if self.touched:
            shown += "d"
        if self.channels or self.patterns:
            shown += "P"
        if self.laddr.startswith("/"):
            shown += "U"
        return shown or "N"

    def describe(self, now_ms: int) -> str:
        """One line of CLIENT LIST."""
        multi = -1 if self.queued is None else len(self.queued)
        name = self.name.decode("utf-8", "backslashreplace")
        library = self.lib_name.decode("utf-8", "backslashreplace")
        version = self.lib_version.decode("utf-8", "backslashreplace")
        command = "NULL" if self.last_entry is None else self.last_entry.name.lower().replace(" ", "|")
        return (
            f"id={self.client_id} addr={self.addr} laddr={self.laddr} fd=-1 name={name} "
            f"age={max(0, now_ms - self.created_ms) // 1000} idle={max(0, now_ms - self.active_ms) // 1000} "
            f"flags={self.flags()} db={self.db_index} sub={len(self.channels)} psub={len(self.patterns)} ssub=0 "
            f"multi={multi} qbuf=0 qbuf-free=0 argv-mem=0 "
            f"multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={command} "
            f"user={self.user.decode('utf-8', 'backslashreplace')} redir=-1 resp={self.resp} "
            f"lib-name={library} lib-ver={version}"
        )


class QueuedCommand:
    """A command that waits for EXEC."""

    def __init__(self, entry: Entry, argv: list[bytes]) -> None:
        self.entry: Final = entry
        self.argv: Final = argv
