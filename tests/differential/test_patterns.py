"""KEYS with random patterns over every short key of a nasty alphabet: the real server finds the same ones.

Without the empty key, which Redis finds by `*` but not by `**`.
"""

from __future__ import annotations

import itertools
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.differential.harness import Wire, same
from tests.differential.test_groups import ordinary

ALPHABET: Final = b"abB]-^\\["
PARTS: Final = st.sampled_from([
    b"*", b"*", b"?", b"[", b"]", b"^", b"-", b"\\", b"a", b"b", b"B", b"[ab]", b"[^a]", b"[a-b]", b"[b-a]", b"[]",
    b"[^]",
    b"[\\]]", b"[^\\]a]", b"[a-]", b"[-a]", b"[\\-^]", b"[^^]", b"[a-\\]", b"\\[", b"\\*", b"\\\\", b"**",
])


@pytest.mark.parametrize("pattern", ["*?" * 1000, "*?" * 1001, "**?" * 1001, "*?" * 1000 + "**", "[*]" * 2000,
                                     "\\*" * 1500, "*?" * 1000 + "[*]*", "*" * 5000, "*?" * 50000,
                                     "*?" * 999 + "[a*]*b"])
def test_patterns_with_very_many_stars_fit_nothing(both: tuple[str, str], pattern: str) -> None:
    found = []
    for path in both:
        with Wire(path) as wire:
            for key in ("a" * 5000, "a" * 1998 + "b", "*" * 2000, "*" * 1500):
                wire.call("SET", key, "1")
            keys = wire.call("KEYS", pattern)
            assert isinstance(keys, list)
            found.append(sorted(keys))
    assert found[0] == found[1]


def filled(path: str) -> Wire:
    wire = Wire(path)
    for size in range(1, 4):
        for letters in itertools.product(ALPHABET, repeat=size):
            wire.send("SET", bytes(letters), 1)
    for _ in range(sum(len(ALPHABET) ** size for size in range(1, 4))):
        wire.read()
    return wire


def test_the_same_keys_match(both: tuple[str, str]) -> None:
    with filled(both[0]) as real, filled(both[1]) as ours:
        @ordinary
        @given(st.lists(PARTS, max_size=6).map(b"".join))
        def agree(pattern: bytes) -> None:
            replies = [sorted(keys, key=repr) if isinstance(keys := wire.call("KEYS", pattern), list) else keys
                       for wire in (real, ours)]
            assert same(*replies), pattern

        agree()
