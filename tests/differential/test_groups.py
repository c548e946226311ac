"""Each group of commands against the real server: same random commands, same answers, same keys in the end."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential import grammar, grammar_sets, grammar_sorting, grammar_values, grammar_zsets
from tests.differential.compare import Pair, compare_dumps
from tests.differential.grammar import Command
from tests.differential.harness import Wire

EXAMPLES: Final = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "300"))
STEPS: Final = 30
MOVED: Final = frozenset({b"100", b"1000", b"3000", b"100000", b"200000"})
RELATIVE: Final = frozenset({b"EXPIRE", b"PEXPIRE"})
GROUPS: Final = {
    "strings": grammar.STRINGS, "lists": grammar.LISTS, "hashes": grammar.HASHES, "keys": grammar.GENERIC,
    "scans": grammar.SCANS, "connection": grammar.CONNECTION, "errors": grammar.ERRORS,
    "bitmaps": grammar_values.BITMAPS, "similar": grammar_values.SIMILAR,
    "restoring": grammar_values.RESTORING,
    "sets": grammar_sets.SETS,
    "debug": grammar_values.DEBUG,
    "sorted sets": grammar_zsets.ZSETS, "combined sorted sets": grammar_zsets.ALGEBRA,
    "sorting": grammar_sorting.SORTING,
}
ordinary = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=os.environ.get("CI") == "true", print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])


def apart(command: Command, step: int) -> Command:
    """A relative expiry that no other step has, so that GT and LT never compare two clock readings of one value."""
    if command[0] not in RELATIVE or len(command) < 3 or command[2] not in MOVED:
        return command
    unit = 1 if command[0] == b"EXPIRE" else 1000
    return (*command[:2], b"%d" % (int(command[2]) + 5 * unit * (step + 1)), *command[3:])


def empty(addresses: tuple[str, str]) -> None:
    for path in addresses:
        with Wire(path) as wire:
            wire.call("FLUSHALL")


def compare_digests(pair: Pair) -> None:
    """After each key was asked for: a key whose time has come counts for Redis until somebody does."""
    for index in range(3):
        pair.step((b"SELECT", b"%d" % index))
        pair.step((b"EXISTS", *grammar.KEYS))
    pair.step((b"DEBUG", b"DIGEST"))


def run_one(addresses: tuple[str, str], resp: int, commands: list[Command]) -> None:
    empty(addresses)
    pair = Pair(*addresses, resp)
    try:
        for step, command in enumerate(commands):
            pair.step(apart(command, step))
        compare_dumps(pair)
        compare_digests(pair)
    finally:
        pair.close()


@pytest.mark.parametrize("group", list(GROUPS))
def test_group(both: tuple[str, str], group: str) -> None:
    @ordinary
    @given(resp=st.sampled_from((2, 3)), commands=st.lists(GROUPS[group], min_size=5, max_size=STEPS))
    def agree(resp: int, commands: list[Command]) -> None:
        run_one(both, resp, commands)

    agree()


@ordinary
@given(resp=st.sampled_from((2, 3)), commands=st.lists(grammar.INSIDE_MULTI, min_size=1, max_size=8),
       before=st.lists(grammar.OTHERS, max_size=5))
def test_blocking_commands_do_not_wait_inside_a_transaction(both: tuple[str, str], resp: int, commands: list[Command],
                                                            before: list[Command]) -> None:
    run_one(both, resp, [*before, (b"MULTI",), *commands, (b"EXEC",)])


@ordinary
@given(resp=st.sampled_from((2, 3)),
       steps=st.lists(st.tuples(st.integers(0, 1), grammar.TRANSACTIONS), min_size=5, max_size=STEPS))
def test_transactions_of_two_connections(both: tuple[str, str], resp: int, steps: list[tuple[int, Command]]) -> None:
    empty(both)
    pairs = [Pair(*both, resp), Pair(*both, resp)]
    try:
        for step, (which, command) in enumerate(steps):
            pairs[which].step(apart(command, step))
        compare_dumps(pairs[0])
    finally:
        for pair in pairs:
            pair.close()
