"""What ordinary commands on `heroqueue:*` and `herojobs:*` mean, so that a worker needs nothing but plain Redis.

Allows, translates or refuses each write before it happens; it changes a job only through the manager.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from heroredis.extension import (
    NULL_ARRAY,
    OK,
    PASS,
    Args,
    Committing,
    Context,
    Durable,
    RedisError,
    Reply,
    Wait,
    integer,
    natural,
    numkeys,
    timeout_ms,
)
from jobs.arguments import author, decoded
from jobs.errors import Refused
from jobs.job import Job
from jobs.manager import JobManager
from jobs.redis_queue import JOB_PREFIX, QUEUE_PREFIX, id_of_job_key, queue_key
from jobs.states import DONE, ERROR, NEW

logger = logging.getLogger("heroredis.jobs")


class Outcome(msgspec.Struct):
    """What SET of a job key must hold."""

    state: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class PlainKeys:
    """Translations by command name; what is not named here is refused."""

    def __init__(self, manager: Callable[[], JobManager]) -> None:
        self._manager: Final = manager
        self.ignored_pushes = 0
        self._by_name: Final[dict[str, Callable[[Context, list[bytes]], Reply]]] = {
            "LPOP": self._lpop, "BLPOP": self._blpop, "LMPOP": self._lmpop, "BLMPOP": self._blmpop,
            "RPUSH": self._push, "LPUSH": self._push, "LREM": self._lrem, "SET": self._set, "DEL": self._del,
            "UNLINK": self._del,
        }

    def before_write(self, ctx: Context, name: str, argv: list[bytes]) -> Reply:
        """PASS, a reply, or an exception with the reason."""
        translate = self._by_name.get(name)
        if translate is None:
            raise Refused(f"{name} is not possible on keys of the job system; use the JOB commands")
        return translate(ctx, argv)

    # Lines

    def _topics(self, keys: list[bytes], name: str) -> list[str]:
        if not all(key.startswith(QUEUE_PREFIX) for key in keys):
            raise Refused(f"{name} mixes lines of jobs with other keys; ask for them in separate commands")
        return [decoded(key[len(QUEUE_PREFIX) :]) for key in keys]

    def _claim(self, ctx: Context, topic: str, count: int) -> list[object]:
        manager = self._manager()
        taken: list[object] = []
        while len(taken) < count:
            job = manager.claim(topic, author(ctx.client), ctx.client.client_id)
            if job is None:
                break
            taken.append(b"%d" % job.job_id)
        if taken:
            manager.store.commit()
        return taken

    def _lpop(self, ctx: Context, argv: list[bytes]) -> Reply:
        [topic] = self._topics(argv[1:2], "LPOP")
        taken = self._claim(ctx, topic, natural(argv[2]) if len(argv) > 2 else 1)
        if len(argv) > 2:
            return taken or NULL_ARRAY
        return taken[0] if taken else None

    def _blpop(self, ctx: Context, argv: list[bytes]) -> Reply:
        milliseconds = timeout_ms(argv[-1])
        topics = self._topics(argv[1:-1], "BLPOP")
        for topic in topics:
            taken = self._claim(ctx, topic, 1)
            if taken:
                return [queue_key(topic), taken[0]]
        return self._wait(topics, milliseconds)

    def _wait(self, topics: list[str], milliseconds: int) -> Wait:
        return Wait([("topic", topic, "") for topic in topics], milliseconds, NULL_ARRAY)

    def _lmpop(self, ctx: Context, argv: list[bytes]) -> Reply:
        return self._multi_pop(ctx, argv[1:], "LMPOP") or NULL_ARRAY

    def _blmpop(self, ctx: Context, argv: list[bytes]) -> Reply:
        milliseconds = timeout_ms(argv[1])
        popped = self._multi_pop(ctx, argv[2:], "BLMPOP")
        return popped or self._wait(self._topics(argv[3 : 3 + numkeys(argv[2])], "BLMPOP"), milliseconds)

    def _multi_pop(self, ctx: Context, words: list[bytes], name: str) -> list[object]:
        size = numkeys(words[0])
        if len(words) < size + 2 or words[size + 1].upper() not in (b"LEFT", b"RIGHT"):
            raise RedisError(b"ERR syntax error")
        if words[size + 1].upper() == b"RIGHT":
            raise Refused(f"{name} RIGHT would take the last job first; use LEFT")
        found = Args(words[size + 2 :]).options((), {"COUNT": natural})
        count = found.get("COUNT", 1)
        if count == 0:
            raise RedisError(b"ERR count should be greater than 0")
        for topic in self._topics(words[1 : 1 + size], name):
            taken = self._claim(ctx, topic, count if isinstance(count, int) else 1)
            if taken:
                return [queue_key(topic), taken]
        return []

    def _push(self, ctx: Context, argv: list[bytes]) -> Reply:
        [topic] = self._topics(argv[1:2], "RPUSH")
        manager = self._manager()
        for element in argv[2:]:
            job = manager.live.get(int(element)) if element.isdigit() and len(element) < 19 else None
            if job is None or job.state != NEW or job.topic != topic:
                self.ignored_pushes += 1
                logger.warning("%r was pushed on the line of topic %s but is no new job of it; ignored",
                               element[:40], topic)
                continue
            manager.line_up_again(job, at_head=argv[0].upper() == b"LPUSH")
        return manager.queue.length(topic)

    def _lrem(self, ctx: Context, argv: list[bytes]) -> Reply:
        integer(argv[2])
        self._topics(argv[1:2], "LREM")
        return PASS

    # Shown jobs

    def _job(self, key: bytes) -> Job | None:
        found = id_of_job_key(key)
        job = self._manager().live.get(found[1]) if found is not None else None
        return job if job is not None and found is not None and job.topic == found[0] else None

    def _set(self, ctx: Context, argv: list[bytes]) -> Reply:
        key = argv[1]
        if not key.startswith(JOB_PREFIX) or len(argv) > 3:
            raise Refused("only SET of a shown job, without options, is possible here")
        job = self._job(key)
        if job is None:
            raise Refused("there is no live job under this key; use JOB.CREATE to make one")
        try:
            outcome = msgspec.json.decode(argv[2], type=Outcome)
        except (msgspec.MsgspecError, RecursionError):
            outcome = Outcome("")
        manager = self._manager()
        if outcome.state == DONE:
            return Durable(OK, manager.finish(job.job_id, _text(outcome.result), author(ctx.client)))
        if outcome.state == ERROR:
            return Durable(OK, manager.fail(job.job_id, _text(outcome.error), author(ctx.client)))
        raise Refused('give a JSON object such as {"state": "done", "result": "..."} or {"state": "error", '
                      '"error": "..."}')

    def _del(self, ctx: Context, argv: list[bytes]) -> Reply:
        if not all(key.startswith(JOB_PREFIX) for key in argv[1:]):
            raise Refused("DEL cancels shown jobs only; lines of jobs and other keys go in separate commands")
        jobs: dict[int, Job] = {}
        for job in (self._job(key) for key in argv[1:]):
            if job is None:
                continue
            if job.state != NEW:
                raise Refused(f"job {job.job_id} is {job.state}; only a new job can be cancelled by DEL")
            jobs[job.job_id] = job
        commit: Committing | None = None
        for job_id in jobs:
            commit = self._manager().cancel(job_id, author(ctx.client), b"its key was deleted")
        return 0 if commit is None else Durable(len(jobs), commit)


def _text(raw: msgspec.Raw) -> bytes:
    """A JSON string as its text, null as nothing, any other value as its JSON."""
    value = bytes(raw).strip()
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str).encode()
    return b"" if value == b"null" else value
