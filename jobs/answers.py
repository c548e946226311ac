"""How jobs, counts and log lines look in the answers of JOB.* commands."""

from __future__ import annotations

from heroredis.extension import Map, changed
from jobs.accounting import Accounting
from jobs.counts import Counts
from jobs.job import Job
from jobs.notes import TrailNote
from jobs.states import STATES

Pairs = list[tuple[object, object]]


def job_pairs(job: Job) -> Pairs:
    """A job as JOB.GET answers it; what few jobs have stands at the end, for those that have it."""
    pairs: Pairs = [
        (b"id", job.job_id), (b"topic", job.topic), (b"state", job.state), (b"reason", job.reason),
        (b"params", job.params), (b"result", job.result), (b"error", job.error), (b"traceback", job.traceback),
        (b"attempts", job.attempts), (b"max_attempts", job.max_attempts), (b"priority", job.priority),
        (b"created_at", job.created_at), (b"run_at", job.run_at), (b"started_at", job.started_at),
        (b"ended_at", job.ended_at), (b"worker", job.worker), (b"tags", list(job.tags)),
        (b"timeout", job.timeout_ms), (b"meta", job.meta or None),
    ]
    extra = job.extra
    if extra is not None:
        pairs += [
            (b"expires_at", extra.expires_at), (b"unique", extra.unique or None),
            (b"unique_until", extra.unique_until), (b"idempotency", extra.idempotency or None),
            (b"schedule", extra.schedule or None), (b"scheduled_for", extra.scheduled_for),
            (b"progress", extra.progress), (b"progress_text", extra.progress_text),
        ]
    return pairs


def version_pairs(job: Job, cost: Accounting, before: Job | None) -> Pairs:
    """A job as JOB.HISTORY answers it. `before`: the version before it, None when there is none (any more)."""
    return [*job_pairs(job), *cost_pairs(cost), (b"version", job.version), (b"at", job.at), (b"by", job.by),
            (b"changed", changed(job, before))]


def cost_pairs(cost: Accounting) -> Pairs:
    """What the latest attempt has cost; null = not known, or not yet."""
    return [(b"queue_wait_ms", cost.queue_wait_ms), (b"wall_ms", cost.wall_ms), (b"cpu_us", cost.cpu_us),
            (b"max_rss", cost.max_rss)]


def counts_map(counts: Counts) -> Map:
    return Map([(state.encode(), counts[state]) for state in STATES])


def line_map(note: TrailNote) -> Map:
    """A log line, or with `percent` a step of progress."""
    return Map([(b"at", note.at), (b"by", note.by), (b"line", note.line),
                (b"percent", None if note.percent < 0 else note.percent)])
