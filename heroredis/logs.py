"""Log lines on standard error: text for people, JSON for machines."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any, Final

MORE: Final = ("job_id", "topic", "worker")
"""What a record may carry beside its message."""


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": round(record.created, 3), "level": record.levelname.lower(),
                                "logger": record.name, "message": record.getMessage()}
        line.update({name: vars(record)[name] for name in MORE if name in vars(record)})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextLines(logging.Formatter):
    """Time in UTC, level and message."""

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        return time.gmtime(seconds)


class RedisLines(logging.Formatter):
    """Lines as a redis-server's log has them: process, time, a mark for the level, the message."""

    MARKS: Final = ((logging.WARNING, "#"), (logging.INFO, "*"))

    def format(self, record: logging.LogRecord) -> str:
        mark = next((mark for level, mark in self.MARKS if record.levelno >= level), ".")
        moment = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{os.getpid()}:M {moment}.{int(record.msecs):03d} {mark} {text}"


REDIS_LEVELS: Final = {b"debug": "DEBUG", b"verbose": "INFO", b"notice": "INFO", b"warning": "WARNING"}


def configure_redis(level: bytes, path: str) -> None:
    """Log as redis-server does, to standard output or to a file. OSError when the file cannot be opened."""
    handler = logging.FileHandler(path, delay=False) if path else logging.StreamHandler(sys.stdout)
    handler.setFormatter(RedisLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(REDIS_LEVELS[level])


def set_level(level: str) -> None:
    for name in ("heroredis", "ui", "dav"):
        logging.getLogger(name).setLevel(level)


def configure(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines(
        "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level.upper())
