"""One file per Redis group. MODULES lists them: nothing registers itself."""

from __future__ import annotations

from typing import Final

from heroredis.commands import (
    admin,
    clients,
    configuration,
    connection,
    hashes,
    introspection,
    keys,
    lists,
    pubsub,
    strings,
    transactions,
)

MODULES: Final = (strings, lists, hashes, keys, transactions, pubsub, connection, clients, introspection, admin,
                  configuration)
