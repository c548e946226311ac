"""MEMORY: what a key takes, and how the process stands."""

from __future__ import annotations

import gc
import sys

from heroredis import footprint
from heroredis.args import MAX_INT, integer
from heroredis.command import KeySpec, command
from heroredis.errors import syntax
from heroredis.reply import OK, Double, Map, Reply, Verbatim
from heroredis.session.context import Context

DEFAULT_SAMPLES = 5
LITTLE = 5 << 20
"""Below so much data there is nothing to say about it."""


@command("MEMORY USAGE", "Bytes that a key and its value take, as an estimate.", group="server", since="4.0.0",
         flags="readonly", keys=KeySpec(2, 2, 1), complexity="O(N) in the samples")
def memory_usage(ctx: Context, key: bytes, *options: bytes) -> Reply:
    samples = DEFAULT_SAMPLES
    words = list(options)
    while words:
        if words[0].upper() != b"SAMPLES" or len(words) < 2:
            raise syntax()
        samples = integer(words[1])
        if samples < 0:
            raise syntax()
        del words[:2]
    value = ctx.db.peek(key)
    return None if value is None else footprint.of_key(key, value, min(samples, MAX_INT))


def _lines(lines: list[str]) -> Verbatim:
    """Text to be read; redis-cli shows it as it is, so that the last line has to be ended too."""
    return Verbatim("".join(f"{line}\n" for line in lines).encode())


@command("MEMORY DOCTOR", "What is odd about the memory of the server.", group="server", since="4.0.0")
def memory_doctor(ctx: Context) -> Reply:
    resident, peak = footprint.resident_bytes(), footprint.peak_bytes()
    findings = []
    if resident - ctx.server.startup_bytes < LITTLE:
        findings.append("This instance holds very little data: there is nothing to be said about its memory.")
    elif peak > resident * 3 // 2:
        findings.append(f"At its peak the process took {peak} bytes, now it takes {resident}: memory that was freed "
                        "since then may still be in pieces. MEMORY PURGE gives back what it can.")
    return _lines(findings or ["Nothing is odd about the memory of this instance."])


@command("MEMORY MALLOC-STATS", "Figures of the allocator.", group="server", since="4.0.0")
def memory_malloc_stats(ctx: Context) -> Reply:
    lines = ["Memory is managed by Python's allocator on top of the C library's.",
             f"resident bytes: {footprint.resident_bytes()}", f"peak of them: {footprint.peak_bytes()}",
             f"blocks: {sys.getallocatedblocks()}"]
    for number, generation in enumerate(gc.get_stats()):
        lines.append(f"generation {number}: {generation['collections']} collections, "
                     f"{generation['collected']} objects collected")
    return _lines(lines)


@command("MEMORY PURGE", "Give free memory back to the system.", group="server", since="4.0.0")
def memory_purge(ctx: Context) -> Reply:
    footprint.give_back()
    return OK


@command("MEMORY STATS", "Figures of the memory of the server.", group="server", since="4.0.0")
def memory_stats(ctx: Context) -> Reply:
    core = ctx.server
    resident, peak = footprint.resident_bytes(), footprint.peak_bytes()
    startup = core.startup_bytes
    core.note_clients()
    held = [db for db in core.space.databases if db.data]
    keys = sum(db.size() for db in held)
    tables = {db.index: (sys.getsizeof(db.data), sys.getsizeof(db.expires)) for db in held}
    overhead = startup + sum(sum(sizes) for sizes in tables.values())
    data = max(0, resident - overhead)
    grown = max(1, resident - startup)
    pairs: list[tuple[object, object]] = [
        (b"peak.allocated", max(peak, resident)), (b"total.allocated", resident), (b"startup.allocated", startup),
        (b"replication.backlog", 0), (b"clients.slaves", 0), (b"clients.normal", core.memory.clients),
        (b"cluster.links", 0), (b"aof.buffer", 0), (b"lua.caches", 0), (b"functions.caches", 0),
    ]
    for index, (main, expires) in tables.items():
        pairs.append((b"db.%d" % index, Map([
            (b"overhead.hashtable.main", main), (b"overhead.hashtable.expires", expires),
            (b"overhead.hashtable.slot-to-keys", 0)])))
    pairs += [
        (b"overhead.total", overhead), (b"keys.count", keys),
        (b"keys.bytes-per-key", max(0, resident - startup) // keys if keys else 0), (b"dataset.bytes", data),
        (b"dataset.percentage", Double(min(100.0, 100 * data / grown))),
        (b"peak.percentage", Double(100 * resident / max(peak, resident, 1))),
        (b"allocator.allocated", resident), (b"allocator.active", resident), (b"allocator.resident", resident),
        (b"allocator-fragmentation.ratio", Double(1.0)), (b"allocator-fragmentation.bytes", 0),
        (b"allocator-rss.ratio", Double(1.0)), (b"allocator-rss.bytes", 0), (b"rss-overhead.ratio", Double(1.0)),
        (b"rss-overhead.bytes", 0), (b"fragmentation", Double(1.0)), (b"fragmentation.bytes", 0),
    ]
    return Map(pairs)


