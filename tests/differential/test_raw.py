"""Bytes as they come, also malformed ones: what both servers send back until the connection ends."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.differential.harness import TIMEOUT_S

PING = b"*1\r\n$4\r\nPING\r\n"
SAME = [
    b"PING\r\n", b"PING\n", b"\r\n\r\nPING\r\n", b"  PING  hello \r\n", b'ECHO "a b"\r\n', b"ECHO 'a b'\r\n",
    b'ECHO "a\\x41\\n\\t\\q"\r\n', b"ECHO 'a\\'b\\n'\r\n", b'ECHO "a"b\r\n', b'ECHO "a\r\n', b"ECHO 'a\r\n",
    b'ECHO a"b c"\r\n', b'ECHO a"b c"d\r\n', b'ECHO ""\r\n', b"ECHO ''\r\n", b'"ECHO" x\r\n', b"ECHO a\x0bb\r\n",
    b"ECHO a\x0cb\r\n", b"\x0bPING\r\n", b"PING\x0b\r\n", b"ECHO\ta\r\n", b"PING\r\r\n", b"PI\rNG\r\n",
    b"ECHO 'a'\x0bx\r\n", b'ECHO "\\xZZ"\r\n', b'ECHO "\\x4"\r\n', b'ECHO "\\"\r\n', b"ECHO 'a\\\\'\r\n",
    b"ECHO \xff\xfe\r\n", b"NOPE \xff'\r\n", b"ECHO " + b"a" * 65000 + b"\r\n",
    PING, b"*0\r\n" + PING, b"*-1\r\n" + PING, b"*-2\r\n" + PING, b"PING\r\n" + PING + b"PING\r\n",
    PING + b"QUIT\r\nPING\r\n",
    b"*1\r\n$0\r\n\r\n", b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\n",
    b"*01\r\n$4\r\nPING\r\n", b"*1\r\n$04\r\nPING\r\n", b"*+1\r\n$4\r\nPING\r\n", b"*a\r\n", b"*\r\n", b"*1\r\n:4\r\n",
    b"*1\r\nPING\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$x\r\n", b"*1\r\n$\r\n", b"*2147483648\r\n",
    b"*99999999999999999999\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n*1\r\n", b"*1\r\n>4294967295\r\n", b"*1\r\n#f\r\n",
    PING + b"*1\r\n$x\r\n" + PING, b"a" * 70000,
]
DIFFERENT = {
    # Redis takes what it cannot understand for an empty request; heroredis refuses it.
    b"*1\rX$4\r\nPING\r\n": (b"+PONG\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
    # Redis waits for ever for a CR.
    b"*1\n$4\nPING\n": (b"", b"-ERR Protocol error: invalid multibulk length\r\n"),
    # Redis makes room for up to two thousand million arguments.
    b"*1048577\r\n": (b"", b"-ERR Protocol error: invalid multibulk length\r\n"),
    # Redis notices only after 64 KiB that a number never ends.
    b"*" + b"1" * 70000: (b"-ERR Protocol error: too big mbulk count string\r\n",
                          b"-ERR Protocol error: invalid multibulk length\r\n"),
    b"*1\r\n$" + b"1" * 70000: (b"-ERR Protocol error: too big bulk count string\r\n",
                                b"-ERR Protocol error: invalid bulk length\r\n"),
    # To Redis a zero byte ends the line that it reads.
    b"ECHO a\x00b\r\n": (b"", b"$3\r\na\x00b\r\n"),
    # A request is never run behind a line of HTTP; Redis closes without a word.
    b"PING\r\nPOST / HTTP/1.1\r\nPING\r\n": (b"", b"+PONG\r\n-ERR this is no HTTP server\r\n"),
    b"PING\r\nhost: x\r\nPING\r\n": (b"", b"+PONG\r\n-ERR this is no HTTP server\r\n"),
}


def answer(path: str, data: bytes, size: int) -> bytes:
    """Everything that the server sends for `data`, sent `size` bytes at a time."""
    found = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(path)
        with contextlib.suppress(OSError):  # the server may close before it has read everything
            for at in range(0, len(data), size):
                connection.sendall(data[at : at + size])
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                found += part
    return found


def shown(data: bytes) -> str:
    return ascii(data[:40])[2:-1]


@pytest.mark.parametrize("data", SAME, ids=shown)
def test_same_bytes_back(both: tuple[str, str], data: bytes) -> None:
    real = answer(both[0], data, len(data))
    assert answer(both[1], data, len(data)) == real
    if len(data) < 100:
        assert answer(both[1], data, 1) == real


@pytest.mark.parametrize("data", DIFFERENT, ids=shown)
def test_differences_that_are_meant(both: tuple[str, str], data: bytes) -> None:
    assert (answer(both[0], data, len(data)), answer(both[1], data, len(data))) == DIFFERENT[data]


@pytest.mark.parametrize("size", [1, 3, 10000])
def test_no_line_of_an_http_request_is_run(both: tuple[str, str], size: int) -> None:
    request = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20\r\n\r\nSET stolen value\r\n"
    for path in both:
        assert b"OK" not in answer(path, request, size)
        assert answer(path, b"EXISTS stolen\r\n", 100) == b":0\r\n"
