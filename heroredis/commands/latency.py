"""LATENCY: spikes that the latency monitor saw, and how long each command takes."""

from __future__ import annotations

from typing import Final

from heroredis.command import command
from heroredis.errors import RedisError
from heroredis.registry import Entry, bucket_limit
from heroredis.reply import Map, Reply, Verbatim
from heroredis.session.context import Context
from heroredis.session.observing import NEVER, Spikes

HEIGHT: Final = 4
LEVELS: Final = "_.-`"
FLAGS: Final = "admin noscript loading stale"


@command("LATENCY LATEST", "The latest and the highest spike of each event.", group="server", since="2.8.13",
         flags=FLAGS)
def latency_latest(ctx: Context) -> Reply:
    found: list[object] = []
    for name, spikes in ctx.server.latency.events.items():
        at_s, took_ms = spikes.samples[-1]
        found.append([name, at_s, took_ms, spikes.highest])
    return found


@command("LATENCY HISTORY", "The spikes of an event: time and milliseconds.", group="server", since="2.8.13",
         flags=FLAGS)
def latency_history(ctx: Context, event: bytes) -> Reply:
    spikes = ctx.server.latency.events.get(event)
    return [] if spikes is None else [[at_s, took_ms] for at_s, took_ms in spikes.samples]


@command("LATENCY RESET", "Forget the spikes of some events, or of all.", group="server", since="2.8.13", flags=FLAGS)
def latency_reset(ctx: Context, *events: bytes) -> Reply:
    return ctx.server.latency.reset(events)


@command("LATENCY GRAPH", "The spikes of an event, drawn.", group="server", since="2.8.13", flags=FLAGS)
def latency_graph(ctx: Context, event: bytes) -> Reply:
    spikes = ctx.server.latency.events.get(event)
    if spikes is None:
        raise RedisError(b"ERR No samples available for event '%b'" % event)
    return Verbatim(drawn(event.decode("utf-8", "backslashreplace"), spikes, ctx.now_ms // 1000).encode())


def drawn(name: str, spikes: Spikes, now_s: int) -> str:
    """One column per spike, the highest filling the whole height, with its age below."""
    values = [took_ms for _, took_ms in spikes.samples]
    low, high = min(values), max(values)
    steps = HEIGHT * len(LEVELS) - 1
    marks = [(value - low) * steps // max(1, high - low) for value in values]
    lines = [f"{name} - high {spikes.highest} ms, low {low} ms (all time high {spikes.highest} ms)", "-" * 80]
    for row in reversed(range(HEIGHT)):
        lines.append("".join(LEVELS[mark % len(LEVELS)] if mark // len(LEVELS) == row else (
            "|" if mark // len(LEVELS) > row else " ") for mark in marks))
    lines.append("")
    ages = [_age(now_s - at_s) for at_s, _ in spikes.samples]
    for place in range(max(len(age) for age in ages)):
        lines.append("".join(age[place] if place < len(age) else " " for age in ages))
    return "\n".join(lines) + "\n"


def _age(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@command("LATENCY DOCTOR", "What the spikes say, in words.", group="server", since="2.8.13", flags=FLAGS)
def latency_doctor(ctx: Context) -> Reply:
    latency = ctx.server.latency
    if not latency.events:
        if latency.threshold_s == NEVER:
            return Verbatim(b"The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> "
                            b"switches it on.\n")
        return Verbatim(b"No event took as long as latency-monitor-threshold.\n")
    lines = ["Events that took longer than latency-monitor-threshold:", ""]
    for number, (name, spikes) in enumerate(latency.events.items(), 1):
        values = [took_ms for _, took_ms in spikes.samples]
        lines.append(f"{number}. {name.decode('latin-1')}: {len(values)} spikes (average {sum(values) // len(values)} "
                     f"ms, worst {spikes.highest} ms)")
    lines += ["", "SLOWLOG GET shows which commands are slow; commands over many elements hold up all others."]
    return Verbatim(("\n".join(lines) + "\n").encode())


@command("LATENCY HISTOGRAM", "How often each command took how long.", group="server", since="7.0.0", flags=FLAGS,
         complexity="O(N) in commands")
def latency_histogram(ctx: Context, *commands: bytes) -> Reply:
    registry = ctx.server.registry
    chosen: list[Entry] = []
    if not commands:
        chosen = list(registry.commands.values())
    for name in commands:
        first, _, second = name.partition(b"|")
        entry = registry.find(first)
        if entry is not None and second:
            entry = (entry.children or {}).get(second.upper())
        if entry is not None:
            chosen.append(entry)
            if entry.command is None:
                chosen += (entry.children or {}).values()
    pairs: list[tuple[object, object]] = []
    for entry in chosen:
        if entry.latencies:
            pairs.append((entry.shown.encode(), histogram(entry)))
    return Map(pairs)


def histogram(entry: Entry) -> Map:
    """Calls that took no longer than 1, 2, 4, 8 … microseconds; limits at which nothing is added are left out."""
    counts: dict[int, int] = {}
    for bucket, count in entry.latencies.items():
        limit = 1
        while limit * 1000 < bucket_limit(bucket):
            limit *= 2
        counts[limit] = counts.get(limit, 0) + count
    total = 0
    pairs: list[tuple[object, object]] = []
    for limit in sorted(counts):
        total += counts[limit]
        pairs.append((limit, total))
    return Map([(b"calls", total), (b"histogram_usec", Map(pairs))])
