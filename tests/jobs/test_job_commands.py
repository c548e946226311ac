"""JOB.* over the wire: what each command answers, and each way in which it refuses."""

from __future__ import annotations

import pytest

from jobs.limits import Limits
from tests.jobs.desk import Caller, Desk, as_map


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def caller(desk: Desk) -> Caller:
    return desk.caller()


def test_every_option_of_create_is_seen_in_the_job(caller: Caller) -> None:
    job_id = caller.call("JOB.CREATE", "t", "p", "DELAY", 5, "PRIORITY", 7, "RETRY", 2, "BACKOFF", "fixed:1", "TIMEOUT",
                         30, "EXPIRE", 100, "UNIQUE", "u", "TTL", 1000, "IDEMPOTENCY", "i", "TAG", "a", "TAG", "b",
                         "META", '{"x":1}')
    job = caller.job(job_id)
    shown = {name: job[name.encode()] for name in (
        "run_at", "priority", "max_attempts", "timeout", "expires_at", "unique", "unique_until", "idempotency", "tags",
        "meta")}
    assert shown == {
        "run_at": 1_000_005, "priority": 7, "max_attempts": 3, "timeout": 30, "expires_at": 1_000_105, "unique": b"u",
        "unique_until": 1_001_000, "idempotency": b"i", "tags": [b"a", b"b"], "meta": b'{"x":1}'}
    assert caller.call("JOB.CREATE", "elsewhere", "", "IDEMPOTENCY", "i") == job_id
    assert caller.error("JOB.CREATE", "t", "", "UNIQUE", "u") == (
        "REFUSED unique key 'u' of topic t is held by job 1")


@pytest.mark.parametrize(("words", "answer"), [
    (("t", "", "TTL", "5"), "ERR TTL is the time of a UNIQUE key, give UNIQUE too"),
    (("t", "", "KEEP", "5"), "ERR KEEP is the time of an IDEMPOTENCY key, give IDEMPOTENCY too"),
    (("t", "", "UNIQUE", ""), "ERR the key of UNIQUE is empty"),
    (("t", "", "AFTER", "1"), "REFUSED AFTER is not possible yet: jobs cannot wait for other jobs"),
    (("t", "", "DELAY", "1", "AT", "1"), "ERR give DELAY or AT, not both"),
    (("t", "", "DELAY", "1", "DELAY", "2"), "ERR DELAY is given twice, give it once"),
    (("t", "", "unique", "a", "TAG", "x", "TAG", "y", "UNIQUE", "b"), "ERR UNIQUE is given twice, give it once"),
    (("t", "", "AFTER", "1", "AFTER", "2"), "REFUSED AFTER is not possible yet: jobs cannot wait for other jobs"),
    (("t", "", "EXPIRE", "-1"), "ERR value is out of range, must be positive"),
    (("t", "", "EXPIRE"), "ERR syntax error"),
    (("t", "12345678901"), "REFUSED the params have 11 bytes, at most 10 are kept; keep large data elsewhere and "
                           "name it in the params"),
    (("t", "", "BACKOFF", "soon"), "ERR backoff 'soon' cannot be read: give fixed:MS, exp:MS[:MAX[:JITTER%]] or "
                                   "list:MS,MS,..."),
])
def test_creates_that_are_refused(words: tuple[str, ...], answer: str) -> None:
    caller = Desk(limits=Limits(params=10)).caller()
    assert caller.error("JOB.CREATE", *words) == answer
    assert caller.call("JOB.STATS", "t") == [b"new", 0, b"active", 0, b"done", 0, b"error", 0]


def test_several_jobs_with_all_options_in_one_commit(caller: Caller) -> None:
    assert caller.call("JOB.MCREATEX", "t", 2, "DELAY", "5", "DELAY", 5, "PRIORITY", 7, "TAG", "a", "IDEMPOTENCY", "i",
                       "KEEP", 100) == [1, 2]
    jobs = [caller.job(job_id) for job_id in (1, 2)]
    assert [(job[b"params"], job[b"run_at"], job[b"priority"], job[b"tags"]) for job in jobs] == [
        (b"DELAY", 1_000_005, 7, [b"a"]), (b"5", 1_000_005, 7, [b"a"])]
    assert caller.call("JOB.MCREATEX", "t", 2, "DELAY", "5", "IDEMPOTENCY", "i") == [1, 2]
    assert caller.call("JOB.MCREATEX", "t", 1, "a") == [3]
    for count in (0, 3):
        assert caller.error("JOB.MCREATEX", "t", count, "a", "b") == (
            "ERR give the number of params, so many params, and the options behind them")
    assert caller.error("JOB.MCREATEX", "t", 1, "a", "b") == "ERR syntax error"
    assert caller.error("JOB.MCREATEX", "t", 2, "a", "b", "UNIQUE", "u").startswith("ERR UNIQUE is for one job")
    assert caller.error("JOB.MCREATEX", "t", 2, "a", "b", "PRIORITY", 256).startswith("ERR PRIORITY 256")
    assert caller.call("JOB.STATS", "t")[1] == 3


@pytest.mark.parametrize(("words", "answer"), [
    ("JOB.SCHEDULE SET s t p EVERY 1000 EVERY 2000", "ERR EVERY is given twice, give it once"),
    ("JOB.SCHEDULE SET s t p EVERY 1000 CRON @hourly", "ERR give CRON or EVERY, not both"),
    ("JOB.FETCH 1 0 t LEASE 5 WORKER w LEASE 6", "ERR LEASE is given twice, give it once"),
    ("JOB.COMPLETE 1 r TOKEN a TOKEN b", "ERR TOKEN is given twice, give it once"),
    ("JOB.FAIL 1 e DEAD DEAD", "ERR DEAD is given twice, give it once"),
    ("JOB.FAIL 1 e RETRY 5 AT 6", "ERR give one of DEAD, RETRY and AT"),
    ("JOB.FAIL 1 e DEAD RETRY 5", "ERR give one of DEAD, RETRY and AT"),
    ("JOB.EDIT 1 PRIORITY 1 PRIORITY 2", "ERR PRIORITY is given twice, give it once"),
    ("JOB.LIST TOPIC a TOPIC b", "ERR TOPIC is given twice, give it once"),
    ("JOB.BULK cancel QUERY a QUERY b", "ERR QUERY is given twice, give it once"),
    ("JOB.EVENTS 0 COUNT 1 COUNT 2", "ERR COUNT is given twice, give it once"),
    ("JOB.HISTORY 1 COUNT 1 COUNT 2", "ERR COUNT is given twice, give it once"),
    ("JOB.LOGS 1 COUNT 1 COUNT 2", "ERR COUNT is given twice, give it once"),
    ("JOB.POOL WORKERS 1 WORKERS 2", "ERR WORKERS is given twice, give it once"),
])
def test_options_that_contradict_each_other_are_refused(caller: Caller, words: str, answer: str) -> None:
    caller.call("JOB.CREATE", "t", "p")
    caller.call("JOB.STATUS", 1, "active")
    assert caller.error(*words.split()) == answer
    assert caller.job(1)[b"state"] == b"active"


def test_a_remote_worker_with_a_lease(desk: Desk, caller: Caller) -> None:
    caller.call("JOB.CREATE", "t", "p")
    [fetched] = caller.call("JOB.FETCH", 1, 0, "t", "LEASE", 100, "WORKER", "far")
    token = as_map(fetched)[b"token"]
    desk.pass_ms(60)
    assert caller.call("JOB.EXTEND", 1, 100, "TOKEN", token) == b"OK"
    assert caller.call("JOB.PROGRESS", 1, 40, "almost", "TOKEN", token) == b"OK"
    assert caller.call("JOB.PROGRESS", 1, 50) == b"OK"
    assert caller.call("JOB.LOG", 1, "line", "TOKEN", token) == b"OK"
    desk.pass_ms(60)
    assert (caller.job(1)[b"state"], caller.job(1)[b"progress"]) == (b"active", 50)
    assert caller.call("JOB.CANCEL", 1, "enough") == b"OK"
    assert caller.error("JOB.EXTEND", 1, 100, "TOKEN", token) == (
        "STALE token of job 1 is no longer valid: the job was cancelled")
    assert caller.error("JOB.EXTEND", 1, 100) == "BADSTATE job 1 is error, it cannot be extended"
    lines = [as_map(line) for line in caller.call("JOB.LOGS", 1, "COUNT", 2)]
    assert [(line[b"line"], line[b"percent"]) for line in lines] == [(b"", 50), (b"line", None)]


def test_operators(desk: Desk, caller: Caller) -> None:
    for _ in range(3):
        caller.call("JOB.CREATE", "t", "p")
    assert caller.call("JOB.EDIT", 3, "PRIORITY", 1, "PARAMS", "") == b"OK"
    assert caller.call("LRANGE", "heroqueue:t", 0, -1) == [b"3", b"1", b"2"]
    assert caller.call("JOB.PROMOTE", 2) == b"OK"
    assert caller.call("LRANGE", "heroqueue:t", 0, -1) == [b"3", b"2", b"1"]
    assert caller.error("JOB.EDIT", 3) == "ERR give PARAMS, PRIORITY or both"
    assert caller.call("JOB.FAIL", 3, "no", "DEAD") == b"OK"
    assert caller.call("JOB.RETRY", 3) == b"OK"
    assert caller.error("JOB.RETRY", 3) == "BADSTATE job 3 is new, it cannot be queued again"
    assert caller.call("JOB.PAUSE", "t") == b"OK"
    assert caller.call("JOB.FETCH", 1, 0, "t") is None
    assert caller.call("LPOP", "heroqueue:t") is None
    assert as_map(as_map(caller.call("JOB.TOPICS"))[b"t"]) == {
        b"new": 3, b"active": 0, b"done": 0, b"error": 0, b"paused": 1}
    assert caller.call("JOB.RESUME", "t") == b"OK"
    assert caller.call("JOB.DELETE", 3) == b"OK"
    assert (caller.call("JOB.GET", 3), caller.error("JOB.DELETE", 3)) == (None, "NOJOB no job with id 3")
    assert caller.call("JOB.PURGE", "t") == 2
    assert caller.call("KEYS", "*") == []
    newest = as_map(caller.call("JOB.HISTORY", 3, "COUNT", 1)[0])
    assert (newest[b"reason"], newest[b"by"]) == (b"deleted", b"client 127.0.0.1:9000")


def test_resuming_wakes_who_waits(desk: Desk, caller: Caller) -> None:
    worker = desk.caller("9001")
    caller.call("JOB.PAUSE", "t")
    caller.call("JOB.CREATE", "t", "p")
    worker.send("JOB.FETCH", 1, 10_000, "t")
    assert worker.answer() is False
    caller.call("JOB.RESUME", "t")
    caller.call("PING")
    assert len(worker.answer()) == 1


def test_workers_and_what_they_hold(desk: Desk, caller: Caller) -> None:
    for _ in range(4):
        caller.call("JOB.CREATE", "t", "p")
    one, two = desk.caller("9001"), desk.caller("9002")
    one.call("JOB.FETCH", 1, 0, "t", "u", "WORKER", "one")
    two.call("JOB.FETCH", 2, 0, "t", "WORKER", "two", "LEASE", 1000)
    two.hang_up()
    one.send("JOB.FETCH", 1, 500, "u", "WORKER", "one")
    rows = [as_map(row) for row in caller.call("JOB.WORKERS")]
    assert [(row[b"worker"], row[b"kind"], row[b"jobs"], row[b"topics"], row[b"waiting"]) for row in rows] == [
        (b"one", b"connection", [1], [b"u"], 1), (b"two", b"lease", [2, 3], [], 0)]


def test_help_lists_every_command(desk: Desk, caller: Caller) -> None:
    lines = caller.call("JOB.HELP")
    for name in (command.name.encode() for command in desk.jobs.commands()):
        assert any(line == name or line.startswith(name + b" ") for line in lines[1::2]), name


def test_command_docs_tell_arguments_group_and_cost(caller: Caller) -> None:
    [name, docs] = caller.call("COMMAND", "DOCS", "JOB.COMPLETE")
    facts = as_map(docs)
    arguments = [as_map(argument) for argument in facts[b"arguments"]]
    assert (name, facts[b"group"], facts[b"complexity"]) == (b"job.complete", b"job", b"O(1)")
    assert [(a[b"name"], a[b"type"], a.get(b"token"), a.get(b"flags")) for a in arguments] == [
        (b"id", b"integer", None, None), (b"result", b"string", None, None), (b"token", b"string", b"TOKEN",
                                                                              [b"optional"]),
        (b"us", b"integer", b"CPU", [b"optional"]), (b"bytes", b"integer", b"RSS", [b"optional"])]
    [info] = caller.call("COMMAND", "INFO", "JOB.FETCH")
    assert {b"@jobs", b"@write", b"@blocking"} <= set(info[6])


def test_jobs_of_connections_that_the_server_itself_ends_lose_nothing(desk: Desk, caller: Caller) -> None:
    caller.call("JOB.MCREATE", "t", "a", "b")
    one, two = desk.caller("9001"), desk.caller("9002")
    one.call("JOB.FETCH", 1, 0, "t")
    two.call("JOB.FETCH", 1, 0, "t")
    one.hang_up()
    desk.jobs.stopping()
    two.hang_up()
    jobs = [desk.manager.live[job_id] for job_id in (1, 2)]
    assert [(job.state, job.losses, job.attempts) for job in jobs] == [("new", 1, 1), ("new", 0, 0)]


@pytest.mark.parametrize("topic", [b"\xff\xfe", b"a\x00b", b"a\r\nb", b"", b"x" * 256])
def test_topics_that_are_no_text_are_refused(desk: Desk, caller: Caller, topic: bytes) -> None:
    assert caller.error("JOB.CREATE", topic, "p").startswith("ERR ")
    assert caller.error("JOB.PAUSE", topic).startswith("ERR ")
    assert caller.error("JOB.FETCH", 1, 0, topic).startswith("ERR ")
    assert (desk.store.next_id(), caller.call("JOB.TOPICS")) == (1, [])


def test_topics_may_be_any_text(desk: Desk, caller: Caller) -> None:
    for topic in ("a:b", "é ✓", "*", "heroqueue:x", "x" * 255):
        job_id = caller.call("JOB.CREATE", topic, "p")
        assert as_map(caller.call("JOB.FETCH", 1, 0, topic)[0])[b"id"] == job_id
        assert caller.call("GET", f"herojobs:{topic}:{job_id}") is not None
        assert caller.call("JOB.COMPLETE", job_id, "") == b"OK"


def test_the_history_tells_what_has_changed() -> None:
    caller = Desk().caller()
    caller.call("JOB.CREATE", "t", "p", "RETRY", 1)
    caller.call("JOB.EDIT", 1, "PARAMS", "q", "PRIORITY", 5)
    caller.call("JOB.FETCH", 1, 0, "t", "WORKER", "w")
    caller.call("JOB.FAIL", 1, "no", "RETRY", 0)
    versions = [as_map(version) for version in caller.call("JOB.HISTORY", 1)]
    assert [version[b"changed"] for version in versions] == [
        [b"state", b"reason", b"error", b"run_at", b"worker"],
        [b"state", b"reason", b"attempts", b"started_at", b"worker"],
        [b"reason", b"params", b"priority"], []]
    assert as_map(caller.call("JOB.HISTORY", 1, "COUNT", 1)[0]) == versions[0]
