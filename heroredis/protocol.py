"""Requests on the wire: RESP arrays, and inline lines.

A request that is all there and has short headers, as nearly all have, is read in one pass. One that comes in pieces
is read by hiredis behind an exact guard: hiredis would honour hostile headers, so nothing reaches it before this file
knows that every header is within the limits. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
It knows neither commands nor sockets.
"""

from __future__ import annotations

from typing import Final

import hiredis
from mypy_extensions import i64

from heroredis.errors import ProtocolError
from heroredis.framing import CR, DOLLAR, LF, MAX_ARGUMENTS, STAR, ZERO, Framing
from heroredis.inline import split_line

SLICE: Final = 32 * 1024
INLINE_LIMIT: Final = 64 * 1024
REMEMBERED: Final = 64
"""Longest inline request that is looked for again."""
LARGE_FRAME: Final = 1024 * 1024
SHORT: Final = 7
"""Digits of a header up to which a request is read in one pass."""
NOT_ENOUGH: Final = object()


class RequestReader:
    """Turns received bytes into requests (lists of byte strings), in order.

    `feed` never fails; `read` answers a request, None when more bytes are needed, or raises ProtocolError, after
    which the reader is dead.
    """

    def __init__(self, max_bulk: int = 512 * 1024 * 1024, max_frame: int = 1024 * 1024 * 1024) -> None:
        self.framing: Final = Framing(max_bulk, max_frame)
        self._input = b""
        self._at = 0
        self._hot = False
        self._failure: ProtocolError | None = None
        self._returned: list[bytes] | None = None
        self._returned_hot = False
        self._line = b""
        """The last inline request, with its end, and its words."""
        self._words: list[bytes] = []
        self._held_large = False
        self._hiredis = hiredis.Reader(notEnoughData=NOT_ENOUGH)
        self._gets = self._hiredis.gets
        self._feed = self._hiredis.feed

    def set_authenticated(self, authenticated: bool) -> None:
        """Before authentication the limits are small: 10 arguments, 16 KiB an argument, 64 KiB a request."""
        self.framing.authenticated = authenticated

    def feed(self, data: bytes) -> None:
        if self._at >= len(self._input):
            self._input = data
        else:
            self._input = self._input[self._at :] + data
        self._at = 0

    def buffered(self) -> int:
        """Bytes received and not yet handed out."""
        return len(self._input) - self._at + self.framing.frame_bytes

    def unfinished(self) -> tuple[int, int, int]:
        """Of the argument that is not all there: what has come, and what is still to come; and the largest request."""
        framing = self.framing
        return framing.bulk - framing.skip if framing.skip else 0, framing.skip, framing.largest

    def forget_largest(self) -> None:
        """What was large some time ago is of no account any more."""
        self.framing.largest = 0

    def unread(self, request: list[bytes]) -> None:
        """The next `read` hands out this request again."""
        self._returned = request
        self._returned_hot = self._hot
        self._hot = False

    def read(self) -> list[bytes] | None:
        while True:
            if self._hot:
                frame = self._next_frame()
                if frame is not None:
                    return frame
            elif self._returned is not None:
                frame = self._returned
                self._returned = None
                self._hot = self._returned_hot
                return frame
            elif self._failure is not None:
                raise self._failure
            elif self._at >= len(self._input):
                return None
            elif not self.framing.is_between_frames():
                self._take_slice()
            elif self._input[self._at] == STAR:
                request = self._whole_request(self._input, self._at)
                if request is not None:
                    return request
                self._take_slice()
            else:
                line = self._take_line()
                if line is None:
                    return None
                if line:
                    return line

    def _whole_request(self, data: bytes, at: i64) -> list[bytes] | None:
        """The request that begins at `at`, in one pass; None when it is not all there, or anything about it is not as
        usual: then it goes the careful way."""
        framing = self.framing
        if not framing.authenticated:
            return None
        end: i64 = len(data)
        max_bulk: i64 = framing.max_bulk
        count: i64 = 0
        at += 1
        first: i64 = at
        stop: i64 = at + SHORT
        while at < end and at < stop and ZERO <= data[at] <= ZERO + 9:
            count = count * 10 + data[at] - ZERO
            at += 1
        if at + 2 > end or data[at] != CR or data[at + 1] != LF or count == 0 or count > MAX_ARGUMENTS:
            return None
        if data[first] == ZERO:
            return None
        at += 2
        request: list[bytes] = []
        while count > 0:
            if at + 4 > end or data[at] != DOLLAR:
                return None
            at += 1
            first = at
            size: i64 = 0
            stop = at + SHORT
            while at < end and at < stop and ZERO <= data[at] <= ZERO + 9:
                size = size * 10 + data[at] - ZERO
                at += 1
            if at == first or at + 2 > end or data[at] != CR or data[at + 1] != LF or size > max_bulk:
                return None
            if data[first] == ZERO and at > first + 1:
                return None
            first = at + 2
            at = first + size
            if at + 2 > end:
                return None
            request.append(data[first:at])
            at += 2
            count -= 1
        self._at = at
        return request

    def _next_frame(self) -> list[bytes] | None:
        """The next frame that hiredis holds; None when its slice is used up."""
        try:
            frame = self._gets()
            while True:
                if isinstance(frame, list):
                    if len(frame) > 0:
                        return frame
                elif frame is not None:
                    break
                frame = self._gets()
        except (hiredis.HiredisError, ValueError, TypeError, MemoryError):
            self._hot = False
            self._failure = ProtocolError("expected '$'")
            return None
        self._hot = False
        if frame is not NOT_ENOUGH:
            self._failure = ProtocolError("expected '$'")
        else:
            self._drop_large_buffer()
        return None

    def _drop_large_buffer(self) -> None:
        """hiredis keeps the buffer of a large request until it is renewed."""
        if self.framing.frame_bytes > LARGE_FRAME:
            self._held_large = True
        elif self._held_large and self.framing.is_between_frames():
            self._held_large = False
            self._renew()

    def _renew(self) -> None:
        self._hiredis = hiredis.Reader(notEnoughData=NOT_ENOUGH)
        self._gets = self._hiredis.gets
        self._feed = self._hiredis.feed

    def _take_slice(self) -> None:
        """Check up to 32 KiB and give them to hiredis; before a bad header, only the frames that are whole."""
        data = self._input
        start = self._at
        end = len(data)
        if end - start > SLICE:
            end = start + SLICE
        try:
            end = self.framing.walk(data, start, end)
        except ProtocolError as error:
            end = self.framing.whole
            if not self._passes_over():
                self._failure = error
                self._at = end
        else:
            self._at = end
        if end > start:
            if start == 0 and end == len(data):
                self._feed(data)
            else:
                self._feed(data, start, end - start)
            self._hot = True

    def _passes_over(self) -> bool:
        """Go on behind a count that is negative, of which the beginning may have been handed on; whether there was
        one."""
        framing = self.framing
        behind = framing.below
        framing.below = 0
        if behind == 0:
            return False
        if framing.frame_bytes > 0:
            framing.frame_bytes = 0
            self._renew()
        self._at = behind
        return True

    def _take_line(self) -> list[bytes] | None:
        """One inline request; [] for an empty line, None when its end has not come yet."""
        data = self._input
        if self._line and data.startswith(self._line, self._at):  # pipelines repeat themselves
            self._at += len(self._line)
            return self._words.copy()
        begin = self._at
        stop = data.find(b"\n", begin)
        if stop < 0 or stop - self._at > INLINE_LIMIT:
            if len(data) - self._at > INLINE_LIMIT:
                self._failure = ProtocolError("too big inline request")
                raise self._failure
            return None
        line = data[self._at : stop]
        self._at = stop + 1
        arguments = split_line(line[:-1] if line.endswith(b"\r") else line)
        if arguments is None:
            self._failure = ProtocolError("unbalanced quotes in request")
            raise self._failure
        if stop - begin < REMEMBERED:
            self._line = data[begin : stop + 1]
            self._words = arguments.copy()
        return arguments
