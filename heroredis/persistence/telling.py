"""Section Persistence of INFO, in Redis's words."""

from __future__ import annotations

from heroredis.persistence.output import Output
from heroredis.persistence.recovery import Recovery
from heroredis.persistence.rewriting import Rewriting, Tally
from heroredis.session.core import Core

Facts = list[tuple[str, str]]


def _status(is_ok: bool) -> str:
    return "ok" if is_ok else "err"


def facts(core: Core, output: Output, rewriting: Rewriting, recovery: Recovery | None, load_began_ms: int) -> Facts:
    """`recovery` while the files are loaded."""
    snapshot = rewriting.snapshot
    saves, rewrites = rewriting.saves, rewriting.rewrites
    is_on = core.parameters.is_on("appendonly") and rewriting.folder is not None
    changes = core.space.changes.dirty - rewriting.dirty_at_save
    found = [
        ("loading", str(int(recovery is not None))), ("async_loading", "0"),
        ("current_cow_peak", "0"), ("current_cow_size", "0"), ("current_cow_size_age", "0"),
        ("current_fork_perc", "0.00"),
        ("current_save_keys_processed", str(0 if snapshot is None else snapshot.done)),
        ("current_save_keys_total", str(0 if snapshot is None else snapshot.keys)),
        ("rdb_changes_since_last_save", str(changes)),
        ("rdb_bgsave_in_progress", str(int(rewriting.running is saves))),
        ("rdb_last_save_time", str(rewriting.last_save_ms // 1000)),
        ("rdb_last_bgsave_status", _status(saves.is_ok)), ("rdb_last_bgsave_time_sec", str(saves.seconds)),
        ("rdb_current_bgsave_time_sec", _running(core, rewriting, saves)), ("rdb_saves", str(saves.runs)),
        ("rdb_last_cow_size", "0"), ("rdb_last_load_keys_expired", "0"), ("rdb_last_load_keys_loaded", "0"),
        ("aof_enabled", str(int(is_on))), ("aof_rewrite_in_progress", str(int(rewriting.running is rewrites))),
        ("aof_rewrite_scheduled", str(int(rewrites.wanted))), ("aof_last_rewrite_time_sec", str(rewrites.seconds)),
        ("aof_current_rewrite_time_sec", _running(core, rewriting, rewrites)),
        ("aof_last_bgrewrite_status", _status(rewrites.is_ok)), ("aof_rewrites", str(rewrites.runs)),
        ("aof_rewrites_consecutive_failures", str(int(not rewrites.is_ok))),
        ("aof_last_write_status", _status(not output.write_error)), ("aof_last_cow_size", "0"),
        ("module_fork_in_progress", "0"), ("module_fork_last_cow_size", "0"),
    ]
    if is_on:
        found += [
            ("aof_current_size", str(rewriting.current_size())), ("aof_base_size", str(rewriting.size_after)),
            ("aof_pending_rewrite", str(int(rewrites.wanted))), ("aof_buffer_length", str(output.pending())),
            ("aof_pending_bio_fsync", str(int(output.is_syncing()))),
            ("aof_delayed_fsync", str(output.delayed_syncs)),
        ]
    return found if recovery is None else found + _loading(core, recovery, load_began_ms)


def _running(core: Core, rewriting: Rewriting, tally: Tally) -> str:
    return str(int(core.clock.monotonic() - rewriting.began_s)) if rewriting.running is tally else "-1"


def _loading(core: Core, recovery: Recovery, began_ms: int) -> Facts:
    seconds = max(0, core.clock.now_ms() - began_ms) / 1000
    share = recovery.loaded / max(1, recovery.total)
    left = int(seconds / share - seconds) if share > 0 else 1
    return [
        ("loading_start_time", str(began_ms // 1000)), ("loading_total_bytes", str(recovery.total)),
        ("loading_rdb_used_mem", "0"), ("loading_loaded_bytes", str(recovery.loaded)),
        ("loading_loaded_perc", f"{100 * share:.2f}"), ("loading_eta_seconds", str(max(0, left))),
    ]
