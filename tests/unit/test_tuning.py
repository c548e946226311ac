"""Memory of a server: what is given back, and what may be asked of any C library."""

from __future__ import annotations

import ctypes

import pytest

from heroredis.tuning import give_back


class Library:
    """A C library that has a trim, or has not."""

    def __init__(self, answer: int | None) -> None:
        self.asked: list[int] = []
        if answer is not None:
            self.malloc_trim = lambda pad: (self.asked.append(pad), answer)[1]


@pytest.mark.parametrize(("answer", "expected"), [(1, True), (0, False), (None, False)])
def test_free_memory_goes_back_where_the_library_can(monkeypatch: pytest.MonkeyPatch, answer: int | None,
                                                     expected: bool) -> None:
    library = Library(answer)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert give_back() is expected
    assert library.asked == ([] if answer is None else [0])


def test_the_real_library_is_asked_without_harm() -> None:
    assert give_back() in (True, False)
