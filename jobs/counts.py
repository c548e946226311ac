"""How many jobs are in each state, by topic and in all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobs.states import STATES


class Counts:
    """Counts of one topic; attributes `new active done error`, or a mapping of the same names."""

    def __init__(self, new: int = 0, active: int = 0, done: int = 0, error: int = 0) -> None:
        self.new = new
        self.active = active
        self.done = done
        self.error = error

    def __getitem__(self, state: str) -> int:
        if state == "new":
            return self.new
        if state == "active":
            return self.active
        if state == "done":
            return self.done
        if state == "error":
            return self.error
        raise KeyError(state)

    def keys(self) -> tuple[str, ...]:
        return STATES

    def __iter__(self) -> Iterator[str]:
        return iter(STATES)

    def __len__(self) -> int:
        return len(STATES)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts | dict) and all(self[state] == other[state] for state in STATES)

    def __repr__(self) -> str:
        return f"Counts(new={self.new}, active={self.active}, done={self.done}, error={self.error})"

    def add(self, state: str, number: int) -> None:
        if state == "new":
            self.new += number
        elif state == "active":
            self.active += number
        elif state == "done":
            self.done += number
        else:
            self.error += number


class Tally:
    """Counts by topic, kept with every change of state."""

    def __init__(self) -> None:
        self._topics: Final[dict[str, Counts]] = {}

    def knows(self, topic: str) -> bool:
        return topic in self._topics

    def enter(self, topic: str, state: str, number: int = 1) -> None:
        counts = self._topics.get(topic)
        if counts is None:
            counts = Counts()
            self._topics[topic] = counts
        counts.add(state, number)

    def restore(self, topic: str, done: int, error: int) -> None:
        """At a start: so many have ended."""
        counts = self._topics.setdefault(topic, Counts())
        counts.done, counts.error = done, error

    def leave(self, topic: str, state: str) -> None:
        self._topics[topic].add(state, -1)

    def move(self, topic: str, before: str, after: str) -> None:
        counts = self._topics[topic]
        counts.add(before, -1)
        counts.add(after, 1)

    def of(self, topic: str) -> Counts:
        counts = self._topics.get(topic)
        return Counts() if counts is None else Counts(counts.new, counts.active, counts.done, counts.error)

    def total(self) -> Counts:
        whole = Counts()
        for counts in self._topics.values():
            for state in STATES:
                whole.add(state, counts[state])
        return whole

    def topics(self) -> dict[str, Counts]:
        return {topic: self.of(topic) for topic in sorted(self._topics)}
