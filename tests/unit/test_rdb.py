"""The RDB form of values: written and read back, and damaged in every place."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.rdb.crc64 import crc64
from heroredis.rdb.listpack import Damaged, element, pack, unpack
from heroredis.rdb.lzf import compress, decompress
from heroredis.rdb.older import intset, read_intset, read_ziplist, read_zipmap
from heroredis.rdb.payload import is_whole, unwrap, wrap
from heroredis.rdb.reader import Reader, read
from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.zset import SortedSet

texts = st.one_of(st.binary(max_size=80), st.integers(-(1 << 64), 1 << 64).map(lambda number: b"%d" % number),
                  st.sampled_from((b"x" * 63, b"x" * 64, b"x" * 4095, b"x" * 4096, b"y" * 20000, b"0", b"-0", b"00")))


def shown(value: object) -> object:
    if isinstance(value, List):
        return value.to_list()
    if isinstance(value, Hash):
        return value.fields
    if isinstance(value, Set):
        return value.members
    return value.scores if isinstance(value, SortedSet) else value


def made(kind: str, items: list[bytes], packed: bool) -> Container:
    value: Container
    if kind == "list":
        value = List()
        value.replace(items)
    elif kind == "hash":
        value = Hash()
        value.fields.update(zip(items, reversed(items), strict=True))
    elif kind == "set":
        value = Set()
        value.add_all(items)
    else:
        value = SortedSet()
        value.replace({item: len(item) * 1.1 - at for at, item in enumerate(items)})
    value.packed = packed
    return value


def test_the_checksum_is_that_of_redis() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    long = bytes(range(256)) * 257 + b"odd"
    assert crc64(long) == crc64(long[300:], crc64(long[:300]))
    by_pieces = 0
    for at in range(0, len(long), 100):  # too short to be folded
        by_pieces = crc64(long[at : at + 100], by_pieces)
    assert crc64(long) == by_pieces


@settings(deadline=None)
@given(st.lists(texts, max_size=30))
def test_a_listpack_holds_what_was_put_in(items: list[bytes]) -> None:
    assert unpack(pack([element(item) for item in items])) == items


@settings(deadline=None)
@given(st.sampled_from(("list", "hash", "set", "zset")), st.lists(texts, min_size=1, max_size=20), st.booleans(),
       st.sampled_from((-2, -1, -5, -9, 3, 0)), st.booleans())
def test_every_value_comes_back(kind: str, items: list[bytes], packed: bool, list_size: int, compressed: bool) -> None:
    value = made(kind, items, packed)
    payload = wrap(value, list_size, compressed)
    assert is_whole(payload)
    found = unwrap(payload)
    assert type(found) is type(value)
    assert shown(found) == shown(value)


@settings(deadline=None)
@given(st.sampled_from(("list", "hash", "set", "zset")), st.lists(texts, min_size=1, max_size=6), st.data())
def test_damage_is_told(kind: str, items: list[bytes], data: st.DataObject) -> None:
    payload = bytearray(wrap(made(kind, items, data.draw(st.booleans())), -2))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    assert not is_whole(bytes(payload))
    with contextlib.suppress(Damaged):
        unwrap(bytes(payload))
    with pytest.raises(Damaged):
        unwrap(bytes(payload[:-11]) + bytes(10))


@settings(deadline=None)
@given(st.sets(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1))
def test_intsets(numbers: set[int]) -> None:
    assert read_intset(intset(sorted(numbers))) == sorted(numbers)


def test_what_older_versions_wrote() -> None:
    entries = (b"\x00\x03abc" b"\x05\xc0\x39\x30" b"\x04\xf3" b"\x02\xfe\x80" b"\x03\xf0\xff\xff\x7f"
               b"\x05\x40\x02hi" b"\xfe\x05\x00\x00\x00\x80\x00\x00\x00\x01!")
    ziplist = struct.pack("<IIH", 11 + len(entries), 0, 7) + entries + b"\xff"
    items = [b"abc", b"12345", b"2", b"-128", b"8388607", b"hi", b"!"]
    assert read_ziplist(ziplist) == items
    listed = read(10, Reader(bytes((len(ziplist),)) + ziplist))
    assert shown(listed) == items
    with pytest.raises(Damaged):
        read_ziplist(ziplist[:-3] + b"\xff")
    zipmap = b"\x02\x03foo\x03\x00bar\x05hello\x02\x01abz\xff"
    assert read_zipmap(zipmap) == [b"foo", b"bar", b"hello", b"ab"]
    with pytest.raises(Damaged):
        read_zipmap(zipmap[:-1])
    old_zset = b"\x03\x01a\x031.5\x01b\xfe\x01c\xff"
    assert shown(read(3, Reader(old_zset))) == {b"a": 1.5, b"b": float("inf"), b"c": float("-inf")}


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from((b"a" * 300, b"abc" * 90, bytes(range(250))))),
                max_size=60).map(b"".join))
def test_what_was_compressed_comes_back(text: bytes) -> None:
    less = compress(text)
    if less is not None:
        assert len(less) <= len(text) - 4
        assert decompress(less, len(text)) == text
    assert len(compress(text + text + bytes(100)) or b"") < len(text + text) + 100


def test_only_the_beginning_of_a_large_value_is_compressed() -> None:
    assert len(wrap(b"x" * 30000, -2, True)) < 1000
    assert len(wrap(b"x" * 40000, -2, True)) > 40000
    items = List()
    items.replace([b"x" * 8000] * 20)
    assert 120_000 < len(wrap(items, -2, True)) < 136_000


def test_compressed_strings() -> None:
    assert decompress(b"\x02abc\xe0\x00\x02", 12) == b"abcabcabcabc"
    assert decompress(b"\x00a\xe0\x06\x00", 16) == b"a" * 16
    assert decompress(b"\x00a\x20\x05", 4) is None
    assert decompress(b"\x05a", 6) is None
    assert decompress(b"\x00a\xe0", 4) is None
    with pytest.raises(Damaged):
        read(0, Reader(b"\xc3\x02\x09\x00a"))


@pytest.mark.parametrize("data", [b"\x01\x00", b"\x02\x00", b"\x12\x00", b"\x04\x00", b"\x05\x00", b"\x63", b"\x10\x07"
                                  b"\x07\x00\x00\x00\x00\x00\xff", b"\x02\x02\x01a\x01a", b"\x02\x81" + b"\xff" * 8])
def test_empty_or_double_or_unknown(data: bytes) -> None:
    with pytest.raises(Damaged):
        read(data[0], Reader(data, 1))
