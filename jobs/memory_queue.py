"""Lines in memory: for tests, and the measure of what RedisJobManager has to do."""

from __future__ import annotations

from jobs.job import Job
from jobs.queue import JobQueue


class MemoryQueue(JobQueue):
    """A JobQueue without a keyspace; `shown` holds what clients would see."""

    def __init__(self) -> None:
        self.shown: dict[int, Job] = {}
        self._lines: dict[str, list[Job]] = {}

    def push(self, job: Job, *, at_head: bool = False) -> None:
        line = self._lines.setdefault(job.topic, [])
        at = 0
        while at < len(line) and (line[at].priority < job.priority
                                  or (line[at].priority == job.priority and not at_head)):
            at += 1
        line.insert(at, job)

    def put_back(self, job: Job) -> None:
        line = self._lines.setdefault(job.topic, [])
        at = 0
        while at < len(line) and (line[at].priority, line[at].job_id) < (job.priority, job.job_id):
            at += 1
        line.insert(at, job)

    def restore(self, topic: str, job_ids: list[int]) -> None:
        self._lines[topic] = [self.shown[job_id] for job_id in job_ids]

    def pop(self, topic: str) -> int | None:
        line = self._lines.get(topic)
        return line.pop(0).job_id if line else None

    def remove(self, job: Job) -> bool:
        line = self._lines.get(job.topic, [])
        for at, other in enumerate(line):
            if other.job_id == job.job_id:
                del line[at]
                return True
        return False

    def clear(self, topic: str) -> None:
        self._lines.pop(topic, None)

    def length(self, topic: str) -> int:
        return len(self._lines.get(topic, ()))

    def waiting(self, topic: str) -> list[int]:
        return [job.job_id for job in self._lines.get(topic, ())]

    def show(self, job: Job) -> None:
        self.shown[job.job_id] = job

    def show_resting(self, job: Job) -> None:
        self.show(job)

    def hide(self, job: Job) -> None:
        self.shown.pop(job.job_id, None)
