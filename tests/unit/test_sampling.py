"""Random keys: only those that are there, all of them sooner or later, without listing them each time."""

from __future__ import annotations

import random
from collections.abc import Iterator

from heroredis.keyspace.sampling import SMALL, Sampler


class Counted(dict[bytes, int]):
    """Counts how often all its keys are gone through."""

    walks = 0

    def __iter__(self) -> Iterator[bytes]:
        self.walks += 1
        return super().__iter__()


def test_every_key_is_drawn_and_no_other() -> None:
    rng = random.Random(5)
    for size in (1, 5, SMALL, SMALL + 1, 300):
        keys = {b"%d" % number: number for number in range(size)}
        sampler = Sampler()
        assert {sampler.draw(keys, rng, 0) for _ in range(30 * size)} == set(keys)
    assert sampler.draw({}, rng, 0) is None


def test_what_comes_and_goes() -> None:
    rng = random.Random(6)
    keys = {b"%d" % number: number for number in range(1000)}
    sampler = Sampler()
    writes = 0
    for round_ in range(5):
        for number in range(round_ * 1000, round_ * 1000 + 1000):
            assert sampler.draw(keys, rng, writes) in keys
            del keys[b"%d" % number]
            keys[b"%d" % (number + 1000)] = 1
            writes += 2
    assert all(int(sampler.draw(keys, rng, writes + 3000) or b"0") >= 5000 for _ in range(100))


def test_a_thousand_draws_go_through_the_keys_once() -> None:
    rng = random.Random(7)
    keys = Counted((b"%d" % number, number) for number in range(10_000))
    sampler = Sampler()
    for _ in range(1000):
        sampler.draw(keys, rng, 1)
    assert keys.walks == 1
