"""Bits against strings of zeros and ones; long rows are looked at piece by piece."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.types import bits

rows = st.binary(min_size=1, max_size=20)


def written(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


@settings(deadline=None)
@given(rows, st.data())
def test_ranges(data: bytes, choose: st.DataObject) -> None:
    first = choose.draw(st.integers(0, len(data) * 8 - 1))
    last = choose.draw(st.integers(first, len(data) * 8 - 1))
    text = written(data)[first : last + 1]
    assert bits.count(bits.part_of(data, first, last)) == text.count("1")
    for bit in (0, 1):
        at = text.find(str(bit))
        assert bits.find(data, bit, first, last) == (first + at if at >= 0 else -1)


@settings(deadline=None)
@given(rows, st.integers(0, 200), st.integers(1, 64), st.booleans(), st.integers(-(1 << 64), 1 << 64))
def test_fields(data: bytes, offset: int, width: int, signed: bool, value: int) -> None:
    target = bytearray(data)
    bits.grow(target, offset + width - 1)
    before = written(target)
    bits.write_field(target, offset, width, value)
    digits = f"{value & ((1 << width) - 1):0{width}b}"
    assert written(target) == before[:offset] + digits + before[offset + width :]
    expected = int(digits, 2) - (1 << width if signed and digits[0] == "1" else 0)
    assert bits.read_field(target, offset, width, signed) == expected == bits.fitted(value, width, signed, bits.WRAP)


def test_long_rows() -> None:
    size = 3 * bits.PIECE
    for place in (0, 8 * bits.PIECE - 1, 8 * bits.PIECE, 8 * size - 1):
        row = bytearray(size)
        bits.set_bit(row, place, 1)
        assert bits.count(row) == 1
        assert bits.find(row, 1, 0, 8 * size - 1) == place
        assert bits.find(row, 1, place, 8 * size - 1) == place
        assert bits.find(row, 1, 0, place - 1) == -1
        assert bits.find(bytes(row).translate(bits.INVERTED), 0, 3, 8 * size - 1) == (place if place >= 3 else -1)


def test_long_rows_of_different_length_are_combined() -> None:
    long = bytes(range(256)) * (bits.PIECE // 100)
    short = bytes(range(255, -1, -1)) * 3
    padded = short.ljust(len(long), b"\0")
    for operation, expected in (
            (b"AND", bytes(one & two for one, two in zip(long, padded, strict=True))),
            (b"OR", bytes(one | two for one, two in zip(long, padded, strict=True))),
            (b"XOR", bytes(one ^ two for one, two in zip(long, padded, strict=True)))):
        assert bits.combined(operation, [short, long]) == bits.combined(operation, [long, short]) == expected
    assert bits.combined(b"NOT", [long]) == bytes(255 - byte for byte in long)
    assert bits.combined(b"OR", [b"", b""]) == b""
