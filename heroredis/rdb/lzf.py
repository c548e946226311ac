"""LZF, the compression of strings in RDB files: runs of literals, and references to what came up to 8 KiB before.

A control byte below 32 is followed by that many literals and one; else its three high bits are a length (7: a byte
follows that is added) less 2, its five low bits and the next byte a distance less 1.
"""

from __future__ import annotations

from typing import Final

LONGEST_RUN: Final = 32
FARTHEST: Final = 1 << 13
LONGEST_MATCH: Final = (1 << 8) + (1 << 3)
SLOTS: Final = 0xFFFF


def _slot(three: int) -> int:
    """Where three bytes are looked for: as Redis does it, so that the same data gives the same bytes."""
    return ((three >> 8) - three * 5) & SLOTS


def compress(data: bytes) -> bytes | None:
    """`data` in at least four bytes less; None when that cannot be."""
    end = len(data)
    most = end - 4
    if most < 3:
        return None
    out = bytearray(1)
    places: dict[int, int] = {}
    run = 0
    at = 0
    three = data[0] << 8 | data[1]
    while at < end - 2:
        three = (three << 8 | data[at + 2]) & 0xFFFFFF
        slot = _slot(three)
        before = places.get(slot, 0)
        places[slot] = at
        if not 0 < before < at or at - before > FARTHEST or data[before : before + 3] != data[at : at + 3]:
            if len(out) >= most:
                return None
            out.append(data[at])
            at += 1
            run += 1
            if run == LONGEST_RUN:
                out[-run - 1] = run - 1
                out.append(0)
                run = 0
            continue
        length = _match(data, before, at, min(end - at - 2, LONGEST_MATCH))
        if len(out) + 4 - (not run) >= most:
            return None
        if run:
            out[-run - 1] = run - 1
        else:
            out.pop()
        _refer(out, at - before - 1, length)
        run = 0
        at += length + 2
        if at >= end - 2:
            break
        for place in (at - 2, at - 1):
            places[_slot(data[place] << 16 | data[place + 1] << 8 | data[place + 2])] = place
        three = data[at] << 8 | data[at + 1]
    return _ended(out, data[at:], run, most)


def _match(data: bytes, before: int, at: int, most: int) -> int:
    """How many bytes are the same, less 2; three are known to be."""
    if 16 < most < 19:  # Redis looks at sixteen in a row before it looks where the end is
        most = 19
    same = 3
    while same < most and data[before + same] == data[at + same]:
        same += 1
    return same - 2


def _refer(out: bytearray, distance: int, length: int) -> None:
    """A reference, and room for the head of the next run."""
    if length < 7:
        out.append((distance >> 8) + (length << 5))
    else:
        out.append((distance >> 8) + (7 << 5))
        out.append(length - 7)
    out.append(distance & 0xFF)
    out.append(0)


def _ended(out: bytearray, rest: bytes, run: int, most: int) -> bytes | None:
    """The last run, with the two or three bytes in which no match can begin."""
    if len(out) + 3 > most:
        return None
    for byte in rest:
        out.append(byte)
        run += 1
        if run == LONGEST_RUN:
            out[-run - 1] = run - 1
            out.append(0)
            run = 0
    if run:
        out[-run - 1] = run - 1
    else:
        out.pop()
    return bytes(out)


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
