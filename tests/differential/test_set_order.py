"""Where Redis has an order though it promises none, heroredis has the same: small sets of integers, all of a hash."""

from __future__ import annotations

from typing import Final

import pytest

from tests.differential.harness import Wire, same

SCRIPTS: Final = [
    ["SADD a 3 1 2 10 -7 100", "SMEMBERS a", "SREM a 2", "SMEMBERS a", "SSCAN a 0", "SRANDMEMBER a 100"],
    ["SADD a 5 1 9", "SADD b 9 5 7 3", "SINTER a b", "SUNION a b", "SDIFF b a", "SINTERSTORE c a b", "SMEMBERS c"],
    ["SADD a 5 1 9", "SADD b 9 5 x", "SINTER a b", "SDIFF a b", "SDIFFSTORE c a b", "SADD c 0", "SMEMBERS c"],
    ["SADD a 5 1 9 x", "SADD b 9 5 7 x", "SREM a x", "SREM b x", "SUNIONSTORE c a b", "SMEMBERS c"],
    ["SADD a 4 3 2 1", "SMOVE a b 3", "SMOVE a b 1", "SMEMBERS a", "SMEMBERS b", "COPY a c", "SMEMBERS c"],
    ["SADD a 3 2 1", "SPOP a 5", "EXISTS a"],
    ["HSET h a 1 c 2 b 3 e 4 d 5 f 6", "HRANDFIELD h 6", "HRANDFIELD h 7", "HRANDFIELD h 9 WITHVALUES"],
    ["ZADD z 1 b 2 a 3 c 3 d", "ZRANDMEMBER z 4", "ZRANDMEMBER z 9", "ZRANDMEMBER z 4 WITHSCORES"],
]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script[0])
def test_same_order(both: tuple[str, str], script: list[str], resp: int) -> None:
    replies = []
    for path in both:
        with Wire(path, resp) as wire:
            replies.append([wire.call(*line.split()) for line in script])
    assert same(*replies)
