"""Whatever commands have run: a server that runs the journal has the same keys with the same expiries."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential import grammar, grammar_sets, grammar_sorting, grammar_values, grammar_zsets
from tests.differential.grammar import Command, call, keys, many
from tests.persistence.busy import WRITES
from tests.persistence.house import INCREMENT, Kept, again, contents

EXAMPLES: Final = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "60"))
GROUPS: Final = (
    grammar.STRINGS, grammar.LISTS, grammar.HASHES, grammar.GENERIC, grammar.TRANSACTIONS, grammar.ERRORS,
    grammar_values.BITMAPS, grammar_sets.SETS, grammar_zsets.ZSETS, grammar_zsets.ALGEBRA, grammar_sorting.SORTING)
WAITING: Final = st.one_of(
    many("BLPOP", keys, rest=st.just(b"0"), most=1),
    call("BLMOVE", keys, keys, grammar.sides, grammar.sides, st.just(b"0")),
    call("BRPOPLPUSH", keys, keys, st.just(b"0")), call("BRPOP", keys, keys, st.just(b"0")),
    call("BLMPOP", st.just(b"0"), st.just(b"2"), keys, keys, grammar.sides), call("BZPOPMIN", keys, st.just(b"0")),
    call("BZPOPMAX", keys, keys, st.just(b"0")),
    call("BZMPOP", st.just(b"0"), st.just(b"2"), keys, keys, grammar.word("MIN", "MAX")))
LATER: Final = st.sampled_from((1, 999, 50_000, 200_000, 4_000_000))
STEPS: Final = st.lists(st.one_of(WRITES, WRITES, st.one_of(GROUPS), LATER, WAITING), min_size=5,
                        max_size=40)
modest = settings(max_examples=EXAMPLES, deadline=None, derandomize=os.environ.get("CI") == "true",
                  suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def run(kept: Kept, steps: Sequence[Command | int]) -> None:
    """Numbers let so many milliseconds pass; each waiting command has a connection of its own."""
    for step in steps:
        if isinstance(step, int):
            kept.clock.advance(step)
            kept.server.space.expire_due(5)
        elif step[0].upper().startswith((b"BL", b"BR", b"BZ")):
            kept.call_on(kept.session(), *step)
        else:
            kept.call(*step)


@modest
@given(STEPS)
def test_the_journal_makes_the_same_keys(steps: list[Command | int]) -> None:
    kept = Kept().start()
    run(kept, steps)
    kept.flush()
    twin = again(kept)
    assert twin.data() == kept.data()
    twin.stop()
    kept.stop()


@modest
@given(STEPS, st.lists(LATER, max_size=2))
def test_what_expires_later_expires_there_too(steps: list[Command | int], pauses: list[int]) -> None:
    kept = Kept().start()
    run(kept, steps)
    kept.flush()
    for pause in pauses:
        kept.clock.advance(pause)
    twin = again(kept)
    assert twin.data() == kept.data()
    twin.stop()
    kept.stop()


def journaled(*commands: tuple[bytes | str | int, ...]) -> list[bytes]:
    """The requests that are in the file after these commands, without SELECT 0."""
    kept = Kept().start()
    for command in commands:
        kept.call(*command)
    kept.flush()
    words = [word for word in bytes(kept.disk.now[INCREMENT]).split(b"\r\n") if not word.startswith(b"$")]
    kept.stop()
    requests: list[bytes] = []
    at = 0
    while at < len(words) - 1:
        size = int(words[at][1:])
        requests.append(b" ".join(words[at + 1 : at + 1 + size]))
        at += 1 + size
    assert requests[:1] in ([b"SELECT 0"], [])
    return requests[1:]


def test_forms_name_moments_not_spans_and_results_not_chances() -> None:
    now = 1_700_000_000_000
    assert journaled(("SET", "k", "v", "EX", 10)) == [b"SET k v PXAT %d" % (now + 10_000)]
    assert journaled(("SET", "k", "v"), ("EXPIRE", "k", 5)) == [b"SET k v", b"PEXPIREAT k %d" % (now + 5000)]
    assert journaled(("SET", "k", "v"), ("EXPIRE", "k", -5)) == [b"SET k v", b"DEL k"]
    assert journaled(("INCRBYFLOAT", "k", "1.5")) == [b"SET k 1.5 KEEPTTL"]
    assert journaled(("HINCRBYFLOAT", "h", "f", "1.5")) == [b"HSET h f 1.5"]
    assert journaled(("RPUSH", "l", "a", "b"), ("BLPOP", "l", 0)) == [b"RPUSH l a b", b"LPOP l"]
    assert journaled(("SADD", "s", 1, 2), ("SPOP", "s", 2)) == [b"SADD s 1 2", b"DEL s"]
    assert journaled(("SADD", "s", "a"), ("SPOP", "s")) == [b"SADD s a", b"SREM s a"]
    popped, = journaled(("SADD", "s", "a", "b"), ("SPOP", "s"))[1:]
    assert popped in (b"SREM s a", b"SREM s b")
    assert journaled(("SADD", "s", 1, 2, 3), ("SPOP", "s", 2))[1][:7] == b"SREM s "
    assert journaled(("ZADD", "z", 1, "a", 2, "b"), ("ZMPOP", 1, "z", "MAX", "COUNT", 2))[1:] == [b"ZPOPMAX z 2"]
    assert journaled(("ZADD", "z", 1, "a", 2, "b"), ("BZPOPMIN", "x", "z", 0))[1:] == [b"ZPOPMIN z"]
    assert journaled(("SADD", "s", 2, 1), ("SORT", "s", "STORE", "l"))[1:] == [b"DEL l", b"RPUSH l 1 2"]
    assert journaled(("set", "k", "v"), ("GETEX", "k", "PX", 5)) == [b"set k v", b"PEXPIREAT k %d" % (now + 5)]


def test_what_changes_nothing_is_not_journaled() -> None:
    assert journaled(("GET", "k"), ("DEL", "k"), ("LPOP", "k"), ("SET", "k", "v", "XX"), ("EXPIRE", "k", 1)) == []


def test_a_transaction_is_one_when_it_is_more_than_one_command() -> None:
    assert journaled(("MULTI",), ("SET", "a", 1), ("EXEC",)) == [b"SET a 1"]
    assert journaled(("MULTI",), ("SET", "a", 1), ("GET", "a"), ("INCR", "a"), ("EXEC",)) == [
        b"MULTI", b"SET a 1", b"INCR a", b"EXEC"]


def test_what_expires_is_removed_by_a_command_of_its_own() -> None:
    kept = Kept().start()
    kept.call("SET", "k", "v", "PX", 10)
    kept.clock.advance(11)
    kept.call("GET", "k")
    kept.flush()
    assert bytes(kept.disk.now[INCREMENT]).endswith(b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n")
    kept.stop()


def test_nothing_is_kept_without_appendonly() -> None:
    kept = Kept(appendonly=b"no").start()
    kept.call("SET", "k", "v")
    assert kept.disk.now == {}
    assert contents(kept.server)[0] == {b"k": (b"v", -1)}
    kept.stop()


def test_keys_that_were_carried_away_are_deleted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer(count: int) -> threading.Thread:
            def serve() -> None:
                taken, _ = listener.accept()
                with taken:
                    taken.sendall(b"+OK\r\n" * count)
                    while taken.recv(1 << 16):
                        pass
            thread = threading.Thread(target=serve)
            thread.start()
            return thread

        fill: tuple[object, ...] = ("MSET", "a", 1, "b", 2, "keys", 3)
        for count, request, expected in (
            (2, ("MIGRATE", "127.0.0.1", port, "a", 0, 5000), [b"DEL a"]),
            (3, ("MIGRATE", "127.0.0.1", port, "", 0, 5000, "AUTH", "keys", "KEYS", "b"), [b"DEL b"]),
            (4, ("MIGRATE", "127.0.0.1", port, "", 0, 5000, "KEYS", "a", "none", "keys", "b"), [b"DEL a none keys b"]),
            (2, ("MIGRATE", "127.0.0.1", port, "a", 0, 5000, "COPY"), []),
        ):
            thread = answer(count)
            assert journaled(fill, request)[1:] == expected
            thread.join()
