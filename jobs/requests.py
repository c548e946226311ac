"""One request per JOB.* command, ready to be sent, with the way to read its answer. Shared by both clients."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack

from jobs.job_record import MAX_BATCH
from jobs.trace import with_trace
from jobs.wire import as_bytes, as_text

T = TypeVar("T")
JobMap = dict[str, Any]
"""A job as JOB.GET answers it: names to values; times in Unix ms, params, result and error as bytes."""
ScheduleMap = dict[str, Any]
"""A schedule as JOB.SCHEDULE GET answers it: times in Unix ms, `every timeout expire` in ms, params and meta as
bytes."""
OWN_KEY_S: Final = 600.0
TEXTS: Final = frozenset({"topic", "state", "reason", "worker", "by", "token", "schedule", "progress_text"})


class CreateOptions(TypedDict, total=False):
    """What may be said about new jobs, as JobManager.create_job has it: times in seconds, `run_at` a datetime or Unix
    seconds."""

    delay: float
    run_at: datetime | float | None
    priority: int | None
    retries: int | None
    backoff: str | None
    timeout: float
    expire: float
    unique: str | bytes
    unique_ttl: float
    idempotency: str | bytes
    idempotency_ttl: float
    tags: Sequence[str]
    meta: object


class ScheduleOptions(TypedDict, total=False):
    """What may be said about a schedule, as JobManager.set_schedule has it: `cron` in a `timezone`, or `every` so many
    seconds."""

    cron: str
    every: float
    timezone: str
    missed: str
    start: datetime | float | None
    paused: bool
    priority: int
    retries: int | None
    backoff: str
    timeout: float
    expire: float
    tags: Sequence[str]
    meta: object


class Request(Generic[T]):
    """`is_safe`: it may be sent a second time when the first answer was lost."""

    def __init__(self, words: list[bytes], read: Callable[[Any], T], is_safe: bool = True) -> None:
        self.words: Final = words
        self.read: Final = read
        self.is_safe: Final = is_safe


def job_map(reply: Any) -> JobMap:
    job = {as_text(name): value for name, value in reply.items()}
    for name in TEXTS & job.keys():
        if job[name] is not None:
            job[name] = as_text(job[name])
    job["tags"] = [as_text(tag) for tag in job.get("tags") or ()]
    return job


def _job_or_none(reply: Any) -> JobMap | None:
    return None if reply is None else job_map(reply)


def _jobs(reply: Any) -> list[JobMap]:
    return [job_map(each) for each in reply or ()]


def _done(reply: Any) -> None:
    return None


def _milliseconds(seconds: float) -> bytes:
    return b"%d" % max(0, round(seconds * 1000))


def _option_ms(name: str, seconds: float) -> bytes:
    """The time of an option; a negative one is for the server to refuse. ValueError for what is no number."""
    try:
        return b"%d" % round(seconds * 1000)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} {seconds!r} is no number of seconds") from None


def check_names(given: Mapping[str, object], kind: type) -> None:
    """TypeError for an option that there is not, with the one that may be meant."""
    known = list(kind.__annotations__)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise TypeError(f"there is no option {name!r}; "
                            + (f"did you mean {near[0]!r}?" if near else f"options are {', '.join(known)}"))


def _tag_words(tags: Sequence[str]) -> list[bytes]:
    if isinstance(tags, str | bytes):
        raise TypeError(f"give tags as a list of them, not as {tags!r}")
    words: list[bytes] = []
    for tag in tags:
        words += [b"TAG", tag.encode()]
    return words


def _create_words(*, delay: float = 0, run_at: datetime | float | None = None, priority: int | None = None,
                  retries: int | None = None, backoff: str | None = None, timeout: float = 0, expire: float = 0,
                  unique: str | bytes = "", unique_ttl: float = 0, idempotency: str | bytes = "",
                  idempotency_ttl: float = 0, tags: Sequence[str] = (), meta: object = None) -> list[bytes]:
    """The options of JOB.CREATE. Times in seconds; `run_at` is a datetime or Unix seconds."""
    words: list[bytes] = []
    if isinstance(run_at, datetime):
        run_at = run_at.timestamp()
    for name, seconds in (("DELAY", delay), ("AT", run_at), ("TIMEOUT", timeout), ("EXPIRE", expire)):
        if seconds:
            words += [name.encode(), _option_ms(name, seconds)]
    if priority is not None:
        words += [b"PRIORITY", str(priority).encode()]
    if retries is not None:
        words += [b"RETRY", str(retries).encode()]
    if backoff:
        words += [b"BACKOFF", backoff.encode()]
    if unique:
        words += [b"UNIQUE", as_bytes(unique)]
    if unique_ttl:
        words += [b"TTL", _option_ms("TTL", unique_ttl)]
    if idempotency:
        words += [b"IDEMPOTENCY", as_bytes(idempotency)]
    if idempotency_ttl:
        words += [b"KEEP", _option_ms("KEEP", idempotency_ttl)]
    words += _tag_words(tags)
    meta = with_trace(meta)
    if meta is not None:
        words += [b"META", as_bytes(meta)]
    return words


def create(topic: str, params: object, **options: Unpack[CreateOptions]) -> Request[int]:
    """A job with options as `create_job` of the job manager takes them: `delay run_at priority retries backoff timeout
    expire unique unique_ttl idempotency idempotency_ttl tags meta`. Safe to repeat with an idempotency key only."""
    check_names(options, CreateOptions)
    words = [b"JOB.CREATE", topic.encode(), as_bytes(params), *_create_words(**options)]
    return Request(words, int, bool(options.get("idempotency")))


def create_many(topic: str, params: Sequence[object], **options: Unpack[CreateOptions]) -> Request[list[int]]:
    """Several jobs with the same options, under one idempotency key, if any. ValueError for more than one request may
    hold."""
    check_names(options, CreateOptions)
    if len(params) > MAX_BATCH:
        raise ValueError(f"{len(params)} jobs are too many for one call, give at most {MAX_BATCH}")
    words = [b"JOB.MCREATEX", topic.encode(), b"%d" % len(params), *map(as_bytes, params), *_create_words(**options)]
    return Request(words, list, bool(options.get("idempotency")))


def with_own_key(options: CreateOptions) -> CreateOptions:
    """Options of `create` by which it may be sent twice: with a key that is kept as long as anybody could do that. A
    time without a key stays so: the server refuses it."""
    if options.get("idempotency") or options.get("idempotency_ttl"):
        return options
    return {**options, "idempotency": uuid.uuid4().hex, "idempotency_ttl": OWN_KEY_S}


def get(job_id: int) -> Request[JobMap | None]:
    return Request([b"JOB.GET", b"%d" % job_id], _job_or_none)


def history(job_id: int, count: int) -> Request[list[JobMap]]:
    return Request([b"JOB.HISTORY", b"%d" % job_id, b"COUNT", b"%d" % count], _jobs)


def fetch(count: int, wait_s: float, topics: Sequence[str], lease_s: float = 0, worker: str = "",
          ) -> Request[list[JobMap]]:
    words = [b"JOB.FETCH", b"%d" % count, _milliseconds(wait_s), *(topic.encode() for topic in topics)]
    if lease_s:
        words += [b"LEASE", _milliseconds(lease_s)]
    if worker:
        words += [b"WORKER", worker.encode()]
    return Request(words, _jobs, False)


def _ending(command: bytes, job_id: int, text: object, token: str, *more: bytes) -> Request[None]:
    """A report about an attempt, with its token where one is known."""
    words = [command, b"%d" % job_id, as_bytes(text), *more]
    if token:
        words += [b"TOKEN", token.encode()]
    return Request(words, _done, False)


def complete(job_id: int, result: object, token: str = "") -> Request[None]:
    return _ending(b"JOB.COMPLETE", job_id, result, token)


def fail(job_id: int, error: object, token: str = "", *, dead: bool = False, traceback: str = "", reason: str = "",
         retry_s: float | None = None, retry_at_ms: int = 0, retries: int = 0, backoff: str = "") -> Request[None]:
    """`retries` and `backoff`: what the handler says for jobs that were made without it."""
    more = [b"DEAD"] if dead else []
    if retries:
        more += [b"RETRIES", b"%d" % retries]
    if backoff:
        more += [b"BACKOFF", backoff.encode()]
    if traceback:
        more += [b"TRACEBACK", traceback.encode("utf-8", "replace")]
    if reason:
        more += [b"REASON", reason.encode()]
    if retry_s is not None:
        more += [b"RETRY", _milliseconds(retry_s)]
    if retry_at_ms:
        more += [b"AT", b"%d" % retry_at_ms]
    text = error.encode("utf-8", "replace") if isinstance(error, str) else error
    return _ending(b"JOB.FAIL", job_id, text, token, *more)


def with_usage(end: Request[None], cpu_us: int, max_rss: int) -> Request[None]:
    """The end of an attempt, and what this has used."""
    if end.words[0] in (b"JOB.COMPLETE", b"JOB.FAIL"):
        return Request([*end.words, b"CPU", b"%d" % cpu_us, b"RSS", b"%d" % max_rss], _done, False)
    return end


def snooze(job_id: int, seconds: float, token: str = "") -> Request[None]:
    return _ending(b"JOB.SNOOZE", job_id, _milliseconds(seconds), token)


def release(job_id: int, token: str) -> Request[None]:
    """Give a job back that was not begun; the attempt does not count."""
    return Request([b"JOB.RELEASE", b"%d" % job_id, b"TOKEN", token.encode()], _done, False)


def extend(job_id: int, seconds: float, token: str = "") -> Request[None]:
    return _ending(b"JOB.EXTEND", job_id, _milliseconds(seconds), token)


def progress(job_id: int, percent: int, text: str, token: str = "") -> Request[None]:
    return _ending(b"JOB.PROGRESS", job_id, b"%d" % percent, token, text.encode("utf-8", "replace"))


def log(job_id: int, line: str, token: str = "") -> Request[None]:
    return _ending(b"JOB.LOG", job_id, line.encode("utf-8", "replace"), token)


def act(command: str, job_id: int, *more: str) -> Request[None]:
    """JOB.CANCEL, JOB.RETRY, JOB.DELETE, JOB.PROMOTE."""
    return Request([command.encode(), b"%d" % job_id, *(word.encode() for word in more)], _done, False)


def edit(job_id: int, params: object, priority: int | None) -> Request[None]:
    words = [b"JOB.EDIT", b"%d" % job_id]
    if params is not None:
        words += [b"PARAMS", as_bytes(params)]
    if priority is not None:
        words += [b"PRIORITY", str(priority).encode()]
    return Request(words, _done)


def status(job_id: int, state: str) -> Request[None]:
    return Request([b"JOB.STATUS", b"%d" % job_id, str(state).encode()], _done, False)


def trail(job_id: int, count: int) -> Request[list[JobMap]]:
    """Log lines and steps of progress, oldest first."""
    return Request([b"JOB.LOGS", b"%d" % job_id, b"COUNT", b"%d" % count],
                   lambda reply: [_text_map(each) for each in reply or ()])


def wait(job_id: int, seconds: float) -> Request[JobMap | None]:
    return Request([b"JOB.WAIT", b"%d" % job_id, _milliseconds(seconds)], _job_or_none)


def stats(topic: str = "") -> Request[dict[str, Any]]:
    words = [b"JOB.STATS"] + ([topic.encode()] if topic else [])
    return Request(words, lambda reply: {as_text(name): value for name, value in reply.items()})


def listing(topic: str, state: str, query: str, cursor: str, count: int) -> Request[tuple[str, list[JobMap]]]:
    words = [b"JOB.LIST", b"COUNT", b"%d" % count]
    for name, value in ((b"TOPIC", topic), (b"STATE", state), (b"QUERY", query), (b"CURSOR", cursor)):
        if value:
            words += [name, value.encode()]
    return Request(words, lambda reply: (as_text(reply[0]), _jobs(reply[1])))


def bulk(action: str, query: str, dry_run: bool) -> Request[dict[str, Any]]:
    """Not sent twice: jobs that fit only since the first time would be changed, too."""
    words = [b"JOB.BULK", action.encode(), b"QUERY", query.encode(), *([b"DRYRUN"] if dry_run else [])]
    return Request(words, _text_map, dry_run)


def newest_event() -> Request[int]:
    return Request([b"JOB.EVENTS", b"$"], lambda reply: int(reply[0]))


def events(cursor: int, count: int, wait_s: float) -> Request[tuple[int, list[JobMap]]]:
    words = [b"JOB.EVENTS", b"%d" % cursor, b"COUNT", b"%d" % count]
    if wait_s > 0:
        words += [b"BLOCK", b"%d" % max(1, round(wait_s * 1000))]
    return Request(words, lambda reply: (int(reply[0]), [_text_map(each) for each in reply[1]]))


# Topics and schedules


def _text_map(reply: Any) -> dict[str, Any]:
    """A map of which everything but params and meta is text where it is no number."""
    found = {as_text(name): value for name, value in reply.items()}
    for name, value in found.items():
        if isinstance(value, bytes) and name not in ("params", "meta"):
            found[name] = as_text(value)
    if "tags" in found:
        found["tags"] = [as_text(tag) for tag in found["tags"]]
    return found


def topics() -> Request[dict[str, dict[str, int]]]:
    return Request([b"JOB.TOPICS"], lambda reply: {as_text(topic): _text_map(counts)
                                                   for topic, counts in reply.items()})


def pause_topic(topic: str, paused: bool) -> Request[None]:
    return Request([b"JOB.PAUSE" if paused else b"JOB.RESUME", topic.encode()], _done)


def purge(topic: str) -> Request[int]:
    """Not sent twice: what was made since the first time would be deleted, too."""
    return Request([b"JOB.PURGE", topic.encode()], int, False)


def set_schedule(name: str, topic: str, params: object, **options: Unpack[ScheduleOptions]) -> Request[None]:
    check_names(options, ScheduleOptions)
    words = [b"JOB.SCHEDULE", b"SET", name.encode(), topic.encode(), as_bytes(params)]
    start = options.get("start")
    if isinstance(start, datetime):
        start = start.timestamp()
    for option, text in (("CRON", options.get("cron")), ("TZ", options.get("timezone")),
                         ("MISSED", options.get("missed")), ("BACKOFF", options.get("backoff")),
                         ("PRIORITY", options.get("priority")), ("RETRY", options.get("retries"))):
        if text not in (None, ""):
            words += [option.encode(), str(text).encode()]
    for option, seconds in (("EVERY", options.get("every")), ("START", start), ("TIMEOUT", options.get("timeout")),
                            ("EXPIRE", options.get("expire"))):
        if seconds:
            words += [option.encode(), _option_ms(option, seconds)]
    words += _tag_words(options.get("tags", ()))
    if options.get("meta") is not None:
        words += [b"META", as_bytes(options["meta"])]
    return Request(words + ([b"PAUSED"] if options.get("paused") else []), _done)


def schedules() -> Request[list[ScheduleMap]]:
    return Request([b"JOB.SCHEDULE", b"LIST"], lambda reply: [_text_map(each) for each in reply])


def act_on_schedule(verb: str, name: str) -> Request[None]:
    """DEL, PAUSE, RESUME."""
    return Request([b"JOB.SCHEDULE", verb.encode(), name.encode()], _done)


def plain(words: Sequence[str | bytes | int]) -> Request[Any]:
    """Any command; its reply as it came."""
    return Request([word if isinstance(word, bytes) else str(word).encode() for word in words], lambda reply: reply,
                   False)
