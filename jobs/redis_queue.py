"""The lines and the live jobs as Redis keys: lists `heroqueue:<topic>`, strings `herojobs:<topic>:<id>`.

Works on the keyspace of database 0 directly and changes no state of a job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from heroredis.extension import GENERIC, LIST, STRING, Database, List, Rendered
from jobs.job import Job, to_json
from jobs.queue import JobQueue

QUEUE_PREFIX: Final = b"heroqueue:"
JOB_PREFIX: Final = b"herojobs:"
PREFIXES: Final = (QUEUE_PREFIX, JOB_PREFIX)
UNKNOWN: Final = 256
"""Above every priority."""
MAX_NAMES: Final = 10_000


def queue_key(topic: str) -> bytes:
    return QUEUE_PREFIX + topic.encode()


def job_prefix(topic: str) -> bytes:
    return b"herojobs:%b:" % topic.encode()


def job_key(topic: str, job_id: int) -> bytes:
    return job_prefix(topic) + str(job_id).encode()


def id_of_job_key(key: bytes) -> tuple[str, int] | None:
    """Topic and id of a key `herojobs:<topic>:<id>`."""
    topic, colon, number = key[len(JOB_PREFIX) :].rpartition(b":")
    if not colon or not number.isdigit() or len(number) > 18:
        return None
    return topic.decode("utf-8", "surrogateescape"), int(number)


def number_of(element: bytes) -> int:
    """The id that an element of a line is; quicker than int() of bytes."""
    number: i64 = 0
    for at in range(len(element)):
        number = number * 10 + element[at] - 48
    return number


class JobText(Rendered):
    """The JSON of a live job, made when somebody reads it."""

    def __init__(self, job: Job, key: bytes) -> None:
        self.job = job
        self.key: Final = key

    def render(self) -> bytes:
        return to_json(self.job)


class RestingText(Rendered):
    """The same of a job that rests in the store."""

    def __init__(self, job_id: int, find: Callable[[int], Job | None]) -> None:
        self._job_id: Final = job_id
        self._find: Final = find

    def render(self) -> bytes:
        job = self._find(self._job_id)
        return b"" if job is None else to_json(job)


class TopicKeys:
    """The names of a topic's keys, made once, and what is known of its line."""

    def __init__(self, topic: str) -> None:
        self.highest = UNKNOWN
        """No job in the line has a higher priority number."""
        self.near = 0
        """Behind the last one that was put between others: where the next one of its priority most likely belongs."""
        self.follower = b""
        """The one that stood there, and its priority: it may rest on disk, and is not to be asked for each time."""
        self.followers_priority = 0
        self.queue: Final = queue_key(topic)
        self.job_prefix: Final = job_prefix(topic)


class RedisJobManager(JobQueue):
    """A JobQueue over the keyspace; `find` tells the live job of an id."""

    def __init__(self, db: Database, find: Callable[[int], Job | None]) -> None:
        self._names: Final[dict[str, TopicKeys]] = {}
        self._db: Final = db
        self._find: Final = find
        self._shown: Final[dict[int, JobText]] = {}

    def _keys(self, topic: str) -> TopicKeys:
        found = self._names.get(topic)
        if found is None:
            if len(self._names) >= MAX_NAMES:
                self._names.clear()
            found = self._names[topic] = TopicKeys(topic)
        return found

    def push(self, job: Job, *, at_head: bool = False) -> None:
        keys = self._keys(job.topic)
        line = self._db.update_list(keys.queue)
        element = str(job.job_id).encode()
        priority = job.priority
        if line.size() == 0 or (priority >= keys.highest and not at_head):
            line.push_right(element)
            keys.highest = priority
        else:
            place = -1 if at_head else self._likely_place(line, priority, keys)
            if place < 0:
                place = self._place(line, priority, at_head)
            line.insert(place, element)
            keys.near = place + 1
            if keys.highest < priority:
                keys.highest = priority
        self._db.changed(keys.queue, "rpush", LIST)

    def put_back(self, job: Job) -> None:
        keys = self._keys(job.topic)
        line = self._db.update_list(keys.queue)
        place = self._place(line, job.priority, False, job.job_id)
        if place == line.size():
            keys.highest = job.priority
        line.insert(place, str(job.job_id).encode())
        keys.follower = b""
        self._db.changed(keys.queue, "rpush", LIST)

    def restore(self, topic: str, job_ids: list[int]) -> None:
        if job_ids:
            keys = self._keys(topic)
            line = self._db.update_list(keys.queue)
            for job_id in job_ids:
                line.push_right(str(job_id).encode())
            keys.highest = self._priority(line.get(line.size() - 1))
            self._db.changed(keys.queue, "rpush", LIST)

    def _likely_place(self, line: List, priority: int, keys: TopicKeys) -> int:
        """Where the last one was put, if a job of this priority belongs there, too; else -1."""
        near = keys.near
        if not 0 < near < line.size():
            return -1
        follower = line.get(near)
        if follower != keys.follower:
            keys.follower = follower
            keys.followers_priority = self._priority(follower)
        if keys.followers_priority <= priority or self._priority(line.get(near - 1)) > priority:
            return -1
        return near

    def _place(self, line: List, priority: int, at_head: bool, before: int = 0) -> int:
        """Where a job of this priority belongs: the line is sorted, so look by halves. `before`: of its priority only
        jobs with lower ids than this stand before it."""
        size = line.size()
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            element = line.get(middle)
            other = self._priority(element)
            if other < priority or (other == priority and not at_head and (not before or int(element) < before)):
                low = middle + 1
            else:
                high = middle
        return low

    def _priority(self, element: bytes) -> int:
        job = self._find(int(element))
        return 255 if job is None else job.priority

    def pop(self, topic: str) -> int | None:
        key = self._keys(topic).queue
        line = self._db.find_list(key)
        if line is None:
            return None
        element = line.pop_left()
        self._removed(key, line, "lpop")
        return number_of(element)

    def _removed(self, key: bytes, line: List, event: str) -> None:
        self._db.changed(key, event, LIST)
        if self._db.drop_if_empty(key, line):
            self._db.changed(key, "del", GENERIC)

    def remove(self, job: Job) -> bool:
        key = self._keys(job.topic).queue
        line = self._db.find_list(key)
        place = -1 if line is None else self._place_of(line, job)
        if line is None or place < 0:
            return False
        line.take_out(place)
        self._keys(job.topic).follower = b""  # it may come again with another priority
        self._removed(key, line, "lrem")
        return True

    def _place_of(self, line: List, job: Job) -> int:
        """Where a job stands, -1 = nowhere. Looked for by halves, as if the ids rose, then as if they rose within each
        priority: only those that went to the head or came again do not."""
        job_id = job.job_id
        for with_priority in (False, True):
            low, high = 0, line.size()
            while low < high:
                middle = (low + high) // 2
                other = int(line.get(middle))
                if other == job_id:
                    return middle
                is_before = other < job_id
                if with_priority:
                    priority = self._priority(line.get(middle))
                    if priority != job.priority:
                        is_before = priority < job.priority
                if is_before:
                    low = middle + 1
                else:
                    high = middle
        return line.find(b"%d" % job_id)

    def clear(self, topic: str) -> None:
        key = queue_key(topic)
        if self._db.remove(key):
            self._db.changed(key, "del", GENERIC)

    def length(self, topic: str) -> int:
        line = self._db.find_list(self._keys(topic).queue)
        return 0 if line is None else line.size()

    def waiting(self, topic: str) -> list[int]:
        line = self._db.find_list(queue_key(topic))
        return [] if line is None else [int(element) for element in line.to_list()]

    def show(self, job: Job) -> None:
        shown = self._shown.get(job.job_id)
        if shown is None:
            shown = JobText(job, self._keys(job.topic).job_prefix + str(job.job_id).encode())
            self._shown[job.job_id] = shown
            self._db.store(shown.key, shown)
        else:
            shown.job = job
        self._db.changed(shown.key, "set", STRING)

    def show_resting(self, job: Job) -> None:
        """No more than the key, and who to ask."""
        key = self._keys(job.topic).job_prefix + str(job.job_id).encode()
        self._db.store(key, RestingText(job.job_id, self._find))
        self._db.changed(key, "set", STRING)

    def hide(self, job: Job) -> None:
        shown = self._shown.get(job.job_id)
        if shown is None:
            key = self._keys(job.topic).job_prefix + str(job.job_id).encode()
        else:
            key = shown.key
            del self._shown[job.job_id]
        if self._db.remove(key):
            self._db.changed(key, "del", GENERIC)
