"""The sorted set against a sorted Python list, small and with many blocks."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.types import order
from heroredis.types.zset import SortedSet

NAMES = st.sampled_from([b"", b"a", b"b", b"aa", b"\xff", b"c", b"d", b"e"])
SCORES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, math.inf, -math.inf, 5e-324, 1e300])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "put", "put", "remove", "pop", "range", "copy", "replace"]),
                           NAMES, SCORES, st.integers(0, 8), st.integers(0, 8)), max_size=60)


def in_order(model: dict[bytes, float]) -> list[bytes]:
    return [member for _, member in sorted((score, member) for member, score in model.items())]


def check(found: SortedSet, model: dict[bytes, float]) -> None:
    names = in_order(model)
    assert found.scores == model
    assert found.names() == names
    for rank, member in enumerate(names):
        assert found.rank(member) == rank


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_behaves_as_a_sorted_list(steps: list[tuple[str, bytes, float, int, int]]) -> None:
    found = SortedSet()
    model: dict[bytes, float] = {}
    for name, member, score, one, two in steps:
        if name == "put":
            found.put(member, score)
            if model.get(member) != score:
                model[member] = score
        elif name == "remove":
            assert found.remove(member) == (model.pop(member, None) is not None)
        elif name == "pop" and model:
            expected = in_order(model)[-1 if one % 2 else 0]
            assert found.pop(bool(one % 2)) == (expected, model.pop(expected))
        elif name == "range":
            start, stop = sorted((min(one, len(model)), min(two, len(model))))
            gone = in_order(model)[start:stop]
            assert found.between(start, stop) == gone
            assert found.remove_between(start, stop) == gone
            for other in gone:
                del model[other]
        elif name == "copy":
            twin = found.copy()
            found.put(b"elsewhere", 1)
            found = twin
        elif name == "replace":
            found.replace(dict(model))
        check(found, model)
        for inclusive in (False, True):
            assert found.below(score, inclusive) == sum(
                other < score or (inclusive and other == score) for other in model.values())


def test_names_in_a_set_of_equal_scores() -> None:
    rng = random.Random(3)
    names = sorted(b"%d" % number for number in rng.sample(range(100_000), 5000))
    found = SortedSet()
    found.replace(dict.fromkeys(names, 1.0))
    for probe in [b"", b"0", b"5", b"50000", b"99999", b":", *names[::500]]:
        assert found.names_below(probe, False) == sum(name < probe for name in names)
        assert found.names_below(probe, True) == sum(name <= probe for name in names)


def test_many_blocks_stay_in_order_while_everything_changes() -> None:
    rng = random.Random(11)
    found = SortedSet()
    model: dict[bytes, float] = {}
    for turn in range(4 * order.MOST * 4):
        member = b"%d" % rng.randrange(6000)
        if rng.random() < (0.8 if turn < 8000 else 0.25):
            score = float(rng.randrange(500))
            found.put(member, score)
            model[member] = score
        else:
            assert found.remove(member) == (model.pop(member, None) is not None)
        if turn % 1000 == 0:
            check(found, model)
    check(found, model)
    while model:
        member, _ = found.pop(rng.random() < 0.3)
        del model[member]
        if len(model) % 700 == 0:
            check(found, model)


def test_every_member_is_drawn_about_as_often() -> None:
    rng = random.Random(5)
    found = SortedSet()
    found.replace({b"%d" % number: float(number) for number in range(10)})
    drawn: dict[bytes, int] = {}
    for _ in range(10_000):
        member = found.choose(rng)
        drawn[member] = drawn.get(member, 0) + 1
    assert all(abs(count - 1000) < 150 for count in drawn.values()), drawn
