"""JOB.* inside MULTI: one batch of the store, not seen before it is on disk, nothing at all when it aborts."""

from __future__ import annotations

import shutil
from pathlib import Path

import hiredis
import pytest

from jobs.memory_store import MemoryStore
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB
from tests.jobs.desk import Desk


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
