"""The x87 long double that INCRBYFLOAT and HINCRBYFLOAT calculate with: 64 bits of mantissa, 17 decimals shown.

Emulated exactly with fractions, so that sums read the same as a real server's on x86-64.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

_MANTISSA: Final = 64
_LONGEST: Final = 5 * 1024
_NUMBER: Final = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?0*\d{1,4})?")
_HEX: Final = re.compile(rb"([+-]?)0[xX](?=\.?[0-9a-fA-F])([0-9a-fA-F]*)\.?([0-9a-fA-F]*)([pP]([+-]?0*\d{1,5}))?")
_INFINITY: Final = re.compile(rb"[+-]?inf(inity)?", re.IGNORECASE)
_LIMIT: Final = Fraction(2) ** 16384
"""Stands for infinity too."""
_LEAST: Final = 1 / Fraction(2) ** 16446  # not folded into one literal: mypyc crashes on a number of so many digits


def read(text: bytes) -> Fraction | None:
    """The number nearest to a text, as strtold reads it; None when it is none (also for nan) or out of range."""
    if len(text) >= _LONGEST:
        return None
    if _NUMBER.fullmatch(text) is not None:
        exact = Fraction(Decimal(text.decode()))  # by way of Decimal, which takes any number of digits
    elif _INFINITY.fullmatch(text) is not None:
        return -_LIMIT if text[:1] == b"-" else _LIMIT
    else:
        found = _HEX.fullmatch(text)
        if found is None:
            return None
        sign, whole, part, _, power = found.groups()
        exact = Fraction(int(whole + part, 16)) / 16 ** len(part) * Fraction(2) ** int(power or b"0")
        exact = -exact if sign == b"-" else exact
    value = rounded(exact)
    return value if is_finite(value) and (value == 0 or abs(value) > _LEAST) else None


def is_finite(value: Fraction) -> bool:
    return abs(value) < _LIMIT


def total(one: Fraction, two: Fraction) -> Fraction | None:
    """The sum; None when it is infinite or none."""
    if not is_finite(one) or not is_finite(two):
        return None
    value = rounded(one + two)
    return value if is_finite(value) else None


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
    shown_whole = f"{Decimal(whole):f}"
    return f"{sign}{shown_whole}.{decimals}".encode() if decimals else f"{sign}{shown_whole}".encode()
