"""Reply values on the wire, read back by hiredis."""

from __future__ import annotations

import hiredis
import pytest

from heroredis.encoding import encoded, error_line, shown_double
from heroredis.reply import NULL_ARRAY, OK, Double, Error, Map, Push, Several, Verbatim

BOTH = [
    (b"bytes", b"bytes"), (b"", b""), (b"x" * 5000, b"x" * 5000), (7, 7), (-7, -7), (10**15, 10**15), (None, None),
    (OK, b"OK"), ([1, b"a", None, [b"b"]], [1, b"a", None, [b"b"]]), ((1, 2), [1, 2]), ("text", b"text"),
    (NULL_ARRAY, None), ([], []),
]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize(("value", "read"), BOTH)
def test_values_that_look_the_same_in_both_versions(resp: int, value: object, read: object) -> None:
    assert parsed(encoded(value, resp)) == read


def parsed(wire: bytes) -> object:
    reader = hiredis.Reader()
    reader.feed(wire)
    return reader.gets()


@pytest.mark.parametrize(("value", "resp2", "resp3"), [
    (Map([(b"a", 1)]), b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (True, b":1\r\n", b"#t\r\n"), (False, b":0\r\n", b"#f\r\n"), (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"), ({b"m"}, b"*1\r\n$1\r\nm\r\n", b"~1\r\n$1\r\nm\r\n"),
    (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"), (Double(2.0), b"$1\r\n2\r\n", b",2\r\n"),
    (Push([b"m", 1]), b"*2\r\n$1\r\nm\r\n:1\r\n", b">2\r\n$1\r\nm\r\n:1\r\n"),
    (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"), (Several([1, 2]), b":1\r\n:2\r\n", b":1\r\n:2\r\n"),
    (Error(b"ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
])
def test_values_that_differ(value: object, resp2: bytes, resp3: bytes) -> None:
    assert encoded(value, 2) == resp2
    assert encoded(value, 3) == resp3


def test_an_error_cannot_end_its_line_early() -> None:
    assert error_line(b"ERR a\r\n+OK\nb") == b"-ERR a  +OK b\r\n"


@pytest.mark.parametrize(("value", "text"), [
    (0.1, b"0.10000000000000001"), (0.5, b"0.5"), (3.0, b"3"), (-0.0, b"-0"), (1e20, b"1e+20"),
    (1e-7, b"9.9999999999999995e-08"), (1e16, b"10000000000000000"), (1e17, b"1e+17"), (float("inf"), b"inf"),
    (float("-inf"), b"-inf"), (1.0000000000000002, b"1.0000000000000002"),
])
def test_doubles(value: float, text: bytes) -> None:
    assert shown_double(value) == text


def test_what_is_no_reply_value_is_a_defect() -> None:
    with pytest.raises(TypeError, match="no reply value"):
        encoded(object(), 2)
