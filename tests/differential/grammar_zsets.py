"""Sorted sets: few members and scores, so that ties, moves and empty ranges are the rule."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.differential.grammar import OTHERS, bogus, call, flag, many, scan_options, small, with_options, word
from tests.differential.grammar_sets import amounts

zset_keys: Final = st.sampled_from((b"a", b"b", b"c", b"a", b"b"))
plain_keys: Final = st.sampled_from((b"flat", b"level", b"flat"))
"""Sorted sets all of whose scores are equal, as ranges of names want them."""
members: Final = st.sampled_from((b"x", b"y", b"z", b"1", b"", b"\x00\xff\r\n", b"xx", b"10", b"v" * 70))
scores: Final = st.sampled_from((b"0", b"1", b"2", b"1", b"2", b"-1", b"1.5", b"0.1", b"inf", b"-inf", b"3", b"1e17",
                                 b"123456789012345678", b"1e-7", b"-5e20", b"1e16", b"4503599627370497"))
bad_scores: Final = st.sampled_from((b"x", b"", b"nan", b" 1", b"1 ", b"1_0", b"0x10", b"0x1p-2", b"1e400", b"1e-400",
                                     b"+1", b"Infinity", b"NX", b"(1", b"1\x00"))
steps: Final = st.one_of(scores, scores, scores, bad_scores)
bounds: Final = st.sampled_from((b"0", b"1", b"(1", b"2", b"(2", b"-inf", b"+inf", b"inf", b"(inf", b"(-inf", b"1.5",
                                 b"(0.1", b"-1", b"3", b"1e17", b"x", b"", b"(", b"nan", b" 1", b"0x1", b"1e400"))
name_bounds: Final = st.sampled_from((b"-", b"+", b"[x", b"(x", b"[", b"(", b"[y", b"(z", b"[1", b"(10", b"-", b"+",
                                      b"x", b"", b"+x", b"[xx", b"[\xff", b"(\x00\xff"))
ranks: Final = st.one_of(small, small, small, small, st.sampled_from((b"x", b"", b"9223372036854775808", b"1.5")))
limits: Final = st.tuples(word("LIMIT"), st.sampled_from((b"0", b"1", b"2", b"-1", b"5", b"x")),
                          st.sampled_from((b"0", b"1", b"2", b"-1", b"-2", b"100", b"")))

ADDING: Final = st.one_of(
    many("ZADD", zset_keys, scores, members, scores, rest=members, most=1),
    many("ZADD", zset_keys, scores, members, scores, members, scores, rest=members, most=1),
    call("ZADD", zset_keys, scores, members), call("ZADD", zset_keys, steps, members),
    call("ZADD", zset_keys, word("NX", "XX", "GT", "LT", "CH", "INCR"), steps, members),
    call("ZADD", zset_keys, word("NX", "XX", "GT", "LT"), word("CH", "INCR", "XX"), steps, members),
    call("ZADD", zset_keys, word("GT", "LT", "XX"), word("CH", "XX"), word("INCR", "CH", "LT"), steps, members),
    call("ZADD", zset_keys, word("CH", "INCR", "XX"), steps, members, steps, members),
    call("ZINCRBY", zset_keys, steps, members), call("ZINCRBY", zset_keys, scores, members))

RANGES: Final = st.one_of(
    with_options("ZRANGE", zset_keys, ranks, ranks, options=[flag("WITHSCORES"), flag("REV", "WITHSCORES"), limits],
                 most=2),
    with_options("ZRANGE", zset_keys, bounds, bounds, options=[flag("BYSCORE"), flag("REV", "WITHSCORES"), limits,
                                                               bogus()], most=4),
    with_options("ZRANGE", plain_keys, name_bounds, name_bounds, options=[flag("BYLEX"), flag("BYLEX", "REV"), limits,
                                                                          bogus()], most=4),
    with_options("ZREVRANGE", zset_keys, ranks, ranks, options=[flag("WITHSCORES"), limits, bogus()], most=2),
    with_options("ZRANGEBYSCORE", zset_keys, bounds, bounds, options=[flag("WITHSCORES"), limits], most=2),
    with_options("ZREVRANGEBYSCORE", zset_keys, bounds, bounds, options=[flag("WITHSCORES"), limits, flag("REV")],
                 most=2),
    with_options("ZRANGEBYLEX", plain_keys, name_bounds, name_bounds, options=[limits, limits, flag("WITHSCORES")],
                 most=2),
    with_options("ZREVRANGEBYLEX", plain_keys, name_bounds, name_bounds, options=[limits, limits, bogus()], most=2),
    call("ZCOUNT", zset_keys, bounds, bounds), call("ZLEXCOUNT", plain_keys, name_bounds, name_bounds),
    with_options("ZRANGESTORE", zset_keys, zset_keys, bounds, bounds, options=[flag("BYSCORE"), flag("REV"), limits],
                 most=3),
    with_options("ZRANGESTORE", zset_keys, zset_keys, ranks, ranks, options=[flag("REV"), flag("WITHSCORES")], most=1),
    with_options("ZRANGESTORE", plain_keys, plain_keys, name_bounds, name_bounds,
                 options=[flag("BYLEX"), flag("REV"), limits], most=3),
    call("ZREMRANGEBYRANK", zset_keys, ranks, ranks), call("ZREMRANGEBYSCORE", zset_keys, bounds, bounds),
    call("ZREMRANGEBYLEX", plain_keys, name_bounds, name_bounds))

sources: Final = st.one_of(zset_keys, zset_keys, plain_keys, st.sampled_from((b"plain", b"missing")))
set_counts: Final = st.sampled_from((b"1", b"2", b"2", b"2", b"3", b"0", b"-1", b"x", b"9", b""))
weighting: Final = [
    st.tuples(word("WEIGHTS"), steps, steps), st.tuples(word("WEIGHTS"), scores, scores),
    st.tuples(word("WEIGHTS"), scores), st.tuples(word("AGGREGATE"), word("SUM", "MIN", "MAX", "AVG")),
    flag("WITHSCORES"), bogus()]
ALGEBRA: Final = st.one_of(
    with_options("ZUNION", st.just(b"2"), sources, sources, options=weighting),
    with_options("ZUNION", set_counts, sources, sources, options=weighting, most=1),
    with_options("ZINTER", st.just(b"2"), sources, sources, options=weighting),
    with_options("ZINTER", st.just(b"3"), sources, sources, sources, options=[flag("WITHSCORES")], most=1),
    with_options("ZDIFF", set_counts, sources, sources, options=[flag("WITHSCORES"), weighting[1]], most=1),
    with_options("ZINTERCARD", set_counts, sources, sources, options=[st.tuples(word("LIMIT"), amounts), bogus()],
                 most=2),
    with_options("ZUNIONSTORE", sources, st.just(b"2"), sources, sources, options=weighting),
    with_options("ZUNIONSTORE", sources, set_counts, sources, sources, options=weighting, most=1),
    with_options("ZINTERSTORE", sources, st.just(b"2"), sources, sources, options=weighting),
    with_options("ZINTERSTORE", sources, set_counts, sources, sources, options=weighting, most=1),
    with_options("ZDIFFSTORE", sources, set_counts, sources, sources, options=weighting, most=1),
    call("ZRANGE", sources, st.just(b"0"), st.just(b"-1"), word("WITHSCORES")),
    call("SADD", st.just(b"plain"), members, members), ADDING, ADDING, ADDING, OTHERS)

POPPING: Final = st.one_of(
    many("ZPOPMIN", zset_keys, rest=amounts, most=1), many("ZPOPMAX", zset_keys, rest=amounts, most=2),
    call("ZPOPMIN", zset_keys), call("ZPOPMAX", zset_keys, amounts),
    with_options("ZMPOP", set_counts, zset_keys, word("MIN", "MAX", "MID"), options=[
        st.tuples(word("COUNT"), amounts), bogus()], most=2),
    with_options("ZMPOP", st.just(b"2"), zset_keys, zset_keys, word("MIN", "MAX"), options=[
        st.tuples(word("COUNT"), amounts)], most=2))

ZSETS: Final = st.one_of(
    ADDING, ADDING, ADDING, RANGES, RANGES,
    call("ZADD", plain_keys, st.just(b"0"), members, st.just(b"0"), members, st.just(b"0"), members),
    many("ZREM", zset_keys, members, rest=members), call("ZSCORE", zset_keys, members), call("ZCARD", zset_keys),
    many("ZMSCORE", zset_keys, members, rest=members), call("ZRANK", zset_keys, members),
    call("ZREVRANK", zset_keys, members), many("ZRANDMEMBER", zset_keys, rest=amounts, most=1),
    call("ZRANDMEMBER", zset_keys, amounts, word("WITHSCORES", "NOPE")),
    with_options("ZSCAN", zset_keys, st.sampled_from((b"0", b"0", b"x")), options=[*scan_options, bogus()], most=2),
    call("OBJECT", word("ENCODING"), zset_keys), POPPING, OTHERS)
