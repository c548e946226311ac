"""The clients and the remote worker against a real server, and against connections that break."""

from __future__ import annotations

import asyncio
import inspect
import json
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heroredis import Config, ServerFactory
from heroredis.threaded import SyncJobManager, run_in_thread
from jobs import Discard, Handlers, Job, Run, Snooze
from jobs import requests as requests_
from jobs.async_client import _Connection
from jobs.client import AsyncClient, Client, ClientError, NotConnected, OutcomeUnknown
from jobs.errors import BadOption
from jobs.manager import JobManager
from jobs.remote_worker import RemoteWorker
from jobs.testing import JobBench
from jobs.trace import current
from jobs.wire import parse_url

handlers = Handlers()


def test_a_request_carries_the_trace_of_the_running_job() -> None:
    assert b"META" not in requests_.create("t", b"").words
    token = current.set(f"00-{'a' * 32}-{'b' * 16}-01")
    try:
        for meta in (None, {"a": 1}):
            [*_, name, value] = requests_.create("t", b"", meta=meta).words
            assert name == b"META"
            assert json.loads(value)["traceparent"].startswith(f"00-{'a' * 32}-")
        [*_, value] = requests_.create_many("t", [b""], meta={"traceparent": "mine"}).words
        assert value == b'{"traceparent":"mine"}'
        [*_, value] = requests_.create("t", b"", meta='{"said": "all"}').words
        assert value == b'{"said": "all"}'
    finally:
        current.reset(token)


@handlers.on("upper")
async def upper(job: Job) -> bytes:
    return job.params.upper()


@handlers.on("threaded")
def threaded(job: Job, run: Run) -> str:
    run.progress(50, "half")
    run.log("a line")
    return threading.current_thread().name


@handlers.on("steered")
async def steered(job: Job) -> None:
    if job.text == "snooze":
        raise Snooze(3600)
    if job.text == "discard":
        raise Discard("not wanted")
    if job.text == "late":
        raise TimeoutError("of its own")
    raise ValueError("a failure")


@handlers.on("slow", timeout=0.05)
async def slow(job: Job) -> None:
    await asyncio.Event().wait()


@handlers.on("for-ever")
async def for_ever(job: Job) -> None:
    await asyncio.Event().wait()


def settings(folder: Path) -> Config:
    config = Config(data_dir=str(folder), enable_ui=False, enable_webdav=False)
    config.redis.tcp_port = 0
    config.redis.unix_socket_path = str(folder / "s")
    config.jobs.ourdb_path = str(folder / "jobsdb")
    return config


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with run_in_thread(settings(tmp_path)):
        yield f"unix://{tmp_path}/s"


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[ServerFactory]:
    async with ServerFactory(settings(tmp_path)) as running:
        yield running


Connect = Callable[..., Client]


@pytest.fixture(params=["server", "bench"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    """What makes clients: of a server, and of the double in jobs.testing, which has to answer alike."""
    if request.param == "bench":
        yield JobBench().client
        return
    with run_in_thread(settings(tmp_path)):
        yield lambda name="": Client(f"unix://{tmp_path}/s", name=name)


def test_a_job_from_its_making_to_its_end(connect: Connect) -> None:
    with connect("maker") as client, connect() as worker:
        job_id = client.create_job("letters", {"to": "a"}, tags=["x", "y"], priority=7, retries=1)
        [fetched] = worker.fetch(["letters"], wait=5, worker="w")
        assert (fetched["id"], fetched["params"], fetched["tags"], fetched["priority"]) == (
            job_id, b'{"to":"a"}', ["x", "y"], 7)
        worker.complete_job(job_id, "sent", fetched["token"])
        job = client.wait(job_id, 5)
        assert job is not None
        assert (job["state"], job["result"], job["worker"]) == ("done", b"sent", "w")
        assert [version["by"] for version in client.get_history(job_id)][-1] == "maker"
        assert client.stats("letters") == {"new": 0, "active": 0, "done": 1, "error": 0}
        assert client.list_jobs("letters")[1][0]["id"] == job_id


def test_many_jobs_at_once_and_many_requests_at_once(connect: Connect) -> None:
    with connect() as client:
        ids = client.create_jobs("many", [b"1", b"2", b"3"])
        assert ids == [1, 2, 3]
        answers = client.pipeline([requests_.get(1), requests_.act("JOB.CANCEL", 9), requests_.get(3)])
        assert [answers[0]["params"], answers[2]["params"]] == [b"1", b"3"]
        assert isinstance(answers[1], ClientError)
        assert answers[1].code == "NOJOB"


def test_refusals_are_typed(connect: Connect) -> None:
    with connect() as client:
        with pytest.raises(ClientError) as refused:
            client.complete_job(77)
        assert (refused.value.code, refused.value.text) == ("NOJOB", "no job with id 77")
        client.create_job("u", b"", unique="k")
        with pytest.raises(ClientError, match="REFUSED"):
            client.create_job("u", b"", unique="k")


class Unreliable:
    """A listener that passes on to a server, and breaks the connection instead of handing on the answer number n."""

    def __init__(self, target: str, broken_answers: set[int]) -> None:
        self._target = target
        self._broken = broken_answers
        self._answers = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self._target)
                while data := client.recv(65536):
                    server.sendall(data)
                    answer = server.recv(65536)
                    self._answers += 1
                    if self._answers in self._broken:
                        break
                    client.sendall(answer)


def test_a_lost_answer_makes_no_second_job(url: str) -> None:
    door = Unreliable(url.removeprefix("unix://"), {2, 4})
    with Client(door.url, sleep=lambda seconds: None) as client, Client(url) as direct:
        assert client.create_job("once", b"1") == 1
        assert direct.stats("once")["new"] == 1


def test_a_lost_answer_makes_no_second_batch(url: str) -> None:
    door = Unreliable(url.removeprefix("unix://"), {2, 4})
    with Client(door.url, sleep=lambda seconds: None) as client, Client(url) as direct:
        assert client.create_jobs("once", [b"1", b"2"]) == [1, 2]
        assert client.create_jobs("once", [b"1", b"2"]) == [3, 4]
        assert direct.stats("once")["new"] == 4


async def test_a_lost_answer_makes_no_second_batch_of_an_asynchronous_client(factory: ServerFactory,
                                                                            tmp_path: Path) -> None:
    async def at_once(seconds: float) -> None: ...

    door = Unreliable(str(tmp_path / "s"), {2, 4})
    async with AsyncClient(door.url, sleep=at_once) as client:
        assert await client.create_jobs("once", [b"1", b"2"]) == [1, 2]
        assert await client.create_jobs("once", [b"1", b"2"]) == [3, 4]
    assert factory.job_manager.stats("once").new == 4


def test_what_cannot_be_repeated_is_not(url: str) -> None:
    door = Unreliable(url.removeprefix("unix://"), {2})
    with Client(door.url, sleep=lambda seconds: None) as client, Client(url) as direct:
        with pytest.raises(OutcomeUnknown):
            client.execute("JOB.MCREATE", "twice", b"1")
        assert direct.stats("twice")["new"] == 1


OPTIONS = {"delay": 60, "priority": 7, "retries": 2, "backoff": "fixed:9", "timeout": 1.5, "expire": 100, "tags": ["x"],
           "idempotency": "mine", "idempotency_ttl": 9, "meta": {"a": 1}}


async def test_each_way_of_making_jobs_takes_the_same_options(factory: ServerFactory, tmp_path: Path) -> None:
    manager = factory.job_manager

    async def shown(job_ids: list[int]) -> list[tuple[object, ...]]:
        jobs = [await manager.get_job(job_id) for job_id in job_ids]
        return [(job.run_at - job.created_at, job.priority, job.max_attempts, job.backoff, job.timeout_ms,
                 job.more.expires_at - job.created_at, job.tags, job.meta) for job in jobs if job is not None]

    ids = [(await manager.create_job("t", b"0", **{**OPTIONS, "idempotency": "alone"})).job_id]  # type: ignore[arg-type]
    made = await manager.create_jobs("t", [b"1", b"2"], **OPTIONS)  # type: ignore[arg-type]
    ids += [job.job_id for job in made]
    async with AsyncClient(f"unix://{tmp_path}/s") as client:
        assert await client.create_jobs("t", [b"3", b"4"], **OPTIONS) == [2, 3]
        ids += await client.create_jobs("t", [b"3", b"4"], **{**OPTIONS, "idempotency": "other"})
        ids.append(await client.create_job("t", b"5", **{**OPTIONS, "idempotency": "third"}))
        assert await client.create_jobs("t", []) == []
        when = datetime(2040, 1, 1, tzinfo=UTC)
        [dated] = await client.create_jobs("t", [b"6"], run_at=when, unique=b"u", unique_ttl=5)
        for wrong in ({"priority": 5.5}, {"retries": True}, {"delay": 1, "run_at": when}):
            with pytest.raises(ClientError, match="ERR"):
                await client.create_job("t", b"7", **wrong)
        with pytest.raises(ValueError, match="1000001 jobs are too many for one call"):
            await client.create_jobs("t", [b""] * 1_000_001)
        with pytest.raises(TypeError, match="as a list"):
            await client.create_jobs("t", [b"7"], tags="x")
    assert ids == [1, 2, 3, 4, 5, 6]
    assert await shown(ids) == [(60_000, 7, 3, "fixed:9", 1500, 160_000, ("x",), b'{"a":1}')] * 6
    found = await manager.get_job(dated)
    assert found is not None
    assert (found.run_at, found.more.unique) == (2_208_988_800_000, b"u")


@pytest.mark.parametrize("name", ["delay", "run_at", "timeout", "expire", "unique_ttl", "idempotency_ttl"])
async def test_a_time_that_cannot_be_is_refused(factory: ServerFactory, tmp_path: Path, name: str) -> None:
    keys = {"unique": "u", "idempotency": "k"}
    async with AsyncClient(f"unix://{tmp_path}/s") as client:
        with pytest.raises(ClientError, match="out of range, must be positive"):
            await client.create_job("t", b"", **{**keys, name: -1})  # type: ignore[typeddict-item]
        for odd in ("5", float("nan"), float("inf")):
            with pytest.raises(ValueError, match=f"{odd!r} is no number of seconds"):
                await client.create_job("t", b"", **{**keys, name: odd})  # type: ignore[typeddict-item]
    assert factory.job_manager.stats().new == 0


@pytest.mark.parametrize("option", ["unique_ttl", "idempotency_ttl"])
async def test_the_time_of_a_key_that_is_not_given_is_refused(factory: ServerFactory, tmp_path: Path,
                                                              option: str) -> None:
    manager, said = factory.job_manager, "give UNIQUE too|give IDEMPOTENCY too"
    async with AsyncClient(f"unix://{tmp_path}/s") as client:
        for create, error in ((manager.create_job, BadOption), (client.create_job, ClientError)):
            with pytest.raises(error, match=said):
                await create("t", b"", **{option: 5})
        for create_many, error in ((manager.create_jobs, BadOption), (client.create_jobs, ClientError)):
            with pytest.raises(error, match=said):
                await create_many("t", [b""], **{option: 5})
    assert manager.stats().new == 0


def test_no_server_is_told_after_some_attempts() -> None:
    pauses: list[float] = []
    with pytest.raises(NotConnected, match="unix:///nowhere/at/all"):
        Client("unix:///nowhere/at/all", attempts=3, sleep=pauses.append).get_job(1)
    assert pauses == [0.05, 0.1]


def test_addresses() -> None:
    address = parse_url("rediss://me:p%40ss@example.org")
    assert (address.host, address.port, address.user, address.password, address.tls) == (
        "example.org", 6379, "me", "p@ss", True)
    assert "p@ss" not in str(address)
    for wrong in ("http://x", "unix://", "example.org", "redis://me:sec/ret@x", "redis://me:sec@ret:x@y:z",
                  "unix://me:sec/ret@"):
        with pytest.raises(ValueError) as refused:
            parse_url(wrong)
        assert not any(part in str(refused.value) for part in ("sec", "ret"))


async def test_tasks_share_one_connection(factory: ServerFactory, tmp_path: Path) -> None:
    async with AsyncClient(f"unix://{tmp_path}/s") as client:
        ids = await asyncio.gather(*(client.create_job("t", str(number)) for number in range(50)))
        assert sorted(ids) == list(range(1, 51))
        jobs = await asyncio.gather(*(client.get_job(job_id) for job_id in ids))
        assert [job["params"] for job in jobs if job is not None] == [str(number).encode() for number in range(50)]
        assert len(factory.server.clients) == 1
        with pytest.raises(ClientError, match="NOJOB"):
            await client.cancel(99)


@pytest.mark.parametrize("lease", [0, 5])
async def test_jobs_come_to_nobody_when_the_connection_that_holds_them_breaks_with_it(lease: float) -> None:
    client = AsyncClient("unix:///nowhere")
    connection = _Connection(client._lost)

    class Breaking(asyncio.Transport):
        """Answers, and is gone before anybody could look at that."""

        def write(self, data: object) -> None:
            connection.data_received(b"*1\r\n%2\r\n$2\r\nid\r\n:7\r\n$5\r\ntoken\r\n$1\r\nx\r\n")
            connection.connection_lost(None)

    connection.connection_made(Breaking())
    client._connection = connection
    if lease:
        assert [job["id"] for job in await client.fetch(["t"], lease=lease)] == [7]
    else:
        with pytest.raises(OutcomeUnknown, match="the connection broke that held the jobs"):
            await client.fetch(["t"])


async def test_who_is_turned_away_leaves_no_connection(factory: ServerFactory, tmp_path: Path) -> None:
    client = AsyncClient(f"unix://nobody:wrong@{tmp_path}/s", attempts=1)
    for _ in range(3):
        with pytest.raises(ClientError, match="WRONGPASS"):
            await client.get_job(1)
    async with asyncio.timeout(20):
        while factory.server.clients:  # noqa: ASYNC110 - the server tells nobody that a connection has ended
            await asyncio.sleep(0.01)
    assert factory.server.clients == {}


@pytest.fixture
async def worker(factory: ServerFactory, tmp_path: Path) -> AsyncIterator[RemoteWorker]:
    made = RemoteWorker(f"unix://{tmp_path}/s", handlers, concurrency=4, name="remote")
    task = asyncio.create_task(made.run(grace_s=0))
    yield made
    made.stop()
    await task


async def test_a_remote_worker_runs_jobs(factory: ServerFactory, worker: RemoteWorker) -> None:
    manager = factory.job_manager
    jobs = [await manager.create_job("upper", "abc"), await manager.create_job("threaded")]
    ended = [await manager.wait(job.job_id, 20) for job in jobs]
    assert [(job.state, job.worker) for job in ended if job is not None] == [("done", "remote")] * 2
    assert next(job.result for job in ended if job is not None) == b"ABC"
    assert [note.line for note in manager.trail(jobs[1].job_id)] == ["half", "a line"]


@pytest.mark.parametrize(("topic", "params", "wanted"), [
    ("steered", "discard", ("error", "discarded", b"not wanted")),
    ("steered", "fail", ("error", "dead", b"ValueError: a failure")),
    ("steered", "late", ("error", "dead", b"TimeoutError: of its own")),
    ("steered", b"\xff", ("error", "invalid", b"the params are no UTF-8 text: 'utf-8' codec can't decode byte 0xff in "
                         b"position 0: invalid start byte")),
    ("slow", "", ("error", "timeout", b"ran longer than 0.05 s")),
])
async def test_a_remote_worker_tells_how_it_ended(factory: ServerFactory, worker: RemoteWorker, topic: str,
                                                  params: object, wanted: tuple[str, str, bytes]) -> None:
    job = await factory.job_manager.create_job(topic, params)
    ended = await factory.job_manager.wait(job.job_id, 20)
    assert ended is not None
    assert (ended.state, ended.reason, ended.error) == wanted


async def test_a_remote_worker_hears_at_its_next_heartbeat_that_a_job_was_cancelled(factory: ServerFactory,
                                                                                    tmp_path: Path) -> None:
    manager = factory.job_manager
    worker = RemoteWorker(f"unix://{tmp_path}/s", handlers, lease=0.3, name="far")
    task = asyncio.create_task(worker.run(grace_s=0))
    active, ended = asyncio.Event(), asyncio.Event()
    manager.subscribe(lambda job: active.set() if job.state == "active" else None)
    job = await manager.create_job("for-ever")
    await asyncio.wait_for(active.wait(), 20)
    async with asyncio.timeout(20):
        while not worker.running:  # noqa: ASYNC110 - the answer is on its way
            await asyncio.sleep(0.005)
    [attempt] = worker.running
    attempt.add_done_callback(lambda done: ended.set())
    await manager.cancel_job(job.job_id, "operator")
    await asyncio.wait_for(ended.wait(), 20)
    assert attempt.cancelled()
    found = await manager.get_job(job.job_id)
    assert found is not None
    assert (found.state, found.reason) == ("error", "cancelled")
    worker.stop()
    await task


async def test_a_remote_worker_that_goes_gives_its_jobs_back(factory: ServerFactory, tmp_path: Path) -> None:
    manager = factory.job_manager
    worker = RemoteWorker(f"unix://{tmp_path}/s", handlers)
    task = asyncio.create_task(worker.run(grace_s=0))
    active, back = asyncio.Event(), asyncio.Event()

    def heard(job: Job) -> None:
        if job.state == "active":
            active.set()
        elif job.reason == "returned":
            back.set()

    manager.subscribe(heard)
    await manager.create_job("for-ever")
    await asyncio.wait_for(active.wait(), 20)
    worker.stop()
    await task
    await asyncio.wait_for(back.wait(), 20)
    assert manager.stats("for-ever").new == 1


def test_an_interrupted_request_leaves_no_answer_for_the_next_one(url: str) -> None:
    class Stopped(BaseException):
        """As a signal's handler raises it."""

    def stop(number: int, frame: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with Client(url) as client:
            job_id = client.create_job("t", b"1")
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Stopped):
                client.wait(job_id, 0.2)
            job = client.get_job(job_id)
            assert job is not None
            assert job["state"] == "new"
    finally:
        signal.signal(signal.SIGALRM, before)


class Loading:
    """A server that reads its data for so many requests, then answers 7."""

    def __init__(self, refusals: int) -> None:
        self.requests = 0
        self._refusals = refusals
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._listener:
            client, _ = self._listener.accept()
        with client:
            while data := client.recv(65536):
                if b"HELLO" in data:
                    client.sendall(b"%0\r\n")
                    continue
                self.requests += 1
                is_loading = self.requests <= self._refusals
                client.sendall(b"-LOADING the data is being read\r\n" if is_loading else b":7\r\n")


def test_a_client_waits_for_a_server_that_is_loading() -> None:
    server = Loading(2)
    with Client(server.url, sleep=lambda seconds: None) as client:
        assert client.execute("JOB.ANY") == 7
    assert server.requests == 3
    with Client(Loading(9).url, sleep=lambda seconds: None) as client, pytest.raises(ClientError, match="LOADING"):
        client.execute("JOB.ANY")


async def test_an_asynchronous_client_waits_for_a_server_that_is_loading() -> None:
    async def at_once(seconds: float) -> None: ...

    async with AsyncClient(Loading(2).url, sleep=at_once) as client:
        assert await client.execute("JOB.ANY") == 7
    async with AsyncClient(Loading(9).url, sleep=at_once) as client:
        with pytest.raises(ClientError, match="LOADING"):
            await client.execute("JOB.ANY")


def public(kind: type) -> dict[str, inspect.Signature]:
    return {name: inspect.signature(value) for name, value in vars(kind).items()
            if inspect.isfunction(value) and not name.startswith("_")}


def test_both_clients_can_do_the_same() -> None:
    blocking, coroutines = public(Client), public(AsyncClient)
    assert blocking.keys() - coroutines.keys() == {"pipeline"}  # asyncio sends together what is asked together
    del blocking["pipeline"]
    assert blocking == coroutines
    assert all(inspect.iscoroutinefunction(getattr(AsyncClient, name)) for name in coroutines)


def test_the_clients_have_what_the_manager_has_under_the_same_names() -> None:
    needed = {name for name, value in vars(JobManager).items()
              if inspect.iscoroutinefunction(value) and not name.startswith("_")} or {"create_job"}
    # Searching is list_jobs(query=...), counting is bulk(..., dry_run=True); the past is asked for with execute.
    assert needed - public(Client).keys() <= {"flushed", "search_jobs", "count_jobs", "jobs_as_of"}


def test_jobs_and_topics_are_steered(connect: Connect) -> None:
    with connect("ada") as client:
        first, second = client.create_jobs("t", [b"1", b"2"], delay=60, retries=0)
        client.edit_job(first, params={"a": 1}, priority=7)
        client.promote_job(second)
        job = client.get_job(first)
        assert job is not None
        assert (job["params"], job["priority"], job["reason"]) == (b'{"a":1}', 7, "edited")
        assert [fetched["id"] for fetched in client.fetch(["t"], 5)] == [second]
        client.progress(second, 50, "half")
        client.log(second, "a line")
        assert [(line["percent"], line["line"], line["by"]) for line in client.trail(second)] == [
            (50, "half", "ada"), (None, "a line", "ada")]
        assert client.trail(second, 1)[0]["line"] == "a line"
        client.fail_job(second, "no")
        assert client.bulk("retry", "topic:t state:error", dry_run=True) == {
            "matched": 1, "changed": 0, "refusal": None}
        assert client.bulk("retry", "topic:t state:error")["changed"] == 1
        client.pause_topic("t")
        assert client.topics() == {"t": {"new": 2, "active": 0, "done": 0, "error": 0, "paused": 1}}
        assert client.fetch(["t"]) == []
        client.resume_topic("t")
        client.update_job_status(second, "done")
        assert client.purge_topic("t") == 1
        cursor, events = client.events_after(0, wait=1)
        assert (events[-1]["event"], events[-1]["id"], events[-1]["by"]) == ("deleted", first, "ada")
        newest = client.newest_event()
        assert newest >= cursor
        assert client.events_after(newest, wait=0.001) == (newest, [])


@pytest.mark.parametrize("is_bench", [False, True])
async def test_schedules_are_steered(factory: ServerFactory, tmp_path: Path, is_bench: bool) -> None:
    made = JobBench().async_client("ada") if is_bench else AsyncClient(f"unix://{tmp_path}/s", name="ada")
    async with made as client:
        await client.set_schedule("night", "report", {"all": True}, cron="0 3 * * *", timezone="Europe/Brussels",
                                  missed="once", retries=2, priority=0, timeout=1.5, tags=["x"], meta={"a": 1},
                                  start=datetime(2040, 1, 1, tzinfo=UTC), paused=True)
        await client.set_schedule("often", "report", every=60)
        [night, often] = await client.list_schedules()
        assert {name: night[name] for name in ("name", "topic", "params", "cron", "timezone", "missed", "retries",
                                               "priority", "timeout", "tags", "meta", "start_at", "paused", "by")} == {
            "name": "night", "topic": "report", "params": b'{"all":true}', "cron": "0 3 * * *",
            "timezone": "Europe/Brussels", "missed": "once", "retries": 2, "priority": 0, "timeout": 1500,
            "tags": ["x"], "meta": b'{"a":1}', "start_at": 2_208_988_800_000, "paused": 1, "by": "ada"}
        assert (often["every"], often["cron"], often["paused"]) == (60_000, None, 0)
        await client.resume_schedule("night")
        await client.pause_schedule("often")
        assert [one["paused"] for one in await client.list_schedules()] == [0, 1]
        await client.delete_schedule("night")
        assert [one["name"] for one in await client.list_schedules()] == ["often"]
        with pytest.raises(ClientError, match="EVERY 0 is out of range"):
            await client.set_schedule("x", "report", every=0.0001)


def test_an_option_that_there_is_not_is_named_with_the_one_that_is_meant() -> None:
    client = Client("unix:///nowhere")
    for create in (client.create_job, client.create_jobs):
        with pytest.raises(TypeError, match=r"there is no option 'retry'; did you mean 'retries'\?"):
            create("t", [b""], retry=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no option 'queue'; options are delay, run_at, "):
        client.create_job("t", b"", queue="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no option 'tz'"):
        client.set_schedule("s", "t", cron="* * * * *", tz="UTC")  # type: ignore[call-arg]


async def test_a_worker_may_report_with_its_token(factory: ServerFactory, tmp_path: Path) -> None:
    job = await factory.job_manager.create_job("t")
    async with AsyncClient(f"unix://{tmp_path}/s") as client:
        [fetched] = await client.fetch(["t"], lease=60)
        await client.progress(job.job_id, 33.3, "on the way", fetched["token"])
        await client.log(job.job_id, "a line", fetched["token"])
        await client.extend(job.job_id, 60, fetched["token"])
        for report in (client.progress(job.job_id, 50, "", "stale"), client.log(job.job_id, "x", "stale")):
            with pytest.raises(ClientError, match="STALE"):
                await report
        _, [listed] = await client.list_jobs(query="state:active")
        assert (listed["progress"], listed["progress_text"]) == (33, "on the way")


def test_the_manager_of_a_synchronous_program_can_do_what_the_other_can(tmp_path: Path) -> None:
    awaitable = {name for name, value in vars(JobManager).items()
                 if inspect.iscoroutinefunction(value) and not name.startswith("_")} or {"create_job"}
    offered = {name for name in vars(SyncJobManager) if not name.startswith("_")}
    assert awaitable - offered <= {"flushed"}
    with run_in_thread(settings(tmp_path)) as server:
        manager = server.job_manager
        first, second = manager.create_jobs("t", [b"1", b"2"], tags=["x"])
        assert manager.edit_job(first.job_id, priority=7, by="me").priority == 7
        assert manager.promote_job(second.job_id).reason == "promoted"
        assert manager.cancel_job(first.job_id, "no need").error == b"no need"
        assert [job.error for job in manager.attempt_errors(first.job_id)] == [b"no need"]
        assert manager.retry_job(first.job_id).state == "new"
        manager.pause_topic("t")
        manager.resume_topic("t")
        assert manager.count_jobs("tag:x") == 2
        assert [job.job_id for job in manager.search_jobs("tag:x")[1]] == [2, 1]
        assert manager.set_schedule("s", "t", every=60).next_at
        assert [(one.name, one.runs, one.next_at > 0) for one in manager.list_schedules()] == [("s", 0, True)]
        manager.pause_schedule("s")
        manager.resume_schedule("s")
        manager.delete_schedule("s")
        assert manager.bulk("cancel", "id:1").changed == 1
        manager.delete_job(first.job_id)
        assert manager.purge_topic("t") == 1
        assert manager.events_after(0, 1).events[0].event == "created"
        assert manager.jobs_as_of(1) == (0, [])
