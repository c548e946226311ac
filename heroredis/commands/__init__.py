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
    debug,
    dumps,
    hashes,
    inside,
    introspection,
    keys,
    lists,
    memory,
    monitoring,
    pubsub,
    saving,
    set_algebra,
    sets,
    similar,
    strings,
    transactions,
    zranges,
    zsets,
)

MODULES: Final = (
    strings,
    similar,
    bitmaps,
    lists,
    hashes,
    sets,
    set_algebra,
    zsets,
    zranges,
    keys,
    inside,
    dumps,
    transactions,
    pubsub,
    connection,
    clients,
    introspection,
    monitoring,
    admin,
    saving,
    configuration,
    acl,
    debug,
    memory,
)
