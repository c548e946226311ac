"""Strings are held as bytes, as int (counters), as bytearray (appended to), or rendered when somebody reads them."""

from __future__ import annotations

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Rendered:
    """A read-only string that is made when read, such as the JSON of a job."""

    def render(self) -> bytes:
        raise NotImplementedError


def as_bytes(value: bytes | int | bytearray | Rendered) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, bytearray):
        return bytes(value)
    return value.render()
