"""How many files the system lets the process have open, and whether that is enough for the clients asked for."""

from __future__ import annotations

import resource
from typing import Final

RESERVED: Final = 32
"""Descriptors for everything that is no client."""


def room_for(clients: int) -> int:
    """Raise the limit so that `clients` fit; how many fit, at most that many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = clients + RESERVED
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return clients
    try:
        limit = hard if hard == resource.RLIM_INFINITY else max(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, limit))
    except (OSError, ValueError):
        if hard != resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        return min(clients, soft - RESERVED)
    return clients
