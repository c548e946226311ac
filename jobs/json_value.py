"""A value of a Python program as JSON: params, results and metadata that are not given as text or bytes."""

from __future__ import annotations

import math

import msgspec


def json_bytes(value: object) -> bytes:
    """TypeError for what JSON cannot hold, ValueError for NaN and infinite numbers, which would become null."""
    encoded = msgspec.json.encode(value)
    if b"null" in encoded and _is_lossy(msgspec.to_builtins(value)):
        raise ValueError("NaN and infinite numbers cannot be kept, JSON has none")
    return encoded


def _is_lossy(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_is_lossy(one) for one in value.values())
    return isinstance(value, list | tuple) and any(_is_lossy(one) for one in value)
