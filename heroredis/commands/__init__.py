"""One file per Redis group. MODULES lists them: nothing registers itself."""

from __future__ import annotations

from typing import Final

from heroredis.commands import (
    acl,
    admin,
    bitmaps,
    clients,
    configuration,
    connection,
    hashes,
    introspection,
    keys,
    lists,
    pubsub,
    similar,
    strings,
    transactions,
)

MODULES: Final = (
    strings,
    similar,
    bitmaps,
    lists,
    hashes,
    keys,
    transactions,
    pubsub,
    connection,
    clients,
    introspection,
    admin,
    configuration,
    acl,
)
