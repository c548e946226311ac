"""Inline requests that repeat the one before are not split again: what is read must be the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heroredis.protocol import RequestReader

LINES = st.sampled_from([b"PING\r\n", b"PING\n", b"PING x\r\n", b"PIN\r\n", b"PING  x\r\n", b'ECHO "a b"\r\n', b"\r\n",
                         b"ECHO " + b"a" * 70 + b"\r\n", b"*1\r\n$4\r\nPING\r\n"])


def everything(data: bytes, size: int) -> list[list[bytes]]:
    reader = RequestReader()
    found: list[list[bytes]] = []
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        while (request := reader.read()) is not None:
            found.append(request.copy())
            request.append(b"what becomes of a request is no business of the next one")
    return found


@given(st.lists(LINES, max_size=12), st.integers(1, 200))
def test_each_line_gives_its_own_words(lines: list[bytes], size: int) -> None:
    alone = [request for line in lines for request in everything(line, len(line))]
    assert everything(b"".join(lines), size) == alone
