"""The longest common subsequence of two byte strings, and where its parts lie in both.

A row of the usual table is one long integer: bit j is set where the length grows from column j to j + 1. So a row
takes a few operations on long integers, whatever its width (Hyyrö 2004), and a table takes an eighth of its cells.
"""

from __future__ import annotations

from typing import Final

Range = tuple[int, int, int, int]
"""First and last index in the one, first and last index in the other."""


class Table:
    """Rows 0 to len(one); `length(i, j)` is the length for the first i and the first j bytes."""

    def __init__(self, one: bytes, two: bytes) -> None:
        self.one: Final = one
        self.two: Final = two
        self.rows: Final = [0]
        mask = (1 << len(two)) - 1
        places = _places(two)
        row = mask
        for byte in one:
            row = _next_row(row, places.get(byte, 0), mask)
            self.rows.append(~row & mask)

    def length(self, i: int, j: int) -> int:
        return (self.rows[i] & ((1 << j) - 1)).bit_count()


def _places(text: bytes) -> dict[int, int]:
    found: dict[int, int] = {}
    for at, byte in enumerate(text):
        found[byte] = found.get(byte, 0) | (1 << at)
    return found


def _next_row(row: int, matches: int, mask: int) -> int:
    """The next row, inverted as the last one is."""
    both = row & matches
    return ((row + both) | (row - both)) & mask


def length(one: bytes, two: bytes) -> int:
    """The length alone, which needs no table."""
    mask = (1 << len(two)) - 1
    places = _places(two)
    row = mask
    for byte in one:
        row = _next_row(row, places.get(byte, 0), mask)
    return (~row & mask).bit_count()


def walk(one: bytes, two: bytes) -> tuple[bytes, list[Range]]:
    """The subsequence, and the ranges in which both agree, the last ones first, chosen as Redis chooses them."""
    table = Table(one, two)
    found = bytearray()
    ranges: list[Range] = []
    i, j = len(one), len(two)
    start_one = start_two = end_one = end_two = -1
    while i > 0 and j > 0:
        ended = False
        if one[i - 1] == two[j - 1]:
            found.append(one[i - 1])
            if start_one < 0:
                start_one = end_one = i - 1
                start_two = end_two = j - 1
            elif start_one == i and start_two == j:
                start_one -= 1
                start_two -= 1
            else:
                ended = True
            ended = ended or start_one == 0 or start_two == 0
            i -= 1
            j -= 1
        else:
            if table.length(i - 1, j) > table.length(i, j - 1):
                i -= 1
            else:
                j -= 1
            ended = start_one >= 0
        if ended:
            ranges.append((start_one, end_one, start_two, end_two))
            start_one = -1
    found.reverse()
    return bytes(found), ranges
