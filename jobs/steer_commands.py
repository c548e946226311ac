"""JOB.* commands for running attempts, for operators and about workers: parse, one call of the manager, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from heroredis.extension import OK, Client, Context, Durable, Map, Reply, integer, natural, raw
from jobs.answers import line_map
from jobs.arguments import author, bytes_of, decoded, job_id_of, number_of, read_options, token_of
from jobs.errors import BadOption
from jobs.limits import MAX_LINES
from jobs.manager import JobManager
from jobs.options import check_topic


class Fetcher:
    """A connection that has asked for jobs."""

    def __init__(self, worker: str, topics: list[str], client: Client) -> None:
        self.worker: Final = worker
        self.topics: Final = topics
        self.client: Final = client


class SteerCommands:
    """The commands over one manager; `fetchers` are the connections that take jobs."""

    def __init__(self, manager: Callable[[], JobManager]) -> None:
        self._manager: Final = manager
        self.fetchers: Final[dict[int, Fetcher]] = {}

    def handlers(self) -> dict[str, Callable[..., Reply]]:
        return {
            "JOB.EXTEND": self.extend, "JOB.PROGRESS": self.progress, "JOB.LOG": self.log, "JOB.LOGS": self.logs,
            "JOB.CANCEL": self.cancel, "JOB.RETRY": self.retry, "JOB.DELETE": self.delete, "JOB.EDIT": self.edit,
            "JOB.PROMOTE": self.promote, "JOB.WORKERS": self.workers, "JOB.PAUSE": self.pause,
            "JOB.RESUME": self.resume, "JOB.PURGE": self.purge,
        }

    def extend(self, ctx: Context, job_id: bytes, milliseconds: bytes, *options: bytes) -> Reply:
        token, _ = token_of(options)
        return Durable(OK, self._manager().extend(job_id_of(job_id), natural(milliseconds), token))

    def progress(self, ctx: Context, job_id: bytes, percent: bytes, *options: bytes) -> Reply:
        has_text = len(options) % 2 == 1
        token, _ = token_of(options[1:] if has_text else options)
        text = options[0].decode("utf-8", "replace") if has_text else ""
        return Durable(OK, self._manager().progress(job_id_of(job_id), integer(percent), text, author(ctx.client),
                                                    token))

    def log(self, ctx: Context, job_id: bytes, line: bytes, *options: bytes) -> Reply:
        token, _ = token_of(options)
        text = line.decode("utf-8", "replace")
        return Durable(OK, self._manager().log(job_id_of(job_id), text, author(ctx.client), token))

    def logs(self, ctx: Context, job_id: bytes, *options: bytes) -> Reply:
        found = read_options(options, (), {"COUNT": natural})
        count = number_of(found, "COUNT", MAX_LINES)
        return [line_map(note) for note in self._manager().trail(job_id_of(job_id), min(count, MAX_LINES))]

    def cancel(self, ctx: Context, job_id: bytes, *reason: bytes) -> Reply:
        if len(reason) > 1:
            raise BadOption("give the reason as one argument")
        why = reason[0] if reason else b"cancelled"
        return Durable(OK, self._manager().cancel(job_id_of(job_id), author(ctx.client), why))

    def retry(self, ctx: Context, job_id: bytes) -> Reply:
        return Durable(OK, self._manager().requeue(job_id_of(job_id), author(ctx.client)))

    def delete(self, ctx: Context, job_id: bytes) -> Reply:
        return Durable(OK, self._manager().delete(job_id_of(job_id), author(ctx.client)))

    def edit(self, ctx: Context, job_id: bytes, *options: bytes) -> Reply:
        found = read_options(options, (), {"PARAMS": raw, "PRIORITY": natural})
        if not found:
            raise BadOption("give PARAMS, PRIORITY or both")
        params = bytes_of(found, "PARAMS") if "PARAMS" in found else None
        return Durable(OK, self._manager().edit(job_id_of(job_id), author(ctx.client), params,
                                                number_of(found, "PRIORITY", -1)))

    def promote(self, ctx: Context, job_id: bytes) -> Reply:
        return Durable(OK, self._manager().promote(job_id_of(job_id), author(ctx.client)))

    def pause(self, ctx: Context, topic: bytes) -> Reply:
        return Durable(OK, self._manager().pause(check_topic(decoded(topic)), author(ctx.client)))

    def resume(self, ctx: Context, topic: bytes) -> Reply:
        return Durable(OK, self._manager().resume(check_topic(decoded(topic)), author(ctx.client)))

    def purge(self, ctx: Context, topic: bytes) -> Reply:
        count, commit = self._manager().purge(check_topic(decoded(topic)), author(ctx.client))
        return Durable(count, commit)

    # Workers

    def fetched(self, client: Client, worker: str, topics: list[str]) -> None:
        """A connection asks for jobs."""
        known = self.fetchers.get(client.client_id)
        if known is None or known.worker != worker or known.topics != topics:
            self.fetchers[client.client_id] = Fetcher(worker, topics, client)

    def gone(self, client: Client) -> None:
        self.fetchers.pop(client.client_id, None)

    def workers(self, ctx: Context) -> Reply:
        """Embedded workers and connections that have asked for jobs, then the names under which leased jobs run."""
        manager = self._manager()
        rows: list[object] = [
            worker_map(worker, b"embedded", [] if job is None else [job.job_id], manager.embedded_topics(), b"", False)
            for worker, job in manager.embedded()
        ]
        leased: dict[str, list[int]] = {}
        for job in manager.leased():
            leased.setdefault(job.worker, []).append(job.job_id)
        for client_id, fetcher in self.fetchers.items():
            held = manager.held_by(client_id) + leased.pop(fetcher.worker, [])
            rows.append(worker_map(fetcher.worker, b"connection", held, fetcher.topics, fetcher.client.addr.encode(),
                                   fetcher.client.is_blocked))
        rows += [worker_map(worker, b"lease", held, [], b"", False) for worker, held in leased.items()]
        return rows


def worker_map(worker: str, kind: bytes, held: list[int], topics: list[str], addr: bytes, waiting: bool) -> Map:
    return Map([(b"worker", worker), (b"kind", kind), (b"jobs", list(held)), (b"topics", list(topics)),
                (b"addr", addr), (b"waiting", int(waiting))])
