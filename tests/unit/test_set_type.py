"""The set type against a plain Python set, and its chance against what is fair."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.types.set import Set, is_integer

MEMBERS = st.sampled_from([b"a", b"b", b"c", b"1", b"-5", b"10", b"9"])
STEPS = st.lists(st.tuples(st.sampled_from(["add", "add", "remove", "pop", "choose", "copy"]), MEMBERS), max_size=60)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 1000))
def test_behaves_as_a_plain_set(steps: list[tuple[str, bytes]], seed: int) -> None:
    rng = random.Random(seed)
    found = Set()
    model: set[bytes] = set()
    for name, member in steps:
        if name == "add":
            assert found.add(member) == (member not in model)
            model.add(member)
        elif name == "remove":
            assert found.remove(member) == (member in model)
            model.discard(member)
        elif name == "pop" and model:
            model.remove(found.pop(rng))
        elif name == "choose" and model:
            assert found.choose(rng) in model
        elif name == "copy":
            twin = found.copy()
            found.add(b"elsewhere")
            found = twin
        assert sorted(found.names()) == sorted(model)
        assert found.size() == len(model)


def test_integers_alone_are_shown_in_ascending_order() -> None:
    found = Set()
    found.add_all([b"10", b"9", b"-1", b"100"])
    assert found.names() == [b"-1", b"9", b"10", b"100"]
    found.add(b"x")
    found.remove(b"x")
    assert not found.integers


@pytest.mark.parametrize(("text", "expected"), [
    (b"0", True), (b"-1", True), (b"9223372036854775807", True), (b"-9223372036854775808", True),
    (b"9223372036854775808", False), (b"-9223372036854775809", False), (b"", False), (b"-", False), (b"-0", False),
    (b"01", False), (b"+1", False), (b" 1", False), (b"1.0", False), (b"99999999999999999999", False)])
def test_what_an_integer_is(text: bytes, expected: bool) -> None:
    assert is_integer(text) == expected


def test_every_member_is_drawn_about_as_often() -> None:
    """Members that come and go in between must not be favoured; 5 sigma over 12,000 draws."""
    rng = random.Random(7)
    found = Set()
    found.add_all(b"%d" % number for number in range(12))
    drawn: dict[bytes, int] = {}
    for turn in range(12_000):
        member = found.choose(rng)
        drawn[member] = drawn.get(member, 0) + 1
        again = b"%d" % (turn % 12)
        found.remove(again)
        found.add(again)
    assert len(drawn) == 12
    assert all(abs(count - 1000) < 5 * (1000 * 11 / 12) ** 0.5 for count in drawn.values()), drawn
