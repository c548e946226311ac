"""Starting from a redis.conf: what each kind of line does, what is refused, and that Redis reads what we rewrite."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import need
from tests.differential.harness import Failure, Status, Wire
from tests.e2e.conf_process import ConfProcess, connect, free_port, ours, real

CONF = """\
# a comment that stays
port {port}
dir {folder}
unixsocket {folder}/s.sock
unixsocketperm 770
save 900 1
save 300 10

maxmemory 100mb
hash-max-ziplist-entries 77
client-output-buffer-limit pubsub 16mb 8mb 60
notify-keyspace-events "KEA"
include {folder}/more*.conf
include {folder}/none*.conf
rename-command FLUSHALL ""
rename-command KEYS "LOOK"
user alice on >secret ~a* +@all
requirepass "pa \\x73s"
pidfile {folder}/the.pid
replica-priority 50
"""


def written(folder: Path, text: str = CONF) -> tuple[Path, int]:
    port = free_port()
    path = folder / "redis.conf"
    path.write_text(text.format(port=port, folder=folder))
    (folder / "more1.conf").write_text("timeout 9\n")
    return path, port


def value(wire: Wire, name: str) -> bytes:
    reply = wire.call("CONFIG", "GET", name)
    assert isinstance(reply, list), reply
    assert isinstance(reply[1], bytes)
    return reply[1]


def test_every_kind_of_line(tmp_path: Path) -> None:
    path, port = written(tmp_path)
    with ConfProcess(ours(str(path), "--hz", "20", "--slowlog-max-len", "7"), tmp_path) as server:
        log = "\n".join(server.lines)
        assert f" PID: {server.pid}" in log
        assert log.index(" PID: ") < log.index("Server initialized") < log.index("Ready to accept connections")
        assert (tmp_path / "the.pid").read_text() == f"{server.pid}\n"
        assert stat.S_IMODE(os.stat(tmp_path / "s.sock").st_mode) == 0o770
        with connect(port, "pa ss") as wire, Wire(str(tmp_path / "s.sock")) as local:
            expected = {
                "port": str(port), "save": "900 1 300 10", "maxmemory": "104857600", "hash-max-listpack-entries": "77",
                "timeout": "9", "hz": "20", "slowlog-max-len": "7", "notify-keyspace-events": "AKE", "appendonly": "no",
                "requirepass": "***", "bind": "127.0.0.1 -::1", "unixsocketperm": "770", "slave-priority": "50",
                "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 16777216 8388608 60",
                "dir": str(tmp_path),
            }
            assert {name: value(wire, name).decode() for name in expected} == expected
            assert isinstance(wire.call("FLUSHALL"), Failure)
            assert isinstance(wire.call("KEYS", "*"), Failure)
            assert wire.call("look", "*") == []
            assert isinstance(wire.call("JOB.CREATE", "t", "x"), Failure)
            assert local.call("AUTH", "alice", "secret") == Status(b"OK")
            assert local.call("SET", "a1", "x") == Status(b"OK")
            assert isinstance(local.call("SET", "b", "x"), Failure)
        assert server.stop() == 0
    assert not (tmp_path / "s.sock").exists()
    assert not (tmp_path / "the.pid").exists()


@pytest.mark.parametrize(("line", "reason"), [
    ("daemonize yes", "daemonize: heroredis stays in the foreground"),
    ("cluster-enabled yes", "cluster-enabled: there is no cluster mode"),
    ("replicaof 127.0.0.1 6379", "replicaof: heroredis is never a replica"),
    ("slaveof 127.0.0.1 6379", "slaveof: heroredis is never a replica"),
    ("loadmodule /x.so", "loadmodule: modules cannot be loaded"),
    ("syslog-enabled yes", "syslog-enabled: "),
    ("nope 1", "Bad directive or wrong number of arguments"),
    ("maxmemory", "wrong number of arguments"),
    ("maxmemory 1 2", "wrong number of arguments"),
    ("maxmemory x", "argument must be a memory value"),
    ('port "1', "Unbalanced quotes in configuration line"),
    ("include /nope/nope.conf", "can't open config file '/nope/nope.conf': No such file or directory"),
    ("user bob +nope", "Error in user declaration '+nope': Unknown command or category name in ACL"),
    ("user bob on\nuser bob off", "Duplicate user found"),
    ("rename-command NOPE x", "rename-command NOPE: No such command in rename-command"),
    ("aclfile /x\nuser bob on", "use one of the two, not both"),
    ("aclfile /nope/users.acl", "Error loading ACLs, opening file '/nope/users.acl'"),
    ("dir /nope/nope", "Can't chdir to '/nope/nope'"),
    ("bind 0.0.0.0", "bind 0.0.0.0: this address is open to other machines and no password is set"),
    ("tls-port 6390", "TLS: tls-cert-file and tls-key-file have to be given"),
])
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, line: str, reason: str) -> None:
    path, _ = written(tmp_path, f"port 0\ndir {tmp_path}\nunixsocket {tmp_path}/s.sock\n{line}\n")
    server = ConfProcess(ours(str(path)), tmp_path)
    assert not server.is_running
    assert reason in server.errors
    assert server.stop() == 1


def test_a_taken_port_is_told_as_redis_tells_it(tmp_path: Path) -> None:
    path, port = written(tmp_path, "port {port}\ndir {folder}\n")
    (tmp_path / "other").mkdir()
    with ConfProcess(ours(str(path)), tmp_path):
        second = ConfProcess(ours(str(path), "--dir", str(tmp_path / "other")), tmp_path)
        assert f"Failed listening on port {port}" in "\n".join(second.lines)
        assert second.stop() == 1


def test_users_from_a_file_are_loaded_and_saved(tmp_path: Path) -> None:
    acl = tmp_path / "users.acl"
    acl.write_text("user alice on >one allkeys allcommands\nuser default on nopass +@all ~* &*\n")
    path, port = written(tmp_path, "port {port}\ndir {folder}\naclfile {folder}/users.acl\n")
    with ConfProcess(ours(str(path)), tmp_path), connect(port) as wire:
        assert wire.call("ACL", "USERS") == [b"alice", b"default"]
        assert wire.call("ACL", "SETUSER", "bob", "on", ">two", "+get", "~x") == Status(b"OK")
        assert wire.call("ACL", "SAVE") == Status(b"OK")
        assert "one" not in acl.read_text()
        saved = acl.read_text().splitlines()
        assert [line.split()[1] for line in saved] == ["alice", "bob", "default"]
        acl.write_text(acl.read_text() + "user broken +nope\nnonsense\n")
        refused = wire.call("ACL", "LOAD")
        assert isinstance(refused, Failure)
        assert f"{acl}:4: Unknown command or category name in ACL. {acl}:5 should start with user".encode() in refused
        assert wire.call("ACL", "USERS") == [b"alice", b"bob", b"default"]
        with connect(port) as other:
            assert other.call("AUTH", "bob", "two") == Status(b"OK")
            acl.write_text("\n".join(line for line in saved if " bob " not in line) + "\n")
            assert wire.call("ACL", "LOAD") == Status(b"OK")
            assert other.at_end()
        assert wire.call("ACL", "USERS") == [b"alice", b"default"]


def test_everything_can_be_rewritten_and_read_again(tmp_path: Path) -> None:
    """Ours starts from it with the same values, and Redis reads all of its lines."""
    path, port = written(tmp_path)
    with ConfProcess([*ours(str(path)), "--enable-debug-command", "yes"], tmp_path), connect(port, "pa ss") as wire:
        before = wire.call("CONFIG", "GET", "*")
        assert wire.call("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == Status(b"OK")
    lines = path.read_text().splitlines()
    assert {"maxmemory-samples 5", "appendfsync everysec", "hz 10"} <= set(lines)
    with ConfProcess(ours(str(path)), tmp_path), connect(port, "pa ss") as wire:
        now = wire.call("CONFIG", "GET", "*")
    assert isinstance(before, list)
    assert isinstance(now, list)
    changed = {name: value for name, value in zip(now[::2], now[1::2], strict=True)
               if value != before[before.index(name) + 1]}
    assert changed == {}
    need("redis-server")
    with ConfProcess(real(str(path)), tmp_path) as server:
        assert server.is_running


def test_redis_starts_from_what_we_rewrote(tmp_path: Path) -> None:
    """The same file, the same changes, rewritten by both: then each starts from the other's and has the same values."""
    need("redis-server")
    changes = ["maxmemory 200mb", "save 60 5", "timeout 3", "notify-keyspace-events Kl", "maxmemory-clients 5%",
               "client-output-buffer-limit normal 1mb 2mb 3", "slowlog-log-slower-than -1", "loglevel debug",
               "masterauth canary", "oom-score-adj-values 1 2 3", "latency-tracking-info-percentiles 50",
               "requirepass a\tb\"c", "hash-max-ziplist-value 65"]
    texts, values = {}, {}
    for name, command in (("ours", ours), ("real", real)):
        folder = tmp_path / name
        folder.mkdir()
        path, port = written(folder)
        with ConfProcess(command(str(path)), folder), connect(port, "pa ss") as wire:
            for change in changes:
                option, _, text = change.partition(" ")
                assert wire.call("CONFIG", "SET", option, text) == Status(b"OK"), change
            assert wire.call("CONFIG", "REWRITE") == Status(b"OK")
        texts[name] = path.read_text()
    for line in ("# a comment that stays", "# Generated by CONFIG REWRITE", 'rename-command KEYS "LOOK"'):
        assert all(text.splitlines().count(line) == 1 for text in texts.values()), line
    for name, command in (("real", ours), ("ours", real)):
        folder = tmp_path / name
        with ConfProcess(command(str(folder / "redis.conf")), folder) as server:
            assert server.is_running
            port = int(next(line.split()[1] for line in texts[name].splitlines() if line.startswith("port")))
            with connect(port, 'a\tb"c', 3) as wire:
                values[name] = {option: wire.call("CONFIG", "GET", option) for option in (
                    "maxmemory", "save", "timeout", "notify-keyspace-events", "maxmemory-clients", "loglevel",
                    "client-output-buffer-limit", "slowlog-log-slower-than", "oom-score-adj-values", "unixsocketperm",
                    "latency-tracking-info-percentiles", "hash-max-listpack-value", "hash-max-listpack-entries")}
                values[name]["users"] = wire.call("ACL", "LIST")
    assert values["real"] == values["ours"]
