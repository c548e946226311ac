"""Unions, intersections and differences of sorted sets, weighted and aggregated; plain sets count with the score 1."""

from __future__ import annotations

import math
from collections.abc import Mapping

from heroredis.args import integer, read_float
from heroredis.command import command, counted_keys, stored_counted_keys
from heroredis.commands.set_algebra import read_limit
from heroredis.commands.zranges import put_in_place
from heroredis.commands.zsets import with_scores
from heroredis.errors import RedisError, syntax, wrong_type
from heroredis.reply import Reply
from heroredis.session.context import Context
from heroredis.types.set import Set
from heroredis.types.zset import SortedSet


class Task:
    """What to combine and how: the scores of each source, in the order of the keys."""

    def __init__(self, ctx: Context, name: bytes, count: bytes, rest: list[bytes]) -> None:
        size = integer(count)
        if size < 1:
            raise RedisError(b"ERR at least 1 input key is needed for '%b' command" % name)
        if size > len(rest):
            raise syntax()
        self.sources: list[Mapping[bytes, float]] = [_scores(ctx, key) for key in rest[:size]]
        self.weights = [1.0] * size
        self.aggregate = b"SUM"
        self.with_scores = False
        self.limit = 0
        self._options = rest[size:]
        self._at = 0

    def read(self, *, combining: bool = True, answering: bool = False, counting: bool = False) -> Task:
        """The options: which of them are allowed depends on the command."""
        options = self._options
        while self._at < len(options):
            word = options[self._at].upper()
            left = len(options) - self._at
            self._at += 1
            if combining and word == b"WEIGHTS" and left > len(self.weights):
                self.weights = [_weight(text) for text in options[self._at : self._at + len(self.weights)]]
                self._at += len(self.weights)
            elif combining and word == b"AGGREGATE" and left >= 2:
                self.aggregate = _aggregate(options[self._at])
                self._at += 1
            elif answering and word == b"WITHSCORES":
                self.with_scores = True
            elif counting and word == b"LIMIT" and left >= 2:
                self.limit = read_limit(options[self._at])
                self._at += 1
            else:
                raise syntax()
        return self

    def _by_size(self) -> list[tuple[int, float, Mapping[bytes, float]]]:
        """The sources, small ones first: sums of doubles depend on the order, and this is Redis's."""
        sized = [(len(source), weight, source) for weight, source in zip(self.weights, self.sources, strict=True)]
        sized.sort(key=_first)
        return sized

    def union(self) -> dict[bytes, float]:
        made: dict[bytes, float] = {}
        for _, weight, source in self._by_size():
            for member, own in source.items():
                score = _number(weight * own)
                old = made.get(member)
                made[member] = score if old is None else self._joined(old, score)
        return made

    def intersection(self) -> dict[bytes, float]:
        sized = self._by_size()
        made: dict[bytes, float] = {}
        _, weight, smallest = sized[0]
        for member, own in smallest.items():
            score = _number(weight * own)
            for _, other_weight, other in sized[1:]:
                found = other.get(member)
                if found is None:
                    break
                score = self._joined(score, found * other_weight)
            else:
                made[member] = score
        return made

    def intersection_size(self) -> int:
        sized = self._by_size()
        others = [source for _, _, source in sized[1:]]
        count = 0
        for member in sized[0][2]:
            if all(member in other for other in others):
                count += 1
                if count == self.limit:
                    break
        return count

    def difference(self) -> dict[bytes, float]:
        made = dict(self.sources[0])
        for other in self.sources[1:]:
            for member in other:
                made.pop(member, None)
                if not made:
                    return made
        return made

    def _joined(self, one: float, two: float) -> float:
        if self.aggregate == b"SUM":
            return _number(one + two)
        if self.aggregate == b"MIN":
            return two if two < one else one
        return two if two > one else one


def _first(sized: tuple[int, float, Mapping[bytes, float]]) -> int:
    return sized[0]


def _number(score: float) -> float:
    """Infinity times zero, and infinity less infinity, count as zero."""
    return 0.0 if math.isnan(score) else score


def _scores(ctx: Context, key: bytes) -> Mapping[bytes, float]:
    value = ctx.db.lookup(key)
    if value is None:
        return {}
    if isinstance(value, SortedSet):
        return value.scores
    if isinstance(value, Set):
        return dict.fromkeys(value.members, 1.0)
    raise wrong_type()


def _weight(text: bytes) -> float:
    value = read_float(text)
    if value is None:
        raise RedisError(b"ERR weight value is not a float")
    return value


def _aggregate(text: bytes) -> bytes:
    word = text.upper()
    if word not in (b"SUM", b"MIN", b"MAX"):
        raise syntax()
    return word


def _answer(ctx: Context, task: Task, made: dict[bytes, float]) -> Reply:
    names = [member for _, member in sorted([(score, member) for member, score in made.items()])]
    return with_scores(ctx, names, made) if task.with_scores else names


@command("ZUNION", "The members of all sorted sets.", group="sorted-set", since="6.2.0", flags="readonly",
         keys=counted_keys(1), complexity="O(N)+O(M*log(M)) in the members and those of the result")
def zunion(ctx: Context, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zunion", count_of_keys, [key, *rest]).read(answering=True)
    return _answer(ctx, task, task.union())


@command("ZINTER", "The members that all sorted sets have.", group="sorted-set", since="6.2.0", flags="readonly",
         keys=counted_keys(1), complexity="O(N*K)+O(M*log(M)) in the smallest set, the sets and the result")
def zinter(ctx: Context, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zinter", count_of_keys, [key, *rest]).read(answering=True)
    return _answer(ctx, task, task.intersection())


@command("ZDIFF", "The members of the first sorted set that no other has.", group="sorted-set", since="6.2.0",
         flags="readonly", keys=counted_keys(1), complexity="O(N)+O(M*log(M)) in the members and those of the result")
def zdiff(ctx: Context, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zdiff", count_of_keys, [key, *rest]).read(combining=False, answering=True)
    return _answer(ctx, task, task.difference())


@command("ZINTERCARD", "How many members all sorted sets have, counted up to a limit.", group="sorted-set",
         since="7.0.0", flags="readonly", keys=counted_keys(1), complexity="O(N*K) in the smallest set and the sets")
def zintercard(ctx: Context, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zintercard", count_of_keys, [key, *rest]).read(combining=False, counting=True)
    return task.intersection_size()


@command("ZUNIONSTORE", "Store the members of all sorted sets.", group="sorted-set", since="2.0.0",
         flags="write denyoom", keys=stored_counted_keys(2),
         complexity="O(N)+O(M*log(M)) in the members and those of the result")
def zunionstore(ctx: Context, destination: bytes, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zunionstore", count_of_keys, [key, *rest]).read()
    return put_in_place(ctx, destination, task.union(), "zunionstore")


@command("ZINTERSTORE", "Store the members that all sorted sets have.", group="sorted-set", since="2.0.0",
         flags="write denyoom", keys=stored_counted_keys(2),
         complexity="O(N*K)+O(M*log(M)) in the smallest set, the sets and the result")
def zinterstore(ctx: Context, destination: bytes, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zinterstore", count_of_keys, [key, *rest]).read()
    return put_in_place(ctx, destination, task.intersection(), "zinterstore")


@command("ZDIFFSTORE", "Store the members of the first sorted set that no other has.", group="sorted-set",
         since="6.2.0", flags="write denyoom", keys=stored_counted_keys(2),
         complexity="O(N)+O(M*log(M)) in the members and those of the result")
def zdiffstore(ctx: Context, destination: bytes, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    task = Task(ctx, b"zdiffstore", count_of_keys, [key, *rest]).read(combining=False)
    return put_in_place(ctx, destination, task.difference(), "zdiffstore")
