"""The x87 long double that INCRBYFLOAT and HINCRBYFLOAT calculate with: 64 bits of mantissa, 17 decimals shown.

Emulated exactly with fractions, so that sums read the same as a real server's on x86-64.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_MANTISSA: Final = 64
_NUMBER: Final = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
_LIMIT: Final = Fraction(2) ** 16384


def read(text: bytes) -> Fraction | None:
    """The number nearest to a decimal text; None when it is none (also for inf and nan) or too large."""
    if len(text) > 256 or _NUMBER.fullmatch(text) is None:
        return None
    value = rounded(Fraction(text.decode()))
    return value if abs(value) < _LIMIT else None


def rounded(value: Fraction) -> Fraction:
    """Round to 64 significant bits, ties to even."""
    if value == 0:
        return value
    magnitude = abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    scale = Fraction(2) ** (_MANTISSA - 1 - exponent)
    return Fraction(round(value * scale)) / scale


def shown(value: Fraction) -> bytes:
    """Fixed notation with up to 17 decimals, trailing zeros dropped."""
    scaled = round(value * 10**17)
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**17)
    decimals = f"{part:017d}".rstrip("0")
    return f"{sign}{whole}.{decimals}".encode() if decimals else f"{sign}{whole}".encode()
