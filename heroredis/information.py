"""INFO: sections of facts, in the words that Redis tools read."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Callable
from typing import Final

from heroredis.form import is_compiled
from heroredis.session.core import Core
from heroredis.version import REDIS_VERSION

Facts = list[tuple[str, str]]
VERSION: Final = "0.1.0"


def _server(core: Core) -> Facts:
    uptime = max(0, core.clock.now_ms() - core.started_ms) // 1000
    port = next((number for _, number in core.listeners if number), 0)
    return [
        ("redis_version", REDIS_VERSION), ("redis_mode", "standalone"), ("heroredis_version", VERSION),
        ("heroredis_form", "compiled" if is_compiled() else "interpreted"),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"), ("arch_bits", "64"),
        ("process_id", str(os.getpid())), ("run_id", core.run_id), ("tcp_port", str(port)),
        ("python_version", platform.python_version()), ("uptime_in_seconds", str(uptime)),
        ("uptime_in_days", str(uptime // 86400)), ("hz", core.parameters.get("hz").decode()),
    ]


def _clients(core: Core) -> Facts:
    return [("connected_clients", str(len(core.clients))), ("maxclients", core.parameters.get("maxclients").decode()),
            ("blocked_clients", str(core.blocking.count + core.pauses.count))]


def _memory(core: Core) -> Facts:
    used = _resident_bytes()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return [("used_memory", str(used)), ("used_memory_rss", str(used)), ("used_memory_peak", str(peak)),
            ("maxmemory", core.parameters.get("maxmemory").decode()),
            ("maxmemory_policy", core.parameters.get("maxmemory-policy").decode())]


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _persistence(core: Core) -> Facts:
    return core.keeper.facts()


def _stats(core: Core) -> Facts:
    stats = core.stats
    return [
        ("total_connections_received", str(stats.connections)), ("total_commands_processed", str(stats.commands)),
        ("total_net_input_bytes", str(stats.bytes_in)), ("total_net_output_bytes", str(stats.bytes_out)),
        ("rejected_connections", str(stats.rejected_connections)), ("total_error_replies", str(stats.errors)),
        ("keyspace_hits", str(_hits(core))), ("keyspace_misses", str(stats.misses + stats.get_misses)),
        ("expired_keys", str(sum(database.expired for database in core.space.databases))),
        ("tracking_total_keys", str(len(core.tracking.table))), ("tracking_total_items", str(core.tracking.items())),
        ("tracking_total_prefixes", str(len(core.tracking.prefixes))),
        ("security_events", str(stats.security_events)),
    ]


def _hits(core: Core) -> int:
    get = core.registry.commands["GET"]
    return core.stats.hits + max(0, get.calls - get.failed - core.stats.get_misses)


def _replication(core: Core) -> Facts:
    return [("role", "master"), ("connected_slaves", "0"), ("master_replid", core.run_id), ("master_repl_offset", "0")]


def _cpu(core: Core) -> Facts:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return [("used_cpu_sys", f"{usage.ru_stime:.6f}"), ("used_cpu_user", f"{usage.ru_utime:.6f}")]


def _modules(core: Core) -> Facts:
    return []


def _commandstats(core: Core) -> Facts:
    return [
        (f"cmdstat_{name.lower().replace(' ', '|')}",
         f"calls={entry.calls},usec={int(entry.seconds * 1e6)},"
         f"usec_per_call={entry.seconds * 1e6 / max(1, entry.calls):.2f},"
         f"rejected_calls={entry.rejected},failed_calls={entry.failed}")
        for name, entry in sorted(core.registry.commands.items()) if entry.calls or entry.rejected
    ]


def _errorstats(core: Core) -> Facts:
    return [(f"errorstat_{code.decode('latin-1')}", f"count={count}")
            for code, count in sorted(core.stats.by_code.items())]


def _cluster(core: Core) -> Facts:
    return [("cluster_enabled", "0")]


def _keyspace(core: Core) -> Facts:
    return [
        (f"db{database.index}", f"keys={database.size()},expires={len(database.expires)},avg_ttl=0")
        for database in core.space.databases if database.size()
    ]


SECTIONS: Final[dict[str, Callable[[Core], Facts]]] = {
    "server": _server, "clients": _clients, "memory": _memory, "persistence": _persistence, "stats": _stats,
    "replication": _replication, "cpu": _cpu, "modules": _modules, "commandstats": _commandstats,
    "errorstats": _errorstats, "cluster": _cluster, "keyspace": _keyspace,
}
NOT_DEFAULT: Final = frozenset({"commandstats"})


def render(core: Core, wanted: list[str]) -> str:
    """The text of INFO for the wanted sections; none = the default ones."""
    everything = not wanted or any(name in ("default", "all", "everything") for name in wanted)
    parts = []
    for name, facts in SECTIONS.items():
        hidden = name in NOT_DEFAULT and not ({"all", "everything"} & set(wanted))
        if name in wanted or (everything and not hidden):
            parts.append((name, facts(core)))
    for tell in core.extra_info:
        parts += [(name, facts) for name, facts in tell() if everything or name in wanted]
    return "\r\n".join(
        f"# {name.capitalize()}\r\n" + "".join(f"{key}:{value}\r\n" for key, value in facts) for name, facts in parts)
