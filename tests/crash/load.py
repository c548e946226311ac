"""A pipelining client that keeps an account of what was acknowledged."""

from __future__ import annotations

import random
import socket
from typing import Any, Final

import hiredis

from heroredis.testing import ServerProcess
from tests.crash.judge import SCHEDULE, Account

WINDOW: Final = 40


class Load:
    """Creates, takes, ends, fails, cancels, puts off, retries and deletes jobs, some in one EXEC, while a schedule
    makes others. The topic `later` has no handler, `echo` may have one."""

    def __init__(self, server: ServerProcess, rng: random.Random, account: Account, *, lease_ms: int = 60_000,
                 window: int = WINDOW) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 20)
        self._reader = hiredis.Reader()
        self._rng: Final = rng
        self._account: Final = account
        self._lease_ms: Final = lease_ms
        self._window: Final = window
        self._asked: Final[list[tuple[str, Any]]] = []
        self._mine: Final[list[int]] = []
        self._waiting: Final[dict[int, None]] = {}
        """Jobs of `later` that nobody has been given yet, as far as we know."""
        self._cancelled: Final[set[int]] = set()
        self._over: Final[list[int]] = []
        """Jobs that have ended."""

    def run(self, answers: int, serial: int) -> None:
        """Keep requests in flight until so many answers have come; then leave them hanging for the kill."""
        if not serial:
            words = f"JOB.SCHEDULE SET {SCHEDULE} later tick EVERY 10 MISSED all".encode().split()
            self._send("schedule", None, *words)
            self._take()
        for number in range(answers + self._window):
            self._ask(b"<%d-%d>" % (serial, number))
            if number >= self._window:
                self._take()

    def close(self) -> None:
        self._socket.close()

    def _ask(self, unique: bytes) -> None:
        choice = self._rng.random()
        if choice < 0.43:
            topic = self._rng.choice([b"echo", b"later"])
            retries = (b"RETRY", b"2", b"BACKOFF", b"fixed:1") if self._rng.random() < 0.4 else ()
            self._send("create " + topic.decode(), unique, b"JOB.CREATE", topic, unique, *retries)
        elif choice < 0.47 and self._waiting:
            self._not_wanted(self._waiting.popitem()[0])
        elif choice < 0.52 and self._over:
            self._again_or_away(self._over.pop())
        elif choice < 0.62:
            self._account.together.append(((unique + b"-a", unique + b"-b"), 0, b""))
            self._send("mcreate", unique, b"JOB.MCREATE", b"later", unique + b"-a", unique + b"-b")
        elif choice < 0.68 and self._mine:
            self._transaction(self._mine.pop(), unique)
        elif choice < 0.8 or not self._mine:
            lease = (b"LEASE", b"%d" % self._lease_ms) if self._rng.random() < 0.3 else ()
            self._send("fetch", None, b"JOB.FETCH", b"3", b"0", b"later", *lease)
        else:
            job_id = self._mine.pop()
            kind = self._rng.choice(["done", "done", "error", "error", "fail", "cancel", "snooze"])
            words = {"done": (b"JOB.COMPLETE", b"r"), "error": (b"JOB.FAIL", b"e", b"DEAD"),
                     "fail": (b"JOB.FAIL", b"e"), "cancel": (b"JOB.CANCEL", b"why"),
                     "snooze": (b"JOB.SNOOZE", b"1")}[kind]
            self._send(kind, job_id, words[0], b"%d" % job_id, *words[1:])

    def _not_wanted(self, job_id: int) -> None:
        self._cancelled.add(job_id)
        if self._rng.random() < 0.5:
            self._send("cancel", job_id, b"JOB.CANCEL", b"%d" % job_id, b"not wanted")
        else:
            self._account.deleting.add(job_id)
            self._send("delete", job_id, b"JOB.DELETE", b"%d" % job_id)

    def _again_or_away(self, job_id: int) -> None:
        """What has ended as error runs again, or what has ended is deleted; what was made together stays."""
        if self._account.ended[job_id][0] == "error" and self._rng.random() < 0.6:
            self._account.retrying(job_id)
            self._send("retry", job_id, b"JOB.RETRY", b"%d" % job_id)
        elif self._account.created.get(job_id, b"-").endswith(b">"):
            self._account.deleting.add(job_id)
            self._send("delete", job_id, b"JOB.DELETE", b"%d" % job_id)

    def _transaction(self, job_id: int, unique: bytes) -> None:
        """What follows a job is made in one with its end."""
        following = unique + b"-x", unique + b"-y"
        self._account.together.append((following, job_id, unique))
        self._send("queued", None, b"MULTI")
        self._send("queued", None, b"JOB.COMPLETE", b"%d" % job_id, unique)
        for params in following:
            self._send("queued", None, b"JOB.CREATE", b"later", params)
        self._send("exec", (job_id, following), b"EXEC")

    def _send(self, kind: str, fact: Any, *words: bytes) -> None:
        self._asked.append((kind, fact))
        self._socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))

    def _take(self) -> None:
        answer = self._reader.gets()
        while answer is False:
            data = self._socket.recv(65536)
            assert data, "the server closed the connection"
            self._reader.feed(data)
            answer = self._reader.gets()
        kind, fact = self._asked.pop(0)
        if kind == "delete" and isinstance(answer, hiredis.ReplyError) and "is active, it" in str(answer):
            self._account.deleting.remove(fact)  # it had been handed out, on the way to us
            return
        assert not isinstance(answer, hiredis.ReplyError), f"{kind} {fact!r}: {answer}"
        if kind == "queued":
            self._take()
        elif kind == "exec" and isinstance(fact, tuple):
            job_id, following = fact
            assert not any(isinstance(part, hiredis.ReplyError) for part in answer), answer
            for made, params in zip(answer[1:], following, strict=True):
                self._account.made(made, params)
            self._account.end(job_id, "done")
        elif kind.startswith("create") and isinstance(fact, bytes):
            self._account.made(answer, fact)
            if kind == "create later":
                self._waiting[answer] = None
        elif kind == "mcreate" and isinstance(fact, bytes):
            self._account.made(answer[0], fact + b"-a")
            self._account.made(answer[1], fact + b"-b")
        elif kind == "fetch":
            for job in answer or []:
                facts = dict(zip(job[::2], job[1::2], strict=True))
                self._account.handed_out(facts[b"id"], facts[b"params"])
                self._waiting.pop(facts[b"id"], None)
                if facts[b"id"] not in self._cancelled:
                    self._mine.append(facts[b"id"])
        elif isinstance(fact, int):
            self._acknowledged(kind, fact)

    def _acknowledged(self, kind: str, job_id: int) -> None:
        if kind == "retry":
            self._account.retried[job_id] += 1
        elif kind == "delete":
            self._account.deleted.add(job_id)
        elif kind in ("done", "error", "cancel"):
            self._account.end(job_id, "done" if kind == "done" else "error")
            self._over.append(job_id)
