"""Sorted sets: scores, ranks, random members, walking. Ranges, pops and combinations have files of their own."""

from __future__ import annotations

import math
from typing import Final

from heroredis.args import MAX_INT, check_repetitions, random_count, read_float
from heroredis.command import FIRST, command
from heroredis.encoding import shown_double
from heroredis.errors import NOT_FLOAT, RedisError, syntax
from heroredis.keyspace.change import GENERIC, ZSET
from heroredis.reply import EMPTY, Double, Reply
from heroredis.scanning import read_cursor, scan_names, scan_options
from heroredis.session.context import Context
from heroredis.types.zset import SortedSet

ZADD_OPTIONS: Final = frozenset({b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"})
MOST_WHOLE: Final = float(1 << 62)
NOT_A_NUMBER: Final = b"ERR resulting score is not a number (NaN)"


def removed(ctx: Context, key: bytes, found: SortedSet, event: str, writes: int) -> None:
    """Tell a removal, and the end of the key when it was the last member."""
    ctx.db.changed(key, event, ZSET, writes)
    if ctx.db.drop_if_empty(key, found):
        ctx.db.changed(key, "del", GENERIC, 0)


def with_scores(ctx: Context, names: list[bytes], scores: dict[bytes, float]) -> list[object]:
    """Members with their scores: pairs in RESP3, one flat list in RESP2."""
    answer: list[object] = []
    if ctx.resp == 3:
        for name in names:
            answer.append([name, Double(scores[name])])
    else:
        for name in names:
            answer.append(name)
            answer.append(shown_double(scores[name]))
    return answer


def read_score(text: bytes) -> float:
    value = read_float(text)
    if value is None:
        raise RedisError(NOT_FLOAT)
    return value


def _add_one(ctx: Context, key: bytes, score: bytes, member: bytes) -> Reply:
    value = read_float(score)
    if value is None:
        raise syntax() if score.upper() in ZADD_OPTIONS else RedisError(NOT_FLOAT)
    found = ctx.db.update_zset(key)
    if found.packed:
        ctx.db.limits.growing_sorted_set(found, member)
    change = found.put(member, value)
    if change == 0:
        return 0
    ctx.db.changed(key, "zadd", ZSET)
    return 1 if change > 0 else 0


@command("ZADD", "Add members with scores to a sorted set, or change their scores.", group="sorted-set", since="1.2.0",
         flags="write denyoom fast", keys=FIRST, complexity="O(log(N)) for each member",
         quick=_add_one)
def zadd(ctx: Context, key: bytes, score: bytes, member: bytes, *rest: bytes) -> Reply:
    if rest:
        return _add(ctx, key, [score, member, *rest])
    return _add_one(ctx, key, score, member)


def _options(items: list[bytes]) -> set[bytes]:
    """The options in front of the scores."""
    options: set[bytes] = set()
    for item in items:
        word = item.upper()
        if word not in ZADD_OPTIONS:
            break
        options.add(word)
    return options


def _add(ctx: Context, key: bytes, items: list[bytes]) -> Reply:
    at = 0
    while at < len(items) and items[at].upper() in ZADD_OPTIONS:
        at += 1
    options = _options(items)
    pairs = items[at:]
    if not pairs or len(pairs) % 2:
        raise syntax()
    _check_options(options, len(pairs) // 2)
    scores = [read_score(text) for text in pairs[::2]]
    found = ctx.db.find_zset(key)
    only_old = b"XX" in options
    if found is None and only_old:
        return None if b"INCR" in options else 0
    if b"INCR" in options:
        return _increment(ctx, key, pairs[1], scores[0], options)
    found = ctx.db.update_zset(key)
    added = moved = 0
    for member, score in zip(pairs[1::2], scores, strict=True):
        old = found.scores.get(member)
        if (only_old if old is None else _is_kept(old, score, options)):
            continue
        if found.packed:
            ctx.db.limits.growing_sorted_set(found, member)
        change = found.put(member, score)
        if change > 0:
            added += 1
        elif change < 0:
            moved += 1
    if added or moved:
        ctx.db.changed(key, "zadd", ZSET, added + moved)
    return added + moved if b"CH" in options else added


def _check_options(options: set[bytes], count: int) -> None:
    if {b"NX", b"XX"} <= options:
        raise RedisError(b"ERR XX and NX options at the same time are not compatible")
    if {b"GT", b"NX"} <= options or {b"LT", b"NX"} <= options or {b"GT", b"LT"} <= options:
        raise RedisError(b"ERR GT, LT, and/or NX options at the same time are not compatible")
    if b"INCR" in options and count > 1:
        raise RedisError(b"ERR INCR option supports a single increment-element pair")


def _is_kept(old: float, new: float, options: set[bytes]) -> bool:
    """Whether the options forbid to replace the old score."""
    if not options:
        return False
    return b"NX" in options or (b"GT" in options and new <= old) or (b"LT" in options and new >= old)


def _increment(ctx: Context, key: bytes, member: bytes, step: float, options: set[bytes]) -> Reply:
    found = ctx.db.find_zset(key)
    old = None if found is None else found.scores.get(member)
    score = step if old is None else old + step
    if math.isnan(score):
        raise RedisError(NOT_A_NUMBER)
    if (b"XX" in options if old is None else _is_kept(old, score, options)):
        return None
    held = ctx.db.update_zset(key)
    if held.packed:
        ctx.db.limits.growing_sorted_set(held, member)
    if held.put(member, score):
        ctx.db.changed(key, "zincr", ZSET)
    return Double(score)


@command("ZINCRBY", "Add to the score of a member.", group="sorted-set", since="1.2.0", flags="write denyoom fast",
         keys=FIRST, complexity="O(log(N))")
def zincrby(ctx: Context, key: bytes, increment: bytes, member: bytes) -> Reply:
    if increment.upper() in ZADD_OPTIONS:  # Redis reads it as it reads ZADD
        raise syntax()
    return _increment(ctx, key, member, read_score(increment), set())


@command("ZREM", "Remove members of a sorted set.", group="sorted-set", since="1.2.0", flags="write fast", keys=FIRST,
         complexity="O(M*log(N)) in the members removed")
def zrem(ctx: Context, key: bytes, member: bytes, *members: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    if found is None:
        return 0
    count = 0
    for name in (member, *members):
        if found.remove(name):
            count += 1
    if count:
        removed(ctx, key, found, "zrem", count)
    return count


@command("ZCARD", "How many members a sorted set has.", group="sorted-set", since="1.2.0", flags="readonly fast",
         keys=FIRST)
def zcard(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    return 0 if found is None else found.size()


@command("ZSCORE", "Score of a member.", group="sorted-set", since="1.2.0", flags="readonly fast", keys=FIRST)
def zscore(ctx: Context, key: bytes, member: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    score = None if found is None else found.scores.get(member)
    return None if score is None else Double(score)


@command("ZMSCORE", "Scores of several members.", group="sorted-set", since="6.2.0", flags="readonly fast", keys=FIRST,
         complexity="O(N) in the members asked for")
def zmscore(ctx: Context, key: bytes, member: bytes, *members: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    answer: list[object] = []
    for name in (member, *members):
        score = None if found is None else found.scores.get(name)
        answer.append(None if score is None else Double(score))
    return answer


@command("ZRANK", "How many members have a smaller score.", group="sorted-set", since="2.0.0", flags="readonly fast",
         keys=FIRST, complexity="O(log(N))")
def zrank(ctx: Context, key: bytes, member: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    return None if found is None or member not in found.scores else found.rank(member)


@command("ZREVRANK", "How many members have a greater score.", group="sorted-set", since="2.0.0",
         flags="readonly fast", keys=FIRST, complexity="O(log(N))")
def zrevrank(ctx: Context, key: bytes, member: bytes) -> Reply:
    found = ctx.db.find_zset(key)
    if found is None or member not in found.scores:
        return None
    return found.size() - 1 - found.rank(member)


@command("ZRANDMEMBER", "Random members, with their scores when asked for; a negative count may repeat them.",
         group="sorted-set", since="6.2.0", flags="readonly", keys=FIRST,
         complexity="O(N) in the members returned")
def zrandmember(ctx: Context, key: bytes, *options: bytes) -> Reply:
    rng = ctx.server.rng
    if not options:
        found = ctx.db.find_zset(key)
        return None if found is None else found.choose(rng)
    count = random_count(options[0])
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHSCORES"):
        raise syntax()
    if len(options) == 2 and abs(count) > MAX_INT // 2:
        raise RedisError(b"ERR value is out of range")
    found = ctx.db.find_zset(key)
    if found is None or count == 0:
        return EMPTY
    check_repetitions(count)
    if count < 0:
        names = [found.choose(rng) for _ in range(-count)]
    elif count >= found.size():
        names = found.names()[::-1]
    else:
        names = [found.at(rank) for rank in rng.sample(range(found.size()), count)]
    return with_scores(ctx, names, found.scores) if len(options) == 2 else names


@command("ZSCAN", "Walk through the members of a sorted set.", group="sorted-set", since="2.8.0", flags="readonly",
         keys=FIRST)
def zscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> Reply:
    read_cursor(cursor)
    found = ctx.db.find_zset(key)
    if found is None:
        return [b"0", EMPTY]
    wanted = scan_options(cursor, options, with_type=False)
    small = ctx.db.limits.zset_entries if found.packed else 0
    following, names = scan_names(ctx, wanted, found.names, small)
    flat: list[object] = []
    for name in names:
        score = found.scores.get(name)
        if score is not None:
            flat.append(name)
            flat.append(_scanned(score) if found.packed else shown_double(score))
    return [b"%d" % following, flat]


def _scanned(score: float) -> bytes:
    """Redis's compact form holds whole scores as integers, and ZSCAN shows what is held."""
    return b"%d" % int(score) if -MOST_WHOLE <= score <= MOST_WHOLE and score == int(score) else shown_double(score)
