"""Sorted sets: taking out the least or the greatest members, also waiting for them."""

from __future__ import annotations

from heroredis.args import Args, natural, numkeys, read_int, timeout_ms
from heroredis.command import ALL_BUT_LAST, FIRST, command, counted_keys
from heroredis.commands.zsets import removed
from heroredis.encoding import shown_double
from heroredis.errors import RedisError, syntax
from heroredis.reply import EMPTY, NULL_ARRAY, Double, Reply
from heroredis.session.context import Context
from heroredis.types.zset import SortedSet
from heroredis.waiting import wait_for, waited_for


def _take(ctx: Context, key: bytes, found: SortedSet, greatest: bool, count: int) -> list[tuple[bytes, float]]:
    """Up to `count` members with their scores, told as one write."""
    taken = [found.pop(greatest) for _ in range(min(count, found.size()))]
    removed(ctx, key, found, "zpopmax" if greatest else "zpopmin", len(taken))
    return taken


def _pop(ctx: Context, key: bytes, counts: tuple[bytes, ...], greatest: bool) -> Reply:
    if len(counts) > 1:
        raise syntax()
    count = natural(counts[0]) if counts else 1
    found = ctx.db.find_zset(key)
    if found is None or count == 0:
        return EMPTY
    if count == 1 and ctx.resp == 2:
        return _pop_one(ctx, key, found, greatest)
    taken = _take(ctx, key, found, greatest, count)
    if counts and ctx.resp == 3:
        return [[member, Double(score)] for member, score in taken]
    flat: list[object] = []
    for member, score in taken:
        flat.append(member)
        flat.append(Double(score))
    return flat


def _pop_one(ctx: Context, key: bytes, found: SortedSet, greatest: bool) -> list[object]:
    member, score = found.pop(greatest)
    removed(ctx, key, found, "zpopmax" if greatest else "zpopmin", 1)
    return [member, shown_double(score)]


def _pop_first(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    if found is None or ctx.resp != 2:
        return _pop(ctx, key, (), False)
    return _pop_one(ctx, key, found, False)


def _pop_last(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    if found is None or ctx.resp != 2:
        return _pop(ctx, key, (), True)
    return _pop_one(ctx, key, found, True)


@command("ZPOPMIN", "Take out the members with the smallest scores.", group="sorted-set", since="5.0.0",
         flags="write fast", keys=FIRST, complexity="O(log(N)*M) in the members taken",
         quick=_pop_first)
def zpopmin(ctx: Context, key: bytes, *count: bytes) -> Reply:
    return _pop(ctx, key, count, False)


@command("ZPOPMAX", "Take out the members with the greatest scores.", group="sorted-set", since="5.0.0",
         flags="write fast", keys=FIRST, complexity="O(log(N)*M) in the members taken",
         quick=_pop_last)
def zpopmax(ctx: Context, key: bytes, *count: bytes) -> Reply:
    return _pop(ctx, key, count, True)


def _ready(ctx: Context, key: bytes) -> SortedSet | None:
    """The sorted set of a key; while a command waits, another type is no reason to end it."""
    if ctx.woken_by is None:
        return ctx.db.find_zset(key)
    value = ctx.db.lookup(key)
    return value if isinstance(value, SortedSet) else None


def _blocking_pop(ctx: Context, rest: list[bytes], greatest: bool) -> Reply:
    milliseconds = timeout_ms(rest[-1])
    keys = rest[:-1]
    for key in waited_for(ctx, keys):
        found = _ready(ctx, key)
        if found is not None:
            member, score = _take(ctx, key, found, greatest, 1)[0]
            return [key, member, Double(score)]
    return wait_for(ctx, keys, milliseconds, NULL_ARRAY)


@command("BZPOPMIN", "Take out the first member of the first sorted set that has one, waiting for it.",
         group="sorted-set", since="5.0.0", flags="write noscript blocking fast", keys=ALL_BUT_LAST,
         complexity="O(log(N))", journal="zpopped")
def bzpopmin(ctx: Context, key: bytes, timeout: bytes, *rest: bytes) -> Reply:
    return _blocking_pop(ctx, [key, timeout, *rest], False)


@command("BZPOPMAX", "Take out the last member of the first sorted set that has one, waiting for it.",
         group="sorted-set", since="5.0.0", flags="write noscript blocking fast", keys=ALL_BUT_LAST,
         complexity="O(log(N))", journal="zpopped")
def bzpopmax(ctx: Context, key: bytes, timeout: bytes, *rest: bytes) -> Reply:
    return _blocking_pop(ctx, [key, timeout, *rest], True)


def _arguments(count_of_keys: bytes, rest: list[bytes]) -> tuple[list[bytes], bool, int]:
    """The keys, whether the greatest are wanted, and how many."""
    size = numkeys(count_of_keys)
    if len(rest) < size + 1:
        raise syntax()
    word = rest[size].upper()
    if word not in (b"MIN", b"MAX"):
        raise syntax()
    count = Args(rest[size + 1 : size + 3]).options((), {"COUNT": _count}).get("COUNT")
    if len(rest) > size + 3:  # COUNT may be given once
        raise syntax()
    return rest[:size], word == b"MAX", count if isinstance(count, int) else 1


def _count(text: bytes) -> int:
    value = read_int(text)
    if value is None or value <= 0:
        raise RedisError(b"ERR count should be greater than 0")
    return value


def _multi_pop(ctx: Context, keys: list[bytes], greatest: bool, count: int) -> Reply:
    """[key, [[member, score], …]] of the first sorted set that has some, else None."""
    for key in waited_for(ctx, keys):
        found = _ready(ctx, key)
        if found is not None:
            return [key, [[member, Double(score)] for member, score in _take(ctx, key, found, greatest, count)]]
    return None


@command("ZMPOP", "Take out the least or greatest members of the first sorted set that has some.", group="sorted-set",
         since="7.0.0", flags="write", keys=counted_keys(1), complexity="O(K)+O(M*log(N))", journal="zpopped")
def zmpop(ctx: Context, count_of_keys: bytes, key: bytes, where: bytes, *rest: bytes) -> Reply:
    keys, greatest, count = _arguments(count_of_keys, [key, where, *rest])
    popped = _multi_pop(ctx, keys, greatest, count)
    return NULL_ARRAY if popped is None else popped


@command("BZMPOP", "Take out the least or greatest members of the first sorted set that has some, waiting for them.",
         group="sorted-set", since="7.0.0", flags="write blocking", keys=counted_keys(2),
         complexity="O(K)+O(M*log(N))", journal="zpopped")
def bzmpop(ctx: Context, timeout: bytes, count_of_keys: bytes, key: bytes, where: bytes, *rest: bytes) -> Reply:
    keys, greatest, count = _arguments(count_of_keys, [key, where, *rest])
    milliseconds = timeout_ms(timeout)
    popped = _multi_pop(ctx, keys, greatest, count)
    return wait_for(ctx, keys, milliseconds, NULL_ARRAY) if popped is None else popped
