"""Changes of state: the table, durability before visibility, tokens, retries, leases, losses, recovery."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jobs.errors import BadOption, BadState, JobNotFound, StaleToken
from jobs.states import STATES, follows
from tests.jobs.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_goes_from_new_over_active_to_done(world: World) -> None:
    job = world.new()
    assert (world.now(job.job_id).state, world.queue.waiting("t")) == ("new", [1])
    world.clock.advance(5)
    claimed = world.manager.claim("t", "w1")
    assert claimed is not None
    assert (claimed.state, claimed.attempts, claimed.worker, claimed.started_at) == ("active", 1, "w1", 1_000_005)
    assert (world.queue.waiting("t"), world.queue.shown[1].state) == ([], "active")
    world.manager.finish(1, b"r", "w1", claimed.token)
    assert (world.now(1).state, world.now(1).result, world.queue.shown) == ("done", b"r", {})
    assert [(v.state, v.version, v.by) for v in world.manager.history(1, 9)] == [
        ("done", 3, "w1"), ("active", 2, "w1"), ("new", 1, "test")]


def test_nothing_is_seen_before_it_is_on_disk() -> None:
    world = World(held=True)
    told: list[str] = []
    world.manager.subscribe(lambda job: told.append(job.state))
    world.new()
    assert world.manager.find(1) is None
    assert world.manager.history(1, 9) == []
    assert (world.queue.waiting("t"), world.queue.shown, world.manager.claim("t", "w"), told) == ([], {}, None, [])
    world.store.release()
    assert (world.now(1).state, world.queue.waiting("t"), told) == ("new", [1], ["new"])


def test_what_the_disk_refused_never_existed() -> None:
    world = World(held=True)
    world.new()
    world.store.release(OSError("broken"))
    assert (world.queue.waiting("t"), world.manager.stats().new, list(world.manager.live)) == ([], 0, [])


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_states_set_by_hand_follow_the_table(world: World, before: str, after: str) -> None:
    world.new()
    if before != "new":
        world.manager.set_state(1, before, "hand")
    versions = len(world.manager.history(1, 99))
    if after != before and follows(before, after):
        world.manager.set_state(1, after, "hand")
        assert world.now(1).state == after
        counts = world.manager.stats("t")
        assert [state for state in STATES if counts[state]] == [after]
        assert (world.queue.waiting("t") == [1]) == (after == "new")
    else:
        with pytest.raises(BadState, match="BADSTATE job 1 is "):
            world.manager.set_state(1, after, "hand")
        assert len(world.manager.history(1, 99)) == versions


def test_a_stale_token_changes_nothing(world: World) -> None:
    world.new()
    first = world.manager.claim("t", "w1")
    assert first is not None
    world.manager.give_back(1, "server")
    second = world.manager.claim("t", "w2")
    assert second is not None
    for act in (world.manager.finish, world.manager.fail):
        with pytest.raises(StaleToken, match="STALE token of job 1"):
            act(1, b"late", "w1", first.token)
    assert world.now(1).worker == "w2"
    world.manager.finish(1, b"ok", "w2", second.token)
    with pytest.raises(StaleToken):
        world.manager.finish(1, b"again", "w2", second.token)


def test_failures_are_tried_again_until_the_attempts_are_used_up(world: World) -> None:
    world.new(retries=2, backoff="fixed:100")
    for attempt in (1, 2, 3):
        claimed = world.manager.claim("t", "w")
        assert claimed is not None
        assert claimed.attempts == attempt
        world.manager.fail(1, b"boom", "w", claimed.token, traceback=b"trace")
        if attempt < 3:
            assert (world.now(1).state, world.now(1).reason, world.now(1).error) == ("new", "retry", b"boom")
            assert world.queue.waiting("t") == []
            world.clock.advance(99)
            world.manager.due()
            assert world.queue.waiting("t") == []
            world.clock.advance(1)
            world.manager.due()
            assert world.queue.waiting("t") == [1]
    job = world.now(1)
    assert (job.state, job.reason, job.error, job.traceback) == ("error", "dead", b"boom", b"trace")


def test_a_final_failure_is_not_tried_again(world: World) -> None:
    world.new(retries=5)
    claimed = world.manager.claim("t", "w")
    assert claimed is not None
    world.manager.fail(1, b"bad params", "w", claimed.token, reason="invalid", final=True)
    assert (world.now(1).state, world.now(1).reason) == ("error", "invalid")


def test_what_cannot_be_read_is_not_tried_again_whoever_says_so(world: World) -> None:
    world.new(retries=5)
    claimed = world.manager.claim("t", "w")
    assert claimed is not None
    world.manager.fail(1, b"bad params", "w", claimed.token, reason="invalid")
    assert (world.now(1).state, world.now(1).reason, world.now(1).attempts) == ("error", "invalid", 0)


def test_a_delayed_job_comes_when_its_time_has_come(world: World) -> None:
    world.new(delay_ms=1000)
    assert (world.queue.waiting("t"), world.now(1).reason, world.queue.shown[1].state) == ([], "delayed", "new")
    world.clock.advance(999)
    world.manager.due()
    assert world.queue.waiting("t") == []
    world.clock.advance(1)
    world.manager.due()
    assert world.queue.waiting("t") == [1]


def test_a_lease_that_ends_gives_the_job_back_and_one_that_holds_does_not(world: World) -> None:
    world.new()
    leased = world.manager.claim("t", "far", owner=7, lease_ms=500)
    assert leased is not None
    world.manager.owner_gone(7, "server")
    assert world.now(1).state == "active"
    world.clock.advance(500)
    world.manager.due()
    assert (world.now(1).state, world.now(1).reason, world.queue.waiting("t")) == ("new", "returned", [1])
    with pytest.raises(StaleToken):
        world.manager.finish(1, b"late", "far", leased.token)


def test_a_lost_connection_returns_its_jobs_to_the_head_in_their_order(world: World) -> None:
    for _ in range(4):
        world.new()
    for owner in (7, 7, 8):
        world.manager.claim("t", "w", owner=owner)
    assert world.manager.owner_gone(7, "server") == 2
    assert world.queue.waiting("t") == [1, 2, 4]
    assert world.now(3).state == "active"


def test_after_a_crash_the_unfinished_run_again_and_counts_are_right(world: World) -> None:
    for _ in range(4):
        world.new()
    world.new(delay_ms=60_000)
    world.manager.claim("t", "w")
    world.manager.claim("t", "far", owner=3, lease_ms=60_000)
    world.manager.finish(3, b"", "hand")
    again = world.manager_over_the_same_store()
    assert again.recover() == 4
    assert world.queue.waiting("t") == [1, 4]
    counts = again.stats()
    assert (counts.new, counts.active, counts.done, counts.error) == (3, 1, 1, 0)
    first = again.find(1)
    assert first is not None
    assert (first.reason, first.losses) == ("returned", 1)
    assert again.store.next_id() == 6


def test_ids_and_versions_never_repeat_over_restarts(world: World) -> None:
    world.new()
    world.manager.claim("t", "w")
    for _ in range(3):
        manager = world.manager_over_the_same_store()
        manager.recover()
        manager.claim("t", "w")
    versions = [job.version for job in world.store.history(1, 99)]
    assert versions == list(range(8, 0, -1))


def test_several_are_created_together_with_rising_ids(world: World) -> None:
    jobs, commit = world.manager.create_many("t", [b"a", "text", {"json": 1}])
    assert commit.done
    assert [(job.job_id, job.params) for job in jobs] == [(1, b"a"), (2, b"text"), (3, b'{"json":1}')]
    assert world.queue.waiting("t") == [1, 2, 3]


@pytest.mark.parametrize(("topic", "options"), [
    ("", {}), ("x" * 256, {}), ("new\nline", {}), ("t", {"priority": 256}), ("t", {"retries": -1}),
    ("t", {"backoff": "never"}), ("t", {"backoff": "exp:1:2:101"}), ("t", {"tags": ("",)}), ("t", {"meta": b"[1]"}),
    ("t", {"meta": b"{"}), ("t", {"delay_ms": -1}),
])
def test_bad_input_is_refused_and_changes_nothing(world: World, topic: str, options: dict[str, object]) -> None:
    with pytest.raises(BadOption):
        world.new(topic, **options)
    assert (world.store.next_id(), world.manager.topics()) == (1, {})


def test_unknown_jobs_are_named(world: World) -> None:
    with pytest.raises(JobNotFound, match="NOJOB no job with id 7"):
        world.manager.finish(7, b"", "x")


def test_cancelling_takes_a_waiting_job_out_of_the_line(world: World) -> None:
    world.new()
    world.manager.cancel(1, "hand")
    assert (world.now(1).state, world.now(1).reason, world.queue.waiting("t")) == ("error", "cancelled", [])
    world.new()
    world.manager.finish(2, b"", "w")
    with pytest.raises(BadState, match="BADSTATE job 2 is done, it cannot be cancelled"):
        world.manager.cancel(2, "hand")


def test_listings_are_newest_first_with_a_cursor(world: World) -> None:
    for number in range(10):
        world.new("even" if number % 2 == 0 else "odd")
    world.manager.finish(9, b"", "hand")
    cursor, page = world.manager.list_jobs(topic="even", count=2)
    assert [job.job_id for job in page] == [9, 7]
    cursor, page = world.manager.list_jobs(topic="even", cursor=cursor, count=9)
    assert ([job.job_id for job in page], cursor) == ([5, 3, 1], 0)
    assert [job.job_id for job in world.manager.list_jobs(state="done")[1]] == [9]
    assert [job.job_id for job in world.manager.list_jobs(topic="odd", state="new", count=3)[1]] == [10, 8, 6]


def test_a_job_that_is_put_off_with_nothing_for_ever_runs_ever_less_often_but_each_second() -> None:
    world = World()
    world.new()
    began: list[int] = []
    while len(began) < 700:
        began.append(world.clock.now_ms())
        world.manager.snooze(1, 0, "w", world.claim().token)
        assert world.manager.claim("t", "w") is None
        wait = world.manager.next_due_ms()
        assert 0 < wait <= 1000
        world.pass_ms(wait)
    gaps = [later - sooner for sooner, later in pairwise(began)]
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1]) == (2, 1000)
    world.manager.snooze(1, 5000, "w", world.claim().token)
    assert world.manager.next_due_ms() == 5000


@pytest.mark.parametrize("owner", [0, 7])
def test_the_lease_of_an_attempt_that_is_over_takes_no_other_attempt_away(owner: int) -> None:
    world = World()
    world.new(retries=1, backoff="fixed:0")
    world.claim(lease_ms=50)
    world.manager.fail(1, b"no", "w")
    world.pass_ms(1)
    world.claim(owner=owner)
    world.pass_ms(100)
    assert (world.state(1), world.now(1).losses) == (("active", ""), 0)
    assert world.manager.leased() == []


def test_the_timeout_of_an_attempt_that_is_over_ends_no_other_attempt() -> None:
    """An embedded worker watches over the time of its attempts itself."""
    world = World()
    world.new(retries=1, backoff="fixed:0", timeout_ms=50)
    world.claim(owner=7)
    world.manager.fail(1, b"no", "w")
    world.pass_ms(1)
    world.claim()
    world.pass_ms(100)
    assert world.state(1) == ("active", "")


def test_what_a_crash_interrupted_stands_in_line_as_it_did_before() -> None:
    world = World()
    for _ in range(4):
        world.new()
    for _ in range(3):
        world.claim()
    world.restart()
    assert [world.claim().job_id for _ in range(4)] == [1, 2, 3, 4]
