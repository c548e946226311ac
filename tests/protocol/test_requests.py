"""RequestReader: every stream is read as it was meant, every hostile one is refused, however it is cut into chunks."""

from __future__ import annotations

import random
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.errors import ProtocolError
from heroredis.protocol import RequestReader

FAKES = [b"*1000000000\r\n", b"$999999999999\r\n", b">500000000\r\n", b"*3\r\n$3\r\nSET\r\n", b"\r\n", b"%99999999\r\n",
         b"~4294967295\r\n", b"|1\r\n", b"$-1\r\n", b"*-1\r\n", b"\r", b"\n", b"$", b"*", b"#f\r\n", b"1" * 40]
PAYLOADS = st.one_of(
    st.binary(max_size=30), st.sampled_from(FAKES), st.lists(st.sampled_from(FAKES), max_size=8).map(b"".join),
    st.integers(0, 300).map(lambda size: b"x" * size))
REQUESTS = st.lists(PAYLOADS, min_size=1, max_size=6)


def framed(request: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(request) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in request)


def chunks(stream: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    at = number = 0
    while at < len(stream):
        size = sizes[number % len(sizes)]
        found.append(stream[at : at + size])
        at += size
        number += 1
    return found


def read_all(reader: RequestReader, parts: list[bytes]) -> list[list[bytes]]:
    found = []
    for part in parts:
        reader.feed(part)
        while (request := reader.read()) is not None:
            found.append(request)
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=12), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_streams_are_read_as_they_were_meant(requests: list[list[bytes]], sizes: list[int]) -> None:
    stream = b"".join(framed(request) for request in requests)
    assert read_all(RequestReader(), chunks(stream, sizes)) == requests


@pytest.mark.parametrize("size", [1, 7, 4096, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 1 << 30])
def test_long_streams_in_chunks_around_the_slice(size: int) -> None:
    rng = random.Random(size)
    count = 300 if size == 1 else 3000
    requests = [[b"SET", b"key:%d" % rng.randrange(10**6), rng.choice(FAKES) * rng.randrange(9)] for _ in range(count)]
    stream = b"".join(framed(request) for request in requests)
    assert read_all(RequestReader(), chunks(stream, [size])) == requests


def test_inline_and_framed_requests_mix() -> None:
    quoted = b"SET a \"b c\\x41\"\n\r\n"
    stream = b"PING\r\n" + framed([b"GET", b"k"]) + quoted + framed([b"ECHO", b"x"]) + b"  GET  k \r\n"
    expected = [[b"PING"], [b"GET", b"k"], [b"SET", b"a", b"b cA"], [b"ECHO", b"x"], [b"GET", b"k"]]
    for size in (1, 2, 3, 10, 1000):
        assert read_all(RequestReader(), chunks(stream, [size])) == expected


def test_empty_frames_are_ignored() -> None:
    assert read_all(RequestReader(), [b"*0\r\n*-1\r\n" + framed([b"PING"]) + b"*0\r\n"]) == [[b"PING"]]


@pytest.mark.parametrize("count", [b"-2", b"-10", b"-123456789"])
def test_counts_below_nothing_are_passed_over(count: bytes) -> None:
    one = framed([b"PING"])
    empty = b"*" + count + b"\r\n"
    reader = RequestReader()
    assert read_all(reader, [empty + one, one + empty + empty + one, empty, one, one + empty]) == [[b"PING"]] * 5
    for cut in range(1, len(empty) + len(one)):
        stream = one + empty + one
        assert read_all(RequestReader(), [stream[:cut], stream[cut:]]) == [[b"PING"]] * 2
        assert read_all(RequestReader(), [one, empty[:cut], empty[cut:] + one]) == [[b"PING"]] * 2
    reader.set_authenticated(False)
    assert read_all(reader, [empty + one + empty + one]) == [[b"PING"]] * 2


def test_a_large_argument_arrives_whole_and_its_buffer_is_let_go() -> None:
    large = bytes(range(256)) * 20_000
    reader = RequestReader()
    assert read_all(reader, chunks(framed([b"SET", b"k", large]) * 2, [65536])) == [[b"SET", b"k", large]] * 2
    assert reader.buffered() == 0


HOSTILE = [
    b"*1000000000\r\n", b"*1048577\r\n", b"*99999999999999999999\r\n", b"*01\r\n", b"*+1\r\n", b"* 1\r\n",
    b"*1x\r\n",
    b"*\r\n", b"*1\n", b"*1\r\n$999999999999\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$01\r\n",
    b"*1\r\n$1x\r\n",
    b"*1\r\n>4294967295\r\n", b"*1\r\n*1\r\n", b"*1\r\n:1\r\n", b"*1\r\n#f\r\n", b"*1\r\n+OK\r\n", b"*1\r\n%1\r\n",
    b"*2\r\n$1\r\na\r\n~4294967295\r\n", b"*1\r\n$" + b"1" * 100, b"*" + b"1" * 100, b"*1\r\r\n",
]


@pytest.mark.parametrize("stream", HOSTILE)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_hostile_headers_are_refused_and_what_came_before_is_delivered(stream: bytes, size: int) -> None:
    reader = RequestReader()
    found: list[list[bytes]] = []
    with pytest.raises(ProtocolError):
        for part in chunks(framed([b"PING"]) + framed([b"GET", b"k"]) + stream, [size]):
            reader.feed(part)
            while (request := reader.read()) is not None:
                found.append(request)
    assert found == [[b"PING"], [b"GET", b"k"]]
    with pytest.raises(ProtocolError):
        reader.read()


def test_hostile_streams_cost_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for stream in HOSTILE * 20:
        reader = RequestReader()
        reader.feed(stream)
        with pytest.raises(ProtocolError):
            while reader.read() is not None:
                pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


def test_lines_without_end_are_refused() -> None:
    reader = RequestReader()
    with pytest.raises(ProtocolError, match="too big inline request"):
        for _ in range(40):
            reader.feed(b"\r" * 4096)
            assert reader.read() is None


@pytest.mark.parametrize("line", [b'SET "a', b"SET 'a", b'SET "a"b'])
def test_unbalanced_quotes_are_refused(line: bytes) -> None:
    reader = RequestReader()
    reader.feed(line + b"\r\n")
    with pytest.raises(ProtocolError, match="unbalanced quotes"):
        reader.read()


@pytest.mark.parametrize(("stream", "reason"), [
    (b"*11\r\n", "unauthenticated multibulk length"), (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
    (b"*10\r\n" + (b"$16000\r\n" + b"x" * 16000 + b"\r\n") * 5, "query-buffer"),
])
def test_limits_are_small_before_the_login(stream: bytes, reason: str) -> None:
    reader = RequestReader()
    reader.set_authenticated(False)
    reader.feed(stream)
    with pytest.raises(ProtocolError, match=reason):
        reader.read()


def test_unfinished_requests_are_bounded() -> None:
    reader = RequestReader(max_frame=1000)
    reader.feed(b"*2\r\n$900\r\n" + b"x" * 900 + b"\r\n$900\r\n" + b"y" * 200)
    with pytest.raises(ProtocolError, match="client-query-buffer-limit"):
        reader.read()
