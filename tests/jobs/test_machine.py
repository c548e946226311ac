"""Random lives of jobs against a model: on a virtual clock that also jumps, over a disk that is slow and crashes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobs.errors import JobRefused
from jobs.limits import Limits
from jobs.options import IDEMPOTENCY_MS, JobOptions
from jobs.states import DISCARD, STATES
from tests.jobs.world import World

TOPICS = ("a", "b")
LOSSES = 3
CONNECTION = 7
PICK = st.integers(0, 50)
KEYS = (b"s", b"k1", b"k2", b"k3", b"k4")


@dataclass
class Model:
    """What a job should be. `held` says by whom an active job is held, `deadline` is its lease in monotonic ms."""

    topic: str
    state: str = "new"
    reason: str = ""
    attempts: int = 0
    losses: int = 0
    budget: int = 1
    backoff: int = 0
    run_at: int = 0
    expires_at: int = 0
    priority: int = 100
    unique: bytes = b""
    same: bytes = b""
    in_line: bool = False
    started: bool = False
    held: str = ""
    lease: int = 0
    deadline: int = 0
    token: str = ""


@dataclass
class Key:
    """An idempotency key with the jobs that were made under it. `was_over`: its time was over once; when the clock is
    set back after that it may be forgotten already or not."""

    ids: list[int]
    until: int
    was_over: bool = False


@dataclass
class Known:
    """All that the model knows; a crash goes back to what was known at the last sync."""

    jobs: dict[int, Model] = field(default_factory=dict)
    unsynced: dict[int, Model] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    kept: dict[bytes, Key] = field(default_factory=dict)


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.known = Known()
        self.durable = Known()
        self.old_tokens: list[tuple[int, str]] = []

    @initialize(slow=st.booleans(), held=st.sampled_from([0, 2, 10_000]))
    def begin(self, slow: bool, held: int) -> None:
        self.slow = slow
        self.world = World(slow, Limits(losses=LOSSES, held=held))
        self.sync()

    # Helpers

    @property
    def now(self) -> int:
        return self.world.clock.now_ms()

    @property
    def monotonic(self) -> int:
        return round(self.world.clock.monotonic() * 1000)

    def sync(self) -> None:
        """Everything is on disk now: new jobs begin to exist."""
        for job_id, job in self.known.unsynced.items():
            job.in_line = job.run_at <= self.now
            self.known.jobs[job_id] = job
        self.known.unsynced.clear()
        self.durable = copy.deepcopy(self.known)

    def settle(self) -> None:
        """After each act; a fast disk has it at once."""
        if not self.slow:
            self.world.store.commit()
            self.sync()

    def pick(self, number: int) -> int:
        """Some job, now and then one that does not exist."""
        jobs = self.known.jobs
        ids = sorted(jobs)
        if number % 2:
            ids = [job_id for job_id in ids if jobs[job_id].state in ("new", "active")] or ids
        return ids[number % len(ids)] if ids and number < 48 else 999

    def act(self, job_id: int, states: tuple[str, ...], call: Callable[[], object]) -> Model | None:
        """Do it, and see it refused where the model does not allow it."""
        job = self.known.jobs.get(job_id)
        if job is None or job.state not in states:
            with pytest.raises(JobRefused) as refused:
                call()
            assert refused.value.code == ("NOJOB" if job is None else "BADSTATE")
            return None
        call()
        return job

    def queue(self, job: Model, reason: str, wait: int = 0) -> None:
        job.state, job.reason, job.held, job.token = "new", reason, "", ""
        job.run_at = self.now + wait if reason in ("retry", "snoozed") else 0
        job.in_line = wait == 0

    def end(self, job: Model, state: str, reason: str) -> None:
        job.state, job.reason, job.held, job.in_line, job.token = state, reason, "", False, ""

    def lose(self, job: Model, counts: bool) -> None:
        if counts:
            job.losses += 1
            if job.losses >= LOSSES:
                self.end(job, "error", "poison")
                return
        else:
            job.attempts -= 1
        job.state, job.reason, job.held, job.token, job.in_line = "new", "returned", "", "", True

    def is_held(self, same: bytes) -> bool:
        """Whether an idempotency key answers the jobs that were made under it."""
        key = self.known.kept.get(same)
        return key is not None and key.until > self.now

    def is_unsure(self, same: bytes) -> bool:
        """Whether nobody can say so, because the clock was set back."""
        key = self.known.kept.get(same)
        return key is not None and key.was_over and key.until > self.now

    # Creating and running

    @rule(topic=st.sampled_from(TOPICS), delay=st.sampled_from([0, 0, 30, 500]), retries=st.integers(0, 2),
          expire=st.sampled_from([0, 0, 40]), priority=st.sampled_from([100, 100, 5]),
          unique=st.sampled_from([b"", b"", b"u"]), same=st.sampled_from([b"", b"", b"", *KEYS]),
          keep=st.sampled_from([10**9, 40]))
    def create(self, topic: str, delay: int, retries: int, expire: int, priority: int, unique: bytes,
               same: bytes, keep: int) -> None:
        options = JobOptions(delay_ms=delay, retries=retries, expire_ms=expire, priority=priority, unique=unique,
                             idempotency=same, idempotency_ms=keep, backoff="fixed:20")
        everyone = {**self.known.jobs, **self.known.unsynced}
        if self.is_unsure(same):
            return
        if self.is_held(same):
            assert self.world.manager.create(topic, b"", options)[0].job_id == self.known.kept[same].ids[0]
            return
        holders = [job_id for job_id, job in everyone.items() if unique and job.unique == unique
                   and job.topic == topic and job.state in ("new", "active")]
        if holders:
            with pytest.raises(JobRefused, match=f"job {holders[0]}$"):
                self.world.manager.create(topic, b"", options)
            return
        made, _ = self.world.manager.create(topic, b"", options)
        assert made.job_id not in everyone
        run_at = self.now + delay if delay else 0
        self.known.unsynced[made.job_id] = Model(
            topic, reason="delayed" if delay else "", budget=retries + 1, backoff=20, run_at=run_at, priority=priority,
            expires_at=max(self.now, run_at) + expire if expire else 0, unique=unique, same=same)
        if same:
            self.known.kept[same] = Key([made.job_id], self.now + keep)
        self.settle()

    @rule(count=st.integers(1, 3), topic=st.sampled_from(TOPICS), same=st.sampled_from([b"", b"s", b"b"]))
    def create_together(self, count: int, topic: str, same: bytes) -> None:
        if self.is_unsure(same):
            return
        is_held = self.is_held(same)
        made, _ = self.world.manager.create_many(topic, [b""] * count, JobOptions(idempotency=same, backoff="fixed:20"))
        ids = [job.job_id for job in made]
        if is_held:
            assert ids == self.known.kept[same].ids
            return
        assert not set(ids) & {*self.known.jobs, *self.known.unsynced}
        self.known.unsynced.update((job_id, Model(topic, backoff=20)) for job_id in ids)
        if same:
            self.known.kept[same] = Key(ids, self.now + IDEMPOTENCY_MS)
        self.settle()

    @rule(count=st.integers(2, 4), topic=st.sampled_from(TOPICS))
    def create_some(self, count: int, topic: str) -> None:
        for _ in range(count):
            self.create.__wrapped__(self, topic, 0, 1, 0, 100, b"", b"", 40)

    @rule(topic=st.sampled_from(TOPICS), keys=st.lists(st.sampled_from(KEYS), min_size=3, max_size=6))
    def use_keys(self, topic: str, keys: list[bytes]) -> None:
        for key in keys:
            self.create.__wrapped__(self, topic, 0, 1, 0, 100, b"", key, 40)

    @rule(held=st.sampled_from(["embedded", "connection", "lease"]))
    def claim_some(self, held: str) -> None:
        for topic in (*TOPICS, *TOPICS):
            self.claim.__wrapped__(self, topic, held)

    @rule(topic=st.sampled_from(TOPICS), held=st.sampled_from(["embedded", "connection", "lease"]))
    def claim(self, topic: str, held: str) -> None:
        waiting = [] if topic in self.known.paused else list(self.world.queue.waiting(topic))
        expected = None
        for job_id in waiting:
            job = self.known.jobs[job_id]
            if self.expire(job):
                continue
            expected = job_id
            break
        owner = CONNECTION if held == "connection" else 0
        claimed = self.world.manager.claim(topic, "w", owner, 50 if held == "lease" else 0)
        assert (claimed.job_id if claimed else None) == expected
        if claimed is not None:
            job = self.known.jobs[claimed.job_id]
            job.state, job.reason, job.held, job.in_line, job.run_at = "active", "", held, False, 0
            job.attempts += 1
            job.started = True
            job.token = claimed.token
            job.lease, job.deadline = (50, self.monotonic + 50) if held == "lease" else (0, 0)
            self.old_tokens.append((claimed.job_id, claimed.token))
        self.settle()

    def expire(self, job: Model) -> bool:
        if job.state == "new" and 0 < job.expires_at <= self.now and not job.started:
            self.end(job, "error", "expired")
            return True
        return False

    @rule(number=PICK)
    def finish(self, number: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("new", "active"), lambda: self.world.manager.finish(job_id, b"r", "x"))
        if job is not None:
            self.end(job, "done", "")
            self.settle()

    @rule(number=PICK, final=st.booleans())
    def fail(self, number: int, final: bool) -> None:
        job_id = self.pick(number)
        before = copy.copy(self.known.jobs.get(job_id))
        job = self.act(job_id, ("new", "active"), lambda: self.world.manager.fail(job_id, b"e", "x", final=final))
        if job is not None and before is not None:
            if before.state == "active" and not final and job.attempts - job.losses < job.budget:
                self.queue(job, "retry", job.backoff)
            else:
                self.end(job, "error", "dead" if before.state == "active" else "failed")
            self.settle()

    @rule(number=PICK, wait=st.sampled_from([0, 25]))
    def snooze(self, number: int, wait: int) -> None:
        job_id = self.pick(number)
        before = self.world.manager.find(job_id)
        job = self.act(job_id, ("active",), lambda: self.world.manager.snooze(job_id, wait, "x"))
        if job is not None and before is not None:
            job.attempts -= 1
            self.queue(job, "snoozed", max(wait, before.version))
            self.settle()

    @rule(number=PICK)
    def discard(self, number: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("active",), lambda: self.world.manager.fail(
            job_id, b"", "x", reason="discarded", final=True, event=DISCARD))
        if job is not None:
            self.end(job, "error", "discarded")
            self.settle()

    @precondition(lambda self: self.old_tokens)
    @rule(number=PICK)
    def finish_with_a_token(self, number: int) -> None:
        job_id, token = self.old_tokens[number % len(self.old_tokens)]
        job = self.known.jobs.get(job_id)
        if job is not None and job.state == "active" and job.token == token:
            self.world.manager.finish(job_id, b"", "x", token)
            self.end(job, "done", "")
            self.settle()
            return
        with pytest.raises(JobRefused) as refused:
            self.world.manager.finish(job_id, b"", "x", token)
        assert refused.value.code in ("STALE", "NOJOB")

    # Operators

    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("new", "active"), lambda: self.world.manager.cancel(job_id, "x"))
        if job is not None:
            self.end(job, "error", "cancelled")
            self.settle()

    @rule(number=PICK)
    def requeue(self, number: int) -> None:
        job_id = self.pick(number)
        job = self.known.jobs.get(job_id)
        everyone = {**self.known.jobs, **self.known.unsynced}
        if job is not None and job.unique and job.state == "error" and any(
                other.unique == job.unique and other.topic == job.topic and other.state in ("new", "active")
                for other in everyone.values()):
            with pytest.raises(JobRefused, match="REFUSED unique key"):
                self.world.manager.requeue(job_id, "x")
            return
        job = self.act(job_id, ("active", "error"), lambda: self.world.manager.requeue(job_id, "x"))
        if job is not None:
            self.queue(job, "requeued")
            job.attempts = job.losses = job.expires_at = 0
            self.settle()

    @rule(number=PICK, priority=st.sampled_from([-1, 5, 200]))
    def edit(self, number: int, priority: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("new",), lambda: self.world.manager.edit(job_id, "x", b"p", priority))
        if job is not None:
            job.reason = "edited"
            job.priority = job.priority if priority < 0 else priority
            self.settle()

    @rule(number=PICK)
    def promote(self, number: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("new",), lambda: self.world.manager.promote(job_id, "x"))
        if job is not None:
            self.queue(job, "promoted")
            job.run_at = 0
            self.settle()

    @rule(number=PICK)
    def delete(self, number: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("new", "done", "error"), lambda: self.world.manager.delete(job_id, "x"))
        if job is not None:
            del self.known.jobs[job_id]
            self.settle()

    @rule(topic=st.sampled_from(TOPICS))
    def pause_or_resume(self, topic: str) -> None:
        if topic in self.known.paused:
            self.world.manager.resume(topic, "x")
        else:
            self.world.manager.pause(topic, "x")
        self.known.paused ^= {topic}
        self.settle()

    # Time, losses, crashes

    @rule(number=PICK, ms=st.sampled_from([20, 80]))
    def extend(self, number: int, ms: int) -> None:
        job_id = self.pick(number)
        job = self.act(job_id, ("active",), lambda: self.world.manager.extend(job_id, ms))
        if job is not None and job.held == "lease":
            job.deadline = self.monotonic + ms
            if ms > job.lease:
                job.lease, job.reason = ms, "extended"
            self.settle()

    @rule(passes=st.sampled_from([1, 19, 20, 50, 600]), jump=st.sampled_from([0, 0, 0, 300, -300]))
    def time(self, passes: int, jump: int) -> None:
        self.world.clock.advance(passes)
        for key in self.known.kept.values():
            key.was_over |= key.until <= self.now
        self.world.clock.jump(jump)
        for key in self.known.kept.values():
            key.was_over |= key.until <= self.now
        for job in self.known.jobs.values():
            if job.held == "lease" and job.deadline <= self.monotonic:
                self.lose(job, True)
        for job in self.known.jobs.values():
            if job.state == "new" and not self.expire(job) and job.run_at <= self.now:
                job.in_line = True
        while self.world.manager.due():
            pass
        self.settle()

    @rule()
    def connection_gone(self) -> None:
        self.world.manager.owner_gone(CONNECTION, "x")
        for job in self.known.jobs.values():
            if job.held == "connection":
                self.lose(job, True)
        self.settle()

    @rule(number=PICK)
    def give_back(self, number: int) -> None:
        job_id = self.pick(number)
        self.world.manager.give_back(job_id, "x")
        job = self.known.jobs.get(job_id)
        if job is not None and job.state == "active":
            self.lose(job, False)
            self.settle()

    @precondition(lambda self: self.slow)
    @rule()
    def disk(self) -> None:
        self.world.store.release()
        self.sync()

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        if crash:
            self.world.store.crash()
            self.known = copy.deepcopy(self.durable)
        else:
            self.world.store.release()
            self.sync()
        self.world.restart(orderly=not crash)
        for job in self.known.jobs.values():
            if job.held == "lease":
                job.deadline = self.monotonic + job.lease
            elif job.state == "active":
                self.lose(job, job.held == "embedded")
            elif job.state == "new":
                job.in_line = job.run_at <= self.now
        self.world.store.release()
        self.sync()

    # What always holds

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if not hasattr(self, "world"):
            return
        manager, jobs = self.world.manager, self.known.jobs
        found = {job_id: manager.find(job_id) for job_id in jobs}
        assert {job_id: job and (job.state, job.reason, job.attempts, job.losses, job.priority)
                for job_id, job in found.items()} == {
            job_id: (job.state, job.reason, job.attempts, job.losses, job.priority) for job_id, job in jobs.items()}
        assert set(manager.live) == {job_id for job_id, job in jobs.items() if job.state in ("new", "active")}
        for topic in TOPICS:
            line = self.world.queue.waiting(topic)
            assert sorted(line) == sorted(j for j, job in jobs.items() if job.in_line and job.topic == topic)
            assert [jobs[j].priority for j in line] == sorted(jobs[j].priority for j in line)
            counts = manager.stats(topic)
            assert {state: counts[state] for state in STATES} == {
                state: sum(job.state == state and job.topic == topic for job in jobs.values()) for state in STATES}
        assert all(manager.find(job_id) is None for job_id in self.known.unsynced)


Lives.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None,
                                   suppress_health_check=list(HealthCheck))
TestLives = Lives.TestCase
