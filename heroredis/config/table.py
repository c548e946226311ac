"""All parameters of Redis 7.0, declared: name, kind, default, and how each may change.

The names of those that do something here stand in effects.py.
"""

from __future__ import annotations

from typing import Final

from heroredis.config.kinds import (
    INT,
    LONG,
    WORD,
    Addresses,
    BacklogSize,
    BufferLimits,
    Events,
    Folder,
    Hertz,
    Kind,
    Memory,
    MemoryOrPercent,
    NeverOn,
    Octal,
    OneOf,
    Percentiles,
    SavePoints,
    ScoreValues,
    Several,
    ShutdownOptions,
    Text,
    Whole,
    YesNo,
    base_name,
    host_name,
    title_template,
)

IMMUTABLE: Final = 1
PROTECTED: Final = 2
"""Only where enable-protected-configs allows it."""
HIDDEN: Final = 4
"""Not found by a pattern."""
SECRET: Final = 8
NULLABLE: Final = 16
"""Empty means not set: CONFIG REWRITE then writes no line."""


class Parameter:
    """One declared parameter."""

    def __init__(self, name: str, kind: Kind, default: bytes, flags: int, alias: str) -> None:
        self.name: Final = name
        self.kind: Final = kind
        self.default: Final = default
        self.flags: Final = flags
        self.alias: Final = alias


TABLE: Final[dict[str, Parameter]] = {}
"""By canonical name."""


def _declare(name: str, kind: Kind, default: str | int = "", flags: int = 0) -> None:
    """`name` may carry an alias behind a bar."""
    name, _, alias = name.partition("|")
    TABLE[name] = Parameter(name, kind, str(default).encode(), flags, alias)


def _switches(default: str, names: str, flags: int = 0) -> None:
    for name in names.split():
        _declare(name, YesNo(), default, flags)


def _texts(names: str, flags: int) -> None:
    for name in names.split():
        _declare(name, Text(), "", flags)


def _numbers(low: int, high: int, defaults: str, flags: int = 0) -> None:
    """`defaults` as name=value."""
    for word in defaults.split():
        name, _, default = word.partition("=")
        _declare(name, Whole(low, high), default, flags)


def _sizes(low: int, high: int, defaults: str, signed: bool = False) -> None:
    for word in defaults.split():
        name, _, default = word.partition("=")
        _declare(name, Memory(low, high, signed), default)


_switches("yes", "rdbchecksum set-proc-title disable-thp", IMMUTABLE)
_switches("no", "daemonize io-threads-do-reads always-show-logo syslog-enabled cluster-enabled", IMMUTABLE)
_switches("yes", """
    protected-mode rdbcompression activerehashing stop-writes-on-bgsave-error dynamic-hz repl-diskless-sync
    aof-rewrite-incremental-fsync cluster-require-full-coverage rdb-save-incremental-fsync aof-load-truncated
    aof-use-rdb-preamble replica-serve-stale-data|slave-serve-stale-data replica-read-only|slave-read-only
    replica-ignore-maxmemory|slave-ignore-maxmemory jemalloc-bg-thread cluster-allow-pubsubshard-when-down
    crash-log-enabled crash-memcheck-enabled cluster-allow-replica-migration replica-announced latency-tracking
    tls-session-caching""")
_switches("no", """
    rdb-del-sync-files lazyfree-lazy-eviction lazyfree-lazy-expire lazyfree-lazy-server-del lazyfree-lazy-user-del
    lazyfree-lazy-user-flush repl-disable-tcp-nodelay no-appendfsync-on-rewrite aof-timestamp-enabled
    cluster-replica-no-failover|cluster-slave-no-failover replica-lazy-flush|slave-lazy-flush appendonly
    cluster-allow-reads-when-down aof-disable-auto-gc replica-ignore-disk-write-errors tls-cluster tls-replication
    tls-prefer-server-ciphers""")
_declare("activedefrag", NeverOn("Active defragmentation cannot be enabled: there is none here"), "no")
_switches("no", "use-exit-on-panic", HIDDEN)

_texts("server_cpulist bio_cpulist aof_rewrite_cpulist bgsave_cpulist unixsocket pidfile", IMMUTABLE | NULLABLE)
_texts("aclfile logfile", IMMUTABLE)
_texts("""
    replica-announce-ip|slave-announce-ip masteruser cluster-announce-ip bind-source-addr tls-cert-file tls-key-file
    tls-client-cert-file tls-client-key-file tls-dh-params-file tls-ca-cert-file tls-ca-cert-dir tls-protocols
    tls-ciphers tls-ciphersuites""", NULLABLE)
_texts("masterauth requirepass tls-key-file-pass tls-client-key-file-pass", NULLABLE | SECRET)
_declare("cluster-config-file", Text(), "nodes.conf", IMMUTABLE)
_declare("cluster-announce-hostname", Text(host_name), "", NULLABLE)
_declare("syslog-ident", Text(), "redis", IMMUTABLE)
_declare("dbfilename", Text(base_name("dbfilename", "filename", True)), "dump.rdb", PROTECTED)
_declare("appendfilename", Text(base_name("appendfilename", "filename")), "appendonly.aof", IMMUTABLE)
_declare("appenddirname", Text(base_name("appenddirname", "dirname")), "appendonlydir", IMMUTABLE)
_declare("ignore-warnings", Text())
_declare("proc-title-template", Text(title_template), "{title} {listen-addr} {server-mode}")

_declare("supervised", OneOf("upstart systemd auto no"), "no", IMMUTABLE)
_declare("syslog-facility", OneOf("user local0 local1 local2 local3 local4 local5 local6 local7"), "local0", IMMUTABLE)
_declare("repl-diskless-load", OneOf("disabled on-empty-db swapdb"), "disabled")
_declare("loglevel", OneOf("debug verbose notice warning"), "notice")
_declare("maxmemory-policy", OneOf("volatile-lru volatile-lfu volatile-random volatile-ttl allkeys-lru allkeys-lfu "
                                   "allkeys-random noeviction"), "noeviction")
_declare("appendfsync", OneOf("everysec always no"), "everysec")
_declare("oom-score-adj", OneOf("no yes relative absolute", {b"relative": b"yes"}), "no")
_declare("acl-pubsub-default", OneOf("allchannels resetchannels"), "resetchannels")
_declare("sanitize-dump-payload", OneOf("no yes clients"), "no")
_declare("enable-protected-configs", OneOf("no yes local"), "no", IMMUTABLE)
_declare("enable-debug-command", OneOf("no yes local"), "no", IMMUTABLE)
_declare("enable-module-command", OneOf("no yes local"), "no", IMMUTABLE)
_declare("cluster-preferred-endpoint-type", OneOf("ip hostname unknown-endpoint"), "ip")
_declare("propagation-error-behavior", OneOf("ignore panic panic-on-replicas"), "ignore")
_declare("shutdown-on-sigint", ShutdownOptions("default save nosave now force"), "default")
_declare("shutdown-on-sigterm", ShutdownOptions("default save nosave now force"), "default")
_declare("tls-auth-clients", OneOf("no yes optional"), "yes")

_numbers(1, INT, "databases=16", IMMUTABLE)
_numbers(0, INT, "tcp-backlog=511", IMMUTABLE)
_numbers(0, 65535, "cluster-port=0", IMMUTABLE)
_numbers(1, 128, "io-threads=1", IMMUTABLE)
_numbers(0, 65535, """
    port=6379 replica-announce-port|slave-announce-port=0 cluster-announce-bus-port=0 cluster-announce-port=0
    cluster-announce-tls-port=0 tls-port=0""")
_numbers(0, INT, """
    auto-aof-rewrite-percentage=100 cluster-replica-validity-factor|cluster-slave-validity-factor=10 tcp-keepalive=300
    cluster-migration-barrier=1 lfu-log-factor=10 lfu-decay-time=1 replica-priority|slave-priority=100
    repl-diskless-sync-delay=5 timeout=0 list-compress-depth=0 min-replicas-to-write|min-slaves-to-write=0
    min-replicas-max-lag|min-slaves-max-lag=10 shutdown-timeout=10 repl-diskless-sync-max-replicas=0
    tls-session-cache-size=20480 tls-session-cache-timeout=300""")
_numbers(-INT - 1, INT, "list-max-listpack-size|list-max-ziplist-size=-2")
_numbers(1, 99, "active-defrag-cycle-min=1 active-defrag-cycle-max=25")
_numbers(0, 1000, "active-defrag-threshold-lower=10 active-defrag-threshold-upper=100")
_numbers(1, INT, "maxmemory-samples=5 repl-timeout=60 repl-ping-replica-period|repl-ping-slave-period=10")
_numbers(0, 100, "maxmemory-eviction-tenacity=10")
_numbers(1, 10, "active-expire-effort=1")
_numbers(1, (1 << 32) - 1, "maxclients=10000")
_numbers(1, LONG, "active-defrag-max-scan-fields=1000")
_numbers(-1, LONG, "slowlog-log-slower-than=10000")
_numbers(0, LONG, """
    slowlog-max-len=128 acllog-max-len=128 busy-reply-threshold|lua-time-limit=5000 cluster-node-timeout=15000
    latency-monitor-threshold=0 stream-node-max-entries=100 repl-backlog-ttl=3600 tracking-table-max-keys=1000000
    hash-max-listpack-entries|hash-max-ziplist-entries=512 set-max-intset-entries=512
    zset-max-listpack-entries|zset-max-ziplist-entries=128""")
_numbers(0, (1 << 32) - 1, "socket-mark-id=0", IMMUTABLE)
_numbers(-INT - 1, INT, "rdb-key-save-delay=0 key-load-delay=0", HIDDEN)
_numbers(0, INT, "watchdog-period=0", HIDDEN)
_numbers(1024, INT, "loading-process-events-interval-bytes=2097152", HIDDEN)
_declare("hz", Hertz(0, INT), 10)
_declare("unixsocketperm", Octal(0, 0o777), 0, IMMUTABLE)

_sizes(0, WORD, "maxmemory=0 cluster-link-sendbuf-limit=0")
_sizes(0, LONG, """
    hash-max-listpack-value|hash-max-ziplist-value=64 stream-node-max-bytes=4096
    zset-max-listpack-value|zset-max-ziplist-value=64 hll-sparse-max-bytes=3000""")
_sizes(1, LONG, "active-defrag-ignore-bytes=104857600")
_sizes(1 << 20, LONG, "client-query-buffer-limit=1073741824")
_sizes(1 << 20, LONG, "proto-max-bulk-len=536870912", True)
_sizes(0, LONG, "auto-aof-rewrite-min-size=67108864", True)
_declare("repl-backlog-size", BacklogSize(1, LONG, True), 1 << 20)
_declare("maxmemory-clients", MemoryOrPercent(), 0)

_declare("dir", Folder(), "", PROTECTED)
_declare("save", SavePoints(), "")
_declare("client-output-buffer-limit", BufferLimits(),
         "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60")
_declare("oom-score-adj-values", ScoreValues(), "0 200 800")
_declare("notify-keyspace-events", Events())
_declare("bind", Addresses(), "* -::*")
_declare("replicaof|slaveof", Several(), "", IMMUTABLE | NULLABLE)
_declare("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9")

ALIASES: Final = {one.alias: one.name for one in TABLE.values() if one.alias}
