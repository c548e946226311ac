"""INFO: sections of facts, in the words that Redis tools read."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Callable
from typing import Final

from heroredis.footprint import peak_bytes, resident_bytes
from heroredis.form import is_compiled
from heroredis.registry import Entry, bucket_limit
from heroredis.session.core import Core
from heroredis.version import REDIS_VERSION

Facts = list[tuple[str, str]]
VERSION: Final = "0.1.0"


def _server(core: Core) -> Facts:
    now_us = core.clock.now_us()
    uptime = max(0, core.clock.now_ms() - core.started_ms) // 1000
    port = next((number for _, number in core.listeners if number), 0)
    hz = core.parameters.get("hz").decode()
    return [
        ("redis_version", REDIS_VERSION), ("redis_git_sha1", "00000000"), ("redis_git_dirty", "0"),
        ("redis_build_id", "0"), ("redis_mode", "standalone"), ("heroredis_version", VERSION),
        ("heroredis_form", "compiled" if is_compiled() else "interpreted"),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"), ("arch_bits", "64"),
        ("monotonic_clock", "POSIX clock_gettime"), ("multiplexing_api", type(core.loop).__module__.split(".")[0]),
        ("atomicvar_api", "none"), ("gcc_version", "0.0.0"),
        ("process_id", str(os.getpid())), ("process_supervised", "no"), ("run_id", core.run_id),
        ("tcp_port", str(port)), ("server_time_usec", str(now_us)), ("python_version", platform.python_version()),
        ("uptime_in_seconds", str(uptime)), ("uptime_in_days", str(uptime // 86400)), ("hz", hz),
        ("configured_hz", hz), ("lru_clock", str(now_us // 1_000_000 & 0xFFFFFF)), ("executable", sys.executable),
        ("config_file", core.config_file), ("io_threads_active", "0"),
    ]


def _clients(core: Core) -> Facts:
    clients = list(core.clients.values())
    return [
        ("connected_clients", str(len(clients))), ("cluster_connections", "0"),
        ("maxclients", core.parameters.get("maxclients").decode()),
        ("client_recent_max_input_buffer", str(max((client.pending_input() for client in clients), default=0))),
        ("client_recent_max_output_buffer", str(max((client.pending_output() for client in clients), default=0))),
        ("blocked_clients", str(core.blocking.count + core.pauses.count)),
        ("tracking_clients", str(core.tracking.count)), ("clients_in_timeout_table", "0"),
    ]


def _memory(core: Core) -> Facts:
    memory = core.memory
    resident = resident_bytes()
    core.note_clients()
    dataset = memory.dataset()
    used = dataset + memory.clients
    peak = memory.peak = max(used, memory.peak)
    share = 100.0 * dataset / max(1, used)
    highest = peak_bytes()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = core.parameters.integer("maxmemory")
    facts: list[tuple[str, object]] = [
        ("used_memory", used), ("used_memory_human", human(used)), ("used_memory_rss", resident),
        ("used_memory_rss_human", human(resident)), ("used_memory_peak", peak), ("used_memory_peak_human", human(peak)),
        ("used_memory_peak_perc", f"{100.0 * used / max(1, peak):.2f}%"), ("used_memory_rss_peak", highest),
        ("used_memory_overhead", used - dataset), ("used_memory_startup", 0),
        ("used_memory_dataset", dataset), ("used_memory_dataset_perc", f"{min(100.0, share):.2f}%"),
        ("total_system_memory", total), ("total_system_memory_human", human(total)), ("used_memory_lua", 0),
        ("used_memory_vm_eval", 0), ("used_memory_lua_human", human(0)), ("used_memory_scripts_eval", 0),
        ("number_of_cached_scripts", 0), ("number_of_functions", 0), ("number_of_libraries", 0),
        ("used_memory_vm_functions", 0), ("used_memory_vm_total", 0), ("used_memory_vm_total_human", human(0)),
        ("used_memory_functions", 0), ("used_memory_scripts", 0), ("used_memory_scripts_human", human(0)),
        ("maxmemory", limit), ("maxmemory_human", human(limit)),
        ("maxmemory_policy", core.parameters.get("maxmemory-policy").decode()),
        *_allocator(resident),
        ("mem_fragmentation_ratio", f"{resident / max(1, used):.2f}"), ("mem_fragmentation_bytes", resident - used),
        ("mem_not_counted_for_evict", 0), ("mem_replication_backlog", 0), ("mem_total_replication_buffers", 0),
        ("mem_clients_slaves", 0), ("mem_clients_normal", memory.clients), ("mem_cluster_links", 0),
        ("mem_aof_buffer", 0),
        ("mem_allocator", "python"), ("active_defrag_running", 0), ("lazyfree_pending_objects", 0),
        ("lazyfreed_objects", core.stats.lazily_freed),
    ]
    return [(name, str(value)) for name, value in facts]


def _allocator(resident: int) -> list[tuple[str, object]]:
    """Python's allocator tells nothing of what it keeps ready: all that is resident counts as taken."""
    return [
        ("allocator_allocated", resident), ("allocator_active", resident), ("allocator_resident", resident),
        ("allocator_frag_ratio", "1.00"), ("allocator_frag_bytes", 0), ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0), ("rss_overhead_ratio", "1.00"), ("rss_overhead_bytes", 0),
    ]


def human(size: int) -> str:
    """A size as people read it."""
    value = float(size)
    for unit in "BKMGT":
        if value < 1024 or unit == "T":
            return f"{size}B" if unit == "B" else f"{value:.2f}{unit}"
        value /= 1024
    return ""


def _persistence(core: Core) -> Facts:
    return core.keeper.facts()


def _stats(core: Core) -> Facts:
    stats = core.stats
    rates = core.rates
    facts: list[tuple[str, object]] = [
        ("total_connections_received", stats.connections), ("total_commands_processed", _commands(core)),
        ("instantaneous_ops_per_sec", int(rates.commands)), ("total_net_input_bytes", stats.bytes_in),
        ("total_net_output_bytes", stats.bytes_out), ("total_net_repl_input_bytes", 0),
        ("total_net_repl_output_bytes", 0), ("instantaneous_input_kbps", f"{rates.bytes_in / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{rates.bytes_out / 1024:.2f}"), ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"), ("rejected_connections", stats.rejected_connections),
        ("sync_full", 0), ("sync_partial_ok", 0), ("sync_partial_err", 0), ("expired_keys", core.expired_keys()),
        ("expired_stale_perc", "0.00"), ("expired_time_cap_reached_count", stats.expire_steps_cut),
        ("expire_cycle_cpu_milliseconds", int(stats.expire_seconds * 1000)),
        ("evicted_keys", core.memory.evicted - stats.evicted_before),
        ("evicted_clients", core.crowd.evicted - stats.evicted_clients_before),
        ("total_eviction_exceeded_time", 0), ("current_eviction_exceeded_time", 0),
        ("keyspace_hits", _hits(core)), ("keyspace_misses", stats.misses + stats.get_misses),
        ("pubsub_channels", len(core.channels.exact)), ("pubsub_patterns", len(core.channels.patterns)),
        ("pubsubshard_channels", len(core.channels.shards)), ("latest_fork_usec", int(stats.snapshot_s * 1e6)),
        ("total_forks", stats.background_runs),
        ("migrate_cached_sockets", 0), ("slave_expires_tracked_keys", 0), ("active_defrag_hits", 0),
        ("active_defrag_misses", 0), ("active_defrag_key_hits", 0), ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0), ("current_active_defrag_time", 0),
        ("tracking_total_keys", len(core.tracking.table)), ("tracking_total_items", core.tracking.items()),
        ("tracking_total_prefixes", len(core.tracking.prefixes)), ("unexpected_error_replies", 0),
        ("total_error_replies", stats.errors), ("dump_payload_sanitizations", 0),
        ("total_reads_processed", stats.reads), ("total_writes_processed", stats.writes),
        ("io_threaded_reads_processed", 0), ("io_threaded_writes_processed", 0), ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
        ("client_output_buffer_limit_disconnections", stats.output_limit_disconnections),
        ("security_events", stats.security_events),
    ]
    return [(name, str(value)) for name, value in facts]


def _commands(core: Core) -> int:
    """All requests but those that were not even begun."""
    return core.stats.commands - sum(entry.rejected for entry in core.registry.commands.values())


def _hits(core: Core) -> int:
    get = core.registry.commands["GET"]
    return core.stats.hits + max(0, get.calls - get.failed - core.stats.get_misses)


def _replication(core: Core) -> Facts:
    return [
        ("role", "master"), ("connected_slaves", str(len(core.replicas))),
        *((f"slave{number}", f"ip={client.addr.rpartition(':')[0]},port=0,state=online,offset=0,lag=0")
          for number, client in enumerate(core.replicas)), ("master_failover_state", "no-failover"),
        ("master_replid", core.run_id), ("master_replid2", "0" * 40), ("master_repl_offset", "0"),
        ("second_repl_offset", "-1"), ("repl_backlog_active", "0"),
        ("repl_backlog_size", core.parameters.get("repl-backlog-size").decode()),
        ("repl_backlog_first_byte_offset", "0"), ("repl_backlog_histlen", "0"),
    ]


def _cpu(core: Core) -> Facts:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return [
        ("used_cpu_sys", f"{own.ru_stime:.6f}"), ("used_cpu_user", f"{own.ru_utime:.6f}"),
        ("used_cpu_sys_children", f"{children.ru_stime:.6f}"), ("used_cpu_user_children", f"{children.ru_utime:.6f}"),
        *_own_cpu(),
    ]


def _own_cpu() -> Facts:
    """Of the thread that runs all commands, where the system tells it."""
    if not hasattr(resource, "RUSAGE_THREAD"):
        return []
    own = resource.getrusage(resource.RUSAGE_THREAD)
    return [("used_cpu_sys_main_thread", f"{own.ru_stime:.6f}"), ("used_cpu_user_main_thread", f"{own.ru_utime:.6f}")]


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


def _latencystats(core: Core) -> Facts:
    if not core.parameters.is_on("latency-tracking"):
        return []
    wanted = core.parameters.get("latency-tracking-info-percentiles").decode().split()
    return [(f"latency_percentiles_usec_{entry.shown}", ",".join(
        f"p{name}={percentile(entry, float(name)):.3f}" for name in wanted))
        for _, entry in sorted(core.registry.commands.items()) if entry.latencies]


def percentile(entry: Entry, share: float) -> float:
    """Microseconds within which this share (in percent) of a command's calls ended."""
    needed = sum(entry.latencies.values()) * share / 100
    seen = 0
    limit = 0.0
    for bucket in sorted(entry.latencies):
        seen += entry.latencies[bucket]
        limit = bucket_limit(bucket) / 1000
        if seen >= needed:
            break
    return limit


def _cluster(core: Core) -> Facts:
    return [("cluster_enabled", "0")]


def _keyspace(core: Core) -> Facts:
    return [
        (f"db{database.index}",
         f"keys={database.size()},expires={len(database.expires)},avg_ttl={database.average_ttl_ms()}")
        for database in core.space.databases if database.size()
    ]


SECTIONS: Final[dict[str, Callable[[Core], Facts]]] = {
    "server": _server, "clients": _clients, "memory": _memory, "persistence": _persistence, "stats": _stats,
    "replication": _replication, "cpu": _cpu, "modules": _modules, "commandstats": _commandstats,
    "errorstats": _errorstats, "latencystats": _latencystats, "cluster": _cluster, "keyspace": _keyspace,
}
TITLES: Final = {"cpu": "CPU"}
NOT_DEFAULT: Final = frozenset({"commandstats", "latencystats"})


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
    return "\r\n".join(f"# {TITLES.get(name) or name.capitalize()}\r\n" + "".join(
        f"{key}:{value}\r\n" for key, value in facts) for name, facts in parts)
