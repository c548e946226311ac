"""Sets: adding, removing, asking, random members, walking. What combines several sets is in `set_algebra`."""

from __future__ import annotations

from heroredis.args import check_repetitions, natural, random_count
from heroredis.command import FIRST, FIRST_TWO, command
from heroredis.errors import syntax
from heroredis.keyspace.change import GENERIC, SET
from heroredis.reply import EMPTY, Reply, SetOf
from heroredis.scanning import read_cursor, scan_names, scan_options
from heroredis.session.context import Context
from heroredis.types.set import Set


def _removed(ctx: Context, key: bytes, found: Set, event: str, writes: int) -> None:
    """Tell a removal, and the end of the key when it was the last member."""
    ctx.db.changed(key, event, SET, writes)
    if ctx.db.drop_if_empty(key, found):
        ctx.db.changed(key, "del", GENERIC, 0)


def _add_one(ctx: Context, key: bytes, member: bytes) -> Reply:
    found = ctx.db.update_set(key)
    if not found.add(member):
        return 0
    if found.packed:
        ctx.db.limits.grown_set(found)
    ctx.db.changed(key, "sadd", SET)
    return 1


@command("SADD", "Add members to a set, making the set when there is none; answers how many are new.",
         group="set", since="1.0.0", flags="write denyoom fast", keys=FIRST, complexity="O(N) in members",
         quick=_add_one)
def sadd(ctx: Context, key: bytes, member: bytes, *members: bytes) -> Reply:
    found = ctx.db.update_set(key)
    added = 1 if found.add(member) else 0
    for other in members:
        if found.add(other):
            added += 1
    if added:
        if found.packed:
            ctx.db.limits.grown_set(found)
        ctx.db.changed(key, "sadd", SET, added)
    return added


@command("SREM", "Remove members of a set.", group="set", since="1.0.0", flags="write fast", keys=FIRST,
         complexity="O(N) in members")
def srem(ctx: Context, key: bytes, member: bytes, *members: bytes) -> Reply:
    found = ctx.db.find_set(key)
    if found is None:
        return 0
    removed = 1 if found.remove(member) else 0
    for other in members:
        if found.remove(other):
            removed += 1
    if removed:
        _removed(ctx, key, found, "srem", removed)
    return removed


@command("SMOVE", "Move a member from one set to another.", group="set", since="1.0.0", flags="write fast",
         keys=FIRST_TWO)
def smove(ctx: Context, source: bytes, destination: bytes, member: bytes) -> Reply:
    found = ctx.db.find_set(source)
    if found is None:
        return 0
    target = ctx.db.find_set(destination)
    if found is target:
        return 1 if member in found.members else 0
    if not found.remove(member):
        return 0
    _removed(ctx, source, found, "srem", 1)
    target = ctx.db.update_set(destination)
    if target.add(member):
        ctx.db.limits.grown_set(target)
        ctx.db.changed(destination, "sadd", SET)
    return 1


@command("SISMEMBER", "Whether something is a member of a set.", group="set", since="1.0.0", flags="readonly fast",
         keys=FIRST)
def sismember(ctx: Context, key: bytes, member: bytes) -> Reply:
    found = ctx.db.find_set(key)
    return 1 if found is not None and member in found.members else 0


@command("SMISMEMBER", "Which of several are members of a set.", group="set", since="6.2.0", flags="readonly fast",
         keys=FIRST, complexity="O(N) in the members asked for")
def smismember(ctx: Context, key: bytes, member: bytes, *members: bytes) -> Reply:
    found = ctx.db.find_set(key)
    if found is None:
        return [0] * (1 + len(members))
    return [1 if name in found.members else 0 for name in (member, *members)]


@command("SCARD", "How many members a set has.", group="set", since="1.0.0", flags="readonly fast", keys=FIRST)
def scard(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_set(key)
    return 0 if found is None else found.size()


@command("SMEMBERS", "All members of a set.", group="set", since="1.0.0", flags="readonly", keys=FIRST,
         complexity="O(N)")
def smembers(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_set(key)
    return SetOf(EMPTY if found is None else found.names())


def _pop_one(ctx: Context, key: bytes) -> Reply:
    found = ctx.db.find_set(key)
    if found is None:
        return None
    member = found.pop(ctx.server.rng)
    _removed(ctx, key, found, "spop", 1)
    return member


@command("SPOP", "Take random members out of a set.", group="set", since="1.0.0", flags="write fast", keys=FIRST,
         complexity="O(N) in the members taken", journal="spop", quick=_pop_one)
def spop(ctx: Context, key: bytes, *count: bytes) -> Reply:
    if count:
        return _pop_many(ctx, key, count)
    return _pop_one(ctx, key)


def _pop_many(ctx: Context, key: bytes, counts: tuple[bytes, ...]) -> Reply:
    if len(counts) > 1:
        raise syntax()
    count = natural(counts[0])
    found = ctx.db.find_set(key)
    if found is None or count == 0:
        return SetOf(EMPTY)
    rng = ctx.server.rng
    if count >= found.size():
        taken = found.names()
        ctx.db.remove(key)
        ctx.db.changed(key, "spop", SET, len(taken))
        ctx.db.changed(key, "del", GENERIC, 0)
    else:
        taken = [found.pop(rng) for _ in range(count)]
        ctx.db.changed(key, "spop", SET, count)
    return SetOf(taken)


@command("SRANDMEMBER", "Random members of a set; a negative count may answer one several times.", group="set",
         since="1.0.0", flags="readonly", keys=FIRST, complexity="O(N) in the members returned")
def srandmember(ctx: Context, key: bytes, *count: bytes) -> Reply:
    rng = ctx.server.rng
    if not count:
        found = ctx.db.find_set(key)
        return None if found is None else found.choose(rng)
    if len(count) > 1:
        raise syntax()
    wanted = random_count(count[0])
    found = ctx.db.find_set(key)
    if found is None or wanted == 0:
        return EMPTY
    check_repetitions(wanted)
    if wanted < 0:
        return [found.choose(rng) for _ in range(-wanted)]
    if wanted >= found.size():
        return found.names()
    return found.sample(rng, wanted)


@command("SSCAN", "Walk through the members of a set.", group="set", since="2.8.0", flags="readonly", keys=FIRST)
def sscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> Reply:
    read_cursor(cursor)
    found = ctx.db.find_set(key)
    if found is None:
        return [b"0", EMPTY]
    wanted = scan_options(cursor, options, with_type=False)
    small = ctx.db.limits.set_entries if found.packed else 0
    following, names = scan_names(ctx, wanted, found.names, small)
    members = found.members
    return [b"%d" % following, [name for name in names if name in members]]
