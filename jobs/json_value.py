"""A value of a Python program as JSON: params, results and metadata that are not given as text or bytes."""

from __future__ import annotations

import math

import msgspec


def json_bytes(value: object) -> bytes:
    """TypeError for what JSON cannot hold, ValueError for NaN and infinite numbers, which would become null, and for
    what contains itself. Models of pydantic are what their `model_dump` says."""
    try:
        encoded = msgspec.json.encode(value, enc_hook=_dumped)
    except RecursionError:
        raise ValueError("what contains itself, or is nested too deeply, cannot be kept") from None
    if b"null" in encoded and _is_lossy(msgspec.to_builtins(value, enc_hook=_dumped)):
        raise ValueError("NaN and infinite numbers cannot be kept, JSON has none")
    return encoded


def _dumped(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return dump(mode="json")
    raise TypeError(f"{type(value).__name__} is nothing that JSON can hold: give a dataclass, a model, or plain values")


def _is_lossy(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_is_lossy(one) for one in value.values())
    return isinstance(value, list | tuple) and any(_is_lossy(one) for one in value)
