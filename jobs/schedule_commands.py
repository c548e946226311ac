"""JOB.SCHEDULE ...: schedules over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import OK, Context, Durable, Map, Reply, natural, raw
from jobs.arguments import REPEATABLE, author, bytes_of, decoded, number_of, read_options
from jobs.manager import JobManager
from jobs.notes import ScheduleNote
from jobs.options import PLAIN
from jobs.timetable import check_every

VALUES: Final = {
    "CRON": decoded, "EVERY": natural, "TZ": decoded, "MISSED": decoded, "START": natural, "PRIORITY": natural,
    "RETRY": natural, "BACKOFF": decoded, "TIMEOUT": natural, "EXPIRE": natural, "META": raw,
}


class ScheduleCommands:
    """The commands over one manager."""

    def __init__(self, manager: Callable[[], JobManager]) -> None:
        self._manager: Final = manager

    def handlers(self) -> dict[str, Callable[..., Reply]]:
        return {
            "JOB.SCHEDULE SET": self.set_, "JOB.SCHEDULE GET": self.get, "JOB.SCHEDULE LIST": self.list_,
            "JOB.SCHEDULE DEL": self.delete, "JOB.SCHEDULE PAUSE": self.pause, "JOB.SCHEDULE RESUME": self.resume,
        }

    def set_(self, ctx: Context, name: bytes, topic: bytes, params: bytes, *options: bytes) -> Reply:
        note = schedule_of(decoded(name), decoded(topic), params, options)
        return Durable(OK, self._manager().schedules.set(note, author(ctx.client)))

    def get(self, ctx: Context, name: bytes) -> Reply:
        note = self._manager().schedules.get(decoded(name))
        return None if note is None else schedule_map(note)

    def list_(self, ctx: Context) -> Reply:
        return [schedule_map(note) for note in self._manager().schedules.all()]

    def delete(self, ctx: Context, name: bytes) -> Reply:
        return Durable(OK, self._manager().schedules.delete(decoded(name), author(ctx.client)))

    def pause(self, ctx: Context, name: bytes) -> Reply:
        return Durable(OK, self._manager().schedules.pause(decoded(name), author(ctx.client)))

    def resume(self, ctx: Context, name: bytes) -> Reply:
        return Durable(OK, self._manager().schedules.resume(decoded(name), author(ctx.client)))


def schedule_of(name: str, topic: str, params: bytes, options: tuple[bytes, ...]) -> ScheduleNote:
    """What JOB.SCHEDULE SET asks for; TAG may be repeated."""
    tags: list[str] = []

    def tag(text: bytes) -> bool:
        tags.append(decoded(text))
        return True

    found = read_options(options, ("PAUSED",), {**VALUES, "TAG": tag}, REPEATABLE)

    if "EVERY" in found:
        check_every(number_of(found, "EVERY", 0))  # 0 would be as if it was not given

    def text(option: str, default: str) -> str:
        value = found.get(option, default)
        return value if isinstance(value, str) else default

    return ScheduleNote(
        name, topic, params, cron=text("CRON", ""), every_ms=number_of(found, "EVERY", 0), timezone=text("TZ", "UTC"),
        missed=text("MISSED", "skip").lower(), paused="PAUSED" in found, start_at=number_of(found, "START", 0),
        priority=number_of(found, "PRIORITY", PLAIN.priority), retries=number_of(found, "RETRY", -1),
        backoff=text("BACKOFF", ""), timeout_ms=number_of(found, "TIMEOUT", 0),
        expire_ms=number_of(found, "EXPIRE", 0), tags=tuple(tags), meta=bytes_of(found, "META"),
    )


def schedule_map(note: ScheduleNote) -> Map:
    return Map([
        (b"name", note.name), (b"topic", note.topic), (b"params", note.params), (b"cron", note.cron or None),
        (b"every", note.every_ms or None), (b"timezone", note.timezone), (b"missed", note.missed),
        (b"paused", int(note.paused)), (b"next_at", note.next_at), (b"last_at", note.last_at),
        (b"last_job", note.last_job), (b"runs", note.runs), (b"start_at", note.start_at),
        (b"priority", note.priority), (b"retries", None if note.retries < 0 else note.retries),
        (b"backoff", note.backoff or None), (b"timeout", note.timeout_ms), (b"expire", note.expire_ms),
        (b"tags", list(note.tags)), (b"meta", note.meta or None), (b"by", note.set_by),
        (b"changed_by", note.by),
    ])
