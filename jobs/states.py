"""The four states of a job and the one table of changes between them."""

from __future__ import annotations

import enum
from typing import Final


class JobState(enum.StrEnum):
    """States as users know them; waiting, retries, cancelling and the like are reasons inside them."""

    NEW = "new"
    ACTIVE = "active"
    DONE = "done"
    ERROR = "error"


NEW: Final = "new"
ACTIVE: Final = "active"
DONE: Final = "done"
ERROR: Final = "error"
STATES: Final = (NEW, ACTIVE, DONE, ERROR)

TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    NEW: frozenset({ACTIVE, DONE, ERROR}),
    ACTIVE: frozenset({NEW, DONE, ERROR}),
    DONE: frozenset(),
    ERROR: frozenset({NEW}),
}
VERBS: Final = {NEW: "queued again", ACTIVE: "started", DONE: "completed", ERROR: "failed"}
"""How an error message names the change to a state."""
ENDED: Final = frozenset({DONE, ERROR})


class Reason:
    """Why a job is in its state, beyond the plain case."""

    DELAYED: Final = "delayed"
    RETRY: Final = "retry"
    RETURNED: Final = "returned"
    FAILED: Final = "failed"
    INVALID: Final = "invalid"
    TIMEOUT: Final = "timeout"
    CANCELLED: Final = "cancelled"
    LOST: Final = "lost"
