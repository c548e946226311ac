"""The keyspace as it was at one moment, written out piece by piece while it is in use.

The dictionaries are copied at that moment; the values are shared with the keyspace. Values that change in place are
copied before the first write to them, which the journal announces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from heroredis.keyspace.database import Value
from heroredis.keyspace.journal import Copying
from heroredis.keyspace.space import Space
from heroredis.persistence.wire import expiry_request, requests_for, wire
from heroredis.types.base import Container

PIECE: Final = 64 * 1024
REQUESTS: Final = 1000


class Snapshot(Copying):
    """Keys that belong to extensions are left out."""

    def __init__(self, space: Space) -> None:
        self._space: Final = space
        self._views: Final[list[dict[bytes, Value | None]]] = [
            dict(database.data) for database in space.databases]
        self._expires: Final = [database.expires.copy() for database in space.databases]
        self._view_of: Final = list(range(len(self._views)))
        """By the present number of a database: which view its values were in; SWAPDB exchanges them."""
        self.keys = sum(len(view) for view in self._views)
        self.done = 0

    def before_write(self, database: int, key: bytes) -> None:
        view = self._views[self._view_of[database]]
        value = view.get(key)
        if value is None or value is not self._space.databases[database].data.get(key):
            return
        if isinstance(value, Container):
            view[key] = value.copy()
        elif isinstance(value, bytearray):
            view[key] = bytes(value)

    def swapped(self, one: int, two: int) -> None:
        views = self._view_of
        views[one], views[two] = views[two], views[one]

    def pieces(self) -> Iterator[bytes]:
        """The requests that make everything, some tens of kilobytes at a time."""
        requests: list[list[bytes]] = []
        size = 0
        for request in self.requests():
            requests.append(request)
            size += len(request[-1])
            if size >= PIECE or len(requests) >= REQUESTS:
                yield wire(requests)
                requests = []
                size = 0
        if requests:
            yield wire(requests)

    def requests(self) -> Iterator[list[bytes]]:
        for index, view in enumerate(self._views):
            database = self._space.databases[index]
            expires = self._expires[index]
            selected = False
            for key in view:
                self.done += 1
                if database.is_owned(key):
                    continue
                if not selected:
                    selected = True
                    yield [b"SELECT", b"%d" % index]
                value = view[key]
                if value is None:
                    continue
                view[key] = None  # written from here on: a later write needs no copy
                yield from requests_for(key, value)
                at = expires.get(key)
                if at is not None:
                    yield expiry_request(key, at)
