"""Lists: pushing, popping and moving at both ends, ranges, and the commands that wait for an element."""

from __future__ import annotations

from heroredis.args import MIN_INT, Args, integer, natural, numkeys, read_int, timeout_ms
from heroredis.command import ALL_BUT_LAST, FIRST, FIRST_TWO, command, counted_keys
from heroredis.errors import NO_SUCH_KEY, OUT_OF_RANGE, RedisError, syntax
from heroredis.keyspace.change import GENERIC, LIST
from heroredis.reply import EMPTY, NULL_ARRAY, OK, Reply, Wait
from heroredis.session.context import Context
from heroredis.types.list import List
from heroredis.waiting import wait_for, waited_for


def _emptied(ctx: Context, key: bytes, items: List, event: str, writes: int) -> None:
    """Tell a removal, and the end of the key when it was the last element."""
    ctx.db.changed(key, event, LIST, writes)
    if ctx.db.drop_if_empty(key, items):
        ctx.db.changed(key, "del", GENERIC, 0)


def _push_left(ctx: Context, key: bytes, element: bytes) -> Reply:
    items = ctx.db.update_list(key)
    items.push_left(element)
    ctx.db.changed(key, "lpush", LIST)
    return items.size()


def _push_right(ctx: Context, key: bytes, element: bytes) -> Reply:
    items = ctx.db.update_list(key)
    items.push_right(element)
    ctx.db.changed(key, "rpush", LIST)
    return items.size()


@command("LPUSH", "Put elements at the head of a list, making the list when there is none.",
         group="list", since="1.0.0", flags="write denyoom fast", keys=FIRST, quick=_push_left)
def lpush(ctx: Context, key: bytes, element: bytes, *elements: bytes) -> Reply:
    items = ctx.db.update_list(key)
    items.push_left(element)
    for other in elements:
        items.push_left(other)
    ctx.db.changed(key, "lpush", LIST, 1 + len(elements))
    return items.size()


@command("RPUSH", "Put elements at the tail of a list, making the list when there is none.",
         group="list", since="1.0.0", flags="write denyoom fast", keys=FIRST, quick=_push_right)
def rpush(ctx: Context, key: bytes, element: bytes, *elements: bytes) -> Reply:
    items = ctx.db.update_list(key)
    items.push_right(element)
    for other in elements:
        items.push_right(other)
    ctx.db.changed(key, "rpush", LIST, 1 + len(elements))
    return items.size()


@command("LPUSHX", "Put elements at the head of a list that exists.", group="list", since="2.2.0",
         flags="write denyoom fast", keys=FIRST)
def lpushx(ctx: Context, key: bytes, element: bytes, *elements: bytes) -> Reply:
    items = ctx.db.find_list(key)
    if items is None:
        return 0
    for other in (element, *elements):
        items.push_left(other)
    ctx.db.changed(key, "lpush", LIST, 1 + len(elements))
    return items.size()


@command("RPUSHX", "Put elements at the tail of a list that exists.", group="list", since="2.2.0",
         flags="write denyoom fast", keys=FIRST)
def rpushx(ctx: Context, key: bytes, element: bytes, *elements: bytes) -> Reply:
    items = ctx.db.find_list(key)
    if items is None:
        return 0
    for other in (element, *elements):
        items.push_right(other)
    ctx.db.changed(key, "rpush", LIST, 1 + len(elements))
    return items.size()


def take(ctx: Context, key: bytes, items: List, left: bool) -> bytes:
    """Pop one element and tell it."""
    element = items.pop_left() if left else items.pop_right()
    _emptied(ctx, key, items, "lpop" if left else "rpop", 1)
    return element


def take_many(ctx: Context, key: bytes, items: List, left: bool, count: int) -> list[object]:
    """Pop up to `count` elements in the order of popping, told as one write."""
    taken: list[object] = []
    for _ in range(min(count, items.size())):
        taken.append(items.pop_left() if left else items.pop_right())
    _emptied(ctx, key, items, "lpop" if left else "rpop", len(taken))
    return taken


def _pop(ctx: Context, key: bytes, counts: tuple[bytes, ...], left: bool) -> Reply:
    if len(counts) > 1:
        raise RedisError(b"ERR wrong number of arguments for '%b' command" % (b"lpop" if left else b"rpop"))
    count = -1
    if counts:
        count = natural(counts[0])
    items = ctx.db.find_list(key)
    if items is None:
        return NULL_ARRAY if counts else None
    if count == 0:
        return EMPTY
    if count < 0:
        return take(ctx, key, items, left)
    return take_many(ctx, key, items, left, count)


def _pop_left(ctx: Context, key: bytes) -> Reply:
    items = ctx.db.find_list(key)
    return None if items is None else take(ctx, key, items, True)


def _pop_right(ctx: Context, key: bytes) -> Reply:
    items = ctx.db.find_list(key)
    return None if items is None else take(ctx, key, items, False)


@command("LPOP", "Take elements from the head of a list.", group="list", since="1.0.0", flags="write fast",
         keys=FIRST, quick=_pop_left)
def lpop(ctx: Context, key: bytes, *count: bytes) -> Reply:
    return _pop(ctx, key, count, True)


@command("RPOP", "Take elements from the tail of a list.", group="list", since="1.0.0", flags="write fast",
         keys=FIRST, quick=_pop_right)
def rpop(ctx: Context, key: bytes, *count: bytes) -> Reply:
    return _pop(ctx, key, count, False)


@command("LLEN", "Length of a list.", group="list", since="1.0.0", flags="readonly fast", keys=FIRST)
def llen(ctx: Context, key: bytes) -> Reply:
    items = ctx.db.find_list(key)
    return 0 if items is None else items.size()


@command("LRANGE", "Elements of a list from one index to another.", group="list", since="1.0.0", flags="readonly",
         keys=FIRST, complexity="O(N) in the elements returned")
def lrange(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    first, last = integer(start), integer(stop)
    items = ctx.db.find_list(key)
    if items is None:
        return EMPTY
    size = items.size()
    first = max(0, first + size if first < 0 else first)
    last = min(size - 1, last + size if last < 0 else last)
    return EMPTY if first > last else items.slice(first, last + 1)


@command("LINDEX", "The element at an index.", group="list", since="1.0.0", flags="readonly", keys=FIRST)
def lindex(ctx: Context, key: bytes, index: bytes) -> Reply:
    items = ctx.db.find_list(key)
    if items is None:
        return None
    at = integer(index)
    if at < 0:
        at += items.size()
    return items.get(at) if 0 <= at < items.size() else None


@command("LSET", "Set the element at an index.", group="list", since="1.0.0", flags="write denyoom", keys=FIRST)
def lset(ctx: Context, key: bytes, index: bytes, element: bytes) -> Reply:
    items = ctx.db.find_list(key)
    if items is None:
        raise RedisError(NO_SUCH_KEY)
    at = integer(index)
    if at < 0:
        at += items.size()
    if not 0 <= at < items.size():
        raise RedisError(OUT_OF_RANGE)
    items.put(at, element)
    ctx.db.changed(key, "lset", LIST)
    return OK


@command("LINSERT", "Insert an element before or after another one.", group="list", since="2.2.0",
         flags="write denyoom", keys=FIRST, complexity="O(N)")
def linsert(ctx: Context, key: bytes, where: bytes, pivot: bytes, element: bytes) -> Reply:
    side = where.upper()
    if side not in (b"BEFORE", b"AFTER"):
        raise syntax()
    items = ctx.db.find_list(key)
    if items is None:
        return 0
    everything = items.to_list()
    if pivot not in everything:
        return -1
    items.insert(everything.index(pivot) + (side == b"AFTER"), element)
    ctx.db.changed(key, "linsert", LIST)
    return items.size()


@command("LREM", "Remove equal elements.", group="list", since="1.0.0", flags="write", keys=FIRST, complexity="O(N)")
def lrem(ctx: Context, key: bytes, count: bytes, element: bytes) -> Reply:
    limit = integer(count)
    items = ctx.db.find_list(key)
    removed = 0 if items is None else items.remove(element, limit)
    if items is not None and removed:
        _emptied(ctx, key, items, "lrem", removed)
    return removed


@command("LTRIM", "Keep only a range of a list.", group="list", since="1.0.0", flags="write", keys=FIRST,
         complexity="O(N) in the elements removed")
def ltrim(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    first, last = integer(start), integer(stop)
    items = ctx.db.find_list(key)
    if items is None:
        return OK
    size = items.size()
    first = max(0, first + size if first < 0 else first)
    last = min(size - 1, last + size if last < 0 else last)
    if first > last:
        items.replace([])
    else:
        items.keep(first, last + 1)
    _emptied(ctx, key, items, "ltrim", size - items.size())
    return OK


@command("LPOS", "Index of elements equal to a given one.", group="list", since="6.0.6", flags="readonly", keys=FIRST,
         complexity="O(N)")
def lpos(ctx: Context, key: bytes, element: bytes, *options: bytes) -> Reply:
    found = Args(options).options((), {"RANK": _rank, "COUNT": _lpos_count, "MAXLEN": _lpos_maxlen})
    rank, count, limit = (_option(found, name) for name in ("RANK", "COUNT", "MAXLEN"))
    items = ctx.db.find_list(key)
    if items is None:
        return None if count is None else EMPTY
    hits = _positions(items.to_list(), element, rank or 1, 1 if count is None else count, limit or 0)
    if count is None:
        return hits[0] if hits else None
    return hits


def _rank(text: bytes) -> int:
    rank = integer(text)
    if rank == MIN_INT:
        raise RedisError(b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
    if rank == 0:
        raise RedisError(b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
                         b"negative to start from the end of the list")
    return rank


def _not_negative(text: bytes, message: bytes) -> int:
    value = read_int(text)
    if value is None or value < 0:
        raise RedisError(message)
    return value


def _lpos_count(text: bytes) -> int:
    return _not_negative(text, b"ERR COUNT can't be negative")


def _lpos_maxlen(text: bytes) -> int:
    return _not_negative(text, b"ERR MAXLEN can't be negative")


def _option(found: dict[str, object], name: str) -> int | None:
    value = found.get(name)
    return value if isinstance(value, int) else None


def _positions(everything: list[bytes], element: bytes, rank: int, count: int, limit: int) -> list[object]:
    size = len(everything)
    indexes = range(size) if rank > 0 else range(size - 1, -1, -1)
    skip = abs(rank) - 1
    hits: list[object] = []
    for seen, index in enumerate(indexes):
        if limit and seen >= limit:
            break
        if everything[index] == element:
            if skip:
                skip -= 1
                continue
            hits.append(index)
            if count and len(hits) >= count:
                break
    return hits


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
    _emptied(ctx, source, items, "lpop" if from_left else "rpop", 0)
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
    return list(rest[:size]), left, _option(found, "COUNT") or 1


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
