"""Cron and intervals: moments in time zones, runs that a crash makes neither twice nor never, missed runs, jumps."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from jobs.errors import BadOption
from jobs.notes import ScheduleNote
from jobs.options import JobOptions
from jobs.timetable import Cron, Every, Timetable
from tests.jobs.desk import Desk, as_map
from tests.jobs.world import World

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def ms(*moment: int, zone: str = "UTC") -> int:
    return round(datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[misc,arg-type]


def moments(table: Timetable, begin: int, count: int) -> list[str]:
    found = []
    for _ in range(count):
        begin = table.after(begin)
        found.append(datetime.fromtimestamp(begin / 1000, UTC).strftime("%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(("expression", "zone", "expected"), [
    ("*/20 * * * *", "UTC", ["03-28 12:20:00", "03-28 12:40:00", "03-28 13:00:00"]),
    ("*/15 * * * * *", "UTC", ["03-28 12:00:15", "03-28 12:00:30", "03-28 12:00:45"]),
    ("30 2 * * *", "UTC", ["03-29 02:30:00", "03-30 02:30:00", "03-31 02:30:00"]),
    # 02:30 does not exist on the 29th in Berlin: it runs when the clocks go forward, at 03:00 there, 01:00 UTC.
    ("30 2 * * *", "Europe/Berlin", ["03-29 01:00:00", "03-30 00:30:00", "03-31 00:30:00"]),
    ("0,20 30 2 * * *", "Europe/Berlin", ["03-29 01:00:00", "03-29 01:00:20", "03-30 00:30:00"]),
    ("0 9 * * MON-FRI", "America/New_York", ["03-30 13:00:00", "03-31 13:00:00", "04-01 13:00:00"]),
    ("0 0 L * *", "UTC", ["03-31 00:00:00", "04-30 00:00:00", "05-31 00:00:00"]),
    ("@hourly", "UTC", ["03-28 13:00:00", "03-28 14:00:00", "03-28 15:00:00"]),
])
def test_cron_expressions(expression: str, zone: str, expected: list[str]) -> None:
    assert moments(Cron(expression, zone), ms(2026, 3, 28, 12, 0), 3) == expected


FIXED = ["30 2 * * *", "15 30 2 * * *", "0,59 0,30 1-3 * * *", "10 1,2 * * *"]
CHANGES = [("Europe/Berlin", ms(2026, 3, 28, 22)), ("Europe/Berlin", ms(2026, 10, 24, 22)),
           ("UTC", ms(2026, 3, 28, 22)),
           ("America/New_York", ms(2026, 11, 1, 3)), ("Asia/Kolkata", ms(2026, 3, 28, 22))]
BY_HALF_AN_HOUR = [("Australia/Lord_Howe", ms(2026, 4, 4, 12)), ("Australia/Lord_Howe", ms(2026, 10, 3, 12))]


@pytest.mark.parametrize(("expression", "zone", "begin"), [
    *((expression, *change) for expression in [*FIXED, "*/15 * * * *", "0 */20 2 * * *", "30 * * * *"]
      for change in CHANGES),
    *((expression, *change) for expression in FIXED for change in BY_HALF_AN_HOUR)])
def test_no_moment_comes_again_and_none_gets_lost_as_clocks_change(expression: str, zone: str, begin: int) -> None:
    table = Cron(expression, zone)
    coming: list[int] = []
    while not coming or coming[-1] < begin + 8 * 3_600_000:
        coming.append(table.after(coming[-1] if coming else begin))
    assert coming == sorted(set(coming))
    for moment in range(begin, begin + 8 * 3_600_000, 301_001):
        assert table.after(moment) == next(one for one in coming if one > moment)
        if moment >= coming[0]:
            assert table.until(moment) == [one for one in coming if one <= moment][-1]


def test_what_runs_at_a_certain_time_runs_once_when_the_clock_shows_it_twice() -> None:
    for expression in ("30 2 * * *", "0 30 2 * * *"):
        table = Cron(expression, "Europe/Berlin")
        assert moments(table, ms(2026, 10, 24, 22), 2) == ["10-25 00:30:00", "10-26 01:30:00"]
        assert moments(table, ms(2026, 10, 25, 1, 10), 1) == ["10-26 01:30:00"]


@pytest.mark.parametrize(("missed", "jobs"), [("skip", 0), ("once", 1), ("all", 1)])
def test_a_start_in_the_hour_that_the_clock_shows_twice_runs_nothing_again(missed: str, jobs: int) -> None:
    world = World()
    world.clock.advance(ms(2026, 10, 24, 22) - world.clock.now_ms())
    berlin = ScheduleNote("s", "t", cron="30 2 * * *", timezone="Europe/Berlin", missed=missed)
    world.manager.schedules.set(berlin, "me")
    world.restart()
    world.clock.advance(3 * 3_600_000 + 600_000)  # 02:10, the second time
    for _ in range(3):
        world.manager.due()
        world.clock.advance(60_000)
    assert world.manager.stats().new == jobs
    assert world.manager.next_due_ms() == ms(2026, 10, 26, 1, 30) - world.clock.now_ms()


def test_moments_before_and_after_agree() -> None:
    for table in (Cron("*/7 * * * *", "Europe/Berlin"), Every(1500, ms(2026, 1, 1)), Cron("*/10 * * * * *", "UTC")):
        begin = ms(2026, 3, 1)
        for _ in range(50):
            following = table.after(begin)
            assert table.until(following) == following
            assert table.until(following - 1) <= following - 1
            assert table.after(table.until(following - 1)) == following
            begin = following
    assert (Every(10, 1000).until(999), Every(10, 1000).after(5)) == (0, 1000)


@pytest.mark.parametrize("wanted", [
    {"cron": "* * * *"}, {"cron": "61 * * * *"}, {"cron": "0 0 31 2 *"}, {"every_ms": 9}, {},
    {"cron": "* * * * *", "every_ms": 50}, {"cron": "* * * * *", "timezone": "Europe/Nowhere"},
    {"cron": "* * * * *", "timezone": "../../etc/passwd"}, {"every_ms": 50, "missed": "never"},
    {"every_ms": 50, "timezone": "Europe/Nowhere"},
    {"every_ms": 50, "backoff": "x"}, {"every_ms": 50, "topic": ""}, {"every_ms": 50, "name": ""},
])
def test_schedules_that_cannot_be(wanted: dict[str, object]) -> None:
    world = World()
    with pytest.raises(BadOption):
        world.manager.schedules.set(ScheduleNote(**{"name": "n", "topic": "t", **wanted}), "x")  # type: ignore[arg-type]
    assert (world.store.next_id(), world.manager.schedules.all()) == (1, [])


def every(world: World, every_ms: int = 1000, missed: str = "skip", **options: object) -> None:
    world.manager.schedules.set(
        ScheduleNote("n", "t", b"p", every_ms=every_ms, missed=missed, **options), "hand")  # type: ignore[arg-type]


def made(world: World) -> list[int]:
    """The moments for which jobs were made, in milliseconds from the start."""
    return [job.more.scheduled_for - 1_000_000 for job in world.store.newest() if job.more.schedule == "n"]


def test_an_interval_makes_jobs_with_the_options_of_the_schedule() -> None:
    world = World()
    every(world, retries=4, priority=7, tags=("x",), timeout_ms=50, expire_ms=500, backoff="fixed:3", meta=b"{}")
    for _ in range(35):
        world.pass_ms(100)
    assert made(world) == [1000, 2000, 3000]
    first = world.manager.history(next(job.job_id for job in world.store.newest()), 9)[-1]
    assert (first.params, first.max_attempts, first.priority, first.tags, first.timeout_ms, first.backoff) == (
        b"p", 5, 7, ("x",), 50, "fixed:3")
    assert first.by == "schedule n"
    assert first.more.expires_at == first.created_at + 500
    note = world.manager.schedules.need("n")
    assert (note.runs, note.last_at, note.next_at) == (3, 1_003_000, 1_004_000)


def test_a_restart_goes_on_where_it_was() -> None:
    world = World()
    every(world)
    world.pass_ms(1000)
    for _ in range(3):
        world.restart()
        world.pass_ms(500)
    assert made(world) == [1000, 2000]


@pytest.mark.parametrize(("missed", "expected"), [
    ("skip", []), ("once", [HOUR * 5]), ("all", [HOUR * hour for hour in range(1, 6)])])
def test_runs_that_were_missed_while_the_server_was_down(missed: str, expected: list[int]) -> None:
    world = World()
    every(world, HOUR, missed)
    world.clock.advance(5 * HOUR + 2 * MINUTE)
    world.restart()
    while world.manager.due():
        pass
    assert made(world) == expected
    world.pass_ms(58 * MINUTE)
    assert made(world) == [*expected, 6 * HOUR]


def test_a_run_that_is_a_little_late_is_not_missed() -> None:
    world = World()
    every(world, HOUR)
    world.pass_ms(HOUR + MINUTE)
    assert made(world) == [HOUR]


def test_many_missed_runs_come_in_slices() -> None:
    world = World()
    every(world, 1000, "all")
    world.clock.advance(1_000_000)
    assert world.manager.due()
    rounds = 1
    while world.manager.due():
        rounds += 1
    assert (len(made(world)), len(set(made(world)))) == (1000, 1000)
    world.manager.due()


def test_a_crash_makes_a_run_neither_twice_nor_never() -> None:
    world = World(held=True)
    every(world)
    world.store.release()
    world.clock.advance(1000)
    world.manager.due()
    world.store.crash()
    world.restart()
    assert made(world) == []
    world.manager.due()
    world.store.release()
    world.restart()
    world.manager.due()
    world.store.release()
    assert made(world) == [1000]


def test_pause_resume_replace_and_delete() -> None:
    world = World()
    every(world)
    world.manager.schedules.pause("n", "hand")
    world.restart()
    world.pass_ms(2500)
    assert (made(world), world.manager.schedules.need("n").paused) == ([], True)
    world.manager.schedules.resume("n", "hand")
    world.pass_ms(500)
    assert made(world) == [3000]
    every(world, 300)
    world.pass_ms(600)
    assert (made(world)[-1], world.manager.schedules.need("n").runs) == (3600, 2)
    world.manager.schedules.delete("n", "hand")
    world.restart()
    world.pass_ms(5000)
    assert (made(world)[-1], world.manager.schedules.all()) == (3600, [])
    with pytest.raises(BadOption, match="no schedule with the name 'n'"):
        world.manager.schedules.resume("n", "hand")


def test_a_clock_that_is_set_back_stops_no_interval_and_repeats_no_cron_run() -> None:
    world = World()
    every(world)
    world.manager.schedules.set(ScheduleNote("c", "cron", cron="* * * * *"), "hand")
    world.pass_ms(MINUTE)
    crons = world.manager.stats("cron").new
    world.clock.jump(-HOUR)
    world.manager.due()
    world.pass_ms(1000)
    assert (len(made(world)), world.manager.stats("cron").new) == (2, crons)


def test_an_interval_that_has_not_begun_waits_for_no_clock_but_for_its_start() -> None:
    world = World()
    every(world)
    world.manager.schedules.set(ScheduleNote("given", "given", every_ms=1000, start_at=1_005_000), "hand")
    world.manager.due()
    world.clock.jump(-HOUR)
    world.manager.due()
    world.pass_ms(1000)
    assert (world.manager.stats("t").new, world.manager.stats("given").new) == (1, 0)
    world.pass_ms(HOUR)
    assert world.manager.stats("given").new == 0
    world.pass_ms(4000)
    assert world.manager.stats("given").new == 1


def test_a_clock_that_is_set_forward_is_noticed() -> None:
    world = World()
    world.manager.schedules.set(ScheduleNote("n", "t", cron="0 * * * *"), "hand")
    world.clock.jump(HOUR - 1_000_000 + 5000)
    world.manager.due()
    assert made(world) == [HOUR - 1_000_000]
    assert 0 < world.manager.next_due_ms() <= HOUR


def test_over_the_wire() -> None:
    desk = Desk()
    caller = desk.caller()
    assert caller.call("JOB.SCHEDULE", "SET", "night", "t", "p", "CRON", "30 2 * * *", "TZ", "Europe/Berlin", "MISSED",
                       "once", "TAG", "a", "RETRY", 2) == b"OK"
    assert caller.call("job.schedule", "set", "often", "t", "p", "EVERY", 1000, "PAUSED") == b"OK"
    shown = as_map(caller.call("JOB.SCHEDULE", "GET", "night"))
    assert {name: shown[name.encode()] for name in ("cron", "timezone", "missed", "tags", "retries", "runs", "by")} == {
        "cron": b"30 2 * * *", "timezone": b"Europe/Berlin", "missed": b"once", "tags": [b"a"], "retries": 2, "runs": 0,
        "by": b"client 127.0.0.1:9000"}
    assert [as_map(one)[b"name"] for one in caller.call("JOB.SCHEDULE", "LIST")] == [b"night", b"often"]
    assert caller.call("JOB.SCHEDULE", "RESUME", "often") == b"OK"
    desk.pass_ms(1000)
    job = caller.job(caller.call("JOB.LIST", "IDS")[1][0])
    assert (job[b"schedule"], job[b"scheduled_for"]) == (b"often", 1_001_000)
    assert caller.call("JOB.SCHEDULE", "PAUSE", "often") == b"OK"
    assert caller.call("JOB.SCHEDULE", "DEL", "often") == b"OK"
    assert caller.call("JOB.SCHEDULE", "GET", "often") is None
    assert caller.error("JOB.SCHEDULE", "DEL", "often") == "ERR no schedule with the name 'often'"
    assert caller.error("JOB.SCHEDULE", "SET", "x", "t", "p") == (
        "ERR give CRON or EVERY, an interval of at least 10 ms")
    assert caller.error("JOB.SCHEDULE", "SET", "x", "t", "p", "CRON", "soon").startswith(
        "ERR cron expression 'soon' cannot be read")
    assert b"JOB.SCHEDULE" in caller.call("JOB.SCHEDULE", "HELP")[0]
    events = [as_map(event) for event in caller.call("JOB.EVENTS", 0)[1]]
    assert len([event for event in events if event[b"event"] == b"schedule"]) >= 5


def test_a_refused_schedule_is_told_what_is_wrong() -> None:
    caller = Desk().caller()
    start = ("JOB.SCHEDULE", "SET", "x", "t", "p")
    assert caller.error(*start, "EVERY", 0) == "ERR EVERY 0 is out of range, give 10 to 315360000000 milliseconds"
    assert caller.error(*start, "EVERY", 0, "CRON", "* * * * *").startswith("ERR EVERY 0 is out of range")
    assert caller.error(*start, "EVERY", 50, "CRON", "* * * * *") == "ERR give CRON or EVERY, not both"
    assert caller.error(*start, "EVERY", 50, "TZ", "Nowhere").startswith("ERR time zone 'Nowhere' does not exist")
    assert caller.call("JOB.SCHEDULE", "LIST") == []


def test_a_schedule_that_is_set_again_and_again_keeps_its_rhythm() -> None:
    world = World()
    for _ in range(6):
        every(world)  # as a program does each time it starts
        world.pass_ms(400)
    assert made(world) == [1000, 2000]
    every(world, 500)
    assert world.manager.schedules.need("n").next_at == 1_002_900
    every(world, 500, start_at=1_009_000)
    every(world, 500)
    assert world.manager.schedules.need("n").next_at == 1_002_900


def test_who_set_a_schedule_stays_visible() -> None:
    desk = Desk()
    ada, bob = desk.caller(), desk.caller("9001")
    for caller, name in ((ada, "ada"), (bob, "bob")):
        caller.call("CLIENT", "SETNAME", name)

    def names() -> tuple[bytes, bytes]:
        shown = as_map(ada.call("JOB.SCHEDULE", "GET", "often"))
        return shown[b"by"], shown[b"changed_by"]

    ada.call("JOB.SCHEDULE", "SET", "often", "t", "p", "EVERY", 1000)
    assert names() == (b"ada", b"ada")
    desk.pass_ms(1000)
    assert names() == (b"ada", b"server")
    bob.call("JOB.SCHEDULE", "PAUSE", "often")
    desk.restart()
    ada = desk.caller()
    assert names() == (b"ada", b"bob")


def test_a_schedule_of_an_older_record_is_by_whoever_it_names() -> None:
    world = World()
    every(world)
    held = world.manager.schedules.need("n")
    world.manager.schedules._keep(replace(held, set_by=""))
    world.restart()
    assert world.manager.schedules.need("n").set_by == "hand"


def test_a_hundred_thousand_jobs_for_one_moment_come_in_slices() -> None:
    world = World()
    world.queue.push = lambda job, at_head=False: lined.append(job.job_id)  # type: ignore[method-assign,misc]
    lined: list[int] = []
    for _ in range(100):
        world.manager.create_many("t", [b""] * 1000, JobOptions(run_at=1_005_000))
    world.clock.advance(5000)
    slices = []
    while True:
        before = len(lined)
        more = world.manager.due()
        slices.append(len(lined) - before)
        if not more:
            break
    assert (len(lined), lined == sorted(lined), max(slices)) == (100_000, True, 500)

