"""Replies on the wire: one encoder for reply values, in RESP2 and RESP3 form.

Common headers are prebuilt; the pipeline appends parts to one list and joins them once.
Source: https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md
"""

from __future__ import annotations

import math
from typing import Final

from heroredis.reply import (
    NO_REPLY,
    NULL_ARRAY,
    Double,
    Encoded,
    Error,
    Map,
    Push,
    SetOf,
    Several,
    Simple,
    Verbatim,
)

TABLE: Final = 1024
WHOLE: Final = 1e15
BULK_HEADERS: Final[list[bytes]] = [b"$%d\r\n" % n for n in range(TABLE)]
DIGITS: Final = 10_000
INTEGERS: Final[list[bytes]] = [b":%d\r\n" % n for n in range(DIGITS)]
HIGH_DIGITS: Final[list[bytes]] = [b":%d" % n for n in range(DIGITS)]
LOW_DIGITS: Final[list[bytes]] = [b"%04d\r\n" % n for n in range(DIGITS)]
"""Integers of up to eight digits are put together from two prebuilt halves: formatting one costs as much as a GET."""
ARRAY_HEADERS: Final[list[bytes]] = [b"*%d\r\n" % n for n in range(TABLE)]
CRLF: Final = b"\r\n"
NULL2: Final = b"$-1\r\n"
NULL_ARRAY2: Final = b"*-1\r\n"
NULL3: Final = b"_\r\n"


def bulk(value: bytes) -> bytes:
    size = len(value)
    if size < TABLE:
        return BULK_HEADERS[size] + value + CRLF
    return b"$%d\r\n%b\r\n" % (size, value)


def append_number(value: int, out: list[bytes]) -> None:
    """The wire form of an integer."""
    if 0 <= value < DIGITS:
        out.append(INTEGERS[value])
    elif 0 <= value < DIGITS * DIGITS:
        out.append(HIGH_DIGITS[value // DIGITS])
        out.append(LOW_DIGITS[value % DIGITS])
    else:
        out.append(b":%d\r\n" % value)


def array_header(count: int) -> bytes:
    if count < TABLE:
        return ARRAY_HEADERS[count]
    return b"*%d\r\n" % count


def error_line(message: bytes) -> bytes:
    """An error reply; line breaks inside the message would end it early, so they become blanks."""
    if b"\r" in message or b"\n" in message:
        message = message.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"-" + message + CRLF


def shown_double(value: float) -> bytes:
    """A double as Redis 7.0 prints it: 17 significant digits, trailing zeros dropped, whole numbers without a point."""
    if -WHOLE < value < WHOLE:
        whole = int(value)
        if whole == value and (whole != 0 or math.copysign(1, value) > 0):
            return b"%d" % whole
    return b"%.17g" % value


def encode_list(items: list[object], resp: int, out: list[bytes]) -> None:
    out.append(array_header(len(items)))
    _encode_items(items, resp, out)


def _encode_items(items: list[object], resp: int, out: list[bytes]) -> None:
    for item in items:
        if type(item) is bytes:
            size = len(item)
            out.append(BULK_HEADERS[size] if size < TABLE else b"$%d\r\n" % size)
            out.append(item)
            out.append(CRLF)
        else:
            encode(item, resp, out)


def encode(value: object, resp: int, out: list[bytes]) -> None:
    """Append the wire form of a reply value to `out`."""
    if type(value) is bytes:
        out.append(bulk(value))
    elif value is None:
        out.append(NULL3 if resp == 3 else NULL2)
    elif value is True or value is False:
        out.append((b"#t\r\n" if value else b"#f\r\n") if resp == 3 else (b":1\r\n" if value else b":0\r\n"))
    elif isinstance(value, int):
        append_number(value, out)
    elif isinstance(value, list):
        encode_list(value, resp, out)
    elif isinstance(value, Simple):
        out.append(b"+" + value.text + CRLF)
    else:
        _encode_rare(value, resp, out)


def _encode_rare(value: object, resp: int, out: list[bytes]) -> None:
    if isinstance(value, Error):
        out.append(error_line(value.message))
    elif isinstance(value, tuple):
        encode_list(list(value), resp, out)
    elif isinstance(value, Map):
        _encode_pairs(value.pairs, resp, out)
    elif isinstance(value, dict):
        _encode_pairs(list(value.items()), resp, out)
    elif isinstance(value, Double):
        _encode_double(value.value, resp, out)
    elif isinstance(value, float):
        _encode_double(value, resp, out)
    elif isinstance(value, str):
        out.append(bulk(value.encode()))
    elif value is NO_REPLY:
        return
    elif value is NULL_ARRAY:
        out.append(NULL3 if resp == 3 else NULL_ARRAY2)
    else:
        _encode_framed(value, resp, out)


def _encode_framed(value: object, resp: int, out: list[bytes]) -> None:
    if isinstance(value, set | frozenset):
        out.append(b"%b%d\r\n" % (b"~" if resp == 3 else b"*", len(value)))
        for item in value:
            encode(item, resp, out)
    elif isinstance(value, SetOf):
        out.append(b"~%d\r\n" % len(value.items) if resp == 3 else array_header(len(value.items)))
        _encode_items(value.items, resp, out)
    elif isinstance(value, Push):
        out.append(b"%b%d\r\n" % (b">" if resp == 3 else b"*", len(value.items)))
        for item in value.items:
            encode(item, resp, out)
    elif isinstance(value, Several):
        for item in value.replies:
            encode(item, resp, out)
    elif isinstance(value, Encoded):
        out.append(value.wire)
    elif isinstance(value, Verbatim):
        out.append(b"=%d\r\ntxt:%b\r\n" % (len(value.text) + 4, value.text) if resp == 3 else bulk(value.text))
    else:
        raise TypeError(f"a command handler returned {type(value).__name__}, which is no reply value")


def _encode_pairs(pairs: list[tuple[object, object]], resp: int, out: list[bytes]) -> None:
    out.append(b"%%%d\r\n" % len(pairs) if resp == 3 else array_header(2 * len(pairs)))
    for key, item in pairs:
        encode(key, resp, out)
        encode(item, resp, out)


def _encode_double(value: float, resp: int, out: list[bytes]) -> None:
    text = shown_double(value)
    out.append(b"," + text + CRLF if resp == 3 else bulk(text))


def encoded(value: object, resp: int) -> bytes:
    """One reply as bytes, for what is sent outside of the pipeline."""
    out: list[bytes] = []
    encode(value, resp, out)
    return b"".join(out)
