"""The feed of all changes: order, durability, waiting, resuming after a restart, cursors that are too old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.feed import Feed
from jobs.job import Job
from jobs.memory_store import MemoryStore
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB
from tests.jobs.desk import Caller, Desk, as_map


def events(answer: Any) -> list[tuple[bytes, int]]:
    return [(event[b"event"], event[b"id"]) for event in map(as_map, answer[1])]


def play(desk: Desk, caller: Caller) -> None:
    """One of every kind of change."""
    caller.call("JOB.CREATE", "t", "p", "RETRY", 1, "BACKOFF", "fixed:0")
    caller.call("JOB.EDIT", 1, "PARAMS", "q")
    caller.call("JOB.PROMOTE", 1)
    token = as_map(caller.call("JOB.FETCH", 1, 0, "t", "LEASE", 100)[0])[b"token"]
    caller.call("JOB.EXTEND", 1, 200)
    caller.call("JOB.LOG", 1, "line")
    caller.call("JOB.PROGRESS", 1, 30, "some")
    caller.call("JOB.FAIL", 1, "no", "TOKEN", token)
    desk.pass_ms(1)
    caller.call("JOB.FETCH", 1, 0, "t")
    caller.call("JOB.FAIL", 1, "no")
    caller.call("JOB.RETRY", 1)
    caller.call("JOB.COMPLETE", 1, "r")
    caller.call("JOB.DELETE", 1)
    caller.call("JOB.PAUSE", "t")
    caller.call("JOB.RESUME", "t")
    caller.call("JOB.CREATE", "t", "p")
    caller.call("JOB.CANCEL", caller.call("JOB.LIST", "IDS")[1][0])


PLAYED = ["created", "edited", "promoted", "started", "extended", "log", "progress", "retried", "started", "failed",
          "requeued", "completed", "deleted", "paused", "resumed", "created", "cancelled"]


@pytest.mark.parametrize("followed", [True, False])
def test_every_change_is_told_in_order_whether_somebody_followed_or_not(followed: bool) -> None:
    desk = Desk()
    caller = desk.caller()
    if followed:
        assert caller.call("JOB.EVENTS", "$") == [b"0", []]
    play(desk, caller)
    answer = caller.call("JOB.EVENTS", 0, "COUNT", 1000)
    assert [name.decode() for name, _ in events(answer)] == PLAYED
    seqs = [as_map(event)[b"seq"] for event in answer[1]]
    assert seqs == sorted(set(seqs))
    assert caller.call("JOB.EVENTS", answer[0]) == [answer[0], []]
    failed = as_map(answer[1][9])
    assert (failed[b"state"], failed[b"reason"], failed[b"attempts"], failed[b"topic"]) == (b"error", b"dead", 2, b"t")
    log = as_map(answer[1][5])
    assert (log[b"line"], log[b"id"], log[b"percent"]) == (b"line", 1, None)


@pytest.mark.parametrize("followed", [True, False])
def test_pages_join_without_gaps_also_over_a_restart(followed: bool) -> None:
    desk = Desk()
    if followed:
        desk.caller().call("JOB.EVENTS", "$")
    play(desk, desk.caller())
    names: list[bytes] = []
    cursor, page = b"0", 1
    while page:
        caller = desk.caller()
        cursor, found = caller.call("JOB.EVENTS", cursor, "COUNT", 3)
        page = len(found)
        assert page <= 3
        names += [as_map(event)[b"event"] for event in found]
        if len(names) == 9:
            desk.restart()
    assert [name.decode() for name in names] == PLAYED


def test_a_follower_waits_and_hears_only_what_is_on_disk() -> None:
    store = MemoryStore(held=True)
    desk = Desk(store)
    follower, caller = desk.caller("9001"), desk.caller()
    [cursor, _] = follower.call("JOB.EVENTS", "$")
    follower.send("JOB.EVENTS", cursor, "BLOCK", 0)
    caller.send("JOB.CREATE", "t", "p")
    caller.call("PING")
    assert follower.answer() is False
    store.release()
    caller.call("PING")
    assert events(follower.answer()) == [(b"created", 1)]


def test_cursors_that_cannot_be() -> None:
    caller = Desk().caller()
    assert caller.error("JOB.EVENTS", 5) == "ERR cursor 5 is ahead of the events, which end at 0"
    assert caller.error("JOB.EVENTS", "x") == "ERR value is out of range, must be positive"
    assert caller.error("JOB.EVENTS", 0, "COUNT", 0) == "ERR give a COUNT of 1 to 10000"
    caller.call("MULTI")
    caller.call("JOB.EVENTS", 0, "BLOCK", 5)
    assert caller.call("EXEC") == [[b"0", []]]


def test_a_cursor_behind_a_compaction_is_refused(tmp_path: Path) -> None:
    db = OurDB(tmp_path)
    desk = Desk(OurDBStore(db))
    caller = desk.caller()
    for _ in range(3):
        caller.send("JOB.CREATE", "t", "p")
        db.commit().wait(10)
    for job_id in (1, 2):
        caller.send("JOB.CANCEL", job_id)
        db.commit().wait(10)
    caller.send("PING")
    db.compact(versions=1)
    desk.restart()
    fresh = desk.caller()
    assert fresh.error("JOB.EVENTS", 1).startswith("TOOOLD ")
    assert [name for name, _ in events(fresh.call("JOB.EVENTS", 0))] == [b"created", b"cancelled", b"cancelled"]
    db.close()


def test_an_empty_line_is_a_line() -> None:
    caller = Desk().caller()
    caller.call("JOB.CREATE", "t", "")
    caller.call("JOB.FETCH", 1, 0, "t")
    caller.call("JOB.LOG", 1, "")
    caller.call("JOB.PROGRESS", 1, 5)
    _, events = caller.call("JOB.EVENTS", 0)
    assert [(event[b"line"], event[b"percent"]) for event in map(as_map, events[-2:])] == [(b"", None), (b"", 5)]


def test_what_is_not_on_disk_yet_is_in_no_page() -> None:
    store = MemoryStore(held=True)
    desk = Desk(store)
    caller, other = desk.caller(), desk.caller("9001")
    caller.call("JOB.EVENTS", "$")
    caller.send("JOB.CREATE", "t", "p")
    store.release()
    assert caller.answer() == 1
    other.send("JOB.CREATE", "t", "p")
    assert caller.call("JOB.EVENTS", 0)[0] == b"1"
    assert events(caller.call("JOB.EVENTS", 0)) == [(b"created", 1)]
    store.release()
    assert events(caller.call("JOB.EVENTS", 1)) == [(b"created", 2)]


def test_what_a_full_disk_did_not_take_was_no_event() -> None:
    store = MemoryStore(held=True)
    desk = Desk(store)
    caller = desk.caller()
    caller.call("JOB.EVENTS", "$")
    caller.send("JOB.CREATE", "t", "lost")
    desk.fill_up()
    assert str(caller.answer()).startswith("IOERR")
    caller.send("JOB.CREATE", "u", "kept")
    store.release()
    assert caller.answer() == 2
    _, found = caller.call("JOB.EVENTS", 0)
    assert [(as_map(event)[b"seq"], as_map(event)[b"topic"]) for event in found] == [(1, b"u")]


def test_who_waits_is_woken_for_what_the_next_write_brings() -> None:
    """A second change came while the first was written, and the write did not cover it."""
    store = MemoryStore(held=True)
    woken: list[int] = []
    feed = Feed(store, lambda commit, action: commit.add_callback(lambda done: action()), lambda: None,
                lambda work, done: done(work()), lambda: woken.append(store.durable_lsn()))
    feed.follow()
    for job_id in (1, 2):
        job = Job(job_id=job_id, topic="t")
        store.add(job)
        feed.add([job])
    first, store._open, store._durable = store._open, None, 1
    assert first is not None
    first.finish(None)
    assert woken == [1]
    store.release()
    assert woken == [1, 2]
