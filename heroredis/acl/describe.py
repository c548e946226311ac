"""What a user may do, told in rules that make the same user again: ACL LIST, GETUSER and SAVE.

Bits are told by the categories that fit them best, then by single commands, as Redis 7.0 does it.
"""

from __future__ import annotations

from heroredis.acl.index import CommandIndex, Known, shown
from heroredis.acl.rules import Selector, User


def describe_user(index: CommandIndex, user: User) -> bytes:
    words = [*user.flags(), *(b"#" + password for password in user.passwords)]
    own, *others = [describe_selector(index, selector) for selector in user.selectors]
    return b" ".join([*words, own, *(b"(%b)" % other for other in others)])


def describe_selector(index: CommandIndex, selector: Selector) -> bytes:
    words = [word for word in (keys_of(selector),) if word]
    if not selector.all_channels:
        words.append(b"resetchannels")
    words += [word for word in (channels_of(selector), commands_of(index, selector)) if word]
    return b" ".join(words)


def keys_of(selector: Selector) -> bytes:
    return b"~*" if selector.all_keys else b" ".join(one.describe() for one in selector.keys)


def channels_of(selector: Selector) -> bytes:
    return b"&*" if selector.all_channels else b" ".join(b"&" + channel for channel in selector.channels)


def commands_of(index: CommandIndex, selector: Selector) -> bytes:
    """The rules for commands, beginning with everything or with nothing."""
    adding = selector.allowed >= 0
    described = Selector(False)
    described.allowed = 0 if adding else -1
    words = ["-@all" if adding else "+@all"]
    left = selector.allowed
    applied: set[str] = set()
    while True:
        best = _best_category(index, left, adding, applied)
        if not best:
            break
        applied.add(best)
        reached = index.reached(best)
        words.append(f"{'+' if adding else '-'}@{best}")
        if adding:
            described.allowed |= reached
            left &= ~reached
        else:
            described.allowed &= ~reached
            left |= reached
    for known in index.sorted_tops():
        _add_single(selector, described, known, words)
    return " ".join(words).encode("utf-8", "surrogateescape")


def _best_category(index: CommandIndex, left: int, adding: bool, applied: set[str]) -> str:
    """The category that agrees with the most of what is left, and differs in the least."""
    best, least, most = "", 1 << 30, 0
    for name in index.names():
        if name in applied:
            continue
        mask = index.belonging(name)
        on = (left & mask).bit_count()
        off = mask.bit_count() - on
        differing, same = (off, on) if adding else (on, off)
        if same > differing and (differing < least or (differing == least and same > most)):
            best, least, most = name, differing, same
    return best


def _add_single(selector: Selector, described: Selector, known: Known, words: list[str]) -> None:
    may = bool(selector.allowed & known.bit)
    if may != bool(described.allowed & known.bit):
        words.append(("+" if may else "-") + shown(known.name))
        family = known.family()
        described.allowed = described.allowed | family if may else described.allowed & ~family
    for child in known.children:
        _add_single(selector, described, child, words)
    if not may:
        words += [f"+{shown(known.name)}|{word.decode('utf-8', 'surrogateescape')}"
                  for word in selector.first_args.get(known.name, ())]
