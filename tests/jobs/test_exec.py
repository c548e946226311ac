"""JOB.* inside MULTI: one batch of the store, not seen before it is on disk, nothing at all when it aborts."""

from __future__ import annotations

import shutil
from pathlib import Path

import hiredis
import pytest

from jobs.memory_store import MemoryStore
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB
from tests.jobs.desk import Desk, as_map


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryStore(held=True))


def release(desk: Desk) -> None:
    assert isinstance(desk.store, MemoryStore)
    desk.store.release()


def test_the_answer_waits_for_the_disk_and_nothing_is_seen_before(desk: Desk) -> None:
    caller, other = desk.caller(), desk.caller("9001")
    caller.call("MULTI")
    caller.call("JOB.CREATE", "t", "a")
    caller.call("SET", "k", "v")
    caller.call("JOB.MCREATEX", "t", 2, "b", "c", "IDEMPOTENCY", "k")
    assert caller.call("EXEC") is False
    assert (other.call("JOB.GET", 1), other.call("LLEN", "heroqueue:t"), other.call("GET", "k")) == (None, 0, b"v")
    assert other.call("JOB.FETCH", 5, 0, "t") is None
    release(desk)
    assert caller.answer() == [1, b"OK", [2, 3]]
    assert other.call("LRANGE", "heroqueue:t", 0, -1) == [b"1", b"2", b"3"]


def test_an_aborted_transaction_makes_no_job(desk: Desk) -> None:
    caller = desk.caller()
    caller.call("MULTI")
    caller.call("JOB.CREATE", "t", "a")
    assert isinstance(caller.call("JOB.CREATE", "t"), hiredis.ReplyError)
    assert caller.error("EXEC").startswith("EXECABORT")
    caller.call("WATCH", "k")
    desk.caller("9001").call("SET", "k", "1")
    caller.call("MULTI")
    caller.call("JOB.CREATE", "t", "a")
    assert caller.call("EXEC") is None
    caller.call("MULTI")
    caller.call("JOB.CREATE", "t", "a")
    caller.call("DISCARD")
    assert (desk.store.next_id(), desk.manager.stats().new) == (1, 0)


def test_a_refused_job_command_leaves_the_others_whole(desk: Desk) -> None:
    caller = desk.caller()
    caller.call("MULTI")
    caller.call("JOB.CREATE", "t", "a", "UNIQUE", "k")
    caller.call("JOB.CREATE", "t", "b", "UNIQUE", "k")
    caller.call("JOB.COMPLETE", 77, "")
    caller.call("EXEC")
    release(desk)
    made, refused, unknown = caller.answer()
    assert (made, str(refused), str(unknown)) == (
        1, "REFUSED unique key 'k' of topic t is held by job 1", "NOJOB no job with id 77")


def test_fetching_and_completing_in_one_transaction(desk: Desk) -> None:
    caller = desk.caller()
    caller.send("JOB.MCREATE", "t", "a", "b")
    release(desk)
    assert caller.answer() == [1, 2]
    caller.call("MULTI")
    caller.call("JOB.FETCH", 1, 5000, "t", "u")
    caller.call("JOB.LOG", 1, "seen")
    caller.call("JOB.COMPLETE", 1, "r")
    caller.call("JOB.DELETE", 1)
    caller.call("JOB.FETCH", 1, 5000, "empty")
    caller.call("JOB.WAIT", 2, 5000)
    caller.call("EXEC")
    release(desk)
    answer = caller.answer()
    assert (len(answer[0]), answer[1:]) == (1, [b"OK", b"OK", b"OK", None, None])
    assert [record_id for record_id, _ in desk.store.records()] == [2]


def test_after_a_crash_all_jobs_of_a_transaction_are_there_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    desk = Desk(OurDBStore(OurDB(folder)))
    caller = desk.caller()
    caller.send("JOB.CREATE", "t", "before")
    assert isinstance(desk.store, OurDBStore)
    desk.store.db.commit().wait(10)
    [segment] = [path.name for path in folder.iterdir() if path.suffix == ".db"]
    begin = (folder / segment).stat().st_size
    for words in (("MULTI",), ("JOB.CREATE", "t", "a"), ("JOB.PAUSE", "t"), ("JOB.COMPLETE", 1, "r"),
                  ("JOB.CREATE", "u", "b", "IDEMPOTENCY", "k"), ("EXEC",)):
        caller.send(*words)
    desk.store.close()
    end = (folder / segment).stat().st_size
    seen = set()
    for cut in [*range(begin, end, 23), end - 1, end]:
        crashed = tmp_path / f"cut-{cut}"
        shutil.copytree(folder, crashed)
        (crashed / "checkpoint").unlink(missing_ok=True)
        with open(crashed / segment, "r+b") as file:
            file.truncate(cut)
        store = OurDBStore(OurDB(crashed))
        first = store.get(1)
        assert first is not None
        seen.add((len(list(store.records())), first.state, cut == end))
        store.close()
    assert seen == {(1, "new", False), (4, "done", True)}


def test_a_purge_is_not_divided_however_long_the_line(desk: Desk) -> None:
    caller, later = desk.caller(), []
    desk.manager.later = later.append
    caller.call("JOB.MCREATE", "t", *range(1200))
    release(desk)
    caller.answer()
    for words in (("MULTI",), ("JOB.PURGE", "t"), ("JOB.CREATE", "u", "x"), ("JOB.STATS", "t"), ("EXEC",)):
        caller.call(*words)
    release(desk)
    purged, _, stats = caller.answer()
    assert (purged, stats[:2], later) == (1200, [b"new", 0], [])


def test_on_a_full_disk_nothing_of_a_transaction_is_kept_but_the_ends_of_jobs(desk: Desk) -> None:
    caller, other = desk.caller(), desk.caller("9001")
    caller.send("JOB.CREATE", "t", "a")
    release(desk)
    caller.answer()
    caller.call("JOB.FETCH", 1, 0, "t")
    release(desk)
    for words in (("MULTI",), ("JOB.COMPLETE", 1, "r"), ("JOB.CREATE", "u", "next"), ("JOB.MCREATE", "u", "b", "c"),
                  ("SET", "k", "v")):
        caller.call(*words)
    assert caller.call("EXEC") is False
    desk.fill_up()
    assert str(caller.answer()) == "IOERR the disk is full, nothing of the batch was kept"
    assert [other.call("LLEN", "heroqueue:u"), other.call("JOB.GET", 2), other.job(1)[b"state"]] == [0, None, b"active"]
    assert other.error("JOB.COMPLETE", 1, "again") == "BADSTATE job 1 is ending, it cannot be completed"
    desk.pass_ms(1000)
    release(desk)
    assert (other.job(1)[b"state"], other.job(1)[b"result"], desk.manager.stats("u").new) == (b"done", b"r", 0)
    caller.send("JOB.CREATE", "u", "after")
    release(desk)
    assert caller.answer() == 5, "ids that were given to nobody are not given again"


def test_many_commands_of_all_kinds_are_one_batch(desk: Desk) -> None:
    """Each in its turn over what those before it did to jobs that are there; what they make is not there yet."""
    caller, other = desk.caller(), desk.caller("9001")
    for _ in range(4):
        caller.send("JOB.CREATE", "t", "p", "RETRY", 1)
    release(desk)
    assert [caller.answer() for _ in range(4)] == [1, 2, 3, 4]
    caller.call("JOB.FETCH", 1, 0, "t")
    release(desk)
    durable = desk.store.durable_lsn()
    acts = [("JOB.FAIL", 1, "e", "DEAD"), ("JOB.RETRY", 1), ("JOB.EDIT", 2, "PARAMS", "q", "PRIORITY", 5),
            ("JOB.PROMOTE", 3), ("JOB.CANCEL", 4, "why"), ("JOB.COMPLETE", 4, "r"), ("JOB.PAUSE", "v"),
            ("JOB.PURGE", "nothing"),
            ("JOB.SCHEDULE", "SET", "s", "t", "p", "EVERY", 1000), ("JOB.SCHEDULE", "PAUSE", "s"),
            ("JOB.CREATE", "t", "n", "IDEMPOTENCY", "k"), ("JOB.CREATE", "t", "n", "IDEMPOTENCY", "k"),
            ("JOB.MCREATEX", "t", 2, "x", "y", "TAG", "vip"), ("JOB.GET", 7), ("JOB.LIST", "IDS"),
            ("JOB.WAIT", 4, 500), ("JOB.EVENTS", durable), ("JOB.STATS", "t")]
    caller.call("MULTI")
    assert {caller.call(*words) for words in acts} == {b"QUEUED"}
    assert caller.call("EXEC") is False
    assert (other.call("JOB.GET", 7), desk.store.durable_lsn()) == (None, durable)
    release(desk)
    answers = caller.answer()
    assert [str(answer) for answer in answers[:5]] == ["b'OK'"] * 5
    assert str(answers[5]) == "BADSTATE job 4 is error, it cannot be completed"
    assert answers[6:15] == [b"OK", 0, b"OK", b"OK", 7, 7, [8, 9], None, [b"0", [4, 3, 2, 1]]]
    assert (answers[15], answers[16], answers[17]) == (
        None, [b"%d" % durable, []], [b"new", 3, b"active", 0, b"done", 0, b"error", 1])
    assert other.call("LRANGE", "heroqueue:t", 0, -1) == [b"2", b"3", b"1", b"7", b"8", b"9"]
    _, events = other.call("JOB.EVENTS", durable)
    assert [as_map(event)[b"event"] for event in events] == [
        b"failed", b"requeued", b"edited", b"promoted", b"cancelled", b"paused", b"schedule", b"schedule", b"created",
        b"created", b"created"]
