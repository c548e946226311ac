"""What an orderly stop leaves to the next start, so that it need not look at jobs that have ended: their numbers, the
keys that are held, and which records the start has to read. Derived from the store, whose exact end it names; where it
does not fit, or is damaged or missing, the start reads everything."""

from __future__ import annotations

import logging
import os
import zlib
from pathlib import Path
from typing import Final

import msgspec

logger = logging.getLogger("heroredis.jobs")
FORMAT: Final = 2


class Handover(msgspec.Struct, frozen=True, array_like=True):
    format: int = FORMAT
    mark: bytes = b""
    """Where the store ended."""
    ended: list[tuple[str, int, int]] = []
    """Topic, jobs that are done, jobs that are error."""
    kept: list[int] = []
    """Records of live jobs and of notes, upwards."""
    unique: list[tuple[str, bytes, int, int]] = []
    """Topic, key, job, until when."""
    same: list[tuple[bytes, int, int, str, int, int]] = []
    """Idempotency key, job, until when, topic, record of the key, jobs made under it."""


def save(path: Path, made: Handover) -> None:
    """OSError when the disk refuses; there is no file then, or the old one, which fits no longer."""
    body = msgspec.msgpack.encode(made)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(zlib.crc32(body).to_bytes(4, "little") + body)
    os.replace(temporary, path)


def load(path: Path, mark: bytes) -> Handover | None:
    """What was saved when the store ended at `mark`."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = data[4:]
    try:
        if zlib.crc32(body).to_bytes(4, "little") != data[:4]:
            raise ValueError("wrong checksum")
        found = msgspec.msgpack.decode(body, type=Handover)
    except (ValueError, msgspec.MsgspecError) as error:
        logger.warning("%s cannot be used, all jobs are read: %s", path, error)
        return None
    return found if (found.format, found.mark) == (FORMAT, mark) else None
