"""The server for synchronous programs: it runs in a thread of its own, its job manager is called from any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from heroredis.factory import ServerFactory, new_loop
from heroredis.settings import Config

if TYPE_CHECKING:
    from jobs.bulk import Done
    from jobs.counts import Counts
    from jobs.feed import Page
    from jobs.handlers import Handlers
    from jobs.job import Job
    from jobs.notes import ScheduleNote

T = TypeVar("T")


class SyncJobManager:
    """The job manager's calls, each returning when its result is there."""

    def __init__(self, factory: ServerFactory, loop: asyncio.AbstractEventLoop) -> None:
        self._factory: Final = factory
        self._loop: Final = loop

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def create_job(self, topic: str, params: object = b"", **options: Any) -> Job:
        return self._call(self._factory.job_manager.create_job(topic, params, **options))

    def create_jobs(self, topic: str, params_list: Sequence[object], **options: Any) -> list[Job]:
        return self._call(self._factory.job_manager.create_jobs(topic, params_list, **options))

    def get_job(self, job_id: int) -> Job | None:
        return self._call(self._factory.job_manager.get_job(job_id))

    def get_history(self, job_id: int, depth: int = 100) -> list[Job]:
        return self._call(self._factory.job_manager.get_history(job_id, depth))

    def update_job_status(self, job_id: int, state: str, **who: str) -> Job:
        return self._call(self._factory.job_manager.update_job_status(job_id, state, **who))

    def complete_job(self, job_id: int, result: object = b"", token: str | None = None, **who: str) -> Job:
        return self._call(self._factory.job_manager.complete_job(job_id, result, token, **who))

    def fail_job(self, job_id: int, error: object = b"", token: str | None = None, **options: Any) -> Job:
        return self._call(self._factory.job_manager.fail_job(job_id, error, token, **options))

    def cancel_job(self, job_id: int, why: object = "cancelled", **who: str) -> Job:
        return self._call(self._factory.job_manager.cancel_job(job_id, why, **who))

    def retry_job(self, job_id: int, **who: str) -> Job:
        return self._call(self._factory.job_manager.retry_job(job_id, **who))

    def delete_job(self, job_id: int, **who: str) -> None:
        self._call(self._factory.job_manager.delete_job(job_id, **who))

    def edit_job(self, job_id: int, **changes: Any) -> Job:
        return self._call(self._factory.job_manager.edit_job(job_id, **changes))

    def promote_job(self, job_id: int, **who: str) -> Job:
        return self._call(self._factory.job_manager.promote_job(job_id, **who))

    def pause_topic(self, topic: str, **who: str) -> None:
        self._call(self._factory.job_manager.pause_topic(topic, **who))

    def resume_topic(self, topic: str, **who: str) -> None:
        self._call(self._factory.job_manager.resume_topic(topic, **who))

    def purge_topic(self, topic: str, **who: str) -> int:
        return self._call(self._factory.job_manager.purge_topic(topic, **who))

    def set_schedule(self, name: str, topic: str, params: object = b"", **options: Any) -> ScheduleNote:
        return self._call(self._factory.job_manager.set_schedule(name, topic, params, **options))

    def list_schedules(self) -> list[ScheduleNote]:
        return self._call(self._factory.job_manager.list_schedules())

    def delete_schedule(self, name: str, **who: str) -> None:
        self._call(self._factory.job_manager.delete_schedule(name, **who))

    def pause_schedule(self, name: str, **who: str) -> None:
        self._call(self._factory.job_manager.pause_schedule(name, **who))

    def resume_schedule(self, name: str, **who: str) -> None:
        self._call(self._factory.job_manager.resume_schedule(name, **who))

    def search_jobs(self, query: str, cursor: int = 0, count: int = 50) -> tuple[int, list[Job]]:
        return self._call(self._factory.job_manager.search_jobs(query, cursor, count))

    def count_jobs(self, query: str) -> int:
        return self._call(self._factory.job_manager.count_jobs(query))

    def jobs_as_of(self, moment_ms: int, query: str = "", cursor: int = 0, count: int = 50) -> tuple[int, list[Job]]:
        return self._call(self._factory.job_manager.jobs_as_of(moment_ms, query, cursor, count))

    def bulk(self, action: str, query: str, **options: Any) -> Done:
        return self._call(self._factory.job_manager.bulk(action, query, **options))

    def events_after(self, cursor: int, count: int = 100, wait: float = 0) -> Page:
        return self._call(self._factory.job_manager.events_after(cursor, count, wait))

    def wait(self, job_id: int, timeout: float | None = None) -> Job | None:
        return self._call(self._factory.job_manager.wait(job_id, timeout))

    def attempt_errors(self, job_id: int) -> list[Job]:
        async def read() -> list[Job]:
            return self._factory.job_manager.attempt_errors(job_id)
        return self._call(read())

    def stats(self, topic: str | None = None) -> Counts:
        async def read() -> Counts:
            return self._factory.job_manager.stats(topic)
        return self._call(read())


class ThreadedServer:
    """A running server; `with` stops it at the end."""

    def __init__(self, config: Config | None, handlers: Handlers | None) -> None:
        self.factory: Final = ServerFactory(config, handlers=handlers)
        self._loop: Final = new_loop()
        self._thread: Final = threading.Thread(target=self._loop.run_forever, name="heroredis", daemon=True)
        self._thread.start()
        self.job_manager: Final = SyncJobManager(self.factory, self._loop)
        try:
            asyncio.run_coroutine_threadsafe(self.factory.start(), self._loop).result()
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Stop in an orderly way; may be called twice."""
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.factory.stop(), self._loop).result()
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> ThreadedServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


def run_in_thread(config: Config | None = None, *, handlers: Handlers | None = None) -> ThreadedServer:
    """Start a server beside a synchronous program and return it when it is ready."""
    return ThreadedServer(config, handlers)
