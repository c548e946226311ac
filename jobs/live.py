"""The working set: new and active jobs by their ids. Jobs that only wait may rest: they are known by their id, one bit
each, and read from the store when somebody asks for them, so that a long line costs little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from jobs.job import Job


class Live:
    """Used as a dictionary. `read` finds the newest version of a job in the store."""

    def __init__(self, read: Callable[[int], Job | None]) -> None:
        self._read: Final = read
        self._awake: Final[dict[int, Job]] = {}
        self._bits: Final = bytearray()
        """Bit n of byte m: job 8m + n rests."""
        self.resting = 0

    def rest(self, job_id: int) -> None:
        """This job waits, and its record says all that is to be known of it."""
        self._awake.pop(job_id, None)
        if not self.rests(job_id):
            place = job_id >> 3
            if place >= len(self._bits):
                self._bits.extend(bytes(max(place + 1 - len(self._bits), len(self._bits) >> 3)))
            self._bits[place] |= 1 << (job_id & 7)
            self.resting += 1

    def rests(self, job_id: int) -> bool:
        """Whether it is not held, but read when somebody asks."""
        place = job_id >> 3
        return 0 <= place < len(self._bits) and self._bits[place] & 1 << (job_id & 7) != 0

    def _wake(self, job_id: int) -> None:
        self._bits[job_id >> 3] &= ~(1 << (job_id & 7))
        self.resting -= 1
        if not self.resting:
            self._bits.clear()

    def get(self, job_id: int) -> Job | None:
        """A resting job goes on resting."""
        job = self._awake.get(job_id)
        if job is None and self.resting and self.rests(job_id):
            return self._read(job_id)
        return job

    def pop(self, job_id: int) -> bool:
        """It lives no longer; whether it did."""
        if self.resting and self.rests(job_id):
            self._wake(job_id)
            return True
        awake = self._awake
        if job_id not in awake:
            return False
        del awake[job_id]
        return True

    def __getitem__(self, job_id: int) -> Job:
        job = self.get(job_id)
        if job is None:
            raise KeyError(job_id)
        return job

    def __setitem__(self, job_id: int, job: Job) -> None:
        if self.resting and self.rests(job_id):
            self._wake(job_id)
        self._awake[job_id] = job

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._awake or (self.resting > 0 and self.rests(job_id))

    def __len__(self) -> int:
        return len(self._awake) + self.resting

    def __iter__(self) -> Iterator[int]:
        """The ids, upwards."""
        return iter(self.ids())

    def ids(self) -> list[int]:
        found = list(self._awake)
        if self.resting:
            for place in range(len(self._bits)):
                byte = self._bits[place]
                if byte:
                    found += [place * 8 + bit for bit in range(8) if byte >> bit & 1]
        found.sort()
        return found

    def held(self) -> int:
        """How many are held whole."""
        return len(self._awake)

    def awake(self) -> list[Job]:
        return list(self._awake.values())

    def values(self) -> list[Job]:
        """All of them, read where they rest, in the order of their ids."""
        return [job for job in map(self.get, self.ids()) if job is not None]
