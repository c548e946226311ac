"""Long streams of inline lines and frames, whole and cut anywhere, honest and hostile, before and after the login."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.errors import ProtocolError
from heroredis.protocol import RequestReader
from tests.protocol.test_requests import FAKES, HOSTILE, framed

SLICE = 32 * 1024
Piece = tuple[bytes, list[list[bytes]]]
"""Bytes, and the requests that they are."""
WORDS = st.text("abcxyz0123456789*$:+-", min_size=1, max_size=8).filter(lambda word: word[0] not in "*").map(str.encode)
PAYLOADS = st.one_of(
    st.binary(max_size=20), st.lists(st.sampled_from(FAKES), max_size=6).map(b"".join),
    st.sampled_from([SLICE - 20, SLICE - 1, SLICE, SLICE + 1, 70_000]).map(lambda size: (b"*1\r\n" * size)[:size]))
FRAMES = st.lists(PAYLOADS, min_size=1, max_size=4).map(lambda request: (framed(request), [request]))
LINES = st.lists(WORDS, min_size=1, max_size=5).map(lambda words: (b" ".join(words) + b"\r\n", [words]))
EMPTY: st.SearchStrategy[Piece] = st.sampled_from([b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"   \r\n"]).map(
    lambda line: (line, []))
STREAM = st.lists(st.one_of(FRAMES, FRAMES, LINES, EMPTY), min_size=1, max_size=12)


def cut(stream: bytes, seed: int) -> list[bytes]:
    """Into chunks of 1 byte to 40 KiB, long and short ones mixed."""
    rng = random.Random(seed)
    most = rng.choice([1, 2, 3, 16, 100, 4096, SLICE, 40 * 1024])
    if most < 16 and len(stream) > 20_000:
        most = 4096
    parts = []
    at = 0
    while at < len(stream):
        size = rng.randint(1, most)
        parts.append(stream[at : at + size])
        at += size
    return parts


def read_everything(reader: RequestReader, parts: list[bytes]) -> tuple[list[list[bytes]], str]:
    """The requests, and why the reader refused the rest (empty when it did not)."""
    found: list[list[bytes]] = []
    try:
        for part in parts:
            reader.feed(part)
            while (request := reader.read()) is not None:
                found.append(request)
    except ProtocolError as error:
        return found, error.reason
    return found, ""


@settings(max_examples=300, deadline=None)
@given(STREAM, st.integers(0, 1 << 16))
def test_honest_streams(pieces: list[Piece], seed: int) -> None:
    stream = b"".join(wire for wire, _ in pieces)
    expected = [request for _, requests in pieces for request in requests]
    reader = RequestReader()
    assert read_everything(reader, cut(stream, seed)) == (expected, "")
    assert reader.buffered() == 0


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(FRAMES, LINES, EMPTY), max_size=5), st.sampled_from(HOSTILE), st.integers(0, 1 << 16))
def test_hostile_streams_are_refused_behind_what_was_whole(pieces: list[Piece], hostile: bytes, seed: int) -> None:
    stream = b"".join(wire for wire, _ in pieces) + hostile + framed([b"SET", b"never", b"run"])
    expected = [request for _, requests in pieces for request in requests]
    reader = RequestReader()
    found, reason = read_everything(reader, cut(stream, seed))
    assert found == expected
    assert reason
    reader.feed(framed([b"PING"]))
    with pytest.raises(ProtocolError, match=r".") as again:
        reader.read()
    assert again.value.reason == reason


SMALL = st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=10), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(SMALL, st.integers(0, 1 << 16), st.integers(0, 5))
def test_the_limits_go_with_the_request_that_lifts_them(requests: list[list[bytes]], seed: int, login: int) -> None:
    """Small requests up to the login, large ones behind it, in one stream."""
    behind = [[b"x" * 50_000, b"y"], [b"z"] * 40]
    stream = b"".join(framed(request) for request in requests[: login + 1] + behind)
    reader = RequestReader()
    reader.set_authenticated(False)
    found: list[list[bytes]] = []
    for part in cut(stream, seed):
        reader.feed(part)
        while (request := reader.read()) is not None:
            found.append(request)
            if len(found) == len(requests[: login + 1]):
                reader.set_authenticated(True)
    assert found == requests[: login + 1] + behind


@pytest.mark.parametrize("stream", [
    b"*1\r\n$1\r", b"*1000000\r\n" + b"$1\r\nx\r\n" * 10, b"*2\r\n$536870912\r\n" + b"x" * 1000, b"PING" * 1000,
    b"*5\r\n" + b"$0\r\n\r\n" * 4,
])
def test_an_unfinished_request_holds_what_was_received_and_no_more(stream: bytes) -> None:
    reader = RequestReader()
    tracemalloc.start()
    try:
        reader.feed(stream)
        assert reader.read() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000  # an array of pointers for 1,000,000 arguments is the largest that a header can cost
    assert 0 < reader.buffered() <= len(stream)


def test_byte_by_byte() -> None:
    requests = [[b"SET", b"k", b"\r\n*1\r\n$4\r\nPING\r\n"], [b""], [b"x" * 1200] * 3, [b"GET", b"k"]]
    stream = b"".join(framed(request) for request in requests) + b"PING\r\n" + framed([b"PING"])
    reader = RequestReader()
    assert read_everything(reader, [bytes([byte]) for byte in stream]) == ([*requests, [b"PING"], [b"PING"]], "")
