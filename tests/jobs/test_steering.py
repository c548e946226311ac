"""Acts of operators and reports of running attempts: cancel, retry, edit, promote, delete, pause, leases, log lines."""

from __future__ import annotations

import pytest

from jobs.errors import BadOption, BadState, JobNotFound, StaleToken
from jobs.job import Job
from jobs.limits import Limits
from tests.jobs.desk import Desk, as_map
from tests.jobs.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_cancelling_a_running_job_ends_it_and_tells_who_runs_it(world: World) -> None:
    revoked: list[Job] = []
    world.manager.on_revoke = revoked.append
    world.new(retries=5)
    claimed = world.claim(lease_ms=1000)
    world.manager.cancel(1, "hand", b"enough")
    assert (world.state(1), world.now(1).error, world.now(1).by) == (("error", "cancelled"), b"enough", "hand")
    assert [job.token for job in revoked] == [claimed.token]
    for act in (lambda: world.manager.extend(1, 5, claimed.token), lambda: world.manager.finish(1, b"", "w",
                claimed.token), lambda: world.manager.log(1, "x", "w", claimed.token)):
        with pytest.raises(StaleToken, match="STALE token of job 1 is no longer valid: the job was cancelled"):
            act()


def test_retrying_gives_all_attempts_back(world: World) -> None:
    world.new(retries=1, backoff="fixed:0")
    for _ in range(2):
        world.manager.fail(1, b"no", "w", world.claim().token)
        world.pass_ms(1)
    assert world.state(1) == ("error", "dead")
    world.manager.requeue(1, "hand")
    assert (world.state(1), world.now(1).attempts, world.now(1).error) == (("new", "requeued"), 0, None)
    world.manager.fail(1, b"no", "w", world.claim().token)
    assert world.state(1) == ("new", "retry")
    with pytest.raises(BadState, match="job 1 is new, it cannot be queued again"):
        world.manager.requeue(1, "hand")


def test_editing_a_waiting_job(world: World) -> None:
    for _ in range(3):
        world.new()
    world.manager.edit(3, "hand", b"new params", 5)
    assert (world.queue.waiting("t"), world.now(3).params, world.now(3).by) == ([3, 1, 2], b"new params", "hand")
    world.manager.edit(1, "hand", b"other")
    assert world.queue.waiting("t") == [3, 1, 2]
    world.claim()
    with pytest.raises(BadState, match="cannot be edited"):
        world.manager.edit(3, "hand", b"late")
    with pytest.raises(BadOption):
        world.manager.edit(1, "hand", None, 256)
    world.restart()
    assert (world.now(1).params, world.now(3).priority) == (b"other", 5)


def test_promoting_ends_a_delay_and_goes_to_the_head(world: World) -> None:
    world.new()
    world.new(delay_ms=60_000)
    world.new()
    world.manager.promote(2, "hand")
    world.manager.promote(3, "hand")
    assert (world.queue.waiting("t"), world.state(2)) == ([3, 2, 1], ("new", "promoted"))
    world.pass_ms(60_000)
    assert world.queue.waiting("t") == [3, 2, 1]


@pytest.mark.parametrize("orderly", [False, True])
def test_a_promoted_job_stands_before_others_of_its_priority_after_a_restart_too(world: World, orderly: bool) -> None:
    for priority in (100, 100, 100, 50, 101):
        world.new(priority=priority)
    world.manager.promote(3, "hand")
    world.manager.promote(5, "hand")
    world.restart(orderly)
    assert world.queue.waiting("t") == [4, 3, 1, 2, 5]


def test_a_deleted_job_is_gone_but_its_history_says_by_whom(world: World) -> None:
    world.new()
    world.new(delay_ms=5)
    world.new()
    world.manager.finish(3, b"", "w")
    for job_id in (1, 2, 3):
        world.manager.delete(job_id, "hand")
    assert [world.manager.find(job_id) for job_id in (1, 2, 3)] == [None] * 3
    assert (world.queue.waiting("t"), world.queue.shown) == ([], {})
    assert [world.manager.stats()[state] for state in ("new", "done")] == [0, 0]
    newest = world.manager.history(3, 9)[0]
    assert (newest.reason, newest.by, newest.state) == ("deleted", "hand", "done")
    with pytest.raises(JobNotFound, match="NOJOB no job with id 3"):
        world.manager.delete(3, "hand")
    world.restart()
    assert (list(world.manager.live), world.new().job_id) == ([], 4)


def test_a_running_job_has_to_be_cancelled_before_it_is_deleted(world: World) -> None:
    world.new()
    world.claim()
    with pytest.raises(BadState, match="job 1 is active, it cannot be deleted"):
        world.manager.delete(1, "hand")


def test_purging_takes_all_waiting_jobs_of_a_topic_in_slices(world: World) -> None:
    for number in range(1203):
        world.new(delay_ms=number % 2)
    world.new("other")
    world.claim()
    slices: list[int] = []
    world.manager.later = lambda action: (slices.append(1), action())[1]
    count, commit = world.manager.purge("t", "hand")
    assert (count, commit.done, commit.error, len(slices)) == (1202, True, None, 2)
    counts = world.manager.stats("t")
    assert (counts.new, counts.active, world.queue.waiting("t"), world.queue.waiting("other")) == (0, 1, [], [1204])
    world.restart()
    assert world.manager.stats("t").new == 1


def test_a_paused_topic_hands_nothing_out_also_after_a_restart(world: World) -> None:
    pushed: list[str] = []
    world.new()
    world.manager.pause("t", "hand")
    world.manager.on_push = pushed.append
    world.new()
    assert (world.manager.claim("t", "w"), world.queue.waiting("t"), pushed) == (None, [1, 3], [])
    world.restart()
    assert world.manager.claim("t", "w") is None
    world.manager.on_push = pushed.append
    world.manager.resume("t", "hand")
    assert (pushed, world.claim().job_id) == (["t"], 1)
    world.restart()
    assert world.claim().job_id == 1


def test_a_heartbeat_keeps_the_lease(world: World) -> None:
    world.new()
    claimed = world.claim(lease_ms=100)
    for _ in range(5):
        world.pass_ms(99)
        world.manager.extend(1, 100, claimed.token)
    assert (world.state(1), world.now(1).version) == (("active", ""), 2)
    world.pass_ms(100)
    assert world.state(1) == ("new", "returned")
    with pytest.raises(StaleToken):
        world.manager.extend(1, 100, claimed.token)


def test_leases_do_not_care_for_jumps_of_the_wall_clock(world: World) -> None:
    world.new()
    world.claim(lease_ms=1000)
    world.clock.jump(3_600_000)
    world.manager.due()
    assert world.state(1) == ("active", "")
    world.clock.jump(-7_200_000)
    world.pass_ms(1000)
    assert world.state(1) == ("new", "returned")


def test_a_longer_lease_survives_a_restart(world: World) -> None:
    world.new()
    token = world.claim(lease_ms=100).token
    world.manager.extend(1, 5000, token)
    world.restart()
    world.pass_ms(4999)
    assert world.state(1) == ("active", "extended")
    world.manager.extend(1, 5000, token)
    world.pass_ms(5000)
    assert world.state(1) == ("new", "returned")


def test_appointments_follow_the_wall_clock(world: World) -> None:
    world.new(delay_ms=60_000)
    world.clock.jump(60_000)
    world.manager.due()
    assert world.queue.waiting("t") == [1]
    world.new(delay_ms=60_000)
    world.clock.jump(-3_600_000)
    world.pass_ms(60_000)
    assert world.queue.waiting("t") == [1]


def test_a_remote_attempt_ends_at_the_timeout_of_its_job(world: World) -> None:
    world.new(timeout_ms=50, retries=1, backoff="fixed:0")
    world.claim(owner=7)
    world.pass_ms(50)
    assert world.state(1) == ("new", "retry")
    world.manager.due()
    world.claim(lease_ms=10_000)
    world.pass_ms(50)
    assert (world.state(1), world.now(1).error) == (("error", "timeout"), b"ran longer than 50 ms")


def test_progress_and_log_lines_stay_with_the_job(world: World) -> None:
    world.new()
    claimed = world.claim()
    world.manager.log(1, "begun", "w", claimed.token)
    world.manager.progress(1, 50, "half", "w")
    world.manager.progress(1, 50, "half", "w")
    world.manager.log(1, "x" * 10_000, "w")
    assert (world.now(1).more.progress, world.now(1).more.progress_text) == (50, "half")
    world.manager.finish(1, b"", "w", claimed.token)
    world.restart()
    assert [(note.percent, note.line[:5], len(note.line)) for note in world.manager.trail(1)] == [
        (-1, "begun", 5), (50, "half", 4), (-1, "xxxxx", 8192)]
    assert (world.now(1).more.progress, world.manager.stats().done) == (50, 1)
    with pytest.raises(BadState, match="job 1 is done, it cannot be reported on"):
        world.manager.log(1, "late", "w")
    with pytest.raises(JobNotFound):
        world.manager.trail(2)


def test_log_lines_are_bounded_and_go_with_their_job(world: World) -> None:
    world.new()
    world.claim()
    for number in range(1005):
        world.manager.log(1, str(number), "w")
    assert (len(world.manager.trail(1)), world.manager.trail(1, 2)[-1].line) == (1000, "999")
    trail = world.now(1).more.trail
    world.manager.finish(1, b"", "w")
    world.manager.delete(1, "hand")
    assert [record_id for record_id, _ in world.store.records()] == []
    assert trail == 2


def test_progress_begins_anew_with_each_attempt(world: World) -> None:
    world.new()
    world.claim()
    world.manager.progress(1, 90, "", "w")
    world.manager.give_back(1, "server")
    assert (world.claim().more.progress, world.now(1).attempts) == (0, 1)
    with pytest.raises(BadOption):
        world.manager.progress(1, 101, "", "w")


def test_a_job_whose_workers_die_again_and_again_is_set_aside_with_its_last_words() -> None:
    world = World(limits=Limits(losses=3))
    world.new(retries=0)
    for number in range(3):
        world.claim(owner=7, worker=f"w{number}")
        world.manager.log(1, f"line {number}", "w")
        world.manager.owner_gone(7, "server")
    assert world.state(1) == ("error", "poison")
    assert world.now(1).error == (b"its workers were lost 3 times, the last was w2; its last log lines:\n"
                                  b"line 0\nline 1\nline 2")
    world.manager.requeue(1, "hand")
    world.claim(owner=7)
    world.manager.owner_gone(7, "server")
    assert world.state(1) == ("new", "returned")


def test_a_crash_of_the_server_counts_as_a_death_of_its_own_workers_only() -> None:
    world = World(limits=Limits(losses=2))
    world.new()
    world.new("remote")
    for _ in range(2):
        world.claim()
        world.claim("remote", owner=7)
        world.restart()
    assert (world.state(1), world.state(2)) == (("error", "poison"), ("new", "returned"))


def test_lost_and_returned_attempts_do_not_count_against_the_retries(world: World) -> None:
    world.new(retries=1, backoff="fixed:0")
    world.claim(owner=7)
    world.manager.owner_gone(7, "server")
    world.claim()
    world.manager.give_back(1, "server")
    world.manager.fail(1, b"first", "w", world.claim().token)
    assert world.state(1) == ("new", "retry")
    world.pass_ms(1)
    world.manager.snooze(1, 50, "w", world.claim().token)
    assert world.state(1) == ("new", "snoozed")
    world.pass_ms(50)
    world.manager.fail(1, b"second", "w", world.claim().token)
    assert world.state(1) == ("error", "dead")
    assert [(job.error, job.state) for job in world.manager.attempt_errors(1)] == [
        (b"first", "new"), (b"second", "error")]


def test_a_crash_that_a_worker_elsewhere_tells_counts_as_a_death() -> None:
    desk = Desk()
    worker = desk.caller()
    worker.call("JOB.CREATE", "t", "", "RETRY", 25, "BACKOFF", "fixed:0")
    said = []
    for text in ("signal 11", "the worker process ended by signal 11", "exit status 1"):
        [job] = worker.call("JOB.FETCH", 1, 0, "t")
        token = as_map(job)[b"token"]
        assert worker.error("JOB.FAIL", 1, text, "TOKEN", "c0", "REASON", "crashed").startswith("STALE")
        assert worker.call("JOB.FAIL", 1, text, "TOKEN", token, "REASON", "crashed") == b"OK"
        desk.pass_ms(1)
        said.append((worker.job(1)[b"state"], worker.job(1)[b"reason"], worker.job(1)[b"error"]))
    assert said[:2] == [(b"new", b"retry", b"the worker process ended by signal 11")] * 2
    assert said[2][:2] == (b"error", b"poison")
    worker.call("JOB.CREATE", "t", "", "RETRY", 25)
    worker.call("JOB.FETCH", 1, 0, "t")
    assert worker.call("JOB.FAIL", 2, "x", "REASON", "crashed", "DEAD") == b"OK"
    assert worker.job(2)[b"reason"] == b"crashed"


@pytest.mark.parametrize(("made_with", "attempts", "backoff"), [
    ((), 4, "fixed:7"), (("RETRY", 0), 1, "fixed:7"), (("RETRY", 1), 2, "fixed:7"),
    (("BACKOFF", "fixed:9"), 4, "fixed:9"), (("RETRY", 0, "UNIQUE", "u"), 1, "fixed:7"),
])
def test_a_worker_elsewhere_says_how_often_its_handler_is_tried(made_with: tuple[object, ...], attempts: int,
                                                                backoff: str) -> None:
    desk = Desk()
    worker = desk.caller()
    worker.call("JOB.CREATE", "t", "", *made_with)
    [job] = worker.call("JOB.FETCH", 1, 0, "t")
    token = as_map(job)[b"token"]
    worker.error("JOB.FAIL", 1, "no", "TOKEN", "c0", "RETRIES", 9)
    assert worker.call("JOB.FAIL", 1, "no", "TOKEN", token, "RETRIES", 3, "BACKOFF", "fixed:7") == b"OK"
    job = worker.job(1)
    assert (job[b"max_attempts"], job[b"state"]) == (attempts, b"new" if attempts > 1 else b"error")
    found = desk.manager.find(1)
    assert found is not None
    assert found.backoff == backoff
    if attempts > 1:
        assert job[b"run_at"] - desk.manager.now_ms() == int(backoff.rpartition(":")[2])
