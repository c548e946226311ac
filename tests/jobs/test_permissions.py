"""A user's key patterns decide which topics it may work on, for every JOB command."""

from __future__ import annotations

from pathlib import Path

import pytest

from heroredis.acl.checks import KEY, check
from heroredis.factory import ServerFactory
from heroredis.settings import Config
from jobs.declared import TABLE

REQUESTS = [
    ("JOB.CREATE {topic} x", True), ("JOB.MCREATE {topic} x y", True), ("JOB.MCREATEX {topic} 1 x TAG y", True),
    ("JOB.FETCH 1 0 {topic}", True),
    ("JOB.FETCH 1 0 {topic} LEASE 500 WORKER w", True), ("JOB.LIST TOPIC {topic}", False), ("JOB.STATS {topic}", False),
    ("JOB.STATS {topic} DETAIL", False), ("JOB.LIST QUERY topic:{topic}", False),
    ("JOB.BULK cancel QUERY topic:{topic}", True), ("JOB.BULK delete DRYRUN QUERY topic:{topic}", True),
    ("JOB.GET {id}", False), ("JOB.HISTORY {id}", False), ("JOB.COMPLETE {id} r", True), ("JOB.FAIL {id} e", True),
    ("JOB.CANCEL {id}", True), ("JOB.WAIT {id} 0", False), ("JOB.STATUS {id} done", True),
    ("JOB.SNOOZE {id} 5", True), ("JOB.RELEASE {id}", True), ("JOB.EXTEND {id} 5 TOKEN t", True),
    ("JOB.PROGRESS {id} 5", True), ("JOB.LOG {id} line", True), ("JOB.LOGS {id}", False), ("JOB.RETRY {id}", True),
    ("JOB.DELETE {id}", True), ("JOB.EDIT {id} PRIORITY 5", True), ("JOB.PROMOTE {id}", True),
    ("JOB.PAUSE {topic}", True), ("JOB.RESUME {topic}", True), ("JOB.PURGE {topic}", True),
    ("JOB.SCHEDULE SET new-one {topic} p EVERY 1000", True), ("JOB.SCHEDULE GET of-{topic}", False),
    ("JOB.SCHEDULE DEL of-{topic}", True), ("JOB.SCHEDULE PAUSE of-{topic}", True),
    ("JOB.SCHEDULE RESUME of-{topic}", True), ("JOB.HISTORY {gone}", False),
]
OF_ALL_TOPICS = ("JOB.LIST", "JOB.LIST QUERY topic:mail*", "JOB.LIST QUERY TOPIC COUNT 5", "JOB.LIST ASOF 5",
                 "JOB.LIST QUERY topic:mail,other", "JOB.LIST TOPIC other QUERY topic:mail",
                 "JOB.BULK cancel QUERY x", "JOB.STATS", "JOB.TOPICS", "JOB.FETCH 1 0 mail other LEASE 0",
                 "JOB.EVENTS 0", "JOB.WORKERS", "JOB.POOL QUIET", "JOB.SCHEDULE LIST",
                 "JOB.SCHEDULE SET of-other mail p EVERY 1000")


def name_of(line: str) -> str:
    words = line.split(" ")
    return " ".join(words[:2]) if words[0] == "JOB.SCHEDULE" else words[0]


def test_every_command_is_asked_for() -> None:
    assert {name_of(line) for line in [*(form for form, _ in REQUESTS), *OF_ALL_TOPICS, "JOB.HELP"]} == set(TABLE)


@pytest.mark.parametrize("pattern", ["~heroqueue:mail*", "%R~heroqueue:mail*"])
async def test_topics_are_keys(tmp_path: Path, pattern: str) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enable_redis=False, enable_ui=False, enable_webdav=False)
    config.jobs.worker_count = 0
    async with ServerFactory(config) as factory:
        users = factory.server.users
        mine = await factory.job_manager.create_job("mail", b"")
        other = await factory.job_manager.create_job("other", b"")
        gone = {}
        for topic in ("mail", "other"):
            gone[topic] = (await factory.job_manager.create_job(topic, b"")).job_id
            await factory.job_manager.delete_job(gone[topic])
            await factory.job_manager.set_schedule(f"of-{topic}", topic, every=1000)
        users.set(b"u", [b"on", b"+@jobs", pattern.encode()])
        user = users.by_name[b"u"]

        def verdict(line: str) -> int:
            argv = [word.encode() for word in line.split(" ")]
            entry = factory.server.registry.commands[name_of(line)]
            refusal = check(users.index, user, entry, argv, factory.server.implied_keys)
            return 0 if refusal is None else refusal.reason

        for form, writes in REQUESTS:
            may = not writes or pattern.startswith("~")
            assert verdict(form.format(topic="mail", id=mine.job_id, gone=gone["mail"])) == (0 if may else KEY), form
            assert verdict(form.format(topic="other", id=other.job_id, gone=gone["other"])) == KEY, form
        for line in OF_ALL_TOPICS:
            assert verdict(line) == KEY, line
        assert verdict("JOB.HELP") == 0
        users.set(b"u", [b"-job.create"])
        assert verdict("JOB.CREATE mail x") == 1
        assert "jobs" in users.index.names()
