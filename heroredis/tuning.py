"""How the garbage collector treats a server: what lives as long as the process is not looked at again and again."""

from __future__ import annotations

import gc
from typing import Final

GENERATION_0: Final = 200_000
GENERATION_1: Final = 50
GENERATION_2: Final = 1000


def settle() -> None:
    """Call once when everything is started. A program that embeds the server decides for itself whether it wants it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GENERATION_0, GENERATION_1, GENERATION_2)
