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


def nothing() -> int:
    return 0


def none_unfinished() -> tuple[int, int, int]:
    return 0, 0, 0


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
        self.reply_mode = REPLY_ON
        self.is_monitor = False
        self.tracked: Tracked | None = None
        self.fd = -1
        self.running: list[bytes] = []
        """The request that runs now, where it is no plain one."""
        self.large_reply_ms = now_ms
        """When it was last sent more than fits into a usual reply; at first, when it came."""
        self.soft_since_ms = 0
        """Since when more waits for the client than may for long."""
        self.is_replica = False
        """It follows every write (SYNC)."""
        self.no_evict = False
        self.no_touch = False
        self._have_no_session()

    def _have_no_session(self) -> None:
        """What a session puts in its own place."""
        self.push: Callable[[object], None] | None = None
        self.pending_input: Callable[[], int] = nothing
        self.pending_output: Callable[[], int] = nothing
        self.unfinished: Callable[[], tuple[int, int, int]] = none_unfinished
        """Of the request that is not all there: bytes of its last argument, bytes still to come, and the largest
        request of late."""
        self.forget_largest: Callable[[], None] | None = None
        self.unblock: Callable[[bool], bool] | None = None
        self.abort: Callable[[], None] | None = None
        """Ends the connection now, and drops what was written."""
        self.end_output: Callable[[], None] | None = None
        """Lets the peer see the end at once, ahead of close()."""
        self.wake: Callable[[], None] | None = None
        self.look_at_output: Callable[[], None] | None = None
        """Ends the connection when more waits for it than may, or has for too long."""
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


class Tracked:
    """How a client tracks keys (CLIENT TRACKING)."""

    def __init__(self) -> None:
        self.redirect = 0
        """The number of the client that is told instead; 0 = itself."""
        self.bcast = False
        self.optin = False
        self.optout = False
        self.noloop = False
        self.caching = False
        self.broken = False
        self.prefixes: dict[bytes, None] = {}


class QueuedCommand:
    """A command that waits for EXEC."""

    def __init__(self, entry: Entry, argv: list[bytes]) -> None:
        self.entry: Final = entry
        self.argv: Final = argv
