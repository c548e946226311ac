"""One keyspace against a plain model under a clock that the test moves: expiry, owned keys, flush and swap."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.clock import ManualClock
from heroredis.keyspace.change import ChangeListener
from heroredis.keyspace.space import Space

KEYS = [b"a", b"b", b"c", b"own:a", b"own:b"]
OWNED = (b"own:",)
STEPS = st.lists(st.tuples(
    st.sampled_from(["store", "store", "replace", "expire", "expire", "persist", "remove", "advance", "due", "lookup",
                     "flush one", "flush all", "swap"]),
    st.integers(0, 2), st.sampled_from(KEYS), st.integers(1, 40)), max_size=80)
Model = dict[tuple[int, bytes], tuple[bytes, int]]


def swapped(model: Model, one: int, two: int) -> Model:
    """What SWAPDB leaves; owned names stay where database 0 takes part."""
    places = {one: two, two: one}
    stay = 0 in (one, two)
    return {((index if stay and key.startswith(OWNED) else places.get(index, index)), key): value
            for (index, key), value in model.items()}


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_behaves_as_a_dictionary_with_times(steps: list[tuple[str, int, bytes, int]]) -> None:
    clock = ManualClock()
    space = Space(3, clock)
    space.own(OWNED)
    model: Model = {}
    for number, (name, index, key, amount) in enumerate(steps):
        db = space.databases[index]
        now = space.refresh()
        model = {place: value for place, value in model.items() if value[1] < 0 or value[1] > now}
        held = model.get((index, key))
        value = b"%d" % number
        if name == "store":
            db.store(key, value)
            model[index, key] = value, -1
        elif name == "replace" and db.lookup(key) is not None and held is not None:
            db.replace(key, value)
            model[index, key] = value, held[1]
        elif name == "expire" and db.lookup(key) is not None and held is not None:
            db.set_expiry(key, now + amount)
            model[index, key] = held[0], now + amount
        elif name == "persist" and db.lookup(key) is not None and held is not None:
            assert db.persist(key) == (held[1] >= 0)
            model[index, key] = held[0], -1
        elif name == "remove" and db.lookup(key) is not None:
            assert db.remove(key)
            del model[index, key]
        elif name == "advance":
            clock.advance(amount)
        elif name == "due":
            space.expire_due(amount)
        elif name.startswith("flush"):
            space.flush(index if name == "flush one" else None)
            model = {place: value for place, value in model.items()
                     if (place[0] == 0 and place[1].startswith(OWNED)) or (name == "flush one" and place[0] != index)}
        elif name == "swap":
            space.swap(index, amount % 3)
            model = swapped(model, index, amount % 3)
        else:
            assert db.lookup(key) == (None if held is None else held[0])
        agree(space, model)
    clock.advance(1000)
    space.expire_due(10_000)
    assert {key: value for key, value in model.items() if value[1] < 0} == contents(space)
    assert [db.size() for db in space.databases] == [sum(place[0] == db.index for place in contents(space))
                                                     for db in space.databases]


def contents(space: Space) -> Model:
    """Every living key with its expiry, seen without expiring anything."""
    return {(db.index, key): (db.get_string(key) or b"", db.expiry(key))
            for db in space.databases for key in list(db.keys())}


def agree(space: Space, model: Model) -> None:
    now = space.moment.now_ms
    assert contents(space) == {place: value for place, value in model.items() if value[1] < 0 or value[1] > now}
    for db in space.databases:
        assert db.expires.keys() <= db.data.keys()
        heap = db._heap
        assert all(heap[(at - 1) // 2] <= heap[at] for at in range(1, len(heap)))
        assert {(at, key) for key, at in db.expires.items()} <= set(heap)
        assert len(heap) <= 2 * len(db.expires) + 65


def test_appointments_that_were_changed_a_million_times_take_no_room() -> None:
    space = Space(1, ManualClock())
    db = space.databases[0]
    db.store(b"k", b"v")
    for number in range(10_000):
        db.set_expiry(b"k", space.moment.now_ms + 1000 + number)
    assert len(db._heap) <= 66
    assert heapq.nsmallest(1, db._heap)


class Told(ChangeListener):
    def __init__(self) -> None:
        self.events: list[tuple[int, bytes, str]] = []
        self.flushed: list[int] = []

    def on_change(self, database: int, key: bytes, event: str, event_class: int) -> None:
        self.events.append((database, key, event))

    def on_flush(self, database: int) -> None:
        self.flushed.append(database)


def test_expiry_is_told_once() -> None:
    clock = ManualClock()
    space = Space(2, clock)
    told = Told()
    space.changes.listen(told, everything=True)
    for db in space.databases:
        db.store(b"k", b"v")
        db.set_expiry(b"k", clock.now_ms() + 10)
    clock.advance(10)
    space.refresh()
    assert space.databases[1].lookup(b"k") is None
    space.expire_due(100)
    space.expire_due(100)
    assert told.events == [(1, b"k", "expired"), (0, b"k", "expired")]


@pytest.mark.parametrize("listening", [True, False])
def test_listeners_hear_of_keys_of_interest_only(listening: bool) -> None:
    space = Space(2, ManualClock())
    told = Told()
    space.changes.listen(told)
    if listening:
        space.changes.watch((1, b"k"))
        space.changes.watch((1, b"k"))
        space.changes.unwatch((1, b"k"))
    for db in space.databases:
        db.changed(b"k", "set", 2)
        db.changed(b"l", "set", 2)
    assert told.events == ([(1, b"k", "set")] if listening else [])
    space.changes.unwatch((1, b"k"))
    assert not space.changes.active
