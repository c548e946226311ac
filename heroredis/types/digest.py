"""A digest of values that does not depend on how they are held or in which order they came: that of Redis, in 20 bytes.

What has an order is mixed in (each step hashes all that came before), what has none is added by exclusive or.
"""

from __future__ import annotations

import hashlib

from heroredis.types.base import Container
from heroredis.types.hash import Hash
from heroredis.types.list import List
from heroredis.types.set import Set
from heroredis.types.string import Rendered, as_bytes
from heroredis.types.zset import SortedSet

EMPTY = bytes(20)
_STRING, _LIST, _SET, _SORTED_SET, _HASH = range(5)


def added(digest: bytes, data: bytes) -> bytes:
    """Independent of order."""
    both = int.from_bytes(digest, "big") ^ int.from_bytes(hashlib.sha1(data, usedforsecurity=False).digest(), "big")
    return both.to_bytes(20, "big")


def mixed(digest: bytes, data: bytes) -> bytes:
    """Dependent on order."""
    return hashlib.sha1(added(digest, data), usedforsecurity=False).digest()


def of_value(value: object, expires: bool, digest: bytes = EMPTY) -> bytes:
    """The digest of a value, going on from that of its key where that counts. Of another type, the key's alone."""
    if isinstance(value, bytes | int | bytearray | Rendered):
        digest = mixed(_of_type(digest, _STRING), as_bytes(value))
    elif isinstance(value, Container):
        digest = _of_container(value, digest)
    return added(digest, b"!!expire!!") if expires else digest


def _of_type(digest: bytes, kind: int) -> bytes:
    return mixed(digest, kind.to_bytes(4, "big"))


def _of_container(value: Container, digest: bytes) -> bytes:
    if isinstance(value, List):
        digest = _of_type(digest, _LIST)
        for item in value.to_list():
            digest = mixed(digest, item)
    elif isinstance(value, Set):
        digest = _of_type(digest, _SET)
        for member in value.members:
            digest = added(digest, member)
    elif isinstance(value, SortedSet):
        digest = _of_type(digest, _SORTED_SET)
        for member, score in value.scores.items():
            digest = added(digest, mixed(mixed(EMPTY, member), b"%.17g" % score))
    elif isinstance(value, Hash):
        digest = _of_type(digest, _HASH)
        for field, text in value.fields.items():
            digest = added(digest, mixed(mixed(EMPTY, field), text))
    return digest


def of_database(index: int, keys: list[tuple[bytes, object, bool]], digest: bytes) -> bytes:
    """A database's keys (name, value, whether it expires) put into the digest of all; nothing when it has none."""
    if not keys:
        return digest
    digest = mixed(digest, index.to_bytes(4, "big"))
    for key, value, expires in keys:
        digest = added(digest, of_value(value, expires, mixed(EMPTY, key)))
    return digest
