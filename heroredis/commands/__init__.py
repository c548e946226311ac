"""One file per Redis group. MODULES lists them: nothing registers itself."""

from __future__ import annotations

from typing import Final

from heroredis.commands import (
    admin,
    clients,
    connection,
    hashes,
    introspection,
    keys,
    lists,
    strings,
    transactions,
)

MODULES: Final = (strings, lists, hashes, keys, transactions, connection, clients, introspection, admin)
