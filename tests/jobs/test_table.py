"""The table of transitions, walked over every pair of a state and an event."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.errors import BadState, JobRefused
from jobs.limits import Limits
from jobs.states import (
    CANCEL,
    COMPLETE,
    DELETE,
    DISCARD,
    EDIT,
    EXPIRE,
    EXTEND,
    FAIL,
    GIVE_BACK,
    POISON,
    PROMOTE,
    REPORT,
    REQUEUE,
    RETRY,
    SNOOZE,
    START,
    STATES,
    TRANSITIONS,
    VERBS,
    follows,
)
from jobs.states_page import MEANING
from tests.jobs.world import World


def fresh(world: World) -> None:
    """Job 1 with one retry, a lease when it runs, and a time to expire."""
    world.new(retries=1, backoff="fixed:0", expire_ms=10_000)


def ready(world: World, state: str) -> None:
    fresh(world)
    if state == "active":
        world.claim(lease_ms=1000)
    elif state == "done":
        world.manager.finish(1, b"", "w")
    elif state == "error":
        world.manager.fail(1, b"", "w", final=True)


def poison(world: World) -> None:
    world.manager.owner_gone(7, "x")
    world.clock.advance(1000)
    world.manager.due()


def lease_over(world: World) -> None:
    world.pass_ms(1000)


ACTS: dict[str, Callable[[World], object]] = {
    START: lambda world: world.manager.set_state(1, "active", "x"),
    COMPLETE: lambda world: world.manager.finish(1, b"", "x"),
    FAIL: lambda world: world.manager.fail(1, b"", "x", final=True),
    RETRY: lambda world: world.manager.fail(1, b"", "x"),
    SNOOZE: lambda world: world.manager.snooze(1, 5, "x"),
    GIVE_BACK: lease_over,
    POISON: poison,
    DISCARD: lambda world: world.manager.fail(1, b"", "x", final=True, event=DISCARD),
    EXPIRE: lambda world: world.pass_ms(10_000),
    CANCEL: lambda world: world.manager.cancel(1, "x"),
    REQUEUE: lambda world: world.manager.requeue(1, "x"),
    EDIT: lambda world: world.manager.edit(1, "x", b"new"),
    PROMOTE: lambda world: world.manager.promote(1, "x"),
    EXTEND: lambda world: world.manager.extend(1, 5000),
    REPORT: lambda world: world.manager.log(1, "line", "x"),
    DELETE: lambda world: world.manager.delete(1, "x"),
}
QUIET = {GIVE_BACK, POISON, EXPIRE}
"""Events that come with time: where they do not fit nothing happens."""


def test_every_event_has_an_act_a_verb_and_a_meaning() -> None:
    assert set(ACTS) == set(TRANSITIONS) == set(VERBS) == set(MEANING)


@pytest.mark.parametrize("event", TRANSITIONS)
@pytest.mark.parametrize("state", STATES)
def test_every_pair(state: str, event: str) -> None:
    world = World(limits=Limits(losses=1 if event == POISON else 0))
    ready(world, state)
    versions = len(world.manager.history(1, 99))
    expected = TRANSITIONS[event].get(state)
    if event == RETRY and state == "new":
        return  # without an attempt that ran, a failure is no retry: the next test
    if expected is None and event not in QUIET:
        with pytest.raises(JobRefused) as refused:
            ACTS[event](world)
        assert isinstance(refused.value, BadState)
        assert (refused.value.code, len(world.manager.history(1, 99))) == ("BADSTATE", versions)
    else:
        ACTS[event](world)
    if event == DELETE and expected is not None:
        assert world.manager.find(1) is None
        return
    if event == EXPIRE and state == "active":
        return  # the lease ends meanwhile
    assert world.now(1).state == (expected or state)
    counts = world.manager.stats("t")
    assert {name: counts[name] for name in STATES} == {name: int(name == (expected or state)) for name in STATES}
    assert (1 in world.manager.live) == (world.now(1).state in ("new", "active"))
    assert (1 in world.queue.shown) == (world.now(1).state in ("new", "active"))
    if expected is not None and expected != state:
        assert len(world.manager.history(1, 99)) > versions


def test_a_failure_of_what_never_ran_is_final() -> None:
    world = World()
    fresh(world)
    world.manager.fail(1, b"", "x")
    assert world.state(1) == ("error", "failed")


def test_states_follow_each_other_as_the_table_says() -> None:
    assert {(a, b) for a in STATES for b in STATES if follows(a, b)} == {
        ("new", "new"), ("new", "active"), ("new", "done"), ("new", "error"), ("active", "new"), ("active", "active"),
        ("active", "done"), ("active", "error"), ("error", "new"), ("error", "error"), ("done", "done")}
