"""What happened to the jobs of each topic: totals, rates of the last minutes, and how long they waited and ran.

Counted when a change is told; kept in a small file (totals.py), so that totals go on. Knows no store and no loop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final, cast

from jobs.counts import Counts
from jobs.job import Job
from jobs.states import DONE, ERROR, STATES, Reason

BOUNDS_MS: Final = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000,
                    3_600_000, 21_600_000, 86_400_000]
SLOT_MS: Final = 10_000
SLOTS: Final = 30
TOTALS: Final = {
    "created": "Jobs that were made", "started": "Attempts that began", "done": "Jobs that ended well",
    "error": "Jobs that ended as error", "retried": "Attempts that failed and are followed by another",
}
"""What is counted, and what it means."""
MOST_TOPICS: Final = 200
"""Topics that Prometheus is told by name. Whoever may create jobs makes topics, and each costs it fifty series."""
BOUNDS_TEXT: Final = [f"{bound / 1000:g}" for bound in BOUNDS_MS]


class Histogram:
    """How many durations were at most as long as each bound; the last count is of the longer ones."""

    def __init__(self) -> None:
        self.counts: list[int] = [0] * (len(BOUNDS_MS) + 1)
        self.total_ms = 0

    def add(self, milliseconds: int) -> None:
        place = 0
        if milliseconds > BOUNDS_MS[3]:
            place = bisect_left(BOUNDS_MS, milliseconds)
        else:  # most of them
            while milliseconds > BOUNDS_MS[place]:
                place += 1
        self.counts[place] += 1
        self.total_ms += milliseconds

    def count(self) -> int:
        return sum(self.counts)

    def merge(self, other: Histogram) -> None:
        for place, number in enumerate(other.counts):
            self.counts[place] += number
        self.total_ms += other.total_ms

    def quantile(self, share: float) -> int:
        """The bound below which this share of the durations lies, in ms; 0 when there are none."""
        rank = self.count() * share
        seen = 0
        for place, number in enumerate(self.counts):
            seen += number
            if number and seen >= rank:
                return BOUNDS_MS[min(place, len(BOUNDS_MS) - 1)]
        return 0


class TopicMetrics:
    """One topic."""

    def __init__(self) -> None:
        self.created = 0
        self.started = 0
        self.done = 0
        self.error = 0
        self.retried = 0
        self.wait: Final = Histogram()
        """From the moment at which a job could begin to its first start."""
        self.run: Final = Histogram()
        """From the start of the last attempt to the end."""
        self._slots: Final[list[int]] = [0] * SLOTS
        self._times: Final[list[int]] = [0] * SLOTS

    def ended(self, at: int) -> None:
        slot = at // SLOT_MS
        place = slot % SLOTS
        if self._times[place] != slot:
            self._times[place] = slot
            self._slots[place] = 0
        self._slots[place] += 1

    def merge(self, other: TopicMetrics) -> None:
        """Count what the other one has counted too."""
        self.created += other.created
        self.started += other.started
        self.done += other.done
        self.error += other.error
        self.retried += other.retried
        self.wait.merge(other.wait)
        self.run.merge(other.run)
        for slot, ended in other.slots():
            place = slot % SLOTS
            if self._times[place] == slot:
                self._slots[place] += ended
            elif self._times[place] < slot:
                self.take(slot, ended)

    def rate(self, now: int, slots: int) -> float:
        """Jobs that ended per second, over the last whole slots of ten seconds."""
        newest = now // SLOT_MS - 1
        ended = 0
        for place in range(SLOTS):
            if newest - slots < self._times[place] <= newest:
                ended += self._slots[place]
        return ended * 1000 / (slots * SLOT_MS)

    def slots(self) -> list[tuple[int, int]]:
        """The latest periods of ten seconds, each with how many jobs ended in it."""
        return list(zip(self._times, self._slots, strict=True))

    def take(self, slot: int, ended: int) -> None:
        """What `slots` gave, before a restart."""
        self._times[slot % SLOTS] = slot
        self._slots[slot % SLOTS] = ended

    def totals(self) -> dict[str, int]:
        return {"created": self.created, "started": self.started, "done": self.done, "error": self.error,
                "retried": self.retried}


class Metrics:
    """All topics."""

    def __init__(self) -> None:
        self.topics: Final[dict[str, TopicMetrics]] = {}
        self._ready: Final[dict[int, int]] = {}
        """When jobs could begin that have not, where that is not the moment of their making."""

    def could_begin(self, job: Job, at: int) -> None:
        """A job that was put off stands in line from this moment on (Unix ms)."""
        if not job.started_at:
            self._ready[job.job_id] = at

    def on_first_start(self, job: Job, now: int) -> None:
        """A job is about to run for the first time; `job` as it waited."""
        ready = job.created_at
        if self._ready:
            ready = self._ready.pop(job.job_id, ready)
        self.waited(job.topic, now - ready)

    def waited(self, topic: str, milliseconds: int) -> None:
        """A job of the topic has begun, so long after it could."""
        self._topic(topic).wait.add(milliseconds if milliseconds > 0 else 0)

    def _topic(self, name: str) -> TopicMetrics:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = TopicMetrics()
        return topic

    def on_job(self, job: Job) -> None:
        """A change was told, or found in the log."""
        topic = self._topic(job.topic)
        state = job.state
        if job.version == 1:
            topic.created += 1
        elif state == "active":
            if job.at == job.started_at and not job.reason:
                topic.started += 1
        elif job.reason and job.reason == Reason.DELETED:
            self._ready.pop(job.job_id, None)
        elif state in (DONE, ERROR):
            if job.at == job.ended_at:
                self._ended(topic, job)
        elif job.reason == Reason.RETRY:
            topic.retried += 1

    def _ended(self, topic: TopicMetrics, job: Job) -> None:
        if job.state == DONE:
            topic.done += 1
        else:
            topic.error += 1
        topic.ended(job.ended_at)
        if self._ready:
            self._ready.pop(job.job_id, None)
        if job.started_at:
            ran = job.ended_at - job.started_at
            topic.run.add(ran if ran > 0 else 0)

    def detail(self, topic: str, now: int) -> dict[str, object]:
        """What JOB.STATS shows beyond counts."""
        found = self.topics.get(topic) or TopicMetrics()
        shown: dict[str, object] = {f"{name}_total": number for name, number in found.totals().items()}
        shown["rate_1m"] = found.rate(now, 6)
        shown["rate_5m"] = found.rate(now, SLOTS - 1)
        for name, histogram in (("wait", found.wait), ("run", found.run)):
            for share in (50, 95, 99):
                shown[f"{name}_ms_p{share}"] = histogram.quantile(share / 100)
        return shown

    # Over a restart

    def merge(self, other: Metrics) -> None:
        """Count what the other one has counted too."""
        for name, found in other.topics.items():
            self.topics.setdefault(name, TopicMetrics()).merge(found)

    def kept(self, untold: Sequence[Job] = ()) -> dict[str, object]:
        """To be restored; as if the changes that are not told yet were."""
        if untold:
            whole = Metrics()
            whole.merge(self)
            for job in untold:
                whole.on_job(job)
            return whole.kept()
        return {"format": 1, "bounds_ms": BOUNDS_MS, "topics": {
            name: {**topic.totals(), "wait": [topic.wait.total_ms, *topic.wait.counts],
                   "run": [topic.run.total_ms, *topic.run.counts],
                   "ended": [[at, ended] for at, ended in topic.slots() if ended]}
            for name, topic in self.topics.items()}}

    def restore(self, kept: Mapping[str, object]) -> None:
        """What `kept` gave. ValueError for something else."""
        if kept.get("format") != 1 or kept.get("bounds_ms") != BOUNDS_MS:
            raise ValueError("metrics of another version")
        for name, facts in cast("dict[str, dict[str, object]]", kept["topics"]).items():
            topic = TopicMetrics()
            topic.created, topic.started = _whole(facts["created"]), _whole(facts["started"])
            topic.done, topic.error = _whole(facts["done"]), _whole(facts["error"])
            topic.retried = _whole(facts["retried"])
            for histogram, numbers in ((topic.wait, facts["wait"]), (topic.run, facts["run"])):
                counts = [_whole(number) for number in cast("list[object]", numbers)]
                if len(counts) != len(BOUNDS_MS) + 2:
                    raise ValueError("metrics of another version")
                histogram.total_ms, histogram.counts = counts[0], counts[1:]
            for slot, ended in cast("list[list[object]]", facts.get("ended", [])):
                topic.take(_whole(slot), _whole(ended))
            self.topics[name] = topic


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(milliseconds: int) -> str:
    """Every millisecond of a sum, however large it has grown."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def _gauge(name: str, text: str, value: int) -> list[str]:
    return [f"# HELP heroredis_{name} {text}.", f"# TYPE heroredis_{name} gauge", f"heroredis_{name} {value}"]


def _bounded(metrics: Metrics, counts: Mapping[str, Counts]) -> tuple[dict[str, TopicMetrics], dict[str, Counts]]:
    """The topics that are shown under their names: those that were seen first, so that none of their series ever ends.
    All others are one, without a name."""
    names = list(dict.fromkeys([*metrics.topics, *counts]))
    shown = names[:MOST_TOPICS]
    series = {name: metrics.topics[name] for name in shown if name in metrics.topics}
    held = {name: counts[name] for name in shown if name in counts}
    if len(names) > MOST_TOPICS:
        others, their_counts = TopicMetrics(), Counts()
        for name in names[MOST_TOPICS:]:
            if name in metrics.topics:
                others.merge(metrics.topics[name])
            if name in counts:
                for state in STATES:
                    their_counts.add(state, counts[name][state])
        series[""], held[""] = others, their_counts
    return series, held


def exposition(metrics: Metrics, all_counts: Mapping[str, Counts], live: int, behind: int = -1,
               gauges: Sequence[tuple[str, str, int]] = ()) -> str:
    """The text that Prometheus reads (format 0.0.4). `behind` -1 = there is no index; `gauges` are further ones, each
    with its name, what it is, and its value."""
    series, counts = _bounded(metrics, all_counts)
    lines = ["# HELP heroredis_jobs Jobs in each state.", "# TYPE heroredis_jobs gauge"]
    for topic, held in counts.items():
        lines += [f'heroredis_jobs{{topic="{_escaped(topic)}",state="{state}"}} {held[state]}' for state in STATES]
    topics = sorted(series.items())
    for name, text in TOTALS.items():
        lines += [f"# HELP heroredis_jobs_{name}_total {text}.", f"# TYPE heroredis_jobs_{name}_total counter"]
        lines += [f'heroredis_jobs_{name}_total{{topic="{_escaped(topic)}"}} {found.totals()[name]}'
                  for topic, found in topics]
    for name, text in (("wait", "From when a job could begin to its first start"),
                       ("run", "From the last start to the end")):
        lines += [f"# HELP heroredis_job_{name}_seconds {text}.", f"# TYPE heroredis_job_{name}_seconds histogram"]
        for topic, found in topics:
            durations = found.wait if name == "wait" else found.run
            lines += _buckets(f"heroredis_job_{name}_seconds", _escaped(topic), durations)
    lines += _gauge("jobs_live", "Jobs that wait or run", live)
    if behind >= 0:
        lines += _gauge("jobs_index_behind", "Records of the log that the job index does not know yet", behind)
    for name, text, value in gauges:
        lines += _gauge(name, text, value)
    return "\n".join(lines) + "\n"


def _buckets(name: str, topic: str, histogram: Histogram) -> list[str]:
    lines = []
    seen = 0
    for bound, number in zip(BOUNDS_TEXT, histogram.counts, strict=False):
        seen += number
        lines.append(f'{name}_bucket{{topic="{topic}",le="{bound}"}} {seen}')
    total = histogram.count()
    return [*lines, f'{name}_bucket{{topic="{topic}",le="+Inf"}} {total}',
            f'{name}_sum{{topic="{topic}"}} {_seconds(histogram.total_ms)}', f'{name}_count{{topic="{topic}"}} {total}']
