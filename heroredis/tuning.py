"""How a server treats its memory: what lives as long as the process is not looked at again and again by the garbage
collector, and what was needed for a while only is given back."""

from __future__ import annotations

import ctypes
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


def give_back() -> bool:
    """Memory that lies free goes back to the system; the C library keeps it otherwise while something behind it is in
    use. For after a large piece of work, not on the loop: it takes milliseconds. Whether there was any (glibc only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and trim(0) == 1
