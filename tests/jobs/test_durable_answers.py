"""No answer that says something was changed leaves before that is on disk: every command that writes, one by one."""

from __future__ import annotations

import hiredis
import pytest

from jobs.declared import TABLE
from jobs.memory_store import MemoryStore
from tests.jobs.desk import Caller, Desk, as_map

REQUESTS = [
    "JOB.CREATE t p", "JOB.CREATE t p DELAY 500 UNIQUE k TAG a", "JOB.MCREATE t p q", "JOB.MCREATEX t 2 p q TAG a",
    "JOB.STATUS 1 active", "JOB.STATUS 1 done", "JOB.STATUS 4 new", "JOB.COMPLETE 2 r",
    "JOB.COMPLETE 2 r TOKEN {token}", "JOB.COMPLETE 2 r CPU 5 RSS 4096", "JOB.COMPLETE 1 r", "JOB.FAIL 2 e",
    "JOB.FAIL 2 e DEAD TOKEN {token}", "JOB.SNOOZE 2 500", "JOB.RELEASE 2 TOKEN {token}", "JOB.EXTEND 2 100000",
    "JOB.PROGRESS 2 50 half", "JOB.LOG 2 line", "JOB.CANCEL 1", "JOB.CANCEL 2 why", "JOB.RETRY 4", "JOB.RETRY 2",
    "JOB.DELETE 1", "JOB.DELETE 3", "JOB.EDIT 1 PARAMS q", "JOB.EDIT 1 PRIORITY 5", "JOB.PROMOTE 1", "JOB.PAUSE u",
    "JOB.RESUME p", "JOB.PURGE t1", "JOB.SCHEDULE SET new t p EVERY 1000", "JOB.SCHEDULE SET s t p EVERY 5000",
    "JOB.SCHEDULE DEL s", "JOB.SCHEDULE PAUSE s", "JOB.SCHEDULE RESUME off",
]
OTHERS = {"JOB.FETCH": "its answer does not wait, docs/protocol.md says why", "JOB.BULK": "waits page by page"}


def released(desk: Desk, caller: Caller, *words: object) -> object:
    caller.send(*words)
    assert isinstance(desk.store, MemoryStore)
    desk.store.release()
    return caller.answer()


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryStore(held=True))


@pytest.fixture
def token(desk: Desk) -> str:
    """Job 1 is new, 2 active under this token, 3 done, 4 error."""
    caller = desk.caller("9001")
    for number in range(1, 5):
        assert released(desk, caller, "JOB.CREATE", f"t{number}", "p") == number
    fetched = released(desk, caller, "JOB.FETCH", 1, 0, "t2", "LEASE", 1000)
    for words in (("JOB.COMPLETE", 3, "r"), ("JOB.FAIL", 4, "e"), ("JOB.PAUSE", "p"),
                  ("JOB.SCHEDULE", "SET", "s", "t", "p", "EVERY", 1000),
                  ("JOB.SCHEDULE", "SET", "off", "t", "p", "EVERY", 1000, "PAUSED")):
        assert released(desk, caller, *words) == b"OK"
    return str(as_map(fetched[0])[b"token"].decode())  # type: ignore[index]


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_answer_waits_for_the_disk(desk: Desk, token: str, request_: str) -> None:
    caller = desk.caller()
    before = desk.store.last_lsn()
    caller.send(*request_.format(token=token).split(" "))
    assert (caller.answer(), desk.store.last_lsn() > before) == (False, True)
    assert isinstance(desk.store, MemoryStore)
    desk.store.release()
    assert not isinstance(caller.answer(), hiredis.ReplyError | bool)


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_failed_disk_is_no_ok(desk: Desk, token: str, request_: str) -> None:
    caller = desk.caller()
    caller.send(*request_.format(token=token).split(" "))
    assert isinstance(desk.store, MemoryStore)
    desk.store.release(OSError("the disk is gone"))
    assert str(caller.answer()) == "IOERR the outcome is unknown, the disk failed: the disk is gone"


def test_every_command_that_writes_is_asked_for() -> None:
    asked = {" ".join(one.split(" ")[: 2 if one.startswith("JOB.SCHEDULE") else 1]) for one in REQUESTS}
    writing = {name for name, (_, _, flags, _) in TABLE.items() if "write" in flags.split(" ")}
    assert asked | OTHERS.keys() == writing
