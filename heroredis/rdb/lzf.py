"""LZF, the compression of strings in RDB files: runs of literals, and references to what came up to 8 KiB before.

A control byte below 32 is followed by that many literals and one; else its three high bits are a length (7: a byte
follows that is added) less 2, its five low bits and the next byte a distance less 1.
"""

from __future__ import annotations


def decompress(data: bytes, size: int) -> bytes | None:
    """The original of `size` bytes; None when the data is damaged."""
    out = bytearray()
    at = 0
    end = len(data)
    while at < end and len(out) <= size:
        control = data[at]
        at += 1
        if control < 32:
            if at + control + 1 > end:
                return None
            out += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            if at >= end:
                return None
            length += data[at]
            at += 1
        if at >= end:
            return None
        start = len(out) - ((control & 31) << 8) - data[at] - 1
        at += 1
        length += 2
        if start < 0:
            return None
        part = out[start : start + length]
        while len(part) < length:  # it refers to what it is about to write
            part += part[: length - len(part)]
        out += part
    return bytes(out) if len(out) == size else None
