"""The pipeline of a connection: read a request, find it, let it pass the gates, run it, encode or park its reply.

One Session per connection. It knows no socket: bytes come in by `received` and leave by `write`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

from heroredis.dispatch import call, find_entry, gated, perform, perform_tracked, refused, run_write
from heroredis.encoding import BULK_HEADERS, CRLF, NULL2, NULL3, TABLE, append_number, encode
from heroredis.errors import EXEC_ABORT, EXEC_WITHOUT_MULTI, ProtocolError, RedisError, wrong_arity
from heroredis.output import Output
from heroredis.protocol import RequestReader
from heroredis.registry import CLOSING, MUTED, TRACKING, Entry
from heroredis.reply import NO_REPLY, OK, POSTPONED, Durable, Error, Several, Wait
from heroredis.session.blocking import Parked
from heroredis.session.client import Client
from heroredis.session.core import Core

FAIRNESS: Final = 1000


class Session(Output):
    """Requests in, replies out, in order."""

    def __init__(self, core: Core, client: Client, write: Callable[[bytes], None]) -> None:
        super().__init__(core, client, write)
        parameters = core.parameters
        self.reader: Final = RequestReader(parameters.integer("proto-max-bulk-len"),
                                           parameters.integer("client-query-buffer-limit"))
        self.reader.set_authenticated(client.authenticated)
        self._fresh = True
        self._parked: Parked | None = None
        self._parked_entry: Entry | None = None
        self._parked_argv: list[bytes] = []
        self._on_timeout: object = None
        self._timer: asyncio.TimerHandle | None = None
        self._parked_muted = False
        self._plain: Entry | None = None
        self._plain_before = 0
        self._plain_began = 0.0
        self._postponed = False
        self._scheduled = False
        self._at_end = False
        self.on_progress: Callable[[], None] | None = None
        """Called once after input was read that had to wait."""
        client.unblock = self.unblock
        client.pending_input = self.reader.buffered
        client.unfinished = self.reader.unfinished
        client.forget_largest = self.reader.forget_largest
        self.reader.framing.on_large = self._note_large
        client.wake = self.finish
        client.on_admitted = self.reader.set_authenticated

    def _note_large(self) -> None:
        """A large request comes in: its room is counted for a while."""
        self.core.crowd.large_inputs[self.client] = self.core.space.refresh()

    def received(self, data: bytes) -> None:
        self.reader.feed(data)
        if self.core.crowd.limit and self.core.is_too_much(self.client):
            return
        if self._parked is None and not self._scheduled and not self._postponed:
            self.pump()

    def input_ended(self) -> None:
        """The peer sends no more: close once everything is answered that it sent. Nobody waits for a parked command."""
        self._at_end = True
        if self._parked is not None or self._postponed or not (self._scheduled or self.stalled):
            self.client.hang_up()

    @property
    def is_fresh(self) -> bool:
        """Whether no request has come yet."""
        return self._fresh

    @property
    def is_behind(self) -> bool:
        """Whether input waits: for a parked command, for the peer to take its replies, or for its next turn."""
        return self._parked is not None or self.stalled or self._scheduled or self._postponed

    def pump(self) -> None:
        """Run every complete request, up to the fair share of a turn, and write all replies at once."""
        self._scheduled = False
        if self.closed or self.stalled or self._postponed or self._parked is not None:
            return
        core = self.core
        self._fresh = False
        now = core.space.refresh()
        self.ctx.now_ms = now
        self.client.active_ms = now
        self._running = True
        done = self._run_requests(FAIRNESS)
        self._running = False
        self.client.running = []
        core.stats.commands += done
        if done >= FAIRNESS:
            self.schedule()
        elif self._at_end:
            self.client.gates |= CLOSING
        elif self.on_progress is not None and self._parked is None:
            resume = self.on_progress
            self.on_progress = None
            resume()
        self._flush()
        if core.crowd.limit:
            core.note_size(self.client)

    def schedule(self) -> None:
        """Go on with what was received, in the next turn of the loop."""
        if not self._scheduled and self.core.loop is not None:
            self._scheduled = True
            self.core.loop.call_soon(self.pump)

    def _run_requests(self, budget: int) -> int:
        core = self.core
        client = self.client
        reader = self.reader
        entries = core.registry.entries
        plain: Entry | None = None
        done = 0
        last_name = b""
        last_found: Entry | None = None
        while done < budget and self._parked is None:
            try:
                argv = reader.read()
            except ProtocolError as refusal:  # a name of its own: compiled code gives a name one type
                self._refuse_protocol(refusal)
                break
            if argv is None:
                break
            done += 1
            if argv[0] == last_name:  # pipelines repeat themselves, and comparing costs less than hashing
                found = last_found
            else:
                last_name = argv[0]
                found = last_found = entries.get(last_name)
            try:
                if found is None or found.children is not None:
                    found = find_entry(self.ctx, argv)
                entry = found
                client.last_entry = entry
                if not entry.low <= len(argv) <= entry.high:
                    raise refused(entry, wrong_arity(entry.name))
                if client.gates or not entry.is_plain:
                    plain = None if plain is None else self._charge(None)
                    reply = self._run_carefully(entry, argv)
                else:
                    if entry is not plain:
                        plain = self._charge(entry)
                    if entry.is_write and (core.owned or core.journal.active):
                        reply = run_write(self.ctx, entry, argv)
                    else:
                        reply = call(self.ctx, entry, argv)
            except RedisError as error:
                self._failed(found, argv, error)
            else:
                self._answer(entry, argv, reply)
                if core.blocking.ready:
                    core.blocking.serve()
            if client.gates & CLOSING or self._postponed:
                break
        self._charge(None)
        return done - 1 if self._postponed else done

    def _charge(self, following: Entry | None) -> Entry | None:
        """Plain commands of one kind that ran in a row share the time they took; from now on it is `following`'s."""
        now = 0.0
        last = self._plain
        if last is not None:
            now = self.core.clock.monotonic()
            calls = last.calls - self._plain_before
            if calls > 0:
                last.charge(now - self._plain_began, calls)
        self._plain = following
        if following is not None:
            self._plain_before = following.calls
            self._plain_began = now or self.core.clock.monotonic()
        return following

    def _run_carefully(self, entry: Entry, argv: list[bytes]) -> object:
        """A command in a special condition, or one that is timed by itself."""
        client = self.client
        client.running = argv
        if client.gates == 0:
            reply = perform(self.ctx, entry, argv)
        else:
            reply = gated(self.ctx, entry, argv)
            if reply is POSTPONED:
                self._postpone(argv)
                return NO_REPLY
        if client.gates & MUTED:
            client.skip_reply()
            if isinstance(reply, Wait):
                self._parked_muted = True
            elif not isinstance(reply, Several):  # what is told of subscriptions is no reply
                return NO_REPLY
        if client.gates & TRACKING:
            self._answer(entry, argv, reply)
            self.core.tracking.send_later(client)
            return NO_REPLY
        return reply

    def _failed(self, entry: Entry | None, argv: list[bytes], error: RedisError) -> None:
        message = error.message
        client = self.client
        if entry is None or entry.children is not None:  # there is no such command
            self.core.stats.commands -= 1
        if client.queued is not None and not self.ctx.in_exec:
            client.abort_multi = True
        elif client.tracked is not None and not (entry is not None and entry.name.startswith("CLIENT")):
            client.tracked.caching = False
        if entry is not None and entry.name == "EXEC" and message not in (EXEC_ABORT, EXEC_WITHOUT_MULTI):
            message = b"EXECABORT Transaction discarded because of: " + message.removeprefix(b"ERR ")
            self.core.leave_multi(client)
            if self.core.monitors:  # they were shown MULTI, and see that it is over
                self.core.show_to_monitors(client, self.ctx.db.index, argv)
        self._send_error(message)

    def _answer(self, entry: Entry, argv: list[bytes], reply: object) -> None:
        out = self._out
        if type(reply) is bytes:
            size = len(reply)
            out.append(BULK_HEADERS[size] if size < TABLE else b"$%d\r\n" % size)
            out.append(reply)
            out.append(CRLF)
        elif reply is OK:
            out.append(b"+OK\r\n")
        elif reply is None:
            out.append(NULL3 if self.ctx.resp == 3 else NULL2)
        elif type(reply) is int:
            append_number(reply, out)
        elif isinstance(reply, Durable):
            self._hold(reply)
        elif isinstance(reply, Wait):
            self._park(entry, argv, reply)
        else:
            if isinstance(reply, Error):
                entry.failed += 1
                self.core.stats.count_error(reply.message)
            encode(reply, self.ctx.resp, out)

    def _refuse_protocol(self, error: ProtocolError) -> None:
        self._send_error(b"ERR Protocol error: " + error.reason.encode("utf-8", "replace"))
        self.client.gates |= CLOSING

    def finish(self) -> None:
        """The client is to be closed: do it as soon as nothing is held back for the disk.

        A peer that takes none of its replies would hold the connection for ever.
        """
        self._unpark()
        if self.stalled and self.client.abort is not None:
            self.client.abort()
            return
        if not (self._running or self._scheduled or self._out or self._held) and self.client.end_output is not None:
            self.client.end_output()
        if self.core.loop is not None:
            self.core.loop.call_soon(self._flush)

    # Waiting

    def _postpone(self, argv: list[bytes]) -> None:
        """CLIENT PAUSE holds this request back."""
        self.reader.unread(argv)
        self._postponed = True
        self.client.is_blocked = True
        self.core.pauses.wait(self.client, self._resume)

    def _resume(self) -> None:
        self._postponed = False
        self.client.is_blocked = False
        self.schedule()

    def _park(self, entry: Entry, argv: list[bytes], wait: Wait) -> None:
        self._parked_entry = entry
        self._parked_argv = argv
        self._on_timeout = wait.on_timeout
        parked = Parked(wait.tokens, self._retry)
        self._parked = parked
        self.client.is_blocked = True
        self.core.blocking.park(parked)
        if wait.timeout_ms > 0 and self.core.loop is not None:
            self._timer = self.core.loop.call_later(wait.timeout_ms / 1000, self._timed_out)

    def _unpark(self) -> None:
        if self._parked is not None:
            self.core.blocking.leave(self._parked)
        self._parked = None
        self.client.is_blocked = False
        if self._postponed:
            self._postponed = False
            self.core.pauses.leave(self.client)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _retry(self, token: Hashable) -> bool:
        """Run the parked command again because `token` is ready; whether it is served."""
        entry = self._parked_entry
        if entry is None or self._parked is None:
            return True
        argv = self._parked_argv
        self.ctx.now_ms = self.core.space.moment.now_ms
        woken_by = token[1] if isinstance(token, tuple) and len(token) == 2 else None
        try:
            self.ctx.woken_by = woken_by if isinstance(woken_by, bytes) else None
            try:
                if self.client.gates & TRACKING:
                    reply = perform_tracked(self.ctx, entry, argv, True)
                else:
                    reply = perform(self.ctx, entry, argv, True)
            finally:
                self.ctx.woken_by = None
        except RedisError as error:
            self._unpark()
            self._failed(entry, argv, error)
        else:
            if isinstance(reply, Wait):
                return False
            self._unpark()
            self._answer(entry, argv, NO_REPLY if self._take_mute() else reply)
            if self.client.gates & TRACKING:
                self.core.tracking.send_later(self.client)
        self._go_on()
        return True

    def _take_mute(self) -> bool:
        """Whether the reply of the command that waited is not to be sent."""
        muted = self._parked_muted
        self._parked_muted = False
        return muted

    def _go_on(self) -> None:
        self._flush()
        self.schedule()

    def _timed_out(self) -> None:
        self._timer = None
        self._give_up()

    def _give_up(self) -> None:
        """Answer the parked command as its timeout does."""
        reply = self._on_timeout
        self._unpark()
        if self._parked_entry is not None:
            self._parked_entry.calls += 1
        if not self._take_mute():
            encode(reply, self.ctx.resp, self._out)
        self._go_on()

    def unblock(self, with_error: bool) -> bool:
        """CLIENT UNBLOCK; whether the client was blocked."""
        if self._parked is None:
            return False
        if not with_error:
            self._give_up()
            return True
        self._unpark()
        if self._parked_entry is not None:
            self._parked_entry.calls += 1
            self._parked_entry.failed += 1
        if not self._take_mute():
            self._send_error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK")
        self._go_on()
        return True

    def ended(self) -> None:
        """The connection is gone."""
        self.closed = True
        self._unpark()
        self.core.forget_client(self.client)
