"""Passwords given in every way that there is are found in no reply to another client, no log and no error text."""

from __future__ import annotations

from pathlib import Path

from tests.differential.harness import Failure, Status, Wire
from tests.e2e.conf_process import ConfProcess, connect, free_port, ours

CANARY = b"canary"
QUESTIONS = ("CONFIG GET *", "CONFIG GET requirepass masterauth tls-key-file-pass", "INFO", "INFO everything",
             "CLIENT LIST", "CLIENT INFO", "ACL LIST", "ACL GETUSER default", "ACL GETUSER alice", "ACL LOG",
             "SLOWLOG GET 128", "LATENCY DOCTOR", "MEMORY DOCTOR", "COMMAND COUNT")


def talk(port: int) -> None:
    """Everything that carries a password, right and wrong."""
    with Wire(("127.0.0.1", port)) as wire:
        for line in ("AUTH canary-wrong", "AUTH alice canary-wrong", "AUTH canary-one", "AUTH alice canary-two",
                     "HELLO 3 AUTH alice canary-wrong", "HELLO 2 AUTH alice canary-two SETNAME x",
                     "CONFIG SET requirepass canary-three", "CONFIG SET masterauth canary-four hz 10",
                     "config set tls-key-file-pass canary-five", "CONFIG SET hz 10 requirepass canary-one",
                     "CONFIG SET requirepass canary-six nope 1", "ACL SETUSER alice >canary-two >canary-seven",
                     "ACL SETUSER alice <canary-seven <canary-none", "acl setuser alice >canary-eight +nope",
                     "MIGRATE 127.0.0.1 1 k 0 10 AUTH canary-nine", "MIGRATE 127.0.0.1 1 k 0 10 AUTH2 u canary-nine",
                     "AUTH canary a b", "HELLO 3 AUTH canary", "CONFIG SET requirepass", "ACL SETUSER"):
            wire.call(*line.split(" "))
        wire.call("MULTI")
        wire.call("AUTH", "alice", "canary-wrong")
        wire.call("CONFIG", "SET", "masterauth", "canary-ten")
        wire.call("EXEC")


def test_no_password_is_told(tmp_path: Path) -> None:
    port = free_port()
    conf = tmp_path / "redis.conf"
    conf.write_text(f"port {port}\ndir {tmp_path}\nrequirepass canary-one\nmasterauth canary-four\nloglevel debug\n"
                    "tls-key-file-pass canary-five\nslowlog-log-slower-than 0\nuser alice on >canary-two ~* &* +@all\n"
                    "user default on >canary-one ~* &* +@all\n")
    with ConfProcess(ours(str(conf)), tmp_path) as server:
        with connect(port, "canary-one", 3) as wire, connect(port, "canary-one") as watcher:
            watched: list[object] = [watcher.call("MONITOR")]
            talk(port)
            told = [wire.call(*question.split(" ")) for question in QUESTIONS]
            if watched == [Status(b"OK")]:
                wire.call("ECHO", "the end")
                while b"the end" not in repr(watched[-1]).encode():
                    watched.append(watcher.read())
        for question, reply in zip(QUESTIONS, told, strict=True):
            assert CANARY not in repr(reply).encode(), question
        for seen in watched:
            assert CANARY not in repr(seen).encode()
        assert isinstance(told[0], Failure) is False
        assert server.stop() == 0
    assert CANARY.decode() not in "\n".join(server.lines)


def test_no_password_is_told_when_the_start_fails(tmp_path: Path) -> None:
    conf = tmp_path / "redis.conf"
    for line in ("requirepass canary more", 'requirepass "canary', "user alice >canary +nope",
                 "user a >canary\nuser a on", "masterauth canary canary", "tls-key-file-pass canary canary"):
        conf.write_text(f"port 0\ndir {tmp_path}\n{line}\n")
        server = ConfProcess(ours(str(conf)), tmp_path)
        assert not server.is_running
        assert server.errors
        assert CANARY.decode() not in server.errors + "\n".join(server.lines), line
        server.stop()
