"""Moving elements between lists, popping from the first of several, and the commands that wait for an element."""

from __future__ import annotations

from heroredis.args import Args, numkeys, read_int, timeout_ms
from heroredis.command import ALL_BUT_LAST, FIRST_TWO, command, counted_keys
from heroredis.commands.lists import emptied, option_number, take, take_many
from heroredis.errors import RedisError, syntax
from heroredis.keyspace.change import LIST
from heroredis.reply import NULL_ARRAY, Reply, Wait
from heroredis.session.context import Context
from heroredis.types.list import List
from heroredis.waiting import wait_for, waited_for


def side(text: bytes) -> bool:
    """LEFT is true, RIGHT is false."""
    word = text.upper()
    if word not in (b"LEFT", b"RIGHT"):
        raise syntax()
    return word == b"LEFT"


def _move(ctx: Context, source: bytes, destination: bytes, from_left: bool, to_left: bool) -> bytes | None:
    items = _ready_list(ctx, source)
    if items is None:
        return None
    target = items if source == destination else ctx.db.find_list(destination)
    element = items.pop_left() if from_left else items.pop_right()
    if target is None:
        target = ctx.db.update_list(destination)
    if to_left:
        target.push_left(element)
    else:
        target.push_right(element)
    ctx.db.changed(destination, "lpush" if to_left else "rpush", LIST)
    emptied(ctx, source, items, "lpop" if from_left else "rpop", 0)
    return element


@command("LMOVE", "Move an element from one end of a list to an end of another.", group="list", since="6.2.0",
         flags="write denyoom", keys=FIRST_TWO)
def lmove(ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes) -> Reply:
    return _move(ctx, source, destination, side(wherefrom), side(whereto))


@command("RPOPLPUSH", "Move the tail of a list to the head of another.", group="list", since="1.2.0",
         flags="write denyoom", keys=FIRST_TWO)
def rpoplpush(ctx: Context, source: bytes, destination: bytes) -> Reply:
    return _move(ctx, source, destination, False, True)


def _wait_to_move(ctx: Context, source: bytes, milliseconds: int) -> Wait:
    """When time is over Redis answers a null array, as to every command that waits; in a transaction a null."""
    return wait_for(ctx, [source], milliseconds, None if ctx.in_exec else NULL_ARRAY)


def _ready_list(ctx: Context, key: bytes) -> List | None:
    """The list of a key; while a command waits, another type is no reason to end it."""
    if ctx.woken_by is None:
        return ctx.db.find_list(key)
    value = ctx.db.lookup(key)
    return value if isinstance(value, List) else None


def _blocking_pop(ctx: Context, rest: list[bytes], left: bool) -> Reply:
    milliseconds = timeout_ms(rest[-1])
    keys = rest[:-1]
    for key in waited_for(ctx, keys):
        items = _ready_list(ctx, key)
        if items is not None:
            return [key, take(ctx, key, items, left)]
    return wait_for(ctx, keys, milliseconds, NULL_ARRAY)


@command("BLPOP", "Take the head of the first list that has one, waiting for it.", group="list", since="2.0.0",
         flags="write noscript blocking", keys=ALL_BUT_LAST, complexity="O(N) in keys", journal="popped")
def blpop(ctx: Context, key: bytes, timeout: bytes, *rest: bytes) -> Reply:
    return _blocking_pop(ctx, [key, timeout, *rest], True)


@command("BRPOP", "Take the tail of the first list that has one, waiting for it.", group="list", since="2.0.0",
         flags="write noscript blocking", keys=ALL_BUT_LAST, complexity="O(N) in keys", journal="popped")
def brpop(ctx: Context, key: bytes, timeout: bytes, *rest: bytes) -> Reply:
    return _blocking_pop(ctx, [key, timeout, *rest], False)


@command("BLMOVE", "Move an element between lists, waiting for it.", group="list", since="6.2.0",
         flags="write denyoom noscript blocking", keys=FIRST_TWO, journal="moved")
def blmove(ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes, timeout: bytes) -> Reply:
    from_left, to_left = side(wherefrom), side(whereto)
    milliseconds = timeout_ms(timeout)
    moved = _move(ctx, source, destination, from_left, to_left)
    return _wait_to_move(ctx, source, milliseconds) if moved is None else moved


@command("BRPOPLPUSH", "Move the tail of a list to the head of another, waiting for it.", group="list", since="2.2.0",
         flags="write denyoom noscript blocking", keys=FIRST_TWO, journal="moved")
def brpoplpush(ctx: Context, source: bytes, destination: bytes, timeout: bytes) -> Reply:
    milliseconds = timeout_ms(timeout)
    moved = _move(ctx, source, destination, False, True)
    return _wait_to_move(ctx, source, milliseconds) if moved is None else moved


def _multi_pop(ctx: Context, keys: list[bytes], left: bool, count: int) -> Reply:
    """[key, elements] of the first list that has some, else None."""
    for key in waited_for(ctx, keys):
        items = _ready_list(ctx, key)
        if items is not None:
            return [key, take_many(ctx, key, items, left, count)]
    return None


def _multi_pop_arguments(count_of_keys: bytes, rest: tuple[bytes, ...]) -> tuple[list[bytes], bool, int]:
    size = numkeys(count_of_keys)
    if len(rest) < size + 1:
        raise syntax()
    left = side(rest[size])
    found = Args(rest[size + 1 : size + 3]).options((), {"COUNT": _count})
    if len(rest) > size + 3:  # COUNT may be given once
        raise syntax()
    return list(rest[:size]), left, option_number(found, "COUNT") or 1


def _count(text: bytes) -> int:
    value = read_int(text)
    if value is None or value <= 0:
        raise RedisError(b"ERR count should be greater than 0")
    return value


@command("LMPOP", "Take elements from the first list that has some.", group="list", since="7.0.0", flags="write",
         keys=counted_keys(1), complexity="O(N+M)", journal="many-popped")
def lmpop(ctx: Context, count_of_keys: bytes, key: bytes, where: bytes, *rest: bytes) -> Reply:
    keys, left, count = _multi_pop_arguments(count_of_keys, (key, where, *rest))
    popped = _multi_pop(ctx, keys, left, count)
    return NULL_ARRAY if popped is None else popped


@command("BLMPOP", "Take elements from the first list that has some, waiting for them.", group="list", since="7.0.0",
         flags="write blocking", keys=counted_keys(2), complexity="O(N+M)", journal="many-popped")
def blmpop(ctx: Context, timeout: bytes, count_of_keys: bytes, key: bytes, where: bytes, *rest: bytes) -> Reply:
    keys, left, count = _multi_pop_arguments(count_of_keys, (key, where, *rest))
    milliseconds = timeout_ms(timeout)
    popped = _multi_pop(ctx, keys, left, count)
    return wait_for(ctx, keys, milliseconds, NULL_ARRAY) if popped is None else popped
