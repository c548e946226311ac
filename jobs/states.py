"""The four states of a job and the one table of changes between them: event -> state before -> state after."""

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
ENDED: Final = frozenset({DONE, ERROR})

START: Final = "start"
COMPLETE: Final = "complete"
FAIL: Final = "fail"
RETRY: Final = "retry"
SNOOZE: Final = "snooze"
GIVE_BACK: Final = "give back"
POISON: Final = "poison"
DISCARD: Final = "discard"
EXPIRE: Final = "expire"
CANCEL: Final = "cancel"
REQUEUE: Final = "requeue"
EDIT: Final = "edit"
PROMOTE: Final = "promote"
EXTEND: Final = "extend"
REPORT: Final = "report"
DELETE: Final = "delete"

TRANSITIONS: Final[dict[str, dict[str, str]]] = {
    START: {NEW: ACTIVE},
    COMPLETE: {NEW: DONE, ACTIVE: DONE},
    FAIL: {NEW: ERROR, ACTIVE: ERROR},
    RETRY: {ACTIVE: NEW},
    SNOOZE: {ACTIVE: NEW},
    GIVE_BACK: {ACTIVE: NEW},
    POISON: {ACTIVE: ERROR},
    DISCARD: {ACTIVE: ERROR},
    EXPIRE: {NEW: ERROR},
    CANCEL: {NEW: ERROR, ACTIVE: ERROR},
    REQUEUE: {ACTIVE: NEW, ERROR: NEW},
    EDIT: {NEW: NEW},
    PROMOTE: {NEW: NEW},
    EXTEND: {ACTIVE: ACTIVE},
    REPORT: {ACTIVE: ACTIVE},
    DELETE: {NEW: NEW, DONE: DONE, ERROR: ERROR},
}
"""What is not here is refused with BADSTATE. DELETE leaves the state and takes the job out of sight."""
VERBS: Final = {
    START: "started", COMPLETE: "completed", FAIL: "failed", RETRY: "tried again", SNOOZE: "put off",
    GIVE_BACK: "given back", POISON: "set aside", DISCARD: "discarded", EXPIRE: "expired", CANCEL: "cancelled",
    REQUEUE: "queued again", EDIT: "edited", PROMOTE: "promoted", EXTEND: "extended", REPORT: "reported on",
    DELETE: "deleted",
}
"""How an error message names an event."""
BY_HAND: Final = {NEW: REQUEUE, ACTIVE: START, DONE: COMPLETE, ERROR: FAIL}
"""The event that sets a state by hand."""


def follows(before: str, after: str) -> bool:
    """Whether some event leads from one state to the other."""
    return any(states.get(before) == after for states in TRANSITIONS.values())


class Reason:
    """Why a job is in its state, beyond the plain case."""

    DELAYED: Final = "delayed"
    RETRY: Final = "retry"
    RETURNED: Final = "returned"
    SNOOZED: Final = "snoozed"
    REQUEUED: Final = "requeued"
    PROMOTED: Final = "promoted"
    EDITED: Final = "edited"
    EXTENDED: Final = "extended"
    FAILED: Final = "failed"
    DEAD: Final = "dead"
    INVALID: Final = "invalid"
    CRASHED: Final = "crashed"
    TIMEOUT: Final = "timeout"
    CANCELLED: Final = "cancelled"
    DISCARDED: Final = "discarded"
    EXPIRED: Final = "expired"
    POISON: Final = "poison"
    DELETED: Final = "deleted"
