"""The job index answers as the evaluator does, follows the store, and is built again when it is gone or damaged."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import Refused
from jobs.index import JobIndex
from jobs.index_feed import OurDBFeed
from jobs.indexer import MAX_FAILURES, Indexer
from jobs.job import Job, encode, replace
from jobs.query import Not, Or, Query, both
from jobs.query_parser import parse
from ourdb import OurDB

NOW = 1_700_000_000_000
QUERIES = [
    "", "topic:mail", "topic:mail,report", "topic:ma*", "topic:zz*", "topic:mail state:error", "state:new,active",
    "not state:done", "reason:timeout", 'reason:""', "reason:*", "not reason:*", "worker:w1", "worker:w*", "worker:*",
    "tag:vip", "tag:vip,eu", "tag:*", "not tag:vip", "tag:v* state:done", "id:50..120", "id:7", "id>190",
    "id:7,9..11,190", "id:7,7 state:done", "id:1..9,50..", "not id:7,9", "attempts:1,3", "error:late,timeout",
    "attempts>=3", "attempts:1 state:error", "priority:0..50", "created>-30m", "created:..-2h", "ended:-2h..-1h",
    "ended:0..", "started<-1h topic:mail", "not ended:0..", "run:0..", "duration>40s",
    "duration:1s..10s topic:report", "wait<1s", "ada", "ADA", "params:ada", "result:ok", "error:late", "xyzzy", "at",
    "\"a\\\"b\"", "ü", "straße", "late timeout or vip", "ada topic:mail", "ada error:late", "not ada",
    "ada or error:late", "(topic:mail or tag:eu) not state:new", "-ada late",
]


def made(rng: random.Random, job_id: int) -> Job:
    created = NOW - (400 - job_id) * 60_000
    state = rng.choice(["new", "active", "done", "done", "error"])
    started = created + rng.randint(0, 5000) if state != "new" else 0
    ended = started + rng.randint(0, 60_000) if state in ("done", "error") else 0
    return Job(
        job_id=job_id, topic=rng.choice(["mail", "mail", "map", "report"]), state=state,
        reason=rng.choice(["timeout", "failed"]) if state == "error" else "", worker=rng.choice(["", "w1", "w2", "x"]),
        params=rng.choice(['{"to": "Ada"}', '{"to": "bob"}', 'a"b', "Straße in München", "", "at"]).encode(),
        result=b"ok sent" if state == "done" else None, error=b"too LATE" if state == "error" else None,
        attempts=rng.randint(0, 4), priority=rng.choice([0, 100, 100, 200]), created_at=created, started_at=started,
        ended_at=ended, run_at=NOW if state == "new" and rng.random() < 0.3 else 0,
        tags=tuple(rng.sample(["vip", "eu", "us"], rng.randint(0, 2))))


@pytest.fixture
def jobs() -> dict[int, Job]:
    rng = random.Random(7)
    return {number: made(rng, number) for number in range(1, 201)}


@pytest.fixture(params=[1000, 0])
def index(request: pytest.FixtureRequest, tmp_path: Path, jobs: dict[int, Job]) -> Iterator[JobIndex]:
    """Filled in two steps, the second of which changes and deletes some. Short lists of ids are used, or never."""
    index = JobIndex(tmp_path / "index", few=request.param)
    rng = random.Random(8)
    index.take({number: replace(made(rng, number), tags=jobs[number].tags if number in jobs else ("vip",))
                for number in range(1, 221)}, 1)
    index.take({**jobs, **dict.fromkeys(range(201, 221))}, 2)
    yield index
    index.close()


@pytest.mark.parametrize("text", QUERIES)
def test_the_index_answers_as_the_evaluator(index: JobIndex, jobs: dict[int, Job], text: str) -> None:
    query = parse(text, NOW)
    right = [number for number in sorted(jobs, reverse=True) if query.fits(jobs[number])]
    assert index.candidates(query, 0, 1000) == right
    assert index.count(query) == len(right)
    page = index.candidates(query, 0, 5)
    assert page == right[:5]
    if page:
        assert index.candidates(query, page[-1], 5) == right[5:10]


class World:
    """A store and its indexer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = OurDB(folder / "db", durability="no")
        self.indexer = Indexer(folder / "index", OurDBFeed(self.db), 0.01)
        self.indexer.start()

    def ids(self, text: str) -> list[int]:
        query = parse(text, NOW)
        return cast("list[int]", self.answer(self.indexer.ask(lambda index: index.candidates(query, 0, 1000))))

    def answer(self, asked: Future[object]) -> object:
        return asked.result(30)

    def put(self, job: Job, is_new: bool = True) -> None:
        self.db.append(encode(job), 0 if is_new else job.job_id)
        self.db.commit().wait(10)

    def restart(self) -> None:
        self.close()
        self.db = OurDB(self.folder / "db", durability="no")
        self.indexer = Indexer(self.folder / "index", OurDBFeed(self.db), 0.01)
        self.indexer.start()

    def close(self) -> None:
        self.indexer.stop()
        self.db.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_very_many_values_are_one_question(index: JobIndex, jobs: dict[int, Job]) -> None:
    for text in ("topic:" + ",".join(["z"] * 1500 + ["mail"] * 100), "worker:" + ",".join(["a*"] * 1000 + ["w*"] * 200),
                 "id:" + ",".join(map(str, range(100, 1000))), " or ".join(["id:7"] * 400 + ["id:8"])):
        query = parse(text, NOW)
        assert index.candidates(query, 0, 1000) == [
            number for number, job in sorted(jobs.items(), reverse=True) if query.fits(job)]


def test_a_question_sees_what_was_written_before_it(world: World) -> None:
    for number in range(1, 11):
        world.put(Job(job_id=number, topic="t", params=b"needle"))
        assert world.ids("needle") == list(range(number, 0, -1))
    world.put(Job(job_id=3, topic="t", params=b"needle", state="done", result=b"found"), is_new=False)
    assert (world.ids("state:done"), world.ids("found needle")) == ([3], [3])
    world.db.append_delete(3)
    world.db.commit().wait(10)
    assert (world.ids("found"), world.ids("state:done"), len(world.ids("needle"))) == ([], [], 9)
    assert (world.indexer.rebuilt, world.indexer.behind) == (1, 0)


def fill(world: World) -> None:
    for number in range(1, 51):
        world.put(Job(job_id=number, topic="odd" if number % 2 else "even", params=b"text %d" % number))


def test_after_a_restart_it_goes_on_where_it_was(world: World) -> None:
    fill(world)
    assert len(world.ids("topic:odd")) == 25
    world.restart()
    world.put(Job(job_id=51, topic="odd"))
    assert world.ids("topic:odd")[0] == 51
    assert world.indexer.rebuilt == 0


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how == "gone":
        path.unlink()
    elif how == "cut":
        with open(path, "r+b") as file:
            file.truncate(size // 2 // 4096 * 4096)
    elif how == "noise":
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(random.Random(1).randbytes(size - 4096))
    elif how == "no database":
        path.write_bytes(b"something else entirely" * 1000)
    elif how == "a folder":
        path.unlink()
        path.mkdir()
        (path / "mine").write_text("keep me")
    else:
        other = sqlite3.connect(path)
        other.execute("UPDATE meta SET value = 1000000 WHERE key = 'lsn'")
        other.commit()
        other.close()


@pytest.mark.parametrize("how", ["gone", "cut", "noise", "no database", "a folder", "another store's"])
def test_a_damaged_index_is_built_again(world: World, how: str) -> None:
    fill(world)
    assert len(world.ids("text")) == 50
    world.close()
    damage(world.folder / "index" / "jobs.sqlite", how)
    world.db = OurDB(world.folder / "db", durability="no")
    world.indexer = Indexer(world.folder / "index", OurDBFeed(world.db), 0.01)
    world.indexer.start()
    assert (len(world.ids("text")), len(world.ids("topic:odd"))) == (50, 25)
    assert world.indexer.rebuilt == 1
    assert [path.read_text() for path in world.folder.rglob("mine")] == (["keep me"] if how == "a folder" else [])


def test_an_index_that_nobody_can_build_says_why_and_is_there_as_soon_as_it_can_be(world: World) -> None:
    fill(world)
    assert len(world.ids("text")) == 50
    world.close()
    folder = world.folder / "index"
    folder.rename(world.folder / "elsewhere")
    folder.write_text("a file where a folder should be")
    world.db = OurDB(world.folder / "db", durability="no")
    world.indexer = Indexer(folder, OurDBFeed(world.db), 0.01)
    world.indexer.start()
    for _ in range(2 * MAX_FAILURES):
        with pytest.raises(Refused, match=r"index.* is not|File exists.*; make .*index a folder that the server may"):
            world.ids("text")
    assert world.indexer.problem.endswith("index a folder that the server may write to")
    folder.unlink()
    assert len(world.ids("text")) == 50
    assert world.indexer.problem == ""


def test_a_file_deleted_while_it_is_open_is_built_again(world: World) -> None:
    fill(world)
    assert len(world.ids("text")) == 50
    JobIndex.remove(world.folder / "index")
    assert len(world.ids("text")) == 50
    assert world.indexer.rebuilt == 2


def test_changes_that_a_compaction_dropped_lead_to_a_new_index(world: World) -> None:
    fill(world)
    assert len(world.ids("text")) == 50
    world.indexer.stop()
    for number in range(1, 51):
        for _ in range(3):
            world.put(Job(job_id=number, topic="late"), is_new=False)
    world.db.compact(versions=1)
    world.restart()
    assert (len(world.ids("topic:late")), world.ids("topic:odd")) == (50, [])


def test_memory_that_a_long_catching_up_took_is_given_back_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[int] = []
    monkeypatch.setattr("jobs.indexer.give_back", lambda: given_back.append(world.indexer.index_lsn))
    monkeypatch.setattr("jobs.indexer.MUCH", 20)
    monkeypatch.setattr("jobs.indexer.PORTION", 10)
    world.indexer.stop()
    for number in range(1, 51):
        world.db.append(encode(Job(job_id=number, topic="t")))
    world.db.commit().wait(10)
    world.indexer = Indexer(world.folder / "index", OurDBFeed(world.db), 0.01)
    world.indexer.start()
    assert len(world.ids("topic:t")) == 50
    assert given_back == [30]


def test_a_few_records_wait_for_more_of_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.indexer.PORTION", 10)
    world.indexer.stop()
    indexer = Indexer(world.folder / "other", OurDBFeed(world.db), 50.0)
    for number in range(1, 36):
        world.db.append(encode(Job(job_id=number, topic="t")))
    world.db.commit().wait(10)
    assert [(indexer._follow() == 50.0, indexer.behind) for _ in range(4)] == [
        (False, 25), (False, 15), (True, 5), (True, 0)]


def test_a_closed_index_refuses(world: World) -> None:
    world.indexer.stop()
    with pytest.raises(Exception, match="closed"):
        world.ids("x")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JobIndex, dict[int, Job]]]:
    rng = random.Random(9)
    jobs = {number: made(rng, number) for number in range(1, 3001, 3)}
    index = JobIndex(tmp_path_factory.mktemp("index"), few=20)
    index.take(dict(jobs), 1)
    yield index, jobs
    index.close()


COMBINED: st.SearchStrategy[Query] = st.recursive(
    st.sampled_from([parse(text, NOW) for text in QUERIES if text]),
    lambda inner: st.one_of(inner.map(Not), st.lists(inner, min_size=2, max_size=3).map(lambda parts: both(*parts)),
                            st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or)), max_leaves=5)


@given(COMBINED, st.integers(0, 3100), st.integers(1, 40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_combination_is_answered_as_by_the_evaluator(filled: tuple[JobIndex, dict[int, Job]], query: Query,
                                                         below: int, limit: int) -> None:
    index, jobs = filled
    right = [number for number in sorted(jobs, reverse=True) if (not below or number < below)
             and query.fits(jobs[number])]
    assert index.candidates(query, below, limit) == right[:limit]
