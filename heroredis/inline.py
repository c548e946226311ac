"""Inline requests: a line of words as a person types it into telnet, with redis-cli's quoting."""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}
QUOTE: Final = 34
APOSTROPHE: Final = 39
BACKSLASH: Final = 92
_BLANKS: Final = b" \t\r\n\v\f"
"""Skipped before a word and allowed behind a closing quote."""
_ENDS: Final = b" \t\r\n"
"""End a word."""


def split_line(line: bytes) -> list[bytes] | None:
    """The words of a line; None when quotes are not balanced or a closing quote is not followed by a blank."""
    if b'"' not in line and b"'" not in line and b"\v" not in line and b"\f" not in line:
        return line.split()
    words: list[bytes] = []
    at = 0
    end = len(line)
    while True:
        while at < end and line[at] in _BLANKS:
            at += 1
        if at >= end:
            return words
        word = bytearray()
        while at < end and line[at] not in _ENDS:
            byte = line[at]
            if byte in (QUOTE, APOSTROPHE):
                at = _quoted(line, at + 1, byte, word)
                if at < 0 or (at < end and line[at] not in _BLANKS):
                    return None
                break
            word.append(byte)
            at += 1
        words.append(bytes(word))


def _quoted(line: bytes, at: int, quote: int, word: bytearray) -> int:
    """Append what stands between quotes to `word`; the index behind the closing quote, or -1."""
    end = len(line)
    while at < end:
        byte = line[at]
        if byte == quote:
            return at + 1
        if byte == BACKSLASH and at + 1 < end:
            if quote == APOSTROPHE:
                if line[at + 1] == APOSTROPHE:
                    byte = APOSTROPHE
                    at += 1
            elif line[at + 1] == 120 and _is_hex(line[at + 2 : at + 4]):
                byte = int(line[at + 2 : at + 4], 16)
                at += 3
            else:
                byte = _ESCAPES.get(line[at + 1], line[at + 1])
                at += 1
        word.append(byte)
        at += 1
    return -1


def _is_hex(digits: bytes) -> bool:
    return len(digits) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in digits)
