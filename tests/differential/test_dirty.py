"""How many changes a command counts as, which decides when a save is due: as many as Redis counts."""

from __future__ import annotations

from typing import Final

from tests.differential.harness import Wire

LINES: Final = [
    "SET k 1", "SET k 1 EX 100", "SET k 2 PX 100000 GET", "SET k 2 XX KEEPTTL", "SET k 2 NX", "SETEX k 100 v",
    "PSETEX k 100000 v", "SETNX k v", "SETNX n v", "MSET a 1 b 2 c 3", "MSETNX d 1 e 2", "MSETNX d 1 f 2",
    "GETSET a 5", "GETDEL d", "GETDEL d", "GETEX a", "GETEX a EX 10", "GETEX a PERSIST", "APPEND a x", "INCR i",
    "INCRBYFLOAT i 1", "SETRANGE a 1 xyz", "SETBIT t 7 1", "SETBIT t 7 1", "BITFIELD t SET u8 0 1 SET u8 8 1",
    "BITFIELD t SET u8 0 1 SET u8 8 2", "BITFIELD t GET u8 0", "BITOP AND u t t", "BITOP AND u nope",
    "RPUSH l 5 1 3 1 1", "LPUSH l 9 8", "LPUSHX l 7 6", "RPUSHX nope 1", "LINSERT l BEFORE 5 4",
    "LINSERT l BEFORE zz 4", "LSET l 0 x", "LTRIM l 0 -1", "LTRIM l 1 8", "LREM l 0 1", "LREM l 0 zz", "LPOP l",
    "RPOP l 2", "LMOVE l m LEFT RIGHT", "RPOPLPUSH l m", "BLPOP l 1", "BLMOVE m o LEFT LEFT 1",
    "LMPOP 2 nope m LEFT COUNT 9", "LTRIM o 5 9", "SADD s 1 2 3 4 a", "SADD s 1 b", "SADD s 1", "SREM s 1 2 zz",
    "SMOVE s r a", "SMOVE s r zz", "SPOP s", "SPOP s 2", "SPOP s 9", "SADD s x y z", "SUNIONSTORE v s r",
    "SINTERSTORE v s nope", "SDIFFSTORE v nope s", "ZADD z 1 a 2 b 3 c 4 d", "ZADD z 1 a 5 b", "ZADD z CH 1 a 6 b 7 e",
    "ZADD z 1 a", "ZINCRBY z 1 a", "ZREM z a zz b", "ZPOPMIN z", "ZADD z 1 a 2 b 3 f 4 g 5 h", "ZPOPMAX z 2",
    "ZMPOP 1 z MIN COUNT 2", "BZPOPMIN z 1", "ZREMRANGEBYRANK z 0 0", "ZREMRANGEBYSCORE z 100 200", "ZADD y 1 a 2 b",
    "ZUNIONSTORE x 2 y y", "ZRANGESTORE w y 0 -1", "ZRANGESTORE w y 5 9", "HSET h f 1 g 2 f 3", "HSET h f 1",
    "HMSET h f 1 i 2", "HSETNX h f 2", "HSETNX h j 2", "HINCRBY h f 1", "HINCRBYFLOAT h f 1.5", "HDEL h f g zz",
    "HDEL h i j", "RPUSH q 3 1 2", "SORT q STORE p", "SORT nope STORE p", "SORT q", "RENAME q qq", "RENAMENX qq q",
    "RENAME q q", "COPY q q2", "COPY q q2 REPLACE", "MOVE q2 3", "EXPIRE q 100", "EXPIRE q 100 NX", "EXPIRE nope 1",
    "PERSIST q", "PERSIST q", "EXPIRE q -1", "PEXPIREAT a 1", "DEL a b c nope", "UNLINK y x nope", "TOUCH k",
    "SWAPDB 1 2", "SWAPDB 1 1", "SWAPDB 0 0", "PUBLISH c m", "FLUSHDB",
]


def changes(wire: Wire) -> int:
    info = wire.call("INFO", "persistence")
    assert isinstance(info, bytes)
    return int(info.partition(b"rdb_changes_since_last_save:")[2].partition(b"\r")[0])


def test_the_same_number_of_changes_is_counted(both: tuple[str, str]) -> None:
    counted = []
    for path in both:
        steps = []
        with Wire(path) as wire:
            wire.call("CONFIG", "SET", "save", "")
            for line in LINES:
                before = changes(wire)
                wire.call(*line.split(" "))
                steps.append((line, changes(wire) - before))
        counted.append(steps)
    assert [(real, ours) for real, ours in zip(*counted, strict=True) if real != ours] == []
