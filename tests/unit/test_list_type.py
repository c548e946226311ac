"""The list type against a plain Python list."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.types.list import List

ELEMENTS = st.sampled_from([b"a", b"b", b"c", b"d"])
STEPS = st.lists(st.tuples(
    st.sampled_from(["pl", "pr", "ol", "or", "put", "insert", "remove", "keep", "slice", "get"]),
    ELEMENTS, st.integers(-12, 12), st.integers(0, 12)), max_size=60)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_behaves_as_a_plain_list(steps: list[tuple[str, bytes, int, int]]) -> None:
    items = List()
    model: list[bytes] = []
    for name, element, number, other in steps:
        size = len(model)
        if name == "pl":
            items.push_left(element)
            model.insert(0, element)
        elif name == "pr":
            items.push_right(element)
            model.append(element)
        elif name == "ol" and model:
            assert items.pop_left() == model.pop(0)
        elif name == "or" and model:
            assert items.pop_right() == model.pop()
        elif name == "put" and model:
            items.put(other % size, element)
            model[other % size] = element
        elif name == "insert":
            items.insert(other % (size + 1), element)
            model.insert(other % (size + 1), element)
        elif name == "remove":
            assert items.remove(element, number) == removed(model, element, number)
        elif name == "keep" and model:
            start = other % size
            stop = min(size, start + abs(number))
            if start < stop:
                items.keep(start, stop)
                model[:] = model[start:stop]
        elif name == "slice":
            stop = min(size, other + abs(number))
            assert items.slice(min(other, size), max(stop, min(other, size))) == model[other:stop]
        elif name == "get" and model:
            assert items.get(other % size) == model[other % size]
        assert items.to_list() == model
        assert items.size() == len(model)


def removed(model: list[bytes], element: bytes, count: int) -> int:
    limit = abs(count) or len(model)
    indexes = [at for at, value in enumerate(model) if value == element]
    gone = (indexes if count >= 0 else indexes[::-1])[:limit]
    for at in sorted(gone, reverse=True):
        del model[at]
    return len(gone)


@pytest.mark.parametrize("lefts", range(6))
def test_finding_and_taking_out(lefts: int) -> None:
    whole = [b"a", b"b", b"a", b"c", b"b"]
    for index in range(5):
        items = List()
        for element in reversed(whole[:lefts]):
            items.push_left(element)
        for element in whole[lefts:]:
            items.push_right(element)
        assert [items.find(element) for element in (b"a", b"b", b"c", b"d")] == [0, 1, 3, -1]
        assert items.take_out(index) == whole[index]
        assert items.to_list() == whole[:index] + whole[index + 1 :]


@pytest.mark.parametrize("seed", range(4))
def test_elements_between_others_in_a_long_list(seed: int) -> None:
    rng = random.Random(seed)
    items = List()
    model = [b"%d" % number for number in range(5000)]
    for element in model:
        items.push_right(element)
    for number in range(300):
        place = rng.choice([number, 2000, len(model) - number, rng.randint(0, len(model))])
        items.insert(place, b"new %d" % number)
        model.insert(place, b"new %d" % number)
        if rng.random() < 0.2:
            assert items.pop_left() == model.pop(0)
            assert items.pop_right() == model.pop()
    assert items.to_list() == model
    assert [items.get(place) for place in range(0, len(model), 97)] == model[::97]
