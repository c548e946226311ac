"""Redis parameters as CONFIG GET and CONFIG SET know them: names, values as text, and which may change while running.

Only what the server honours or what clients ask for is listed. Knows nothing of the project's own settings file.
"""

from __future__ import annotations

from typing import Final

from heroredis.glob import matches

FIXED: Final = {
    "databases": b"16", "port": b"6379", "unixsocket": b"", "bind": b"127.0.0.1", "dir": b"", "appendonly": b"no",
    "save": b"", "appendfsync": b"everysec", "daemonize": b"no", "io-threads": b"1", "cluster-enabled": b"no",
    "dbfilename": b"dump.rdb", "set-max-intset-entries": b"512", "supervised": b"no",
}
CHANGEABLE: Final = {
    "maxmemory": b"0", "maxmemory-policy": b"noeviction", "timeout": b"0", "tcp-keepalive": b"300",
    "maxclients": b"10000", "proto-max-bulk-len": b"536870912", "client-query-buffer-limit": b"1073741824",
    "requirepass": b"", "hz": b"10", "notify-keyspace-events": b"", "slowlog-log-slower-than": b"10000",
    "slowlog-max-len": b"128", "lua-time-limit": b"5000", "busy-reply-threshold": b"5000", "loglevel": b"notice",
    "hash-max-listpack-entries": b"512", "hash-max-listpack-value": b"64", "list-max-listpack-size": b"-2",
    "zset-max-listpack-entries": b"128", "zset-max-listpack-value": b"64",
}
LARGEST: Final = (1 << 63) - 1
NUMBERS: Final = {
    "timeout": (0, 2147483647), "tcp-keepalive": (0, 2147483647), "maxclients": (1, 4294967295), "hz": (0, 2147483647),
    "slowlog-max-len": (0, LARGEST), "hash-max-listpack-entries": (0, LARGEST), "hash-max-listpack-value": (0, LARGEST),
}
MEMORY: Final = {
    "maxmemory": (0, LARGEST), "proto-max-bulk-len": (1 << 20, LARGEST),
    "client-query-buffer-limit": (1 << 20, LARGEST),
}
"""Sizes: numbers that may carry a unit."""
UNITS: Final = {b"": 1, b"b": 1, b"k": 1000, b"kb": 1 << 10, b"m": 10**6, b"mb": 1 << 20, b"g": 10**9, b"gb": 1 << 30}
SECRET: Final = frozenset({"requirepass"})


class Parameters:
    """Values by name; texts are kept as bytes because clients send and read them so."""

    def __init__(self, **values: bytes) -> None:
        self._values: Final[dict[str, bytes]] = {**FIXED, **CHANGEABLE}
        for name, value in values.items():
            self.put(name.replace("_", "-"), value)

    def get(self, name: str) -> bytes:
        return self._values[name]

    def integer(self, name: str) -> int:
        return int(self._values[name])

    def put(self, name: str, value: bytes) -> None:
        """Set without asking whether it may change."""
        if name not in self._values:
            raise KeyError(name)
        self._values[name] = value

    def change(self, name: str, value: bytes) -> str:
        """CONFIG SET; an empty text when done, else the reason why not."""
        if name in FIXED and name not in CHANGEABLE:
            return "can't set immutable config"
        bounds = NUMBERS.get(name) or MEMORY.get(name)
        if bounds is not None:
            digits = value.lower().rstrip(b"bkmg") if name in MEMORY else value
            unit = UNITS.get(value.lower()[len(digits) :])
            if not digits.isdigit() or len(digits) > 19 or unit is None:
                return "argument must be a memory value" if name in MEMORY else (
                    "argument couldn't be parsed into an integer")
            number = int(digits) * unit
            if not bounds[0] <= number <= bounds[1]:
                return f"argument must be between {bounds[0]} and {bounds[1]} inclusive"
            value = b"%d" % number
        self._values[name] = value
        return ""

    def knows(self, name: str) -> bool:
        return name in self._values

    def matching(self, pattern: bytes) -> list[tuple[str, bytes]]:
        """Names and values for CONFIG GET; secrets show only whether they are set."""
        found = []
        for name in sorted(self._values):
            if matches(pattern.lower(), name.encode(), False):
                value = self._values[name]
                found.append((name, b"***" if name in SECRET and value else value))
        return found
