"""Sets, whole numbers and others, few enough that intersections are never empty for long."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.differential.grammar import OTHERS, bogus, call, keys, many, option, scan_options, with_options

members: Final = st.sampled_from((b"1", b"2", b"3", b"10", b"-5", b"9", b"9223372036854775807", b"x", b"y", b"",
                                  b"\x00\xff\r\n", b"01", b"9223372036854775808"))
numbers: Final = st.sampled_from((b"1", b"2", b"3", b"10", b"-5", b"9", b"100", b"20"))
set_keys: Final = st.sampled_from((b"a", b"b", b"c", b"d", b"a", b"b", b"c", b""))
most: Final = st.sampled_from((b"0", b"100", b"-1", b"x", b"", b"9223372036854775808", b"1"))
amounts: Final = st.sampled_from((b"0", b"1", b"2", b"3", b"100", b"-1", b"-2", b"-3", b"x", b"",
                                  b"-9223372036854775808"))
set_counts: Final = st.sampled_from((b"1", b"2", b"2", b"3", b"0", b"-1", b"x", b"", b"9"))

SETS: Final = st.one_of(
    many("SADD", set_keys, members, rest=members), many("SADD", set_keys, numbers, rest=numbers, most=6),
    many("SADD", set_keys, numbers, rest=members, most=6), many("SREM", set_keys, members, rest=members),
    call("SMEMBERS", set_keys), call("SMEMBERS", set_keys), call("SCARD", set_keys),
    call("SISMEMBER", set_keys, members), many("SMISMEMBER", set_keys, members, rest=members),
    call("SMOVE", set_keys, set_keys, members), call("SMOVE", set_keys, set_keys, numbers),
    many("SPOP", set_keys, rest=most, most=1), many("SPOP", set_keys, rest=most, most=2),
    many("SRANDMEMBER", set_keys, rest=amounts, most=1), many("SRANDMEMBER", set_keys, rest=amounts, most=2),
    many("SINTER", set_keys, rest=set_keys), many("SUNION", set_keys, rest=set_keys),
    many("SDIFF", set_keys, rest=set_keys), many("SINTERSTORE", set_keys, set_keys, rest=set_keys),
    many("SUNIONSTORE", set_keys, set_keys, rest=set_keys), many("SDIFFSTORE", set_keys, set_keys, rest=set_keys),
    with_options("SINTERCARD", set_counts, set_keys, set_keys, options=[option(("LIMIT",), amounts), bogus()], most=2),
    many("SINTERCARD", set_counts, set_keys, rest=set_keys),
    with_options("SSCAN", set_keys, st.sampled_from((b"0", b"0", b"x", b"")), options=[*scan_options, bogus()], most=2),
    call("TYPE", keys), OTHERS)
