"""CRC-32 as zlib computes it; by the processor's own instructions where the package isal is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


def _fastest() -> Callable[..., int]:
    try:
        from isal import isal_zlib  # three to five times faster; without it all works the same
    except ImportError:
        import zlib
        return zlib.crc32
    return isal_zlib.crc32


crc32: Final = _fastest()
