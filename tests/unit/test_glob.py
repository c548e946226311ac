"""Glob patterns against a matcher that tries every way there is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.glob import is_literal, matches

PATTERNS = st.lists(st.sampled_from(
    ["*", "*", "?", "a", "b", "c", "[ab]", "[^a]", "[a-c]", "[c-a]", "[]", "[^]", "[\\]]", "\\*", "\\a", "[-]", "]"]),
    max_size=8).map("".join)
TEXTS = st.text("abc]*-", max_size=8)


def fits(pattern: str, text: str) -> bool:
    """Whether `text` fits, by trying every length for every star."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[at:]) for at in range(len(text) + 1))
    if not text:
        return False
    if pattern[0] == "?":
        return fits(pattern[1:], text[1:])
    if pattern[0] == "\\" and len(pattern) > 1:
        return pattern[1] == text[0] and fits(pattern[2:], text[1:])
    if pattern[0] == "[":
        members, rest, negated = members_of(pattern[1:])
        return (text[0] in members) != negated and fits(rest, text[1:])
    return pattern[0] == text[0] and fits(pattern[1:], text[1:])


def members_of(pattern: str) -> tuple[set[str], str, bool]:
    """The characters of a class, what stands behind its bracket, and whether they are excluded."""
    negated = pattern.startswith("^")
    rest = pattern[1:] if negated else pattern
    members: set[str] = set()
    while rest and rest[0] != "]":
        if rest[0] == "\\" and len(rest) > 1:
            members.add(rest[1])
            rest = rest[2:]
        elif len(rest) > 2 and rest[1] == "-":
            low, high = sorted((ord(rest[0]), ord(rest[2])))
            members |= {chr(code) for code in range(low, high + 1)}
            rest = rest[3:]
        else:
            members.add(rest[0])
            rest = rest[1:]
    return members, rest[1:], negated


@settings(max_examples=1500, deadline=None)
@given(PATTERNS, TEXTS)
def test_as_a_matcher_that_tries_everything(pattern: str, text: str) -> None:
    assert matches(pattern.encode(), text.encode()) == fits(pattern, text)


@settings(max_examples=500, deadline=None)
@given(PATTERNS, TEXTS)
def test_without_regard_to_case(pattern: str, text: str) -> None:
    assert matches(pattern.upper().encode(), text.encode(), True) == fits(pattern, text)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=12), st.binary(max_size=12))
def test_any_bytes_are_a_pattern(pattern: bytes, text: bytes) -> None:
    matches(pattern, text)
    escaped = b"".join(b"\\" + bytes([byte]) for byte in text)
    assert matches(escaped, text)
    if is_literal(pattern):
        assert matches(pattern, text) == (pattern == text)


@pytest.mark.parametrize("pattern", [b"*a" * 200, b"[a-z]*" * 200, b"*?" * 200, b"[" * 5000, b"\\" * 5001, b"*" * 5000])
def test_no_pattern_takes_long(pattern: bytes) -> None:
    assert matches(pattern, b"b" * 5000) in (True, False)
