"""Which form runs: hot modules compiled by mypyc, or plain Python."""

from __future__ import annotations

import heroredis.protocol


def is_compiled() -> bool:
    """Whether the modules of the hot path are compiled."""
    return not heroredis.protocol.__file__.endswith(".py")
