"""Reading append-only files: every request is handed on in order; a torn end is cut, damage is refused with its place.

hiredis reads the requests behind the same guard as those of clients, so that a damaged length cannot take all memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import hiredis
from mypy_extensions import mypyc_attr

from heroredis.errors import ProtocolError
from heroredis.framing import MAX_ARGUMENTS, Framing
from heroredis.persistence.files import File, Files
from heroredis.persistence.manifest import Part
from heroredis.protocol import NOT_ENOUGH

BAD_FORMAT: Final = "Bad file format reading the append only file"
UNEXPECTED_END: Final = "Unexpected end of file reading the append only file"
"""Redis's words begin the message, because people and tools look for them."""
SLICE: Final = 32 * 1024
LARGEST_BULK: Final = (1 << 40)
LEAST_ARGUMENT: Final = 6
"""Bytes: `$0` and two line ends. Redis has taken requests that a client could not send to us."""
NEWLINE: Final = 10
HASH_SIGN: Final = 35
STAR: Final = 42
RDB_MAGIC: Final = b"REDIS"
logger = logging.getLogger("heroredis")


class RecoveryError(Exception):
    """The append-only files cannot be loaded; the text names the file, the place and what can be done."""


class NotApplicable(Exception):
    """It cannot be known what a request means."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Applier:
    """Base of who is handed the requests."""

    def begin_file(self) -> None:
        """The requests of another file follow."""

    def begin_slice(self) -> None:
        """Requests follow without a pause."""

    def apply(self, argv: list[bytes]) -> None:
        """Do it; NotApplicable when it cannot be known what it means."""
        raise NotImplementedError

    def is_inside_transaction(self) -> bool:
        """Whether a MULTI waits for its EXEC."""
        return False

    def abandon(self) -> None:
        """The transaction that was begun will not be completed."""

    def end(self) -> None:
        """No more requests follow."""


class Reading:
    """One file on its way through the parser. `safe` is the last place known to be between two requests and outside
    of a transaction, `count` how many requests came since."""

    def __init__(self, file: File, name: str, applier: Applier) -> None:
        self.file: Final = file
        self.name: Final = name
        self.size: Final = file.size()
        self.at = 0
        self.safe = 0
        self.count = 0
        self._applier: Final = applier
        self._framing: Final = Framing(LARGEST_BULK, LARGEST_BULK)
        self._framing.max_arguments = max(MAX_ARGUMENTS, self.size // LEAST_ARGUMENT)
        self._reader = hiredis.Reader(notEnoughData=NOT_ENOUGH)
        self._in_comment = False

    def step(self) -> None:
        """Read and apply one slice."""
        data = self.file.read(min(SLICE, self.size - self.at), self.at)
        if not data:
            raise RecoveryError(f"{self.name} ends at offset {self.at}, before its size")
        self._applier.begin_slice()
        at = 0
        while at < len(data):
            if self._in_comment:
                stop = data.find(b"\n", at) + 1
                self._in_comment = stop == 0
                at = stop or len(data)
                if not self._in_comment:
                    self._settle(at)
            else:
                at = self._follow(data, at)
        self.at += len(data)

    def _follow(self, data: bytes, at: int) -> int:
        framing = self._framing
        try:
            stop = framing.walk(data, at, len(data))
            while stop < len(data) and data[stop] == STAR and framing.is_between_frames():
                stop = framing.walk(data, stop, len(data))
        except ProtocolError as error:
            raise self._damaged(error.reason) from None
        if stop > at:
            self._feed(data[at:stop])
            if framing.whole > at or framing.is_between_frames():
                self._settle(framing.whole if framing.whole > at else stop)
        if stop < len(data):
            if data[stop] != HASH_SIGN:
                raise self._damaged(f"expected '*', got {data[stop : stop + 1]!r}")
            self._in_comment = True
        return stop

    def _settle(self, at: int) -> None:
        """`at` in the present slice is between two requests."""
        if not self._applier.is_inside_transaction():
            self.safe = self.at + at
            self.count = 0

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        applier = self._applier
        try:
            reader.feed(data)
            argv = reader.gets()
            while argv is not NOT_ENOUGH:
                if not isinstance(argv, list) or not argv:
                    raise self._damaged("an empty request")
                applier.apply(argv)
                self.count += 1
                argv = reader.gets()
        except (hiredis.HiredisError, ValueError, TypeError, MemoryError):
            raise self._damaged("it is no request") from None
        except NotApplicable as error:
            raise RecoveryError(f"{self.name} at offset {self._place(self.count)}: {error}") from None

    def _damaged(self, reason: str) -> RecoveryError:
        return RecoveryError(f"{BAD_FORMAT}: {self.name} is damaged at offset {self._place(-1)}: {reason}; make a copy "
                             "of the folder, then try redis-check-aof --fix, which cuts everything from there")

    def _place(self, skip: int) -> int:
        """Where the request stands that comes `skip` requests behind `safe`; -1 = the first that is not whole."""
        place = self.safe
        for start, end, _ in whole_requests(self._rest()):
            if skip == 0:
                return self.safe + start
            skip -= 1
            place = self.safe + end
        return place

    def _rest(self) -> bytes:
        return self.file.read(self.size - self.safe, self.safe)

    def is_whole(self) -> bool:
        """Whether the file ends between two requests, outside of a transaction."""
        return self._framing.is_between_frames() and not self._in_comment and not self._applier.is_inside_transaction()

    def end(self) -> int:
        """Where the last whole request ends; before MULTI when its EXEC is missing."""
        end = self.safe
        inside = False
        for _, stop, name in whole_requests(self._rest()):
            if name == b"MULTI":
                inside = True
            elif name == b"EXEC":
                inside = False
            if not inside:
                end = self.safe + stop
        return end


def whole_requests(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Start, end and upper-case name of each whole request, up to the first that is not. Exact and slow."""
    at = 0
    while at < len(data):
        if data[at] == HASH_SIGN:
            at = data.find(b"\n", at) + 1
            if at == 0:
                return
            continue
        start = at
        name = b""
        left, at = _header(data, at, b"*")
        if left <= 0:
            return
        for index in range(left):
            size, at = _header(data, at, b"$")
            if size < 0 or at + size + 2 > len(data):
                return
            if index == 0:
                name = data[at : at + size].upper()
            at += size + 2
        yield start, at, name


def _header(data: bytes, at: int, marker: bytes) -> tuple[int, int]:
    """The number in a header line and the index behind it; -1 when there is none."""
    stop = data.find(b"\r\n", at, at + 32)
    if stop <= at or data[at : at + 1] != marker:
        return -1, at
    digits = data[at + 1 : stop]
    return (int(digits), stop + 2) if digits.isdigit() else (-1, at)


class Recovery:
    """All files of a manifest in their order. `steps` is run to its end, with pauses as the caller likes."""

    def __init__(self, files: Files, parts: list[Part], applier: Applier, may_cut: bool) -> None:
        self._files: Final = files
        self._parts: Final = parts
        self._applier: Final = applier
        self._may_cut: Final = may_cut
        self._sizes: Final[list[int]] = []
        self.total = 0
        self.loaded = 0

    def measure(self) -> int:
        """Bytes to load. Raises RecoveryError for a file that is missing or not ours to read."""
        names = set(self._files.names())
        for part in self._parts:
            if part.name not in names:
                raise RecoveryError(f"{part.name} is named in the manifest but is not there")
            file = self._files.open(part.name)
            try:
                self._sizes.append(file.size())
                if file.read(len(RDB_MAGIC), 0) == RDB_MAGIC:
                    raise RecoveryError(f"{part.name} begins with an RDB preamble, which cannot be read; on the server "
                                        "that wrote it: CONFIG SET aof-use-rdb-preamble no, then BGREWRITEAOF")
            finally:
                file.close()
        self.total = sum(self._sizes)
        return self.total

    def steps(self) -> Iterator[None]:
        for index, part in enumerate(self._parts):
            file = self._files.open(part.name, write=True)
            try:
                self._applier.begin_file()
                reading = Reading(file, part.name, self._applier)
                before = self.loaded
                while reading.at < reading.size:
                    reading.step()
                    self.loaded = before + reading.at
                    yield
                if not reading.is_whole():
                    self._applier.abandon()
                    self._cut(reading, file, any(self._sizes[index + 1 :]))
            finally:
                file.close()
        self._applier.end()

    def _cut(self, reading: Reading, file: File, more_follow: bool) -> None:
        end = reading.end()
        what = f"{reading.name} ends in the middle of a command or transaction that begins at offset {end}"
        if more_follow:
            raise RecoveryError(f"{UNEXPECTED_END}: {what}, though further files follow it; it is damaged")
        if not self._may_cut:
            raise RecoveryError(f"{UNEXPECTED_END}: {what}; set aof-load-truncated to yes to cut it there, or use "
                                "redis-check-aof --fix")
        logger.warning("%s; the %d bytes from there are cut off", what, reading.size - end)
        file.truncate(end)
        file.sync()
