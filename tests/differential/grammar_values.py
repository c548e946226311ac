"""Commands that look into values: bits, common subsequences, encodings, dumps."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.differential.grammar import (
    NO_INTEGERS,
    NUMBERS,
    OTHERS,
    Commands,
    bogus,
    call,
    flag,
    keys,
    many,
    option,
    small,
    texts,
    with_options,
    word,
)

offsets: Final = st.one_of(
    st.integers(0, 90).map(lambda number: b"%d" % number),
    st.sampled_from((b"4294967295", b"4294967296", b"-1", b"x", b"", b"#1", b"9223372036854775807", b"01")))
near: Final = st.integers(0, 150).map(lambda number: b"%d" % number)
bit: Final = st.sampled_from((b"0", b"1", b"1", b"0", b"2", b"-1", b"x", b""))
units: Final = word("BIT", "BYTE", "BIT", "BYTE", "NOPE")
ends: Final = st.one_of(st.integers(-80, 80).map(lambda number: b"%d" % number), small,
                        st.sampled_from((*NUMBERS[5:], *NO_INTEGERS[:3])))
types: Final = st.one_of(
    st.builds(lambda sign, width: b"%b%d" % (sign, width), st.sampled_from((b"i", b"u")), st.integers(1, 64)),
    st.builds(lambda sign, width: b"%b%d" % (sign, width), st.sampled_from((b"i", b"u")),
              st.sampled_from((1, 2, 4, 8, 63, 64))),
    st.sampled_from((b"u64", b"i65", b"i0", b"x8", b"i", b"", b"u-1", b"i08", b"i8\x00x")))
places: Final = st.one_of(near, near, st.integers(0, 9).map(lambda number: b"#%d" % number), offsets).filter(
    lambda place: not place.startswith(b"4294967295"))
amounts: Final = st.one_of(st.integers(-300, 300).map(lambda number: b"%d" % number), st.sampled_from(NUMBERS),
                           st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number),
                           st.sampled_from(NO_INTEGERS[:4]))
reading: Final = st.tuples(word("GET"), types, places)
operations: Final[list[Commands]] = [
    reading, st.tuples(word("SET"), types, places, amounts), st.tuples(word("INCRBY"), types, places, amounts),
    st.tuples(word("OVERFLOW"), word("WRAP", "SAT", "FAIL", "WRAP", "SAT", "FAIL", "NOPE")), bogus()]
rows: Final = st.one_of(texts, st.binary(max_size=12), st.sampled_from((b"\x00" * 9, b"\xff" * 9, b"\xff\xf0\x00")))

BITMAPS: Final = st.one_of(
    call("SET", keys, rows), call("SET", keys, rows), call("APPEND", keys, rows),
    call("SETBIT", keys, offsets.filter(lambda offset: offset != b"4294967295"), bit),
    call("SETBIT", keys, near, st.sampled_from((b"0", b"1"))), call("GETBIT", keys, offsets),
    call("GETBIT", keys, near),
    many("BITCOUNT", keys, rest=ends), call("BITCOUNT", keys), call("BITCOUNT", keys, ends, ends, units),
    many("BITPOS", keys, bit, rest=ends, most=2), call("BITPOS", keys, bit, ends, ends, units),
    many("BITPOS", keys, bit, ends, ends, units, rest=ends, most=1),
    many("BITOP", word("AND", "OR", "XOR", "NOT", "NOPE"), keys, keys, rest=keys),
    call("BITOP", word("NOT"), keys, keys), with_options("BITFIELD", keys, options=operations, most=4),
    with_options("BITFIELD", keys, options=operations[:4], most=4),
    with_options("BITFIELD_RO", keys, options=[reading], most=3),
    with_options("BITFIELD_RO", keys, options=operations, most=1), call("GET", keys), OTHERS)

words: Final = st.one_of(st.text("ab", max_size=12), st.text("acgt", max_size=40)).map(str.encode)
SIMILAR: Final = st.one_of(
    call("SET", keys, words), call("SET", keys, words), call("SET", keys, words), call("APPEND", keys, words),
    with_options("LCS", keys, keys, options=[
        flag("LEN", "IDX", "WITHMATCHLEN"), flag("IDX"), flag("WITHMATCHLEN"), bogus(),
        option(("MINMATCHLEN",), st.sampled_from((b"0", b"1", b"2", b"4", b"-1", b"x")))]),
    with_options("LCS", keys, keys, options=[flag("IDX"), flag("WITHMATCHLEN"), flag("IDX")]), call("LCS", keys, keys),
    call("LCS", keys, keys, word("LEN")), OTHERS)
