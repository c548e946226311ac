"""Lists: pushing and popping at both ends, elements by index, ranges."""

from __future__ import annotations

from heroredis.args import MIN_INT, Args, integer, natural, read_int
from heroredis.command import FIRST, command
from heroredis.errors import NO_SUCH_KEY, OUT_OF_RANGE, RedisError, syntax
from heroredis.keyspace.change import GENERIC, LIST
from heroredis.reply import EMPTY, NULL_ARRAY, OK, Reply
from heroredis.session.context import Context
from heroredis.types.list import List


def emptied(ctx: Context, key: bytes, items: List, event: str, writes: int) -> None:
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
    emptied(ctx, key, items, "lpop" if left else "rpop", 1)
    return element


def take_many(ctx: Context, key: bytes, items: List, left: bool, count: int) -> list[object]:
    """Pop up to `count` elements in the order of popping, told as one write."""
    taken: list[object] = []
    for _ in range(min(count, items.size())):
        taken.append(items.pop_left() if left else items.pop_right())
    emptied(ctx, key, items, "lpop" if left else "rpop", len(taken))
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
        emptied(ctx, key, items, "lrem", removed)
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
    emptied(ctx, key, items, "ltrim", size - items.size())
    return OK


@command("LPOS", "Index of elements equal to a given one.", group="list", since="6.0.6", flags="readonly", keys=FIRST,
         complexity="O(N)")
def lpos(ctx: Context, key: bytes, element: bytes, *options: bytes) -> Reply:
    found = Args(options).options((), {"RANK": _rank, "COUNT": _lpos_count, "MAXLEN": _lpos_maxlen})
    rank, count, limit = (option_number(found, name) for name in ("RANK", "COUNT", "MAXLEN"))
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


def option_number(found: dict[str, object], name: str) -> int | None:
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
