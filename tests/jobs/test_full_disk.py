"""Random moments at which the disk is full: after each of them memory is what the disk says, but for what attempts have
come to, which is written once there is room."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jobs.errors import JobRefused
from jobs.job import Job
from jobs.limits import Limits
from jobs.manager import JobManager
from jobs.memory_store import MemoryStore
from jobs.notes import ScheduleNote
from jobs.options import JobOptions
from jobs.states import STATES
from tests.crash.judge import ALL, check_history
from tests.jobs.world import World

TOPICS = ("a", "b")
CONNECTION = 7
PICK = st.integers(0, 60)


def job_facts(job: Job) -> tuple[object, ...]:
    return job.state, job.reason, job.version, job.attempts, job.losses, job.priority, job.params, job.run_at


def key_facts(manager: JobManager, now: int) -> tuple[object, object]:
    """The keys that are held, and by whom."""
    return ({(topic, key): job_id for topic, key, job_id, until in manager.keys.unique() if not 0 < until <= now},
            {key: (job_id, until, note, count) for key, job_id, until, _, note, count in manager.keys.same()
             if until > now})


class FullDisks(RuleBasedStateMachine):
    @initialize(held=st.sampled_from([0, 10_000]))
    def begin(self, held: int) -> None:
        self.world = World(True, Limits(losses=2, held=held))
        self.starts: Counter[str] = Counter()
        self.fulls = 0

    @property
    def manager(self) -> JobManager:
        return self.world.manager

    @property
    def store(self) -> MemoryStore:
        return self.world.store

    def pick(self, number: int) -> int:
        ids = [job.job_id for job in self.store.newest()]
        return ids[number % len(ids)] if ids else 999

    def act(self, call: Callable[[], object]) -> None:
        """Do it, and ask for the commit that covers it."""
        with contextlib.suppress(JobRefused):
            call()
        self.store.commit()

    @rule(topic=st.sampled_from(TOPICS), delay=st.sampled_from([0, 0, 0, 40]), priority=st.sampled_from([100, 100, 5]),
          unique=st.sampled_from([b"", b"", b"u"]), same=st.sampled_from([b"", b"", b"k1", b"k2"]),
          ttl=st.sampled_from([0, 90]), expire=st.sampled_from([0, 0, 60]), retries=st.integers(0, 1))
    def create(self, topic: str, delay: int, priority: int, unique: bytes, same: bytes, ttl: int, expire: int,
               retries: int) -> None:
        self.act(lambda: self.manager.create(topic, b"p", JobOptions(
            delay_ms=delay, priority=priority, unique=unique, unique_ttl_ms=ttl if unique else 0, idempotency=same,
            idempotency_ms=120, expire_ms=expire, retries=retries, backoff="fixed:20")))

    @rule(topic=st.sampled_from(TOPICS), count=st.integers(2, 4))
    def create_some(self, topic: str, count: int) -> None:
        self.act(lambda: self.manager.create_many(topic, [b"q"] * count))

    @rule(topic=st.sampled_from(TOPICS), held=st.sampled_from(["embedded", "connection", "lease"]))
    def claim(self, topic: str, held: str) -> None:
        job = self.manager.claim(topic, "w", CONNECTION if held == "connection" else 0, 50 if held == "lease" else 0)
        self.store.commit()
        if job is not None:
            self.starts[job.token] += 1

    @rule(number=PICK, act=st.sampled_from([
        "finish", "fail", "fail at last", "snooze", "release", "cancel", "requeue", "edit", "priority", "promote",
        "delete", "delete and keep", "extend", "log", "progress", "finish", "fail", "requeue"]))
    def on_a_job(self, number: int, act: str) -> None:
        job_id, manager = self.pick(number), self.manager
        acts: dict[str, Callable[[], object]] = {
            "finish": lambda: manager.finish(job_id, b"r", "x"), "fail": lambda: manager.fail(job_id, b"e", "x"),
            "fail at last": lambda: manager.fail(job_id, b"e", "x", final=True),
            "snooze": lambda: manager.snooze(job_id, 30, "x"), "release": lambda: manager.release(job_id, "x"),
            "cancel": lambda: manager.cancel(job_id, "x"), "requeue": lambda: manager.requeue(job_id, "x"),
            "edit": lambda: manager.edit(job_id, "x", b"other"),
            "priority": lambda: manager.edit(job_id, "x", None, 50),
            "promote": lambda: manager.promote(job_id, "x"), "delete": lambda: manager.delete(job_id, "x"),
            "delete and keep": lambda: manager.delete(job_id, "x", keep_result=True),
            "extend": lambda: manager.extend(job_id, 80), "log": lambda: manager.log(job_id, f"line {number}", "x"),
            "progress": lambda: manager.progress(job_id, number, "", "x")}
        self.act(acts[act])

    @rule(key=st.sampled_from([b"k1", b"k2"]), keep=st.booleans())
    def delete_a_holder_of_keys(self, key: bytes, keep: bool) -> None:
        """Its keys are kept by notes of their own, which may be lost alone or with the job."""
        options = JobOptions(unique=key, unique_ttl_ms=90, idempotency=key, idempotency_ms=120)
        with contextlib.suppress(JobRefused):
            job, _ = self.manager.create("a", b"", options)
            self.store.release()
            self.act(lambda: self.manager.delete(job.job_id, "x", keep_result=keep))

    @rule(numbers=st.lists(PICK, min_size=1, max_size=3), topic=st.sampled_from(TOPICS))
    def together(self, numbers: list[int], topic: str) -> None:
        """As EXEC does it: ends and what follows on them."""
        self.store.begin()
        for number in numbers:
            with contextlib.suppress(JobRefused):
                self.manager.finish(self.pick(number), b"r", "x")
        self.manager.create(topic, b"next")
        self.store.end()

    @rule(topic=st.sampled_from(TOPICS), act=st.sampled_from(["pause", "resume", "resume", "purge"]))
    def on_a_topic(self, topic: str, act: str) -> None:
        acts: dict[str, Callable[[str, str], object]] = {
            "pause": self.manager.pause, "resume": self.manager.resume, "purge": self.manager.purge}
        self.act(lambda: acts[act](topic, "x"))

    @rule(act=st.sampled_from(["set", "set", "pause", "resume", "delete"]))
    def on_the_schedule(self, act: str) -> None:
        schedules = self.manager.schedules
        acts: dict[str, Callable[[], object]] = {
            "set": lambda: schedules.set(ScheduleNote("s", "a", every_ms=70), "x"),
            "pause": lambda: schedules.pause("s", "x"), "resume": lambda: schedules.resume("s", "x"),
            "delete": lambda: schedules.delete("s", "x")}
        self.act(acts[act])

    @rule()
    def connection_gone(self) -> None:
        self.act(lambda: self.manager.owner_gone(CONNECTION, "x"))

    @rule(passes=st.sampled_from([1, 20, 60, 200]))
    def time(self, passes: int) -> None:
        self.world.pass_ms(passes)
        self.store.commit()

    @rule()
    def disk(self) -> None:
        self.store.release()

    @rule(again=st.booleans())
    def full(self, again: bool) -> None:
        """No room for what is on its way; `again`: for what is written a second later neither."""
        self.fulls += 1
        self.store.fill_up()
        self.memory_is_the_disk(set(self.manager._unwritten))
        if again:
            self.world.pass_ms(1000)
            self.store.commit()
            self.store.fill_up()
            self.memory_is_the_disk(set(self.manager._unwritten))

    @rule()
    def room(self) -> None:
        self.store.release()
        while self.manager.is_full:
            self.world.pass_ms(1000)
            self.store.release()
        self.manager.store.commit()
        self.store.release()
        self.memory_is_the_disk(set())
        for job in self.store.newest():
            check_history(job.job_id, list(reversed(self.store.history(job.job_id, ALL))))

    def memory_is_the_disk(self, but: set[int]) -> None:
        """Of all jobs but these, whose attempts have come to something that is still to be written."""
        manager, now = self.manager, self.world.clock.now_ms()
        fresh = self.fresh_manager()
        kept = {job.job_id: job for job in self.store.newest() if job.job_id not in but}
        alive = {job_id for job_id, job in kept.items() if job.state in ("new", "active")}
        assert set(manager.live) - but == alive
        for job_id, job in kept.items():
            found = manager.find(job_id)
            assert found is not None
            assert job_facts(found) == job_facts(job if found.run_at or job.run_at > now else found)
            assert (found.version, found.state, found.params) == (job.version, job.state, job.params)
            if job.state == "active" and job.lease_until:
                assert job_id in manager._leases
        for topic in TOPICS:
            self.lines_are_right(topic, fresh, but)
            counts = manager.stats(topic)
            ours = {job_id: manager._unwritten[job_id] for job_id in but}
            states = [job.state for job in kept.values() if job.topic == topic]
            for versions in ours.values():
                jobs = [one for _, one in versions if isinstance(one, Job)]
                states += [job.state for job in jobs[-1:] if job.topic == topic]
            states += [job.state for job_id in but if not any(isinstance(one, Job) for _, one in ours[job_id])
                       and (job := manager.live.get(job_id)) is not None and job.topic == topic]
            assert {state: counts[state] for state in STATES} == {state: states.count(state) for state in STATES}
        assert set(manager.paused) == set(fresh.paused)
        assert manager.schedules.all() == fresh.schedules.all()
        assert set(manager.keys.notes()) <= {record_id for record_id, _ in self.store.records()}
        if not but:
            assert key_facts(manager, now) == key_facts(fresh, now)

    def lines_are_right(self, topic: str, fresh: JobManager, but: set[int]) -> None:
        manager = self.manager
        line = [job_id for job_id in self.world.queue.waiting(topic) if job_id not in but]
        assert len(line) == len(set(line))
        restarted = [job_id for job_id in fresh.queue.waiting(topic) if job_id not in but]
        running = [job_id for job_id in restarted if manager.live[job_id].state == "active"]
        late = [job_id for job_id in restarted if manager.live[job_id].run_at and job_id not in line]
        assert sorted(line) == sorted(set(restarted) - set(running) - set(late))
        priorities = [manager.live[job_id].priority for job_id in self.world.queue.waiting(topic)]
        assert priorities == sorted(priorities)

    def fresh_manager(self) -> JobManager:
        """What a restart would recover."""
        there = World(False, self.world.limits)
        there.clock = self.world.clock
        there.store._versions = {record_id: list(versions) for record_id, versions in self.store._versions.items()}
        there.store._next = self.store._next
        there.restart()
        return there.manager

    @invariant()
    def no_attempt_begins_twice(self) -> None:
        assert max(getattr(self, "starts", Counter()).values(), default=1) == 1


FullDisks.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None,
                                       suppress_health_check=list(HealthCheck))
TestFullDisks = FullDisks.TestCase
