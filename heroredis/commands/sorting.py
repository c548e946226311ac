"""SORT and SORT_RO: elements of a list, set or sorted set in order, by themselves or by other keys."""

from __future__ import annotations

import math
from typing import Final

from heroredis.acl.checks import may_read_all
from heroredis.args import integer, read_bound
from heroredis.command import KeySpec, command
from heroredis.errors import RedisError, syntax, wrong_type
from heroredis.keyspace.change import GENERIC, LIST
from heroredis.reply import Reply
from heroredis.session.context import Context
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered, as_bytes
from heroredis.types.zset import SortedSet

NO_NUMBER: Final = b"ERR One or more scores can't be converted into double"
ARGUMENTS: Final = {b"LIMIT": 2, b"GET": 1, b"BY": 1}
"""How many words belong to an option."""
SELF: Final = b"#"


def _keys(argv: list[bytes]) -> list[int]:
    """The key, and the one behind the last STORE."""
    stored = 0
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        if word == b"STORE" and at + 1 < len(argv):
            stored = at + 1
        at += 1 + ARGUMENTS.get(word, 0)
    return [1, stored] if stored else [1]


def _only_first(argv: list[bytes]) -> list[int]:
    return [1]


class Order:
    """What is wanted: the options of SORT."""

    def __init__(self, ctx: Context, options: list[bytes], may_store: bool) -> None:
        self.descending = False
        self.alpha = False
        self.start = 0
        self.count = -1
        self.by = b""
        self.sorted = True
        self.gets: list[bytes] = []
        self.store: bytes | None = None
        at = 0
        while at < len(options):
            at += 1 + self._read(ctx, options[at].upper(), options[at + 1 :], may_store)

    def _read(self, ctx: Context, word: bytes, rest: list[bytes], may_store: bool) -> int:
        """One option; how many words it takes."""
        if word in (b"ASC", b"DESC"):
            self.descending = word == b"DESC"
            return 0
        if word == b"ALPHA":
            self.alpha = True
            return 0
        if word == b"LIMIT" and len(rest) >= 2:
            self.start, self.count = integer(rest[0]), integer(rest[1])
            return 2
        if word == b"STORE" and may_store and rest:
            self.store = rest[0]
        elif word == b"BY" and rest:
            self.by = rest[0]
            if b"*" in _as_c(self.by):
                _need_all_keys(ctx, b"BY")
            else:
                self.sorted = False
        elif word == b"GET" and rest:
            _need_all_keys(ctx, b"GET")
            self.gets.append(rest[0])
        else:
            raise syntax()
        return 1

    def window(self, size: int) -> tuple[int, int]:
        """The part that is asked for: first index and the one behind the last."""
        start = min(max(self.start, 0), size)
        return start, size if self.count < 0 else min(size, start + self.count)


def _as_c(text: bytes) -> bytes:
    """As far as C reads a text."""
    return text.partition(b"\0")[0]


def _need_all_keys(ctx: Context, option: bytes) -> None:
    """Patterns may name any key."""
    user = ctx.client.account
    if user is not None and not may_read_all(user):
        raise RedisError(b"ERR %b option of SORT denied due to insufficient ACL permissions." % option)


def _elements(ctx: Context, key: bytes, order: Order) -> list[bytes]:
    value = ctx.db.lookup(key)
    if value is None:
        return []
    if isinstance(value, List | SortedSet):
        return value.names()
    if not isinstance(value, Set):
        raise wrong_type()
    if not order.sorted and order.store is not None:
        # A set has no order; what is stored must be the same wherever it is run again.
        order.sorted = order.alpha = True
        order.by = b""
    return value.names()


def _lookup(ctx: Context, pattern: bytes, element: bytes) -> bytes | None:
    """The string, or the field of the hash, that a pattern names for an element."""
    if pattern == SELF:
        return element
    before, star, after = pattern.partition(b"*")
    if not star or b"\0" in before:
        return None
    name, arrow, field = after.partition(b"->")
    if not arrow or not field or field[0] == 0:
        name, field = after, b""
    value = ctx.db.lookup(before + element + name)
    if field:
        return value.fields.get(field) if isinstance(value, Hash) else None
    return as_bytes(value) if isinstance(value, bytes | int | bytearray | Rendered) else None


def _number(text: bytes) -> float:
    value = read_bound(text)
    if value is None or (math.isinf(value) and b"n" not in text.lower()):
        raise RedisError(NO_NUMBER)
    return value


def _by_weight(ctx: Context, elements: list[bytes], order: Order) -> list[bytes]:
    """Sorted by what the pattern names; what is missing counts as 0, or comes first among texts."""
    if order.alpha:
        texts = [_lookup(ctx, order.by, element) for element in elements]
        ranked = [(b"" if text is None else b"+" + text, at) for at, text in enumerate(texts)]
        ranked.sort(key=_first, reverse=order.descending)
        return [elements[at] for _, at in ranked]
    weighed: list[tuple[float, bytes]] = []
    for element in elements:
        text = _lookup(ctx, order.by, element)
        weighed.append((0.0 if text is None else _number(text), element))
    weighed.sort(reverse=order.descending)
    return [element for _, element in weighed]


def _first(ranked: tuple[bytes, int]) -> bytes:
    return ranked[0]


def _arranged(ctx: Context, elements: list[bytes], order: Order, is_set: bool) -> list[bytes]:
    if not order.sorted:
        if order.descending and not is_set:
            elements.reverse()
        return elements
    if order.by:
        return _by_weight(ctx, elements, order)
    if order.alpha:
        elements.sort(reverse=order.descending)
        return elements
    numbered = [(_number(element), element) for element in elements]
    numbered.sort(reverse=order.descending)
    return [element for _, element in numbered]


def _sort(ctx: Context, key: bytes, options: list[bytes], may_store: bool) -> Reply:
    order = Order(ctx, options, may_store)
    elements = _elements(ctx, key, order)
    is_set = isinstance(ctx.db.lookup(key), Set)
    start, stop = order.window(len(elements))
    chosen = _arranged(ctx, elements, order, is_set)[start:stop]
    if not order.gets:
        return list(chosen) if order.store is None else _stored(ctx, order.store, chosen)
    found = [_lookup(ctx, pattern, element) for element in chosen for pattern in order.gets]
    if order.store is None:
        return found
    return _stored(ctx, order.store, [b"" if text is None else text for text in found])


def _stored(ctx: Context, destination: bytes, elements: list[bytes]) -> int:
    db = ctx.db
    if elements:
        made = List()
        made.replace(elements)
        db.store(destination, made)
        db.changed(destination, "sortstore", LIST, len(elements))
    elif db.lookup(destination) is not None:
        db.remove(destination)
        db.changed(destination, "del", GENERIC)
    return len(elements)


@command("SORT", "The elements of a list, set or sorted set in order; stored when asked for.", group="generic",
         since="1.0.0", flags="write denyoom", keys=KeySpec(1, 1, 1, _keys), journal="stored",
         complexity="O(N+M*log(M)) in the elements and those returned")
def sort(ctx: Context, key: bytes, *options: bytes) -> Reply:
    return _sort(ctx, key, list(options), True)


@command("SORT_RO", "The elements of a list, set or sorted set in order.", group="generic", since="7.0.0",
         flags="readonly", keys=KeySpec(1, 1, 1, _only_first),
         complexity="O(N+M*log(M)) in the elements and those returned")
def sort_ro(ctx: Context, key: bytes, *options: bytes) -> Reply:
    return _sort(ctx, key, list(options), False)
