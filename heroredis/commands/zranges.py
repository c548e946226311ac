"""Ranges of sorted sets by rank, score and name: answered, counted, removed, stored."""

from __future__ import annotations

from typing import Final

from heroredis.args import integer, read_bound
from heroredis.command import FIRST, FIRST_TWO, command
from heroredis.commands.zsets import removed, with_scores
from heroredis.errors import RedisError, syntax
from heroredis.keyspace.change import GENERIC, ZSET
from heroredis.reply import EMPTY, Reply
from heroredis.session.context import Context
from heroredis.types.zset import SortedSet

ANY: Final = ""
RANK: Final = "rank"
SCORE: Final = "BYSCORE"
LEX: Final = "BYLEX"
MIN_MAX_FLOAT: Final = b"ERR min or max is not a float"
MIN_MAX_NAME: Final = b"ERR min or max not valid string range item"
OPEN: Final = 40
CLOSED: Final = 91


class Bounds:
    """What a range is: by what it goes, and its lower and upper end as sent."""

    def __init__(self, kind: str, low: bytes, high: bytes) -> None:
        """RedisError when an end is none."""
        self.kind: Final = kind
        self.first = 0
        self.last = 0
        self.low_score = 0.0
        self.high_score = 0.0
        self.low: Final = low
        self.high: Final = high
        if kind == RANK:
            self.first, self.last = integer(low), integer(high)
        elif kind == SCORE:
            self.low_score, self.high_score = _score(low), _score(high)
        else:
            _check_name(low)
            _check_name(high)

    def ranks(self, found: SortedSet, reverse: bool) -> tuple[int, int]:
        """The ranks from the smallest score on, start to stop - 1; start is not below stop when there are none."""
        size = found.size()
        if self.kind == SCORE:
            start = found.below(self.low_score, self.low[:1] == b"(")
            return start, found.below(self.high_score, self.high[:1] != b"(")
        if self.kind == LEX:
            return _name_rank(found, self.low, False), _name_rank(found, self.high, True)
        first = max(0, self.first + size if self.first < 0 else self.first)
        last = min(size - 1, self.last + size if self.last < 0 else self.last)
        return (size - 1 - last, size - first) if reverse else (first, last + 1)


def _score(text: bytes) -> float:
    value = read_bound(text[1:] if text[:1] == b"(" else text)
    if value is None:
        raise RedisError(MIN_MAX_FLOAT)
    return value


def _check_name(text: bytes) -> None:
    if text not in (b"-", b"+") and (not text or text[0] not in (OPEN, CLOSED)):
        raise RedisError(MIN_MAX_NAME)


def _name_rank(found: SortedSet, text: bytes, upper: bool) -> int:
    """The rank at which a range of names begins, or (upper) the one behind its end."""
    if text == b"-":
        return 0
    if text == b"+":
        return found.size()
    return found.names_below(text[1:], (text[0] == CLOSED) == upper)


class Wanted:
    """The options of a range, read and checked."""

    def __init__(self, kind: str, reverse: bool | None, options: list[bytes], may_score: bool) -> None:
        """`kind` ANY and `reverse` None are left to the options."""
        self.scores = False
        self.offset = 0
        self.limit = -1
        rest_kind = kind
        rest_reverse = reverse
        at = 0
        while at < len(options):
            word = options[at].upper()
            at += 1
            if may_score and word == b"WITHSCORES":
                self.scores = True
            elif word == b"LIMIT" and at + 1 < len(options):
                self.offset, self.limit = integer(options[at]), integer(options[at + 1])
                at += 2
            elif rest_reverse is None and word == b"REV":
                rest_reverse = True
            elif rest_kind == ANY and word in (b"BYLEX", b"BYSCORE"):
                rest_kind = LEX if word == b"BYLEX" else SCORE
            else:
                raise syntax()
        self.kind = rest_kind or RANK
        self.reverse = bool(rest_reverse)
        if self.limit != -1 and self.kind == RANK:
            raise RedisError(b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        if self.scores and self.kind == LEX:
            raise RedisError(b"ERR syntax error, WITHSCORES not supported in combination with BYLEX")

    def bounds(self, low: bytes, high: bytes) -> Bounds:
        """Backwards by score or name, the greater end comes first."""
        return Bounds(self.kind, high, low) if self.reverse and self.kind != RANK else Bounds(self.kind, low, high)

    def names(self, found: SortedSet, bounds: Bounds) -> list[bytes]:
        """The members in the order wanted."""
        start, stop = bounds.ranks(found, self.reverse)
        if self.kind != RANK:
            if self.offset < 0:
                return []
            if self.reverse:
                stop -= self.offset
                start = start if self.limit < 0 else max(start, stop - self.limit)
            else:
                start += self.offset
                stop = stop if self.limit < 0 else min(stop, start + self.limit)
        names = found.between(start, stop)
        if self.reverse:
            names.reverse()
        return names


def _range(ctx: Context, key: bytes, low: bytes, high: bytes, wanted: Wanted) -> Reply:
    bounds = wanted.bounds(low, high)
    found = ctx.db.find_zset(key)
    if found is None:
        return EMPTY
    names = wanted.names(found, bounds)
    return with_scores(ctx, names, found.scores) if wanted.scores else names


@command("ZRANGE", "Members from one rank, score or name to another.", group="sorted-set", since="1.2.0",
         flags="readonly", keys=FIRST, complexity="O(log(N)+M) in the members returned")
def zrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    return _range(ctx, key, start, stop, Wanted(ANY, None, list(options), True))


@command("ZREVRANGE", "Members from one rank to another, from the greatest score on.", group="sorted-set",
         since="1.2.0", flags="readonly", keys=FIRST, complexity="O(log(N)+M) in the members returned")
def zrevrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    return _range(ctx, key, start, stop, Wanted(RANK, True, list(options), True))


@command("ZRANGEBYSCORE", "Members from one score to another.", group="sorted-set", since="1.0.5", flags="readonly",
         keys=FIRST, complexity="O(log(N)+M) in the members returned")
def zrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    return _range(ctx, key, low, high, Wanted(SCORE, False, list(options), True))


@command("ZREVRANGEBYSCORE", "Members from one score down to another.", group="sorted-set", since="2.2.0",
         flags="readonly", keys=FIRST, complexity="O(log(N)+M) in the members returned")
def zrevrangebyscore(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> Reply:
    return _range(ctx, key, high, low, Wanted(SCORE, True, list(options), True))


@command("ZRANGEBYLEX", "Members from one name to another, where all scores are equal.", group="sorted-set",
         since="2.8.9", flags="readonly", keys=FIRST, complexity="O(log(N)+M) in the members returned")
def zrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    return _range(ctx, key, low, high, Wanted(LEX, False, list(options), True))


@command("ZREVRANGEBYLEX", "Members from one name down to another, where all scores are equal.", group="sorted-set",
         since="2.8.9", flags="readonly", keys=FIRST, complexity="O(log(N)+M) in the members returned")
def zrevrangebylex(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> Reply:
    return _range(ctx, key, high, low, Wanted(LEX, True, list(options), True))


def put_in_place(ctx: Context, destination: bytes, scores: dict[bytes, float], event: str) -> int:
    """Store a result instead of whatever was there; nothing is left there when it is empty."""
    db = ctx.db
    if scores:
        made = SortedSet()
        made.replace(scores)
        db.limits.settle(made)
        if made.packed:  # Redis's compact form has no minus zero
            made.replace({member: score + 0.0 for member, score in scores.items()})
        db.store(destination, made)
        db.changed(destination, event, ZSET)
    elif db.lookup(destination) is not None:
        db.remove(destination)
        db.changed(destination, "del", GENERIC)
    return len(scores)


@command("ZRANGESTORE", "Store a range of a sorted set.", group="sorted-set", since="6.2.0", flags="write denyoom",
         keys=FIRST_TWO, complexity="O(log(N)+M) in the members stored")
def zrangestore(ctx: Context, destination: bytes, source: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    wanted = Wanted(ANY, None, list(options), False)
    bounds = wanted.bounds(low, high)
    found = ctx.db.find_zset(source)
    names = [] if found is None else wanted.names(found, bounds)
    scores = {} if found is None else {name: found.scores[name] for name in names}
    return put_in_place(ctx, destination, scores, "zrangestore")


def _count(ctx: Context, key: bytes, bounds: Bounds) -> int:
    found = ctx.db.find_zset(key)
    if found is None:
        return 0
    start, stop = bounds.ranks(found, False)
    return max(0, stop - start)


@command("ZCOUNT", "How many members have a score between two.", group="sorted-set", since="2.0.0",
         flags="readonly fast", keys=FIRST, complexity="O(log(N))")
def zcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    return _count(ctx, key, Bounds(SCORE, low, high))


@command("ZLEXCOUNT", "How many members stand between two names, where all scores are equal.", group="sorted-set",
         since="2.8.9", flags="readonly fast", keys=FIRST, complexity="O(log(N))")
def zlexcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    return _count(ctx, key, Bounds(LEX, low, high))


def _remove(ctx: Context, key: bytes, bounds: Bounds, event: str) -> int:
    found = ctx.db.find_zset(key)
    if found is None:
        return 0
    start, stop = bounds.ranks(found, False)
    count = len(found.remove_between(start, stop))
    if count:
        removed(ctx, key, found, event, count)
    return count


@command("ZREMRANGEBYRANK", "Remove the members from one rank to another.", group="sorted-set", since="2.0.0",
         flags="write", keys=FIRST, complexity="O(log(N)+M) in the members removed")
def zremrangebyrank(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    return _remove(ctx, key, Bounds(RANK, start, stop), "zremrangebyrank")


@command("ZREMRANGEBYSCORE", "Remove the members from one score to another.", group="sorted-set", since="1.2.0",
         flags="write", keys=FIRST, complexity="O(log(N)+M) in the members removed")
def zremrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    return _remove(ctx, key, Bounds(SCORE, low, high), "zremrangebyscore")


@command("ZREMRANGEBYLEX", "Remove the members from one name to another, where all scores are equal.",
         group="sorted-set", since="2.8.9", flags="write", keys=FIRST,
         complexity="O(log(N)+M) in the members removed")
def zremrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    return _remove(ctx, key, Bounds(LEX, low, high), "zremrangebylex")
