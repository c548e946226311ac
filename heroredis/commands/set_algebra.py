"""Intersections, unions and differences of sets, answered or stored."""

from __future__ import annotations

from heroredis.args import Args, counted, read_int
from heroredis.command import ALL, command, counted_keys
from heroredis.errors import RedisError
from heroredis.keyspace.change import GENERIC, SET
from heroredis.reply import Reply, SetOf
from heroredis.session.context import Context
from heroredis.types.set import Set


def _sets(ctx: Context, keys: list[bytes]) -> list[Set | None]:
    """Every key is looked at, so that a wrong type is told even behind a missing key."""
    return [ctx.db.find_set(key) for key in keys]


def _size(one: Set) -> int:
    return one.size()


def _intersection(ctx: Context, keys: list[bytes], limit: int = 0) -> list[bytes]:
    """The members of the smallest set that all others have, in its order; at most `limit` unless that is 0."""
    sets = [one for one in _sets(ctx, keys) if one is not None]
    if len(sets) < len(keys):
        return []
    sets.sort(key=_size)
    smallest = sets[0]
    others = [one.members for one in sets[1:]]
    if not limit:
        common = smallest.members.intersection(*others)
        return sorted(common, key=int) if smallest.integers else list(common)
    found: list[bytes] = []
    for name in smallest.names():
        if all(name in members for members in others):
            found.append(name)
            if len(found) == limit:
                break
    return found


def _union(ctx: Context, keys: list[bytes]) -> Set:
    names: set[bytes] = set()
    for one in _sets(ctx, keys):
        if one is not None:
            names |= one.members
    return Set(names)


def _difference(ctx: Context, keys: list[bytes]) -> Set:
    sets = _sets(ctx, keys)
    first = sets[0]
    if first is None:
        return Set()
    return Set(first.members.difference(*[one.members for one in sets[1:] if one is not None]))


def _stored(ctx: Context, destination: bytes, found: Set, event: str) -> int:
    """Put the result in the place of whatever was there; nothing is left there when it is empty."""
    db = ctx.db
    if found.size():
        db.limits.settle(found)
        db.store(destination, found)
        db.changed(destination, event, SET)
    elif db.lookup(destination) is not None:
        db.remove(destination)
        db.changed(destination, "del", GENERIC)
    return found.size()


@command("SINTER", "The members that all sets have.", group="set", since="1.0.0", flags="readonly", keys=ALL,
         complexity="O(N*M) in the smallest set and the sets")
def sinter(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    return SetOf(_intersection(ctx, [key, *keys]))


@command("SINTERSTORE", "Store the members that all sets have.", group="set", since="1.0.0", flags="write denyoom",
         keys=ALL, complexity="O(N*M) in the smallest set and the sets")
def sinterstore(ctx: Context, destination: bytes, key: bytes, *keys: bytes) -> Reply:
    return _stored(ctx, destination, Set(set(_intersection(ctx, [key, *keys]))), "sinterstore")


@command("SINTERCARD", "How many members all sets have, counted up to a limit.", group="set", since="7.0.0",
         flags="readonly", keys=counted_keys(1), complexity="O(N*M) in the smallest set and the sets")
def sintercard(ctx: Context, count_of_keys: bytes, key: bytes, *rest: bytes) -> Reply:
    keys, options = counted(count_of_keys, [key, *rest])
    limit = Args(options).options((), {"LIMIT": read_limit}).get("LIMIT")
    return len(_intersection(ctx, keys, limit if isinstance(limit, int) else 0))


def read_limit(text: bytes) -> int:
    value = read_int(text)
    if value is None or value < 0:
        raise RedisError(b"ERR LIMIT can't be negative")
    return value


@command("SUNION", "The members of all sets.", group="set", since="1.0.0", flags="readonly", keys=ALL,
         complexity="O(N) in the members")
def sunion(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    return SetOf(_union(ctx, [key, *keys]).names())


@command("SUNIONSTORE", "Store the members of all sets.", group="set", since="1.0.0", flags="write denyoom", keys=ALL,
         complexity="O(N) in the members")
def sunionstore(ctx: Context, destination: bytes, key: bytes, *keys: bytes) -> Reply:
    return _stored(ctx, destination, _union(ctx, [key, *keys]), "sunionstore")


@command("SDIFF", "The members of the first set that no other has.", group="set", since="1.0.0", flags="readonly",
         keys=ALL, complexity="O(N) in the members")
def sdiff(ctx: Context, key: bytes, *keys: bytes) -> Reply:
    return SetOf(_difference(ctx, [key, *keys]).names())


@command("SDIFFSTORE", "Store the members of the first set that no other has.", group="set", since="1.0.0",
         flags="write denyoom", keys=ALL, complexity="O(N) in the members")
def sdiffstore(ctx: Context, destination: bytes, key: bytes, *keys: bytes) -> Reply:
    return _stored(ctx, destination, _difference(ctx, [key, *keys]), "sdiffstore")
