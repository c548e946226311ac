"""Version of Redis whose behaviour is the measure, as clients that look at it are told."""

from __future__ import annotations

from typing import Final

REDIS_VERSION: Final = "7.0.15"
