"""The edges: clocks that stand still, topics of any bytes, params of no byte and of the most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hiredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.clock import ManualClock
from heroredis.extension import Command, Extension
from heroredis.server import Server
from jobs.errors import Refused
from jobs.limits import Limits
from jobs.ourdb_store import OurDBStore
from jobs.schedules import Schedules
from jobs.states import NEW
from ourdb import OurDB
from tests.jobs.desk import Caller, Desk, as_map
from tests.jobs.world import World

MOST = Limits().params


def stand_still(world: World, milliseconds: int) -> None:
    """Time passes, and the wall clock does not follow."""
    world.clock.advance(milliseconds)
    world.clock.jump(-milliseconds)
    world.manager.due()


def test_two_seconds_of_a_wall_clock_that_stands_still() -> None:
    world = World()
    world.new("later", delay_ms=1000)
    world.new("expiring", expire_ms=1000)
    world.new("leased")
    world.claim("leased", "far", lease_ms=1500)
    ran = world.claim("leased") if world.queue.length("leased") else None
    stand_still(world, 2000)
    assert ran is None
    assert world.state(1) == ("new", "delayed")
    assert world.state(2) == ("new", "")
    assert world.state(3) == ("new", "returned")
    again = world.claim("leased")
    world.manager.finish(again.job_id, b"r", "w", again.token)
    assert (again.attempts, world.now(3).ended_at) == (2, 1_000_000)
    times = [version.at for version in world.manager.history(3, 99)]
    assert times == sorted(times, reverse=True)
    cost = world.manager.accounting(3)
    assert (cost.queue_wait_ms, cost.wall_ms) == (0, 0)
    world.pass_ms(999)
    assert [world.state(job_id)[0] for job_id in (1, 2)] == ["new", "new"]
    world.pass_ms(1)
    assert (world.queue.waiting("later"), world.state(2)) == ([1], ("error", "expired"))


def test_a_server_that_stood_still_hears_its_workers_before_it_ends_their_leases() -> None:
    world = World()
    for _ in range(2):
        world.new()
    beating, silent = world.claim(lease_ms=1500), world.claim(lease_ms=1500)
    world.clock.advance(2000)
    world.manager.held_up()
    world.manager.due()
    assert [world.state(job.job_id)[0] for job in (beating, silent)] == ["active", "active"]
    assert world.manager.next_due_ms() == 500
    world.clock.advance(10)
    world.manager.extend(beating.job_id, 1500, beating.token)
    world.clock.advance(490)
    world.manager.held_up()
    world.manager.due()
    assert [world.state(job.job_id) for job in (beating, silent)] == [("active", ""), ("new", "returned")]
    world.manager.finish(beating.job_id, b"", "w", beating.token)


def test_a_server_that_is_late_again_and_again_ends_leases_all_the_same() -> None:
    world = World()
    world.new()
    world.claim(lease_ms=10)
    for _ in range(12):
        world.clock.advance(100)
        world.manager.held_up()
        world.manager.due()
    assert world.state(1) == ("new", "returned")


class SlowLoop:
    """A loop whose timers are called when the test says so."""

    def __init__(self, clock: ManualClock) -> None:
        self.time = clock.monotonic
        self.timer: Callable[[], None] = lambda: None

    def call_at(self, at: float, callback: Callable[[], None]) -> SlowLoop:
        self.timer = callback
        return self

    def cancel(self) -> None: ...


@pytest.mark.parametrize(("late_ms", "reason"), [(2000, b""), (50, b"returned")])
def test_two_seconds_without_the_server_cost_a_worker_that_lives_nothing(late_ms: int, reason: bytes) -> None:
    desk = Desk()
    loop = SlowLoop(desk.clock)
    desk.server.loop = loop  # type: ignore[assignment]
    worker = desk.caller()
    worker.call("JOB.CREATE", "t", "p")
    [job] = worker.call("JOB.FETCH", 1, 0, "t", "LEASE", 100)
    desk.clock.advance(100 + late_ms)
    loop.timer()
    assert worker.job(1)[b"reason"] == reason
    if not reason:  # what it had sent meanwhile is read now
        assert worker.call("JOB.EXTEND", 1, 5000, "TOKEN", as_map(job)[b"token"]) == b"OK"
        desk.clock.advance(500)
        loop.timer()
        assert worker.job(1)[b"state"] == b"active"


async def test_a_schedule_over_a_clock_that_stands_still_runs_once_for_each_moment() -> None:
    world = World()
    assert isinstance(world.manager.schedules, Schedules)
    await world.manager.set_schedule("often", "t", cron="* * * * * *")
    world.pass_ms(1000)
    assert len(world.queue.waiting("t")) == 1
    for _ in range(3):
        stand_still(world, 2000)
    assert len(world.queue.waiting("t")) == 1
    for expected in (2, 3):
        world.pass_ms(1000)
        assert len(world.queue.waiting("t")) == expected


def roundtrip(caller: Caller, topic: bytes) -> None:
    """Through every command that names a topic, and through the keys."""
    job_id = caller.call("JOB.CREATE", topic, "p")
    assert isinstance(job_id, int), job_id
    assert caller.job(job_id)[b"topic"] == topic
    assert caller.call("LRANGE", b"heroqueue:" + topic, 0, -1) == [b"%d" % job_id]
    assert caller.call("TYPE", b"herojobs:%b:%d" % (topic, job_id)) == b"string"
    assert caller.call("JOB.LIST", "TOPIC", topic, "IDS")[1] == [job_id]
    assert topic in caller.call("JOB.TOPICS")[::2]
    assert as_map(caller.call("JOB.EVENTS", 0)[1][-1])[b"topic"] == topic
    assert caller.call("JOB.PAUSE", topic) == b"OK"
    assert caller.call("JOB.FETCH", 1, 0, topic) is None
    assert caller.call("JOB.RESUME", topic) == b"OK"
    [fetched] = caller.call("JOB.FETCH", 1, 0, topic)
    assert (as_map(fetched)[b"id"], as_map(fetched)[b"topic"]) == (job_id, topic)
    assert caller.call("JOB.COMPLETE", job_id, "r") == b"OK"
    assert as_map(caller.call("JOB.STATS", topic)) == {b"new": 0, b"active": 0, b"done": 1, b"error": 0}


def is_fit(topic: bytes) -> bool:
    try:
        return 1 <= len(topic) <= 255 and topic.decode().isprintable()
    except UnicodeDecodeError:
        return False


def try_topic(topic: bytes) -> None:
    """It works everywhere, or it is refused everywhere and nothing has happened."""
    desk = Desk()
    caller = desk.caller()
    if is_fit(topic):
        roundtrip(caller, topic)
        return
    for words in (("JOB.CREATE", topic, "p"), ("JOB.MCREATE", topic, "p"), ("JOB.MCREATEX", topic, 1, "p"),
                  ("JOB.FETCH", 1, 0, topic),
                  ("JOB.PAUSE", topic), ("JOB.PURGE", topic), ("JOB.SCHEDULE", "SET", "s", topic, "p", "EVERY", 1000)):
        assert caller.error(*words).startswith(("ERR a topic ", "ERR topics, states and names are UTF-8 text")), words
    line, shown = b"heroqueue:" + topic, b"herojobs:" + topic + b":1"
    for words in (("LPOP", line), ("LMPOP", 1, line, "LEFT"), ("RPUSH", line, 1), ("LPUSH", line, 1),
                  ("LREM", line, 0, 1), ("LLEN", line), ("GET", shown), ("DEL", shown), ("SET", shown, "{}")):
        answer = caller.call(*words)
        assert answer in (None, 0, []) or isinstance(answer, hiredis.ReplyError), words
    waiting = desk.caller("9001")
    waiting.call("BLPOP", line, 1)
    waiting.hang_up()
    assert (list(desk.manager.live), caller.call("JOB.TOPICS"), caller.call("JOB.SCHEDULE", "LIST")) == ([], [], [])


@pytest.mark.parametrize("high", range(16))
def test_a_topic_of_each_byte(high: int) -> None:
    for low in range(16):
        try_topic(bytes([16 * high + low]))


@pytest.mark.parametrize("topic", [
    b"", b"a:1", b"a:b:7", b"*", b"[x]?", b"with a space", b"../../etc", b"{tag}", "größe".encode(), "💥".encode(),
    b"x" * 255, b"x" * 256, "é".encode() * 127, "é".encode() * 128, b"a\xff", b"\xed\xa0\x80", b"new\nline", b"nul\0",
    "\u202eright to left".encode(), "\u00a0".encode(),
])
def test_topics_that_are_odd(topic: bytes) -> None:
    try_topic(topic)


@settings(max_examples=60)
@given(st.binary(max_size=12))
def test_topics_of_any_bytes(topic: bytes) -> None:
    try_topic(topic)


@pytest.mark.parametrize("size", [0, MOST])
def test_params_of_no_byte_and_of_the_most_come_back_as_they_were(tmp_path: Path, size: int) -> None:
    params = b"\xff" * size
    world = World()
    world.store = OurDBStore(OurDB(tmp_path))  # type: ignore[assignment]
    world.manager = world.manager_over_the_same_store()
    made, commit = world.manager.create("t", params)
    world.store.db.flush()  # type: ignore[attr-defined]
    assert (made.params == params, commit.done, commit.error) == (True, True, None)
    world.store.close()
    world.store = OurDBStore(OurDB(tmp_path))  # type: ignore[assignment]
    world.restart()
    claimed = world.claim()
    assert (claimed.state, claimed.params == params) == ("active", True)
    world.manager.finish(1, params, "w", claimed.token)
    world.store.close()
    world.store = OurDBStore(OurDB(tmp_path))  # type: ignore[assignment]
    world.restart()
    ended = world.now(1)
    assert (ended.state, ended.result == params, len(world.manager.history(1, 9))) == ("done", True, 3)
    world.store.close()


def test_params_and_results_beyond_the_most_are_refused_and_leave_nothing() -> None:
    world = World()
    with pytest.raises(Refused, match=f"the params have {MOST + 1} bytes, at most {MOST} are kept"):
        world.manager.create("t", b"x" * (MOST + 1))
    with pytest.raises(Refused, match="params"):
        world.manager.create_many("t", [b"fits", b"x" * (MOST + 1)])
    assert (world.store.last_lsn(), list(world.manager.live)) == (0, [])
    job = world.new()
    with pytest.raises(Refused, match="the params have"):
        world.manager.edit(job.job_id, "x", b"x" * (MOST + 1))
    claimed = world.claim()
    with pytest.raises(Refused, match=f"the result has {MOST + 1} bytes"):
        world.manager.finish(job.job_id, b"x" * (MOST + 1), "w", claimed.token)
    assert world.state(job.job_id)[0] not in (NEW, "done")


def test_an_owner_of_keys_that_fails_costs_nobody_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Extension):
        name = "broken"

        def owned_prefixes(self) -> tuple[bytes, ...]:
            return (b"mine:",)

        def before_write(self, ctx: object, command: Command, argv: list[bytes]) -> object:
            raise RuntimeError("a bug")

    desk = Desk()
    desk.server = Server(desk.clock)
    desk.server.add_extension(Broken())
    caller = desk.caller()
    assert caller.error("SET", "mine:x", "1").startswith("ERR internal error")
    assert caller.call("SET", "yours", "1") == b"OK"
    assert "the command SET failed" in caplog.text


def test_a_count_of_none_is_refused_as_redis_does() -> None:
    assert Desk().caller().error("LMPOP", 1, "heroqueue:t", "LEFT", "COUNT", 0) == "ERR count should be greater than 0"
