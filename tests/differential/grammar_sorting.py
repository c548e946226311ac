"""SORT over lists, sets and sorted sets of numbers and texts, by strings and fields that are there or not."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from tests.differential.grammar import OTHERS, Command, bogus, call, flag, many, with_options, word

sorted_keys: Final = st.sampled_from((b"list", b"set", b"zset", b"list", b"missing", b"w_1", b"texts"))
elements: Final = st.sampled_from((b"1", b"2", b"3", b"10", b"-1", b"1.5", b"20"))
words: Final = st.sampled_from((b"a", b"b", b"B", b"10", b"9", b"", b"abc", b"\xff", b"1e3"))
weights: Final = st.sampled_from((b"5", b"4", b"1", b"1.5", b"-2", b"inf", b"0x10", b" 7", b"", b"x", b"1e400", b"10"))
good_weights: Final = st.sampled_from((b"5", b"4", b"1", b"1.5", b"-2", b"inf", b"10"))
weight_keys: Final = st.sampled_from((b"w_1", b"w_2", b"w_3", b"w_10", b"w_a"))
patterns: Final = st.sampled_from((b"w_*", b"w_*", b"h_*->f", b"h_*->", b"h_*->g", b"*", b"#", b"nosort", b"w_*->f",
                                   b"h_*->f->f", b"", b"w_1", b"**"))
sort_limits: Final = st.tuples(word("LIMIT"), st.sampled_from((b"0", b"1", b"2", b"-1", b"9", b"x")),
                               st.sampled_from((b"0", b"1", b"2", b"-1", b"100", b"-5")))
options: Final = [
    flag("ASC", "DESC"), flag("ALPHA"), flag("ALPHA", "DESC"), sort_limits, st.tuples(word("BY"), patterns),
    st.tuples(word("GET"), patterns), st.tuples(word("GET"), patterns),
    st.tuples(word("STORE"), st.sampled_from((b"sorted", b"list", b"w_1")))]



def is_certain(command: Command) -> bool:
    """Among texts, elements with equal weights stay as they came: in Redis out of a hash table, by its random seed."""
    return command[1] not in (b"set", b"zset") or not {b"ALPHA", b"BY"} <= {word.upper() for word in command}


SORTING: Final = st.one_of(
    with_options("SORT", sorted_keys, options=options, most=4).filter(is_certain),
    with_options("SORT", sorted_keys, options=[*options, bogus()], most=3).filter(is_certain),
    with_options("SORT_RO", sorted_keys, options=options, most=3).filter(is_certain),
    many("RPUSH", st.just(b"list"), elements, elements, rest=elements, most=4),
    many("SADD", st.just(b"set"), elements, elements, rest=elements, most=4),
    call("ZADD", st.just(b"zset"), elements, elements, elements, elements),
    many("RPUSH", st.just(b"texts"), words, words, rest=words), call("SET", weight_keys, good_weights),
    call("SET", weight_keys, weights), call("HSET", st.sampled_from((b"h_1", b"h_2", b"h_3", b"w_3")), word("f", "g"),
                                            good_weights),
    call("DEL", sorted_keys), OTHERS)
