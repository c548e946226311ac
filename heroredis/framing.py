"""The structure of a stream of requests: where frames begin and end, and which headers are refused.

Payloads are stepped over, never copied. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
It knows neither commands nor sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.errors import ProtocolError

HEADER_DIGITS: Final = 18
LARGE_REQUEST: Final = 32 * 1024
MAX_ARGUMENTS: Final = 1024 * 1024
UNAUTHENTICATED_ARGUMENTS: Final = 10
UNAUTHENTICATED_BULK: Final = 16 * 1024
UNAUTHENTICATED_FRAME: Final = 64 * 1024

STAR: Final = 42
DOLLAR: Final = 36
MINUS: Final = 45
CR: Final = 13
LF: Final = 10
ZERO: Final = 48

BAD_COUNT: Final = "invalid multibulk length"
BAD_LENGTH: Final = "invalid bulk length"

# States inside a header line.
_MARKER: Final = 0
_DIGITS: Final = 1
_NEWLINE: Final = 2


class Framing:
    """Where a byte stream of requests stands: before a frame, in a header, or inside an argument.

    `walk` follows the structure without copying payloads and raises ProtocolError at the first header that is
    malformed or beyond the limits. `whole` is then the index behind the last whole frame.
    """

    def __init__(self, max_bulk: int, max_frame: int) -> None:
        self.max_bulk = max_bulk
        self.max_frame = max_frame
        self.max_arguments = MAX_ARGUMENTS
        self.authenticated = True
        self.args_left = 0
        self.skip = 0
        self.bulk = 0
        """Length of the argument that is read, with its line end."""
        self.frame_bytes = 0
        self.largest = 0
        """Bytes of the largest request that did not come in one piece, if it was large; until somebody forgets it."""
        self.on_large: Callable[[], None] | None = None
        self.whole = 0
        self.below = 0
        """Behind a count below -1, which is passed over as Redis does; the parser of requests would choke on it."""
        self._state = _MARKER
        self._number = 0
        self._digits = 0
        self._negative = False

    def is_between_frames(self) -> bool:
        return self.args_left == 0 and self.skip == 0 and self._state == _MARKER

    def walk(self, data: bytes, at: int, end: int) -> int:
        """Follow `data[at:end]`; returns `end`, or the index behind the first frame that ended, or of a byte that
        begins an inline request.

        It stops behind each frame, because the next one may be read in one go, and this one may lift the limits.
        """
        self.whole = at
        while at < end:
            if self.skip > 0:
                step = end - at
                if step < self.skip:
                    self.skip -= step
                    at = end
                    break
                at += self.skip
                self.skip = 0
                if self.args_left == 0:
                    self._frame_ended(at)
                    return at
            elif self._state == _MARKER:
                marker = data[at]
                if self.args_left == 0:
                    if marker != STAR:
                        return at
                elif marker != DOLLAR:
                    raise ProtocolError(f"expected '$', got '{_shown(marker)}'")
                at = self._header_in_one_go(data, at + 1, end)
            else:
                at = self._header_byte_by_byte(data, at, end)
        if self.whole < end:
            self._count_unfinished(end - self.whole)
        return end

    def _header_in_one_go(self, data: bytes, at: int, end: int) -> int:
        """The common case: one to four digits and CRLF, all there. Anything else goes the long way."""
        if at + 3 <= end and data[at + 1] == CR and data[at + 2] == LF and ZERO <= data[at] <= ZERO + 9:
            self._take(data[at] - ZERO, at + 3)
            return at + 3
        number = 0
        start = at
        stop = at + 4 if at + 6 <= end else 0
        while at < stop:
            digit = data[at] - ZERO
            if digit < 0 or digit > 9:
                break
            number = number * 10 + digit
            at += 1
        ended = start < at < stop and data[at] == CR and data[at + 1] == LF
        if ended and (at == start + 1 or data[start] != ZERO):
            self._take(number, at + 2)
            return at + 2
        self._state = _DIGITS
        self._number = 0
        self._digits = 0
        self._negative = False
        return start

    def _header_byte_by_byte(self, data: bytes, at: int, end: int) -> int:
        """A header that is long or split over chunks; the state is kept between calls."""
        while at < end:
            byte = data[at]
            at += 1
            if self._state == _NEWLINE:
                if byte != LF:
                    self._refuse()
                self._state = _MARKER
                self._take(-self._number if self._negative else self._number, at)
                return at
            if ZERO <= byte <= ZERO + 9:
                if self._digits >= HEADER_DIGITS or (self._digits > 0 and self._number == 0):
                    self._refuse()
                self._number = self._number * 10 + byte - ZERO
                self._digits += 1
            elif byte == MINUS and self._digits == 0 and not self._negative:
                self._negative = True
            elif byte == CR and self._digits > 0:
                self._state = _NEWLINE
            else:
                self._refuse()
        return at

    def _refuse(self) -> None:
        raise ProtocolError(BAD_COUNT if self.args_left == 0 else BAD_LENGTH)

    def _take(self, number: int, at: int) -> None:
        """Account for one header, whose line ends before `at`."""
        if self.args_left == 0:
            if number < -1:
                self.below = at
            if number > self.max_arguments or number < -1:
                raise ProtocolError(BAD_COUNT)
            if not self.authenticated and number > UNAUTHENTICATED_ARGUMENTS:
                raise ProtocolError("unauthenticated multibulk length")
            if number <= 0:
                self._frame_ended(at)
            else:
                self.args_left = number
            return
        if number < 0 or number > self.max_bulk:
            raise ProtocolError(BAD_LENGTH)
        if not self.authenticated and number > UNAUTHENTICATED_BULK:
            raise ProtocolError("unauthenticated bulk length")
        self.args_left -= 1
        self.skip = self.bulk = number + 2

    def _frame_ended(self, at: int) -> None:
        self.frame_bytes = 0
        self.whole = at

    def _count_unfinished(self, count: int) -> None:
        self.frame_bytes += count
        if self.frame_bytes > LARGE_REQUEST and self.frame_bytes > self.largest:
            self.largest = self.frame_bytes
            if self.on_large is not None:
                self.on_large()
        limit = self.max_frame if self.authenticated else UNAUTHENTICATED_FRAME
        if self.frame_bytes > limit:
            raise ProtocolError("request larger than client-query-buffer-limit")


def _shown(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 else " "
