"""Power failures and crashes at every step, from one recording of all that reached the disk.

The disk in memory knows what was synced; at each change it gives what may be left: the synced part, any prefix of what
was pending, single sectors, a torn last write, names that were never synced. What is found must be what was
acknowledged or a later state, never less, never anything else.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ourdb import OurDB
from ourdb.backup import copy_store, no_progress
from ourdb.check import check
from ourdb.faulty import Disk, FaultyFiles

State = dict[int, list[bytes | None]]
CUTS = 34
"""Random failures at each step; the steps of the recordings make more than 10,000 together (asserted below)."""


class Recording:
    """A script that runs on a disk; at each change of the disk some failures are tried at once."""

    def __init__(self, seed: int, durability: str = "always") -> None:
        self.rng = random.Random(seed)
        self.disk = Disk(seed)
        self.written: State = {}
        self.acknowledged: State = {}
        self.tried = 0
        self.errors: list[BaseException] = []
        self.db = OurDB("memory", durability, files=FaultyFiles(self.disk), segment_size=900, checkpoint_every=700)
        self.disk.before_change = self.fail

    def fail(self) -> None:
        acknowledged = {key: list(values) for key, values in self.acknowledged.items()}
        self.disk.before_change = None
        try:
            for _ in range(CUTS):
                self.examine(self.disk.power_cut(self.rng), acknowledged)
            self.examine(self.disk.copy(), acknowledged)
        except BaseException as error:  # the store would take it for an error of the disk
            self.errors.append(error)
        self.disk.before_change = self.fail

    def examine(self, left: Disk, acknowledged: State) -> None:
        self.tried += 1
        with OurDB("memory", files=FaultyFiles(left)) as db:
            for record_id, values in acknowledged.items():
                found = [version.data for version in reversed(db.get_history(record_id, 1000))]
                assert found[: len(values)] == values
                assert found == self.written[record_id][: len(found)]
            for record_id in db.ids():
                assert db.get(record_id) in self.written[record_id]

    def step(self) -> None:
        choice = self.rng.random()
        value = self.rng.randbytes(self.rng.randint(0, 90))
        if choice < 0.5 or not self.written:
            self.add(self.db.append(value, self.rng.choice([0, *self.written])), value)
        elif choice < 0.6:
            living = list(self.db.ids())
            if living:
                gone = self.rng.choice(living)
                self.db.append_delete(gone)
                self.add(gone, None)
        elif choice < 0.75:
            first, second = self.db.append_batch([(value, 0), (b"second", 0)])
            self.add(first, value)
            self.add(second, b"second")
        else:
            self.db.flush("always")
            self.acknowledged = {key: list(values) for key, values in self.written.items()}

    def add(self, record_id: int, value: bytes | None) -> None:
        # Records are told before they can reach the disk: a failure in the middle of a write may leave some of them.
        self.written.setdefault(record_id, []).append(value)


def test_ten_thousand_power_failures_keep_what_was_acknowledged_and_invent_nothing() -> None:
    tried = 0
    for seed in range(10):
        recording = Recording(seed, "always" if seed % 3 else "no")
        for _ in range(60):
            recording.step()
        recording.db.close()
        assert recording.errors == []
        tried += recording.tried
    assert tried > 10_000


def test_a_batch_survives_a_power_failure_as_a_whole_or_not_at_all() -> None:
    rng = random.Random(1)
    disk = Disk()
    left: list[Disk] = []
    db = OurDB("memory", files=FaultyFiles(disk))
    db.set(b"before")
    disk.before_change = lambda: left.extend(disk.power_cut(rng) for _ in range(60))
    db.set_batch([(b"x" * 700, 0), (b"changed", 1), (b"y" * 900, 0), (None, 1)])
    disk.before_change = None
    left.append(disk.copy())
    seen = set()
    for crashed in left:
        with OurDB("memory", files=FaultyFiles(crashed)) as again:
            seen.add(tuple(again.ids()))
    assert seen == {(1,), (2, 3)}
    db.close()


def crash_states(disk: Disk, rng: random.Random, work: Callable[[], object]) -> list[Disk]:
    """What is left by a crash or a power failure before each change that `work` makes."""
    left: list[Disk] = []

    def crash() -> None:
        left.append(disk.copy())
        left.extend(disk.power_cut(rng) for _ in range(8))

    disk.before_change = crash
    work()
    crash()
    disk.before_change = None
    return left


def test_a_crash_at_every_step_of_a_checkpoint_and_of_a_roll_over() -> None:
    disk = Disk()
    db = OurDB("memory", files=FaultyFiles(disk), segment_size=600)
    for number in range(30):
        db.append(b"%d" % number * 9, number % 7 + 1)
    db.flush()
    before = dict(db.scan())
    left = crash_states(disk, random.Random(2), lambda: db.compact(50))
    left += crash_states(disk, random.Random(3), lambda: [db.set(b"z" * 500) for _ in range(3)])
    left += crash_states(disk, random.Random(4), db.close)
    assert len(left) > 250
    for crashed in left:
        with OurDB("memory", files=FaultyFiles(crashed)) as again:
            found = dict(again.scan())
            assert {key: found[key] for key in before} == before
            assert all(fault.reason.startswith("torn") for fault in again.faults)
        assert check(FaultyFiles(crashed)).faults == []


def test_a_crash_at_every_step_of_a_backup_leaves_a_store_and_the_next_one_finishes() -> None:
    source, target = Disk(), Disk(seed=1)
    db = OurDB("memory", files=FaultyFiles(source), segment_size=900)

    def fill(count: int) -> dict[int, bytes]:
        for number in range(count):
            db.append(b"%d" % number * 11, number % 9 + 1)
        db.flush()
        return dict(db.scan())

    first = fill(40)
    copy_to(db, target)
    second = fill(25)
    left = crash_states(target, random.Random(5), lambda: copy_to(db, target))
    db.compact(1)
    left += crash_states(target, random.Random(6), lambda: copy_to(db, target))
    assert len(left) > 100
    for crashed in left:
        with OurDB("memory", files=FaultyFiles(crashed), read_only=True) as copy:
            found = dict(copy.scan())
            assert found.keys() == first.keys()
            assert all(value in (first[key], second[key]) or value.isdigit() for key, value in found.items())
        copy_to(db, crashed)
        assert check(FaultyFiles(crashed)).faults == []
        with OurDB("memory", files=FaultyFiles(crashed), read_only=True) as copy:
            assert dict(copy.scan()) == second
    db.close()


def copy_to(db: OurDB, target: Disk) -> None:
    mark = db._log.durable
    copy_store(db._segments, mark.segment, mark.offset, FaultyFiles(target), no_progress)
