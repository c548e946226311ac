"""How many files the system lets the process have open, and whether that is enough for the clients asked for."""

from __future__ import annotations

import resource
from typing import Final

RESERVED: Final = 32
"""Descriptors for everything that is no client."""


def no_room_for(clients: int) -> str:
    """Raise the limit so that `clients` fit; an empty text when they do, else why not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = clients + RESERVED
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return ""
    try:
        limit = hard if hard == resource.RLIM_INFINITY else max(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, limit))
    except (OSError, ValueError):
        if hard != resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        if needed > soft:
            return ("The operating system is not able to handle the specified number of clients, try with "
                    f"{soft - RESERVED}")
    return ""
