"""A pipelining client that keeps an account of what was acknowledged."""

from __future__ import annotations

import random
import socket
from typing import Final

import hiredis

from heroredis.testing import ServerProcess
from tests.crash.judge import SCHEDULE, Account

WINDOW: Final = 40


class Load:
    """Creates, takes, ends, cancels and puts off jobs, some in one EXEC, while a schedule makes others. The topic
    `later` has no handler, `echo` may have one."""

    def __init__(self, server: ServerProcess, rng: random.Random, account: Account, *, lease_ms: int = 60_000,
                 window: int = WINDOW) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 20)
        self._reader = hiredis.Reader()
        self._rng: Final = rng
        self._account: Final = account
        self._lease_ms: Final = lease_ms
        self._window: Final = window
        self._asked: Final[list[tuple[str, object]]] = []
        self._mine: Final[list[int]] = []

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
        if choice < 0.5:
            self._send("create", unique, b"JOB.CREATE", self._rng.choice([b"echo", b"later"]), unique)
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
            kind = self._rng.choice(["done", "done", "done", "error", "cancel", "snooze"])
            words = {"done": (b"JOB.COMPLETE", b"r"), "error": (b"JOB.FAIL", b"e", b"DEAD"),
                     "cancel": (b"JOB.CANCEL", b"why"), "snooze": (b"JOB.SNOOZE", b"1")}[kind]
            self._send(kind, job_id, words[0], b"%d" % job_id, *words[1:])

    def _transaction(self, job_id: int, unique: bytes) -> None:
        """What follows a job is made in one with its end."""
        following = unique + b"-x", unique + b"-y"
        self._account.together.append((following, job_id, unique))
        self._send("queued", None, b"MULTI")
        self._send("queued", None, b"JOB.COMPLETE", b"%d" % job_id, unique)
        for params in following:
            self._send("queued", None, b"JOB.CREATE", b"later", params)
        self._send("exec", (job_id, following), b"EXEC")

    def _send(self, kind: str, fact: object, *words: bytes) -> None:
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
        assert not isinstance(answer, hiredis.ReplyError), f"{kind} {fact!r}: {answer}"
        if kind == "queued":
            self._take()
        elif kind == "exec" and isinstance(fact, tuple):
            job_id, following = fact
            assert not any(isinstance(part, hiredis.ReplyError) for part in answer), answer
            for made, params in zip(answer[1:], following, strict=True):
                self._account.made(made, params)
            self._account.end(job_id, "done")
        elif kind == "create" and isinstance(fact, bytes):
            self._account.made(answer, fact)
        elif kind == "mcreate" and isinstance(fact, bytes):
            self._account.made(answer[0], fact + b"-a")
            self._account.made(answer[1], fact + b"-b")
        elif kind == "fetch":
            for job in answer or []:
                facts = dict(zip(job[::2], job[1::2], strict=True))
                self._account.handed_out(facts[b"id"], facts[b"params"])
                self._mine.append(facts[b"id"])
        elif kind != "snooze" and isinstance(fact, int):
            self._account.end(fact, "done" if kind == "done" else "error")
