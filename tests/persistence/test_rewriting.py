"""Rewriting while the keys are written to: the new files say the same, and a crash at any step loses nothing."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heroredis.keyspace.space import Space
from heroredis.persistence.manifest import read_manifest
from heroredis.persistence.snapshot import Snapshot
from heroredis.replay import Replay
from heroredis.server import Server
from ourdb.faulty import Disk
from tests.differential.grammar import Command
from tests.persistence.busy import MANY_WRITES, WRITES
from tests.persistence.house import MANIFEST, Kept, again, contents
from tests.persistence.test_journal import EXAMPLES, run

modest = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def replayed(snapshot: Snapshot, kept: Kept, written: list[list[bytes]]) -> Server:
    """A server that runs these requests."""
    server = Server(kept.clock)
    applier = Replay(server)
    applier.begin_file()
    applier.begin_slice()
    for request in written:
        applier.apply(request)
    return server


@modest
@given(MANY_WRITES, st.lists(st.tuples(st.integers(0, 2), WRITES), min_size=5, max_size=20))
def test_a_snapshot_is_what_was_there_when_it_was_taken(before: list[Command],
                                                        meanwhile: list[tuple[int, Command]]) -> None:
    kept = Kept().start()
    run(kept, before)
    then = kept.data()
    snapshot = Snapshot(kept.server.space)
    kept.server.journal.copy_for(snapshot)
    requests = snapshot.requests()
    written: list[list[bytes]] = []
    for steps, command in meanwhile:
        run(kept, [command])
        written += [request for _, request in zip(range(steps), requests, strict=False)]
    written += list(requests)
    assert contents(replayed(snapshot, kept, written)) == then
    kept.stop()


@modest
@given(MANY_WRITES, MANY_WRITES, st.booleans())
def test_what_is_written_during_a_rewrite_is_kept(before: list[Command], meanwhile: list[Command],
                                                  on: bool) -> None:
    async def live() -> None:
        kept = Kept(appendonly=b"yes" if on else b"no")
        kept.server.bind(asyncio.get_running_loop())
        await kept.server.persistence.start()
        run(kept, before)
        if on:
            kept.call_on(kept.session(), "BGREWRITEAOF")
        else:
            kept.call_on(kept.session(), "CONFIG", "SET", "appendonly", "yes")
        rewriting = kept.server.persistence.rewriting
        for step in meanwhile:
            run(kept, [step])
            await asyncio.sleep(0)
        await rewriting.wait()
        assert rewriting.rewrites.is_ok
        run(kept, before)
        kept.flush()
        expected = kept.data()
        disk = kept.disk.copy()
        await kept.server.persistence.stop()
        assert len(kept.disk.files) == 3
        twin = Kept(disk, kept.clock)
        await twin.server.persistence.start()
        assert twin.data() == expected
        await twin.server.persistence.stop()

    asyncio.run(live())


def test_a_crash_at_any_step_of_a_rewrite_loses_nothing() -> None:
    """Before each change of the disk: what a kill and what a power failure would leave."""
    rng = random.Random(3)
    kept = Kept().start()
    kept.call("SET", "a", "1")
    kept.call("RPUSH", "l", *range(200))
    kept.server.persistence.output.sync_now()
    expected = kept.data()
    crashes: list[Disk] = []

    def note() -> None:
        kept.disk.before_change = None
        crashes.extend([kept.disk.copy(), *(kept.disk.power_cut(rng) for _ in range(5))])
        kept.disk.before_change = note

    kept.disk.before_change = note
    assert kept.call("SAVE") == b"+OK\r\n"
    assert kept.call("SAVE") == b"+OK\r\n"
    kept.disk.before_change = None
    assert len(crashes) > 100
    for disk in crashes:
        twin = again(kept, disk)
        assert twin.data() == expected
        twin.call("SET", "b", "2")
        twin.stop()
        assert not [name for name in disk.files if name.startswith("temp-")]
        third = again(kept, disk)
        assert third.data()[0][b"b"] == (b"2", -1)
        third.stop()
    kept.stop()


@pytest.mark.parametrize("on", [b"yes", b"no"])
def test_the_disk_fails_at_any_operation_of_a_save(on: bytes) -> None:
    for fatal in range(40):
        kept = Kept(appendonly=on).start()
        kept.call("SET", "a", "1")
        kept.call("SAVE")
        count = 0

        def fail(last: int = fatal) -> None:
            nonlocal count
            count += 1
            if count == last + 1:
                raise OSError(5, "Input/output error")

        kept.disk.before_change = fail
        reply = kept.call("SAVE")
        kept.disk.before_change = None
        if count <= fatal:
            assert fatal > 8
            assert reply == b"+OK\r\n"
            kept.stop()
            return
        assert reply.startswith((b"-ERR", b"+OK"))
        assert kept.server.journal.copying is None
        kept.call("SET", "b", "2")
        kept.flush()
        assert kept.call("SAVE") == b"+OK\r\n"
        twin = again(kept)
        assert twin.data() == kept.data()
        twin.stop()
        kept.stop()
    raise AssertionError("the save never ended")


def test_a_rewrite_repairs_what_a_failed_sync_left_unknown() -> None:
    kept = Kept().start()
    kept.call("SET", "a", "1")
    kept.disk.fail_sync = OSError(5, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        kept.server.persistence.output.sync_now()
    assert kept.call("SET", "b", "2").startswith(b"-MISCONF")
    assert kept.call("SAVE") == b"+OK\r\n"
    assert kept.call("SET", "b", "2") == b"+OK\r\n"
    kept.flush()
    twin = again(kept)
    assert twin.data() == kept.data() == {0: {b"a": (b"1", -1), b"b": (b"2", -1)}}
    twin.stop()
    kept.stop()


def test_a_save_without_appendonly_is_loaded_at_the_next_start() -> None:
    kept = Kept(appendonly=b"no").start()
    kept.call("SET", "a", "1")
    kept.call("SAVE")
    kept.call("SET", "b", "2")
    kept.stop()
    assert [part.kind for part in read_manifest(bytes(kept.disk.now[MANIFEST])).parts] == ["b"]
    for on in (b"no", b"yes"):
        twin = again(kept, kept.disk, appendonly=on)
        assert twin.data() == {0: {b"a": (b"1", -1)}}
        twin.stop()


def test_the_files_are_rewritten_when_they_have_grown() -> None:
    async def live() -> None:
        kept = Kept(auto_aof_rewrite_min_size=b"2000")
        kept.server.bind(asyncio.get_running_loop())
        persistence = kept.server.persistence
        await persistence.start()
        for _ in range(100):
            kept.call("SET", "a", "1")
        kept.flush()
        assert persistence.rewriting.current_size() > 2000
        persistence.tick()
        await persistence.rewriting.wait()
        assert persistence.rewriting.rewrites.runs == 1
        assert persistence.rewriting.current_size() < 100
        persistence.tick()
        assert persistence.rewriting.running is None
        await persistence.stop()

    asyncio.run(live())


def test_inside_a_transaction_it_begins_behind_it() -> None:
    async def live() -> None:
        kept = Kept()
        kept.server.bind(asyncio.get_running_loop())
        persistence = kept.server.persistence
        await persistence.start()
        for words in ("MULTI", "SET k v", "BGREWRITEAOF", "BGSAVE", "SET k w"):
            kept.call(*words.split())
        assert kept.call("EXEC") == (b"*4\r\n+OK\r\n+Background append only file rewriting scheduled\r\n"
                                     b"+Background saving scheduled\r\n+OK\r\n")
        assert persistence.rewriting.running is None
        for _ in range(2):
            persistence.tick()
            await persistence.rewriting.wait()
        assert (persistence.rewriting.rewrites.runs, persistence.rewriting.saves.runs) == (1, 1)
        assert b"total_forks:2\r\n" in kept.call("INFO", "stats")
        await persistence.stop()

    asyncio.run(live())


def test_what_is_answered_to_those_who_ask_for_it() -> None:
    async def live() -> None:
        kept = Kept()
        kept.server.bind(asyncio.get_running_loop())
        persistence = kept.server.persistence
        await persistence.start()
        assert kept.call("BGREWRITEAOF") == b"+Background append only file rewriting started\r\n"
        assert kept.call("BGREWRITEAOF").startswith(b"-ERR Background append only file rewriting already in progress")
        assert kept.call("BGSAVE").startswith(b"-ERR Another child process is active (AOF?)")
        assert kept.call("BGSAVE", "NOW").startswith(b"-ERR syntax error")
        assert kept.call("BGSAVE", "schedule") == b"+Background saving scheduled\r\n"
        assert kept.call("SAVE").startswith(b"-ERR Background save already in progress")
        kept.clock.advance(5000)
        await persistence.rewriting.wait()
        persistence.tick()
        await persistence.rewriting.wait()
        assert persistence.rewriting.saves.runs == 1
        assert kept.call("LASTSAVE") == b":%d\r\n" % (kept.clock.now_ms() // 1000)
        assert kept.call("BGSAVE") == b"+Background saving started\r\n"
        assert kept.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
        await persistence.rewriting.wait()
        assert not kept.server.journal.active
        await persistence.stop()

    asyncio.run(live())


def test_flushall_ends_a_save_and_saves_that_nothing_is_left() -> None:
    async def live(save: bytes) -> Kept:
        kept = Kept(appendonly=b"no", save=save)
        kept.server.bind(asyncio.get_running_loop())
        persistence = kept.server.persistence
        await persistence.start()
        kept.call("SET", "k", "v")
        kept.call("SAVE")
        kept.call("SET", "l", "v")
        kept.call("CONFIG", "SET", "rdb-key-save-delay", 10_000_000)
        kept.call("BGSAVE")
        rewriting = persistence.rewriting
        while rewriting.snapshot is None or rewriting.snapshot.done == 0:  # noqa: ASYNC110 - it goes on by itself
            await asyncio.sleep(0)
        assert kept.call("FLUSHALL") == b"+OK\r\n"
        await rewriting.wait()
        assert (rewriting.saves.is_ok, rewriting.saves.runs) == (True, 1)
        persistence.tick()
        await rewriting.wait()
        assert rewriting.saves.runs == (2 if save else 1)
        kept.call("SET", "k", "v")
        kept.call("FLUSHALL")
        changes = b"rdb_changes_since_last_save:0\r\n" in kept.call("INFO", "persistence")
        assert changes == bool(save)
        await persistence.stop()
        return kept

    assert again(asyncio.run(live(b"3600 1")), appendonly=b"no").data() == {}
    assert list(again(asyncio.run(live(b"")), appendonly=b"no").data()[0]) == [b"k"]


@pytest.mark.parametrize("on", [b"yes", b"no"])
def test_reloading_gives_the_same_keys(on: bytes) -> None:
    kept = Kept(appendonly=on).start()
    run(kept, [(b"SET", b"a", b"1", b"PX", b"5000"), (b"RPUSH", b"l", b"x"), (b"SELECT", b"4"), (b"SET", b"b", b"2")])
    expected = kept.data()
    kept.server.keeper.reload(True, True)
    assert kept.data() == expected
    kept.call("APPEND", "b", "2")
    if on == b"yes":
        kept.server.keeper.load_append_only()
    assert kept.call("GET", "b") == b"$2\r\n22\r\n"
    assert kept.data()[0] == expected[0]
    kept.stop()


def test_a_server_without_a_folder_reloads_from_memory() -> None:
    server = Server()
    server.execute(0, [b"SET", b"a", b"1"])
    server.execute(0, [b"RPUSH", b"l", b"1", b"2"])
    before = contents(server)
    server.keeper.reload(True, True)
    assert contents(server) == before
    assert isinstance(server.space, Space)


def test_save_points_save_where_nothing_else_keeps_the_keys() -> None:
    async def live() -> None:
        kept = Kept(appendonly=b"no", save=b"3600 1 60 3")
        kept.server.bind(asyncio.get_running_loop())
        persistence = kept.server.persistence
        await persistence.start()
        for number in range(3):
            kept.call("SET", f"key-{number}", "1")
        persistence.tick()
        assert persistence.rewriting.running is None
        kept.clock.advance(60_001)
        persistence.tick()
        await persistence.rewriting.wait()
        assert persistence.rewriting.saves.runs == 1
        kept.call("SET", "later", "1")
        kept.clock.advance(60_001)
        persistence.tick()
        assert persistence.rewriting.running is None
        persistence.before_shutdown(False, True)
        assert persistence.rewriting.saves.runs == 1
        persistence.before_shutdown(False, False)
        assert persistence.rewriting.saves.runs == 2
        await persistence.stop()
        twin = Kept(kept.disk.copy(), kept.clock, appendonly=b"no")
        await twin.server.persistence.start()
        assert twin.data() == kept.data()

    asyncio.run(live())


def test_what_follows_the_keys_counts_anew_after_a_load() -> None:
    """Nobody is told of single keys while they are loaded; that everything has changed is told in the end."""
    kept = Kept().start()
    kept.call("SET", "a", "x" * 1000)
    kept.flush()
    twin = Kept(kept.disk.copy(), kept.clock, maxmemory=b"100000000")
    twin.server.memory.adapt()
    assert twin.server.memory.dataset() == 0
    asyncio.run(twin.server.persistence.start())
    assert twin.server.memory.dataset() > 1000
    twin.stop()
    kept.stop()
