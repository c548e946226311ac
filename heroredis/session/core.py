"""What the parts of one server share: keyspace, registry, clock, parameters, clients. There are no globals.

Commands reach it as `ctx.server`. It opens no sockets and knows no extension by name.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from heroredis.acl.checks import keeps_channels
from heroredis.acl.rules import User
from heroredis.acl.users import Users
from heroredis.clock import Clock
from heroredis.footprint import resident_bytes
from heroredis.keyspace.space import Space
from heroredis.parameters import Parameters
from heroredis.registry import CLOSING, IN_MULTI, LIMITED, LONELY, OBSERVED, PAUSED, Entry, Registry
from heroredis.reply import Simple
from heroredis.session.blocking import Blocking
from heroredis.session.channels import Channels
from heroredis.session.client import Client
from heroredis.session.commits import Commits
from heroredis.session.crowd import Crowd
from heroredis.session.keeper import Keeper
from heroredis.session.listing import OutputLimits, describe, memory_of
from heroredis.session.memory import Memory
from heroredis.session.notify import Notifications
from heroredis.session.observing import NEVER, Latency, Slowlog, monitor_line
from heroredis.session.owner import Owner
from heroredis.session.pauses import Pauses
from heroredis.session.tracking import Tracking
from heroredis.session.tuned import Tuned
from heroredis.session.watch import Watches

logger = logging.getLogger("heroredis")
PLAIN_IS_QUICKER_S: Final = 0.005
"""Below this limit of the slow log each command is timed by itself."""
CODE_LIMIT: Final = 31
"""A first word that is longer is no code of an error."""


class Stats:
    """Counters since the start."""

    def __init__(self) -> None:
        self.commands = 0
        self.connections = 0
        self.rejected_connections = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.reads = 0
        self.writes = 0
        """How often something came from a connection, and was written to one."""
        self.background_runs = 0
        """Rewrites and saves in the background, for which Redis forks."""
        self.snapshot_s = 0.0
        """How long the last of them held everything up at its beginning."""
        self.lazily_freed = 0
        """Large values and emptied databases that a client did not want to wait for."""
        self.errors = 0
        self.by_code: dict[bytes, int] = {}
        self.security_events = 0
        self.output_limit_disconnections = 0
        self.expired_before = 0
        """Keys that had expired when the counters were set to zero."""
        self.evicted_before = 0
        self.evicted_clients_before = 0
        self.expire_seconds = 0.0
        self.expire_steps_cut = 0
        self.hits = 0
        self.misses = 0
        self.get_misses = 0
        """Of GET alone: its hits are its other calls."""

    def count_error(self, message: bytes) -> None:
        self.errors += 1
        code = message.partition(b" ")[0] if b" " in message[:CODE_LIMIT] else b"ERR"
        self.by_code[code] = self.by_code.get(code, 0) + 1


class Rates:
    """Commands and bytes per second, as of the last tick."""

    def __init__(self) -> None:
        self.commands = 0.0
        self.bytes_in = 0.0
        self.bytes_out = 0.0
        self._seen = (0.0, 0, 0, 0)

    def note(self, now_s: float, stats: Stats) -> None:
        since = now_s - self._seen[0]
        if since <= 0:
            return
        _, commands, bytes_in, bytes_out = self._seen
        self.commands = max(0, stats.commands - commands) / since
        self.bytes_in = max(0, stats.bytes_in - bytes_in) / since
        self.bytes_out = max(0, stats.bytes_out - bytes_out) / since
        self._seen = (now_s, stats.commands, stats.bytes_in, stats.bytes_out)


class Core:
    """One server's shared state."""

    def __init__(self, clock: Clock, parameters: Parameters, rng: random.Random | None = None) -> None:
        self.clock: Final = clock
        self.parameters: Final = parameters
        self.rng: Final = rng or random.Random()
        self.space: Final = Space(parameters.integer("databases"), clock, self.rng)
        self.tuned: Final = Tuned(self.space, parameters)
        self.journal: Final = self.space.changes.journal
        self.keeper = Keeper()
        self.registry: Final = Registry()
        self.users: Final = Users(self.registry, parameters)
        self.users.changed = self._user_changed
        self.blocking: Final = Blocking(self.space)
        self.watches: Final = Watches(self.space)
        self.channels: Final = Channels()
        self.commits: Final = Commits()
        self.stats = Stats()
        self.slowlog: Final = Slowlog(parameters)
        self.latency: Final = Latency(parameters)
        self.pauses: Final = Pauses()
        self.output_limits: Final = OutputLimits()
        self.memory: Final = Memory(self.space, parameters)
        self.rates: Final = Rates()
        self.config_file = ""
        self.monitors: Final[dict[Client, None]] = {}
        self.replicas: Final[dict[Client, None]] = {}
        self.gates = 0
        """The bits that every client has."""
        self.clients: Final[dict[int, Client]] = {}
        self.crowd: Final = Crowd(self.clients, parameters)
        self.is_cron_paused = False
        """DEBUG PAUSE-CRON: what is done once a tick is not done."""
        self.tracking: Final = Tracking(self.space, self.clients)
        self.notifications: Final = Notifications(self.space, self.channels, parameters)
        self.owners: Final[list[Owner]] = []
        self._own_nothing()
        self.started_ms: Final = clock.now_ms()
        self.startup_bytes: Final = resident_bytes()
        self.run_id: Final = os.urandom(20).hex()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.listeners: Final[list[tuple[str, int]]] = []
        self.on_shutdown: Callable[[], None] | None = None
        self.extra_info: Final[list[Callable[[], list[tuple[str, list[tuple[str, str]]]]]]] = []
        self.rewrite_config: Callable[[bool], None] | None = None
        """Writes the present parameters into the redis.conf of the start; OSError. None when there was no file."""
        self.adopt: Callable[[socket.socket, bytes], Awaitable[Client]] | None = None
        """Speak with a process of ours over one end of a socket pair, under a name."""
        self._last_client = 0
        self._follow_parameters()

    def _own_nothing(self) -> None:
        self.owned: tuple[bytes, ...] = ()
        self.owned_first = bytes(256)
        """1 for each byte with which an owned key begins: most keys are told apart by it alone."""

    def _follow_parameters(self) -> None:
        """Let what follows from parameters hold, now and whenever they change."""
        for names, apply in (
            ("slowlog-log-slower-than slowlog-max-len latency-monitor-threshold", self.adapt),
            ("client-output-buffer-limit", self._adapt_output),
            ("notify-keyspace-events", self.notifications.adapt),
            ("maxmemory maxmemory-policy", self._adapt_memory),
            ("maxmemory maxmemory-clients", self._adapt_crowd),
            ("tracking-table-max-keys", self.limit_tracking),
            ("min-replicas-to-write min-replicas-max-lag", self._adapt_replicas),
        ):
            self.parameters.when_changed(names, apply)
            apply()

    def new_client(self, addr: str, laddr: str, close: Callable[[], None]) -> Client:
        self._last_client += 1
        client = Client(self._last_client, addr, laddr, self.clock.now_ms(), close)
        client.gates = self.gates
        self.be_default(client)
        self.stats.connections += 1
        return client

    def end_client(self, client: Client) -> None:
        """End a connection. It is in no list any more when this returns, unless it is its own command that ends it."""
        if not client.running:
            self.forget_client(client)
        client.hang_up()

    def forget_client(self, client: Client) -> None:
        """The connection is gone, or is to be; called again it does nothing."""
        if self.clients.pop(client.client_id, None) is None:
            return
        self.crowd.forget(client)
        self.output_limits.forget(client)
        self.watches.forget(client)
        self.channels.forget(client)
        self.leave_monitors(client)
        self.replicas.pop(client, None)
        self.tracking.disable(client)
        for owner in self.owners:
            owner.client_closed(client)

    # Conditions of the whole server

    def set_gate(self, bit: int, on: bool) -> None:
        """Make every client's commands go the careful way, or no longer."""
        self.gates = self.gates | bit if on else self.gates & ~bit
        for client in self.clients.values():
            client.gates = client.gates | bit if on else client.gates & ~bit

    def adapt(self) -> str:
        """Parameters may have changed: let what follows from them hold from now on."""
        self.slowlog.adapt()
        self.latency.adapt()
        closely = self.slowlog.threshold_s < PLAIN_IS_QUICKER_S or self.latency.threshold_s < NEVER
        self.set_gate(OBSERVED, bool(self.monitors) or closely)
        return ""

    def _adapt_memory(self) -> str:
        self.memory.adapt()
        self.set_gate(LIMITED, self.memory.limit > 0)
        if self.memory.limit:
            self.note_clients()
            self.memory.make_room()
        return ""

    def _adapt_crowd(self) -> str:
        self.crowd.adapt()
        if self.crowd.is_over:
            self._evict_soon()
        return ""

    def _adapt_replicas(self) -> str:
        wanted = self.parameters.integer("min-replicas-to-write")
        self.set_gate(LONELY, wanted > 0 and self.parameters.integer("min-replicas-max-lag") > 0)
        return ""

    def limit_tracking(self) -> str:
        self.tracking.limit(self.parameters.integer("tracking-table-max-keys"))
        return ""

    def note_size(self, client: Client) -> None:
        """A connection may have grown: while all together take too much, the largest ones are ended."""
        if self.crowd.note(client):
            self._evict_soon()

    def is_too_much(self, client: Client) -> bool:
        """Whether what a connection has just received ends it, because all together take too much."""
        if self.crowd.note(client):
            self._evict_clients()
        return client.gates & CLOSING != 0 and client.client_id not in self.clients

    def look_at_sizes(self) -> None:
        """Once a tick: connections shrink without being looked at, and slow peers may have been slow for too long."""
        self.output_limits.look_again()
        self.crowd.forget_large_inputs(self.space.moment.now_ms)
        if self.crowd.limit:
            self.crowd.count()
            if self.crowd.is_over:
                self._evict_soon()

    def _evict_soon(self) -> None:
        if not self.crowd.is_ending and self.loop is not None:
            self.crowd.is_ending = True
            self.loop.call_soon(self._evict_clients)

    def _evict_clients(self) -> None:
        self.crowd.is_ending = False
        for client in self.crowd.surplus():
            logger.info("client evicted, too much memory for clients: %s", describe(client, self.clock.now_ms()))
            self.crowd.evicted += 1
            self.forget_client(client)
            client.gates |= CLOSING
            (client.abort or client.close)()

    def note_clients(self) -> None:
        """How much the connections take."""
        self.memory.clients = sum(memory_of(client) for client in self.clients.values())

    def expired_keys(self) -> int:
        return sum(database.expired for database in self.space.databases) - self.stats.expired_before

    def _adapt_output(self) -> str:
        self.output_limits.set(self.parameters.get("client-output-buffer-limit"))
        return ""

    def monitor(self, client: Client) -> None:
        self.monitors[client] = None
        client.is_monitor = True
        self.adapt()

    def leave_monitors(self, client: Client) -> None:
        if client in self.monitors:
            del self.monitors[client]
            client.is_monitor = False
            self.adapt()

    def show_to_monitors(self, client: Client, database: int, argv: list[bytes]) -> None:
        line = Simple(monitor_line(self.clock.now_us(), database, client.addr, argv))
        for monitor in list(self.monitors):
            if monitor.push is not None:
                monitor.push(line)

    def key_missed(self, database: int, key: bytes) -> None:
        """A key was looked for to be read, and is not there."""
        if self.notifications.tells_misses:
            self.notifications.missed(database, key)

    def pause(self, until_ms: int, mode: int) -> None:
        """CLIENT PAUSE."""
        self.pauses.pause(until_ms, mode)
        self.space.freeze(True)
        self.set_gate(PAUSED, True)
        if self.loop is not None:
            self.loop.call_later(max(0, until_ms - self.clock.now_ms()) / 1000 + 0.001, self._pause_ended)

    def _pause_ended(self) -> None:
        if self.pauses.mode and self.clock.now_ms() >= self.pauses.until_ms:
            self.unpause()

    def unpause(self) -> None:
        self.space.freeze(False)
        self.set_gate(PAUSED, False)
        self.pauses.end()

    def leave_multi(self, client: Client) -> None:
        """Forget queued commands and watched keys."""
        client.queued = None
        client.abort_multi = False
        client.gates &= ~IN_MULTI
        self.watches.forget(client)

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.stats = Stats()
        self.stats.expired_before = sum(database.expired for database in self.space.databases)
        self.stats.evicted_before = self.memory.evicted
        self.stats.evicted_clients_before = self.crowd.evicted
        for entry in self.registry.commands.values():
            entry.reset_stats()
        self.registry.commands["CONFIG RESETSTAT"].calls = 1  # as Redis, which counts behind the command

    def be_default(self, client: Client) -> None:
        """As at the beginning of a connection: the default user, who may have to authenticate."""
        client.act_as(self.users.default)
        client.admit(self.users.open_to_all)

    def _user_changed(self, old: User, new: User | None) -> None:
        """Connections follow their user: they end when it is removed, or when they listen to what it may not hear."""
        for client in list(self.clients.values()):
            if client.account is not old:
                continue
            if new is None:
                self.end_client(client)
                continue
            heard = [*client.channels, *client.shards]
            if (heard or client.patterns) and not keeps_channels(new, heard, list(client.patterns)):
                self.end_client(client)
                continue
            client.act_as(new)
            if not client.authenticated and new is self.users.default and self.users.open_to_all:
                client.admit(True)

    def is_guarded(self, client: Client) -> bool:
        """Protected mode: without a password only this machine may come in."""
        return self.users.open_to_all and self.parameters.is_on("protected-mode") and not client.is_local

    def implied_keys(self, entry: Entry, argv: list[bytes]) -> list[bytes]:
        """Owned keys that a request of an extension's command works on without naming them."""
        found: list[bytes] = []
        if entry.command is not None and entry.command.group == "job":
            for owner in self.owners:
                found += owner.implied_keys(entry.command, argv)
        return found

    def own(self, owner: Owner, prefixes: tuple[bytes, ...]) -> None:
        """Keys of database 0 that begin so are `owner`'s: it sees each write before it happens."""
        self.owners.append(owner)
        self.owned = self.owned + prefixes
        table = bytearray(self.owned_first)
        for prefix in prefixes:
            table[prefix[0]] = 1
        self.owned_first = bytes(table)
        self.space.own(prefixes)

    def signal(self, token: Hashable) -> None:
        """Wake the commands that wait for `token`; they run in this turn of the loop or the next."""
        blocking = self.blocking
        was_ready = blocking.ready
        blocking.signal(token)
        if blocking.ready and not was_ready and self.loop is not None:
            self.loop.call_soon(self._serve)

    def _serve(self) -> None:
        if self.blocking.ready:
            self.space.refresh()
            self.blocking.serve()
