"""What DEBUG shows of the inside of a server, and its reload of all values through their RDB form."""

from __future__ import annotations

from typing import Final

from heroredis.errors import RedisError
from heroredis.keyspace.space import Space
from heroredis.rdb.payload import unwrap, wrap
from heroredis.rdb.writer import Unsupported, quicklist_nodes
from heroredis.reply import Double, Encoded, Push, Reply, SetOf, Several, Verbatim
from heroredis.session.core import Core
from heroredis.session.keeper import NOT_KEPT
from heroredis.types.list import List

TYPES: Final = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
_BIG: Final = b"1234567999999999999999999999999999999"
_ATTRIBUTE: Final = b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
_BEHIND_ATTRIBUTE: Final = b"Some real reply following the attribute"


def dictionary(size: int) -> bytes:
    """A table of so many entries in Redis's words. Here no chains are formed: each entry has its own place."""
    head = b"Hash table 0 stats (main hash table):\n"
    if size == 0:
        return head + b"No stats available for empty dictionaries\n"
    room = max(4, 1 << (size - 1).bit_length())
    free = room - size
    return head + (
        f" table size: {room}\n number of elements: {size}\n different slots: {size}\n max chain length: 1\n"
        " avg chain length (counted): 1.00\n avg chain length (computed): 1.00\n Chain length distribution:\n"
        f"   0: {free} ({100 * free / room:.2f}%)\n   1: {size} ({100 * size / room:.2f}%)\n").encode()


def room_for(text: bytes) -> int:
    """What an allocator gives for a string: in steps of eight bytes."""
    return -(-(len(text) + 2) // 8) * 8


def list_nodes(value: List, list_size: int) -> tuple[int, int]:
    """How many nodes Redis would have for a list, and how many bytes in them."""
    nodes = quicklist_nodes(value.to_list(), list_size)
    return len(nodes), sum(len(node) for node in nodes)


def protocol_example(kind: bytes, resp: int) -> Reply:
    """A value of each type of the protocol, for tests of clients."""
    three: list[object] = [0, 1, 2]
    examples: dict[bytes, Reply] = {
        b"string": b"Hello World", b"integer": 12345, b"double": Double(3.141), b"null": None, b"array": three,
        b"set": SetOf(three), b"map": {0: False, 1: True, 2: False}, b"true": True, b"false": False,
        b"verbatim": Verbatim(b"This is a verbatim\nstring"),
        b"bignum": _BIG if resp == 2 else Encoded(b"(%b\r\n" % _BIG),
        b"attrib": _BEHIND_ATTRIBUTE if resp == 2 else Several([Encoded(_ATTRIBUTE), _BEHIND_ATTRIBUTE]),
        b"push": Several([Push([b"server-cpu-usage", 42]), b"Some real reply following the push reply"]),
    }
    if kind not in examples:
        raise RedisError(f"ERR Wrong protocol type name. Please use one of the following: {TYPES}".encode())
    if kind == b"push" and resp == 2:
        raise RedisError(b"ERR RESP2 is not supported by this command")
    return examples[kind]


def reload(core: Core, save: bool, flush: bool) -> None:
    """Write everything and read it again: from disk where keys are kept there, else in memory."""
    if flush:
        try:
            core.keeper.reload(save, flush)
        except RedisError as error:
            if error.message != NOT_KEPT:
                raise
        else:
            return
    if not save:
        raise RedisError(b"ERR Error trying to load the RDB dump")
    pass_through(core.space)  # what comes back over what is there leaves the same keys


def pass_through(space: Space) -> None:
    """Make every value anew from its RDB form; those of extensions and of types without such a form stay."""
    for db in space.databases:
        for key, value in list(db.data.items()):
            if db.is_owned(key) or db.expire_if_due(key):
                continue
            try:
                anew = unwrap(wrap(value, space.limits.list_size))
            except Unsupported:
                continue
            space.limits.settle(anew)
            db.data[key] = anew
