"""Glob-style patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them: `*`, `?`, `[a-z]`, `[^a]`, `\\x`.

Matching is iterative: one backtrack point, the latest star, so a hostile pattern costs at most
pattern length x text length steps. Source: https://redis.io/commands/keys
"""

from __future__ import annotations

from typing import Final

STAR: Final = 42
QUESTION: Final = 63
OPEN: Final = 91
CLOSE: Final = 93
BACKSLASH: Final = 92
CARET: Final = 94
DASH: Final = 45
MOST_STARS: Final = 1000
"""A pattern with more of them, but for those at its end, fits nothing: as in Redis, which goes no deeper."""


def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


def _match_class(pattern: bytes, at: int, byte: int, fold: bool) -> tuple[bool, int]:
    """Whether `byte` is in the class whose `[` stands at `at`, and the index behind its `]`."""
    end = len(pattern)
    i = at + 1
    negated = i < end and pattern[i] == CARET
    if negated:
        i += 1
    found = False
    while True:
        if i >= end:
            break
        low = pattern[i]
        if low == BACKSLASH and i + 1 < end:
            i += 1
            found = found or _same(pattern[i], byte, fold)
        elif low == CLOSE:
            i += 1
            break
        elif i + 2 < end and pattern[i + 1] == DASH:
            found = found or _between(low, pattern[i + 2], byte, fold)
            i += 2
        else:
            found = found or _same(low, byte, fold)
        i += 1
    return found != negated, i


def _same(a: int, b: int, fold: bool) -> bool:
    return a == b or (fold and _lower(a) == _lower(b))


def _between(low: int, high: int, byte: int, fold: bool) -> bool:
    if low > high:
        low, high = high, low
    if fold:
        low, high, byte = _lower(low), _lower(high), _lower(byte)
    return low <= byte <= high


def matches(pattern: bytes, text: bytes, fold_case: bool = False) -> bool:
    """Whether the whole of `text` fits `pattern`."""
    p = t = 0
    star = -1
    star_text = 0
    pattern_end, text_end = len(pattern), len(text)
    if pattern_end > 2 * MOST_STARS and _stars(pattern) > MOST_STARS:
        return False
    while t < text_end:
        if p < pattern_end:
            code = pattern[p]
            if code == STAR:
                star, star_text = p, t
                p += 1
                continue
            if code == OPEN:
                fits, behind = _match_class(pattern, p, text[t], fold_case)
            elif code == QUESTION:
                fits, behind = True, p + 1
            elif code == BACKSLASH and p + 1 < pattern_end:
                fits, behind = _same(pattern[p + 1], text[t], fold_case), p + 2
            else:
                fits, behind = _same(code, text[t], fold_case), p + 1
            if fits:
                p, t = behind, t + 1
                continue
        if star < 0:
            return False
        star_text += 1
        p, t = star + 1, star_text
    while p < pattern_end and pattern[p] == STAR:
        p += 1
    return p == pattern_end


def _stars(pattern: bytes) -> int:
    """How many stars or rows of stars something follows."""
    count = at = 0
    while at < len(pattern):
        code = pattern[at]
        if code == STAR:
            while at < len(pattern) and pattern[at] == STAR:
                at += 1
            if at < len(pattern):
                count += 1
        elif code == OPEN:
            at = _match_class(pattern, at, 0, False)[1]
        else:
            at += 2 if code == BACKSLASH else 1
    return count


def is_literal(pattern: bytes) -> bool:
    """Whether the pattern can fit one text only: itself."""
    return not any(byte in b"*?[\\" for byte in pattern)
