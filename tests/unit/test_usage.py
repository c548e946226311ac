"""Notes of uses: seconds under LRU, a counter that rises ever more slowly and falls with time under LFU."""

from __future__ import annotations

import random

from heroredis.clock import ManualClock
from heroredis.keyspace import usage
from heroredis.keyspace.space import Space
from heroredis.keyspace.usage import LFU, LRU, NEW_FREQUENCY, OFF, Usage

MINUTE = 60_000


def test_a_counter_rises_ever_more_slowly() -> None:
    noted = Usage(random.Random(1))
    noted.mode = LFU
    note = -1
    seen = []
    for _ in range(20_000):
        note = noted.used(note, 5 * MINUTE)
        seen.append(noted.frequency(note, 5 * MINUTE))
    assert seen[0] == NEW_FREQUENCY
    assert seen == sorted(seen)
    assert 6 <= seen[10] <= 10
    assert seen[-1] - seen[10_000] < seen[10_000] - seen[0]
    assert seen[-1] <= usage.MOST


def test_a_counter_falls_with_time() -> None:
    noted = Usage(random.Random(1))
    noted.mode = LFU
    note = noted.frequency_note(100, 7 * MINUTE)
    for passed, left in ((0, 100), (1, 99), (10, 90), (99, 1), (100, 0), (500, 0)):
        assert noted.frequency(note, (7 + passed) * MINUTE) == left
    noted.decay_minutes = 10
    assert noted.frequency(note, 27 * MINUTE) == 98
    noted.decay_minutes = 0
    assert noted.frequency(note, 5000 * MINUTE) == 100


def test_what_counts_as_a_use() -> None:
    clock = ManualClock()
    space = Space(2, clock)
    db = space.databases[0]
    db.store(b"before", b"v")
    space.note_uses(LRU)
    db.store(b"k", b"v")
    db.changed(b"k", "set", 2)
    clock.advance(10_000)
    now = space.refresh()
    db.peek(b"k")
    assert space.usage.idle_s(db.uses.get(b"k", -1), now) == 10
    assert space.usage.idle_s(db.uses.get(b"before", -1), now) == 10
    db.get_string(b"k")
    db.lookup(b"nothing")
    assert space.usage.idle_s(db.uses[b"k"], now) == 0
    assert db.uses.keys() == {b"k"}
    space.swap(0, 1)
    assert space.databases[1].uses.keys() == {b"k"}
    space.databases[1].remove(b"k")
    assert not space.databases[1].uses


def test_nothing_is_noted_when_nobody_asks() -> None:
    space = Space(1, ManualClock())
    db = space.databases[0]
    db.store(b"k", b"v")
    db.changed(b"k", "set", 2)
    db.lookup(b"k")
    assert not db.uses
    db.use(b"k")
    space.note_uses(LRU)
    assert db.uses
    space.note_uses(LFU)
    assert not db.uses
    space.note_uses(OFF)
    assert not db.noting
