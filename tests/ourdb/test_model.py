"""A state machine: random operations, crashes, power failures, reopenings and compactions against a plain dict."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ourdb import NotFound, OurDB, StoreFull
from ourdb.check import check
from ourdb.faulty import Disk, FaultyFiles

History = list[bytes | None]
DATA = st.binary(max_size=120)


class Machine(RuleBasedStateMachine):
    """`model` holds every version, newest last; `safe` what a power failure must leave."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.model: dict[int, History] = {}
        self.safe: dict[int, History] = {}
        self.compacted = False
        self.next_id = 1
        self.now = 1000
        self.db = self.open()

    def open(self) -> OurDB:
        return OurDB("memory", files=FaultyFiles(self.disk), clock=lambda: self.now, segment_size=800,
                     checkpoint_every=1500)

    @initialize(seed=st.integers(0, 1000))
    def start(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def keep(self, record_id: int, data: bytes | None) -> None:
        self.model.setdefault(record_id, []).append(data)
        self.next_id = max(self.next_id, record_id + 1)

    def pick(self, number: int) -> int:
        living = sorted(key for key, versions in self.model.items() if versions[-1] is not None)
        return living[number % len(living)] if living else 0

    @rule(data=DATA)
    def add(self, data: bytes) -> None:
        assert self.db.append(data) == self.next_id
        self.keep(self.next_id, data)

    @rule(data=DATA, number=st.integers(0, 50), step=st.integers(-2000, 3000))
    def update(self, data: bytes, number: int, step: int) -> None:
        self.now = max(0, self.now + step)
        record_id = self.pick(number)
        if record_id:
            assert self.db.append(data, record_id) == record_id
            self.keep(record_id, data)

    @rule(data=DATA, gap=st.integers(0, 2000))
    def insert(self, data: bytes, gap: int) -> None:
        record_id = self.next_id + gap
        self.db.append(data, record_id)
        self.keep(record_id, data)

    @rule(number=st.integers(0, 50))
    def delete(self, number: int) -> None:
        record_id = self.pick(number)
        if record_id:
            self.db.append_delete(record_id)
            self.keep(record_id, None)

    @rule(items=st.lists(DATA, min_size=1, max_size=4), number=st.integers(0, 50))
    def batch(self, items: list[bytes], number: int) -> None:
        record_id = self.pick(number)
        pairs: list[tuple[bytes | None, int]] = [(data, 0) for data in items]
        if record_id:
            pairs.append((None, record_id))
        ids = self.db.append_batch(pairs)
        for given, (data, _) in zip(ids, pairs, strict=True):
            self.keep(given, data)

    @rule()
    def flush(self) -> None:
        self.db.flush()
        self.safe = {key: list(versions) for key, versions in self.model.items()}

    @rule()
    def full_disk(self) -> None:
        self.flush()
        before = self.db.next_id
        self.disk.space = 20
        with pytest.raises(StoreFull):
            self.db.set(b"x" * 60)
        self.disk.space = None
        assert self.db.next_id >= before
        self.next_id = self.db.next_id
        # Who appended and was not told yet must be: a commit with nothing new repeats the error until one succeeds.
        with pytest.raises(StoreFull):
            self.db.flush()
        self.keep(self.db.append(b"after"), b"after")
        self.flush()

    @rule(versions=st.integers(1, 3), drop=st.booleans())
    def compact(self, versions: int, drop: bool) -> None:
        self.flush()
        self.db.compact(versions, drop_deleted=drop)
        self.model = {key: found[-versions:] for key, found in self.model.items()
                      if not (drop and found[-1] is None)}
        self.safe = {key: list(found) for key, found in self.model.items()}

    @rule()
    def reopen(self) -> None:
        self.db.close()
        self.safe = {key: list(versions) for key, versions in self.model.items()}
        self.db = self.open()

    @rule(power=st.booleans())
    def crash(self, power: bool) -> None:
        left = self.disk.power_cut(self.rng) if power else self.disk.copy()
        self.db.close()
        self.disk = left
        self.db = self.open()
        found = self.histories()
        for record_id, versions in self.safe.items():
            assert found[record_id][: len(versions)] == versions
        for record_id, versions in found.items():
            assert versions == self.model[record_id][: len(versions)]
        assert self.db.next_id >= max(self.safe, default=0) + 1
        self.model = found
        self.safe = {key: list(versions) for key, versions in found.items()}
        self.next_id = self.db.next_id

    @rule()
    def check_all(self) -> None:
        self.flush()
        assert check(FaultyFiles(self.disk)).faults == []
        feed = {}
        for change in self.db.changes():
            feed[change.id] = change.data
        assert {key: data for key, data in feed.items() if data is not None} == dict(self.db.scan())
        assert dict(self.db.scan(order="log")) == dict(self.db.scan())

    def histories(self) -> dict[int, History]:
        found: dict[int, History] = {}
        for record_id in self.model:
            try:
                found[record_id] = [version.data for version in reversed(self.db.get_history(record_id, 1000))]
            except NotFound:
                continue
        return found

    @invariant()
    def agree(self) -> None:
        assert self.histories() == self.model
        assert list(self.db.ids()) == sorted(key for key, found in self.model.items() if found[-1] is not None)
        assert len(self.db) == len(list(self.db.ids()))

    @precondition(lambda self: self.model)
    @invariant()
    def times_never_go_back(self) -> None:
        record_id = max(self.model)
        times = [version.time for version in self.db.get_history(record_id, 1000)]
        assert times == sorted(times, reverse=True)

    def teardown(self) -> None:
        self.db.close()


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None,
                                     suppress_health_check=list(HealthCheck))
TestMachine = Machine.TestCase
