"""The record of a job as bytes: what msgspec would write, in less than half the time.

The record is MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), an array of all fields in the order
of JobRecord. Most texts of a job repeat themselves from job to job, and are packed once.
"""

from __future__ import annotations

from typing import Final

import msgspec
from librt.strings import BytesWriter, write_i16_be, write_i32_be, write_i64_be
from mypy_extensions import i16, i32, i64, u8

from jobs.job import Job
from jobs.job_record import NAMES, NO_MORE

HEAD: Final = b"\xdc" + len(NAMES).to_bytes(2, "big")
NOTHING: Final = b"\xc0"
NO_OUTCOME: Final = b"\xc0\xc0\xc0"
NO_TEXT: Final = 0xA0
NO_TAGS: Final = b"\x90"
MOST: Final = 4096
"""Texts that are remembered."""
_REST: Final = msgspec.msgpack.Encoder()


class Packer:
    """Makes records, one at a time: not for several threads."""

    def __init__(self) -> None:
        self._out: Final = BytesWriter()
        self._texts: Final[dict[str, bytes]] = {}

    def pack(self, job: Job) -> bytes:
        out = self._out
        out.truncate(0)
        out.write(HEAD)
        put_integer(out, job.format)
        put_integer(out, job.job_id)
        self._put_text(job.topic)
        self._put_text(job.state)
        self._put_text(job.reason)
        put_bytes(out, job.params)
        if job.result is None and job.error is None and job.traceback is None:
            out.write(NO_OUTCOME)
        else:
            put_optional(out, job.result)
            put_optional(out, job.error)
            put_optional(out, job.traceback)
        put_integer(out, job.attempts)
        put_integer(out, job.max_attempts)
        put_integer(out, job.priority)
        put_integer(out, job.created_at)
        put_integer(out, job.run_at)
        put_integer(out, job.started_at)
        put_integer(out, job.ended_at)
        self._put_text(job.worker)
        out.write(_REST.encode(job.tags) if job.tags else NO_TAGS)
        put_integer(out, job.version)
        put_integer(out, job.at)
        self._put_text(job.by)
        if job.token:
            put_text(out, job.token.encode())  # no two are alike
        else:
            out.append(NO_TEXT)
        put_integer(out, job.lease_until)
        put_integer(out, job.losses)
        put_integer(out, job.timeout_ms)
        self._put_text(job.backoff)
        if job.extra is None and not job.meta:
            out.write(NO_MORE)
        else:
            put_bytes(out, job.meta)
            out.write(NOTHING if job.extra is None else _REST.encode(job.extra))
        return out.getvalue()

    def _put_text(self, text: str) -> None:
        out = self._out
        if not text:
            out.append(NO_TEXT)
            return
        packed = self._texts.get(text)
        if packed is None:
            if len(self._texts) >= MOST:
                self._texts.clear()
            packed = self._texts[text] = packed_text(text)
        out.write(packed)


def packed_text(text: str) -> bytes:
    out = BytesWriter()
    put_text(out, text.encode())
    return out.getvalue()


def put_text(out: BytesWriter, data: bytes) -> None:
    size: i64 = len(data)
    if size < 1 << 5:
        out.append(u8(0xA0 | size))
    else:
        put_size(out, 0xD9, size)
    out.write(data)


def put_bytes(out: BytesWriter, data: bytes) -> None:
    put_size(out, 0xC4, len(data))
    out.write(data)


def put_size(out: BytesWriter, kind: i64, size: i64) -> None:
    """`kind` is followed by a size of one byte, the next kind by one of two, the one after it by four."""
    if size < 1 << 8:
        out.append(u8(kind))
        out.append(u8(size))
    elif size < 1 << 16:
        out.append(u8(kind + 1))
        write_i16_be(out, i16(size if size < 1 << 15 else size - (1 << 16)))
    else:
        out.append(u8(kind + 2))
        write_i32_be(out, i32(size))


def put_optional(out: BytesWriter, data: bytes | None) -> None:
    if data is None:
        out.append(0xC0)
    else:
        put_bytes(out, data)


def put_integer(out: BytesWriter, value: i64) -> None:
    """The shortest form. Larger numbers than 63 bits are an OverflowError."""
    if 0 <= value < 1 << 7:
        out.append(u8(value))
    elif value < 0:
        _put_negative(out, value)
    elif value < 1 << 8:
        out.append(0xCC)
        out.append(u8(value))
    elif value < 1 << 16:
        out.append(0xCD)
        write_i16_be(out, i16(value if value < 1 << 15 else value - (1 << 16)))
    elif value < 1 << 32:
        out.append(0xCE)
        write_i32_be(out, i32(value if value < 1 << 31 else value - (1 << 32)))
    else:
        out.append(0xCF)
        write_i64_be(out, value)


def _put_negative(out: BytesWriter, value: i64) -> None:
    if value >= -(1 << 5):
        out.append(u8(256 + value))
    elif value >= -(1 << 7):
        out.append(0xD0)
        out.append(u8(256 + value))
    elif value >= -(1 << 15):
        out.append(0xD1)
        write_i16_be(out, i16(value))
    elif value >= -(1 << 31):
        out.append(0xD2)
        write_i32_be(out, i32(value))
    else:
        out.append(0xD3)
        write_i64_be(out, value)
