"""EXPIRE, UNIQUE, IDEMPOTENCY and the size limits, over time and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import requests
from jobs.errors import BadOption, JobNotFound, Refused
from jobs.job import replace
from jobs.job_record import MAX_BATCH
from jobs.limits import Limits
from jobs.notes import KeyNote
from jobs.options import MAX_META, JobOptions
from jobs.ourdb_store import OurDBStore
from ourdb import OurDB
from tests.jobs.world import World

DAY_MS = 86_400_000


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_that_is_not_started_in_time_expires(world: World) -> None:
    world.new(expire_ms=100)
    world.new()
    world.pass_ms(99)
    assert world.state(1) == ("new", "")
    world.pass_ms(1)
    assert world.state(1) == ("error", "expired")
    assert (world.queue.waiting("t"), world.manager.stats("t").error) == ([2], 1)


def test_an_expired_job_is_never_handed_out_even_before_the_timer(world: World) -> None:
    world.new(expire_ms=100)
    world.clock.advance(100)
    assert world.manager.claim("t", "w") is None
    assert world.state(1) == ("error", "expired")


def test_the_time_to_expire_begins_when_the_job_could_be_started(world: World) -> None:
    world.new(delay_ms=1000, expire_ms=100)
    world.pass_ms(1000)
    assert world.state(1) == ("new", "delayed")
    world.pass_ms(100)
    assert world.state(1) == ("error", "expired")


def test_what_was_started_once_does_not_expire(world: World) -> None:
    world.new(expire_ms=100, retries=1, backoff="fixed:500")
    claimed = world.claim()
    world.manager.fail(1, b"no", "w", claimed.token)
    world.pass_ms(500)
    assert (world.state(1), world.claim().attempts) == (("new", "retry"), 2)


def test_an_expired_job_that_is_queued_again_can_run(world: World) -> None:
    world.new(expire_ms=100)
    world.pass_ms(100)
    world.manager.requeue(1, "hand")
    world.restart()
    world.pass_ms(100)
    assert (world.state(1), world.claim().job_id) == (("new", "requeued"), 1)


def test_what_was_snoozed_does_not_expire(world: World) -> None:
    world.new(expire_ms=100)
    world.manager.snooze(1, 50, "w", world.claim().token)
    world.pass_ms(200)
    assert (world.state(1), world.claim().attempts) == (("new", "snoozed"), 1)


def test_expiry_survives_a_restart(world: World) -> None:
    world.new(expire_ms=100)
    world.restart()
    world.pass_ms(100)
    assert world.state(1) == ("error", "expired")


def test_a_unique_key_is_held_while_the_job_lives(world: World) -> None:
    world.new(unique=b"k")
    world.new("other", unique=b"k")
    with pytest.raises(Refused, match=r"^REFUSED unique key 'k' of topic t is held by job 1$"):
        world.new(unique=b"k")
    world.restart()
    claimed = world.claim()
    with pytest.raises(Refused, match="job 1"):
        world.new(unique=b"k")
    world.manager.finish(1, b"", "w", claimed.token)
    assert world.new(unique=b"k").job_id == 3


def test_a_unique_key_with_a_time_is_held_for_that_time(world: World) -> None:
    world.new(unique=b"k", unique_ttl_ms=1000)
    world.manager.finish(1, b"", "w")
    world.restart()
    world.clock.advance(999)
    with pytest.raises(Refused, match="job 1"):
        world.new(unique=b"k")
    world.clock.advance(1)
    assert world.new(unique=b"k").job_id == 2


@pytest.mark.parametrize("orderly", [True, False])
def test_a_unique_key_with_a_time_outlives_retention(world: World, orderly: bool) -> None:
    world.new(unique=b"k", unique_ttl_ms=1000)
    world.manager.finish(1, b"", "w")
    world.manager.delete(1, "retention", keep_result=True)
    for _ in range(2):
        with pytest.raises(Refused, match="job 1"):
            world.new(unique=b"k")
        world.restart(orderly)
    world.clock.advance(1000)
    job = world.new(unique=b"k")
    world.manager.cancel(job.job_id, "hand")
    world.manager.delete(job.job_id, "hand")
    assert [note for _, note in world.store.records() if isinstance(note, KeyNote)] == []


@pytest.mark.parametrize("orderly", [True, False])
@pytest.mark.parametrize("options", [{"unique": b"k", "unique_ttl_ms": 1000},
                                     {"idempotency": b"k", "idempotency_ms": 1000}])
def test_a_start_removes_keys_of_deleted_jobs_whose_time_is_over(world: World, orderly: bool,
                                                                 options: dict[str, object]) -> None:
    world.new(**options)
    world.manager.finish(1, b"", "w")
    world.manager.delete(1, "retention", keep_result=True)
    world.restart(orderly)
    assert len([note for _, note in world.store.records() if isinstance(note, KeyNote)]) == 1
    world.clock.advance(1000)
    world.restart(orderly)
    assert [note for _, note in world.store.records() if isinstance(note, KeyNote)] == []
    assert world.new(**options).job_id == 3


def test_a_unique_key_is_free_when_somebody_deletes_its_job(world: World) -> None:
    world.new(unique=b"k", unique_ttl_ms=1000)
    world.manager.delete(1, "hand")
    assert world.new(unique=b"k").job_id == 2


def test_a_job_that_runs_again_needs_its_key(world: World) -> None:
    world.new(unique=b"k")
    world.manager.cancel(1, "hand")
    world.new(unique=b"k")
    with pytest.raises(Refused, match="job 2"):
        world.manager.requeue(1, "hand")
    world.manager.cancel(2, "hand")
    world.manager.requeue(1, "hand")
    with pytest.raises(Refused, match="job 1"):
        world.new(unique=b"k")


def test_a_repeated_idempotency_key_answers_the_earlier_job(world: World) -> None:
    world.new(idempotency=b"order-7")
    assert world.new("elsewhere", idempotency=b"order-7").job_id == 1
    world.manager.finish(1, b"result", "w")
    world.restart()
    again = world.new(idempotency=b"order-7")
    assert (again.job_id, again.result, world.store.next_id()) == (1, b"result", 2)
    world.clock.advance(7 * DAY_MS)
    assert world.new(idempotency=b"order-7").job_id == 2


def test_an_idempotency_key_outlives_its_job(world: World) -> None:
    world.new(idempotency=b"k")
    world.manager.finish(1, b"", "w")
    world.manager.delete(1, "hand")
    for _ in range(2):
        assert world.new(idempotency=b"k").job_id == 1
        world.restart()
    assert world.manager.find(1) is None
    world.clock.advance(7 * DAY_MS)
    made = world.new(idempotency=b"k").job_id
    assert made > 1


def test_a_result_may_be_kept_as_long_as_the_key(world: World) -> None:
    world.new(idempotency=b"k")
    world.manager.finish(1, b"result", "w")
    world.manager.delete(1, "retention", keep_result=True)
    world.restart()
    kept = world.new(idempotency=b"k")
    assert (kept.job_id, kept.result, world.now(1).result) == (1, b"result", b"result")
    with pytest.raises(JobNotFound):
        world.manager.requeue(1, "hand")
    world.clock.advance(7 * DAY_MS)
    assert world.manager.find(1) is None
    world.new()
    world.manager.delete(world.store.next_id() - 1, "x")
    assert list(world.store.records()) == []


def test_of_two_creates_at_once_the_second_waits_for_the_first() -> None:
    world = World(held=True)
    first, _ = world.manager.create("t", b"a", JobOptions(idempotency=b"k", unique=b"u"))
    second, same = world.manager.create("t", b"b", JobOptions(idempotency=b"k"))
    assert (first.job_id, second.job_id, same.done) == (1, 1, False)
    with pytest.raises(Refused, match="job 1"):
        world.manager.create("t", b"c", JobOptions(unique=b"u"))
    world.store.release(OSError("broken"))
    assert world.new(idempotency=b"k", unique=b"u").job_id == 2


def test_what_is_too_large_is_refused_and_changes_nothing() -> None:
    world = World(limits=Limits(params=10, result=5))
    with pytest.raises(Refused, match="the params have 11 bytes, at most 10 are kept"):
        world.manager.create("t", b"x" * 11)
    assert world.store.next_id() == 1
    world.manager.create("t", b"x" * 10)
    world.manager.create("t", b"")
    claimed = world.claim()
    with pytest.raises(Refused, match="the result has 6 bytes"):
        world.manager.finish(1, b"x" * 6, "w", claimed.token)
    world.manager.finish(1, b"x" * 5, "w", claimed.token)
    assert [len(world.now(job_id).params) for job_id in (1, 2)] == [10, 0]


def test_a_huge_error_is_cut_not_refused(world: World) -> None:
    world.new()
    world.manager.fail(1, b"x" * 1_000_000, "w", world.claim().token)
    error = world.now(1).error
    assert error is not None
    assert len(error) == 64 * 1024 + len(b" (cut)")


@pytest.mark.parametrize("options", [
    {"unique": b"x" * 513}, {"idempotency": b"x" * 513}, {"unique_ttl_ms": 5}, {"expire_ms": -1},
    {"idempotency": b"k", "idempotency_ms": 0}, {"delay_ms": 5, "run_at": 5},
])
def test_options_that_cannot_be(world: World, options: dict[str, object]) -> None:
    with pytest.raises(BadOption):
        world.new(**options)


def batch(world: World, count: int, **options: object) -> list[int]:
    jobs, _ = world.manager.create_many("t", [b"%d" % number for number in range(count)],
                                        JobOptions(**options))  # type: ignore[arg-type]
    return [job.job_id for job in jobs]


@pytest.mark.parametrize("orderly", [True, False])
def test_a_key_of_several_jobs_answers_all_of_them_again(world: World, orderly: bool) -> None:
    assert batch(world, 1, idempotency=b"one") == [1]
    assert batch(world, 3, idempotency=b"k", delay_ms=5) == [2, 3, 4]
    for _ in range(2):
        assert batch(world, 3, idempotency=b"k") == [2, 3, 4]
        assert batch(world, 1, idempotency=b"k", priority=1) == [2, 3, 4]
        assert (world.new(idempotency=b"k").job_id, batch(world, 2, idempotency=b"one")) == (2, [1])
        world.restart(orderly)
    assert [(world.now(job_id).params, world.now(job_id).run_at) for job_id in (2, 3, 4)] == [
        (b"0", 1_000_005), (b"1", 1_000_005), (b"2", 1_000_005)]
    world.pass_ms(7 * DAY_MS)
    assert batch(world, 2, idempotency=b"k") == [5, 6]


@pytest.mark.parametrize("orderly", [True, False])
@pytest.mark.parametrize("keep_result", [True, False])
def test_a_key_of_several_jobs_outlives_them(world: World, orderly: bool, keep_result: bool) -> None:
    batch(world, 3, idempotency=b"k")
    for job_id in (1, 2):
        world.manager.finish(job_id, b"r", "w")
        world.manager.delete(job_id, "somebody", keep_result=keep_result)
    for _ in range(2):
        jobs, _ = world.manager.create_many("t", [b""] * 3, JobOptions(idempotency=b"k"))
        assert [job.job_id for job in jobs] == [1, 2, 3]
        assert (jobs[0].result, jobs[1].reason, jobs[2].state) == (b"r" if keep_result else None, "deleted", "new")
        world.restart(orderly)


def test_several_jobs_that_never_came_to_be_leave_their_key() -> None:
    world = World(held=True)
    assert batch(world, 2, idempotency=b"k") == batch(world, 2, idempotency=b"k") == [1, 2]
    world.store.release(OSError("broken"))
    assert batch(world, 2, idempotency=b"k") == [3, 4]


@pytest.mark.parametrize("options", [
    {"priority": 7, "retries": 2, "backoff": "fixed:9", "timeout_ms": 30, "expire_ms": 50, "delay_ms": 5,
     "tags": ("a", "b"), "meta": b'{"x":1}'}, {"idempotency": b"k", "expire_ms": 50}, {"idempotency": b"k"}, {}])
def test_each_of_several_jobs_is_as_one_alone(options: dict[str, object]) -> None:
    alone, together = World(), World()
    for _ in range(2):
        job = alone.new(**options)
        options.pop("idempotency", None)
    batch(together, 3, **options)
    made = together.now(3)
    assert replace(made, job_id=0, params=b"") == replace(job, job_id=0, params=b"", by=made.by)


def test_keys_are_for_single_jobs(world: World) -> None:
    assert batch(world, 1, unique=b"u") == [1]
    with pytest.raises(BadOption, match="1000001 jobs cannot be made under one idempotency key"):
        batch(world, MAX_BATCH + 1, idempotency=b"k")
    with pytest.raises(BadOption, match="not for several"):
        world.manager.create_many("t", [b"a", b"b"], JobOptions(unique=b"k"))
    jobs, _ = world.manager.create_many("t", [b"a", b"b"], JobOptions(tags=("x",), delay_ms=5))
    assert [(job.tags, job.run_at, job.extra) for job in jobs] == [(("x",), 1_000_005, None)] * 2


def test_keys_whose_time_is_over_are_let_go_of_as_others_come(world: World) -> None:
    for number in range(10):
        world.new(idempotency=b"short %d" % number, idempotency_ms=100)
    world.new(idempotency=b"long")
    world.clock.advance(100)
    for number in range(6):
        world.new(idempotency=b"later %d" % number)
    held = [key for key, *_ in world.manager.keys.same()]
    assert held == [b"long", *(b"later %d" % number for number in range(6))]
    assert world.new(idempotency=b"long").job_id == 11
    assert world.new(idempotency=b"short 1").job_id == 18


def test_the_own_key_of_a_client_is_kept_for_minutes() -> None:
    own = requests.with_own_key({"priority": 7})
    assert (own["priority"], own["idempotency_ttl"], len(own["idempotency"])) == (7, 600, 32)
    assert requests.with_own_key({"idempotency": "mine"}) == {"idempotency": "mine"}
    assert requests.create("t", "", **own).words[-4:] == [
        b"IDEMPOTENCY", own["idempotency"].encode(), b"KEEP", b"600000"]


def test_metadata_has_a_size_too(world: World) -> None:
    fits = b'{"a":"' + b"x" * (MAX_META - 8) + b'"}'
    assert world.new(meta=fits).meta == fits
    with pytest.raises(BadOption, match=f"META has {MAX_META + 1} bytes, at most {MAX_META} are kept"):
        world.new(meta=fits + b" ")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_key_that_is_used_again_after_its_time_is_kept_again(deleted: bool) -> None:
    """Also while many others whose time is over too are not forgotten yet."""
    world = World()
    first = [world.new(idempotency=b"k%d" % number, idempotency_ms=10 + number).job_id for number in range(12)]
    if deleted:
        for job_id in first:
            world.manager.delete(job_id, "x")
    world.clock.advance(1000)
    again = world.new(idempotency=b"k11").job_id
    assert again > first[-1]
    assert [world.new(idempotency=b"k11").job_id for _ in range(8)] == [again] * 8
    world.manager.delete(world.new().job_id, "x")
    assert len([note for _, note in world.store.records() if isinstance(note, KeyNote)]) == 0
    world.restart()
    assert world.new(idempotency=b"k11").job_id == again


@pytest.mark.parametrize("orderly", [False, True])
@pytest.mark.parametrize("later", ["live", "ended", "deleted"])
def test_a_start_knows_who_holds_a_key_now(tmp_path: Path, later: str, orderly: bool) -> None:
    """Whatever the log still says of who held it before."""
    world, db = World(), OurDB(tmp_path)
    world.store = OurDBStore(db)  # type: ignore[assignment]
    world.restart()
    options = {"idempotency": b"k", "idempotency_ms": 10, "unique": b"u", "unique_ttl_ms": 10}
    first = world.new(**options).job_id
    db.flush()
    world.manager.delete(first, "retention", keep_result=True)
    world.clock.advance(1000)
    second = world.new(**{**options, "idempotency_ms": 5000, "unique_ttl_ms": 5000}).job_id
    db.flush()
    if later != "live":
        world.manager.cancel(second, "x")
        db.flush()
    if later == "deleted":
        world.manager.delete(second, "retention", keep_result=True)
    for _ in range(2):
        db.flush()
        world.restart(orderly)
        assert world.new(idempotency=b"k").job_id == second
        with pytest.raises(Refused, match=f"job {second}"):
            world.new(unique=b"u")
    assert len([note for _, note in world.store.records() if isinstance(note, KeyNote)]) == 2 * (later == "deleted")
    db.close()


def test_the_key_of_a_deleted_job_keeps_no_others_from_being_forgotten(world: World) -> None:
    world.manager.delete(world.new(idempotency=b"first", idempotency_ms=10).job_id, "x")
    for number in range(9):
        world.clock.advance(100)
        world.new(idempotency=b"%d" % number, idempotency_ms=10)
    assert len(world.manager.keys.same()) <= 2
