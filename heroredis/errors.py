"""What a client may be told when a command cannot be carried out: each error with its exact text.

Handlers raise these, `execute` alone catches them. The texts are those of Redis 7.0 where it has one.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class RedisError(Exception):
    """An error reply: `message` is the whole text, code first, without the leading dash."""

    def __init__(self, message: bytes) -> None:
        super().__init__(message.decode("utf-8", "backslashreplace"))
        self.message: Final = message


class ProtocolError(Exception):
    """The client sent bytes that are no request; it is told `ERR Protocol error: <reason>` and the connection ends."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


WRONG_TYPE: Final = b"WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX: Final = b"ERR syntax error"
NOT_INTEGER: Final = b"ERR value is not an integer or out of range"
NOT_FLOAT: Final = b"ERR value is not a valid float"
OUT_OF_RANGE: Final = b"ERR index out of range"
NO_SUCH_KEY: Final = b"ERR no such key"
OVERFLOW: Final = b"ERR increment or decrement would overflow"
NAN_OR_INFINITY: Final = b"ERR increment would produce NaN or Infinity"
NOT_POSITIVE: Final = b"ERR value is out of range, must be positive"
STRING_TOO_LONG: Final = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
TIMEOUT_NOT_FLOAT: Final = b"ERR timeout is not a float or out of range"
TIMEOUT_NEGATIVE: Final = b"ERR timeout is negative"
NO_AUTH: Final = b"NOAUTH Authentication required."
WRONG_PASS: Final = b"WRONGPASS invalid username-password pair or user is disabled."
NO_PROTO: Final = b"NOPROTO unsupported protocol version"
EXEC_WITHOUT_MULTI: Final = b"ERR EXEC without MULTI"
EXEC_ABORT: Final = b"EXECABORT Transaction discarded because of previous errors."
STILL_LOADING: Final = b"LOADING Redis is loading the dataset in memory"
NO_REPLICAS: Final = b"NOREPLICAS Not enough good replicas to write."
OOM: Final = b"OOM command not allowed when used memory > 'maxmemory'."
SAME_OBJECT: Final = b"ERR source and destination objects are the same"
BAD_DB_INDEX: Final = b"ERR DB index is out of range"


def shown(text: bytes, limit: int = 128) -> bytes:
    """What a client sent, as an error repeats it: cut to `limit` and, as Redis does, at a zero byte."""
    return text[:limit].partition(b"\0")[0]


def wrong_type() -> RedisError:
    return RedisError(WRONG_TYPE)


def syntax() -> RedisError:
    return RedisError(SYNTAX)


def wrong_subcommand(container: bytes, name: bytes) -> RedisError:
    """Too many arguments, where Redis counts them by itself."""
    return RedisError(b"ERR unknown subcommand or wrong number of arguments for '%b'. Try %b HELP." % (name, container))


def wrong_arity(name: str) -> bytes:
    return b"ERR wrong number of arguments for '%b' command" % name.lower().replace(" ", "|").encode()
