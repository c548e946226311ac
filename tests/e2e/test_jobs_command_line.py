"""The command line for jobs against a running server: what it prints for people and machines, and how it ends."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from heroredis.testing import ServerProcess
from jobs.cli import main
from jobs.cli_tail import Follower, event_text, run_tail
from jobs.link import CannotConnect, Link, Place, Refusal, default_url
from jobs.patience import PATIENCE_S, Patience
from jobs.table import table, text_of, when
from tests.conftest import need

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("cli")
    handlers = folder / "work.py"
    handlers.write_text("from heroredis import Handlers\nhandlers = Handlers()\n"
                        "@handlers.on('echo')\ndef echo(params: str): return params\n"
                        "@handlers.on('broken')\ndef broken(params: str): raise ValueError('it is \\x1b[31mbroken')\n")
    with ServerProcess(folder, ["--no-ui", "--no-webdav", "--handlers", str(handlers)]) as server:
        yield server


@pytest.fixture
def run(server: ServerProcess, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        given = list(words)
        at = 1 if given[0] == "top" else 2
        status = main([*given[:at], "--url", f"unix://{server.unix_path}", *given[at:]])
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return call


def as_json(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0, answer
    return json.loads(answer[1])


def test_create_wait_show_and_delete(run: Run) -> None:
    status, printed, _ = run("job", "create", "echo", "hello", "--tag", "vip", "--retries", "2", "--wait", "20s")
    assert (status, printed) == (0, "hello\n")
    [job] = as_json(run("job", "list", "--json", "tag:vip"))["jobs"]
    job_id = str(job["id"])
    assert (job["state"], job["result"], job["max_attempts"]) == ("done", "hello", 3)
    shown = as_json(run("job", "show", job_id, "--json"))
    assert [version["state"] for version in shown["history"]] == ["done", "active", "new"]
    assert shown["history"][-1]["by"].startswith("cli-")
    assert [version["wall_ms"] is None for version in shown["history"]] == [False, True, True]
    assert shown["queue_wait_ms"] == shown["history"][0]["queue_wait_ms"] >= 0
    page = run("job", "show", job_id)[1]
    assert all(word in page for word in ("result", "queue_wait_ms", "WALL", "MEMORY"))
    assert run("job", "wait", job_id)[:2] == (0, "hello\n")
    assert run("job", "delete", job_id)[:2] == (0, "1 changed\n")
    status, _, problem = run("job", "show", job_id)
    assert (status, problem) == (3, f"heroredis: no job with id {job_id}\n")
    assert run("job", "delete", job_id)[0] == 3


def test_a_failed_job_and_what_is_done_to_all_that_fit(run: Run) -> None:
    status, _, problem = run("job", "create", "broken", "x", "--wait", "20s")
    assert status == 6
    assert "it is \\x1b[31mbroken" in problem
    assert run("job", "retry", "--query", "topic:broken", "--dry-run")[:2] == (0, "1 fit\n")
    assert run("job", "retry", "--query", "topic:broken")[:2] == (0, "1 of 1 changed\n")
    [job] = as_json(run("job", "list", "--json", "topic:broken"))["jobs"]
    run("job", "wait", str(job["id"]))
    status, printed, _ = run("job", "list", "topic:broken")
    assert printed.splitlines()[0].split() == [
        "ID", "TOPIC", "STATE", "REASON", "TRIES", "CREATED", "DUE/ENDED", "PARAMS"]
    assert "broken" in printed.splitlines()[1]
    page = run("job", "show", str(job["id"]))[1].splitlines()
    assert any(line.startswith(" ") and "File " in line for line in page)
    [head] = [number for number, line in enumerate(page) if line.startswith("VERSION")]
    assert page[head].endswith("ERROR")
    assert "it is \\x1b[31mbroken" in page[head + 1]


def test_a_job_that_waits_for_its_next_attempt_shows_when_that_is(run: Run) -> None:
    job_id = run("job", "create", "later", "--delay", "1h", "--idempotency", "k", "--idempotency-ttl", "5m")[1].strip()
    assert run("job", "create", "later", "--idempotency", "k")[1].strip() == job_id
    [job] = as_json(run("job", "list", "--json", "topic:later"))["jobs"]
    assert when(job["run_at"]) in run("job", "list", "topic:later")[1]


def test_refusals_have_their_own_status(run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    job_id = as_json(run("job", "create", "later", "--json"))["id"]
    assert run("job", "wait", str(job_id), "--timeout", "1ms")[0] == 5
    status, _, problem = run("job", "retry", str(job_id))
    assert (status, problem.startswith("heroredis: BADSTATE job")) == (1, True)
    status, _, problem = run("job", "list", "sate:new")
    assert (status, "did you mean 'state'" in problem) == (1, True)
    assert run("job", "retry")[0] == 2
    assert run("job", "cancel", str(job_id))[0] == 0
    assert main(["job", "list", "--url", f"unix://{tmp_path}/none"]) == 4
    assert main(["job", "list", "--url", "http://x"]) == 2
    for words in (["job"], ["job", "list", "--colour"], ["job", "wait", "x"],
                  ["job", "create", "t", "--delay", "soon"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2


def test_topics_and_schedules(run: Run) -> None:
    for _ in range(2):
        run("job", "create", "queue", "--priority", "3")
    assert run("topic", "pause", "queue")[:2] == (0, "OK\n")
    assert as_json(run("topic", "list", "--json"))["queue"] == {
        "new": 2, "active": 0, "done": 0, "error": 0, "paused": 1}
    assert "paused" in run("topic", "list")[1]
    assert run("topic", "purge", "queue")[:2] == (0, "2\n")
    run("topic", "resume", "queue")
    assert run("schedule", "set", "nightly", "report", "{}", "--cron", "0 3 * * *", "--tz", "UTC", "--tag", "n")[0] == 0
    assert run("schedule", "pause", "nightly")[0] == 0
    [found] = as_json(run("schedule", "list", "--json"))
    assert (found["cron"], found["paused"], found["tags"]) == ("0 3 * * *", 1, ["n"])
    shown = run("schedule", "list")[1]
    assert "0 3 * * * UTC  skip" in shown
    assert re.search(r"  (cli-\S+)  paused by \1\n", shown)
    assert run("schedule", "set", "nightly", "report", "--every", "1h", "--missed", "all", "--backoff", "fixed:5",
               "--expire", "5s", "--start", "2000000000000", "--meta", '{"a":1}')[0] == 0
    [found] = as_json(run("schedule", "list", "--json"))
    assert [found[name] for name in ("every", "missed", "backoff", "expire", "start_at", "meta", "next_at")] == [
        3_600_000, "all", "fixed:5", 5000, 2_000_000_000_000, '{"a":1}', 2_000_000_000_000]
    assert run("schedule", "del", "nightly")[0] == 0
    assert run("schedule", "del", "nightly")[0] == 3
    assert run("schedule", "list")[1] == "no schedules\n"


def test_workers_are_counted_resized_quiet_and_drained(run: Run) -> None:
    before = as_json(run("workers", "--json"))["pool"]
    assert before["quiet"] == 0
    pool = as_json(run("workers", "--json", "--count", "3", "--quiet"))["pool"]
    assert (pool["workers"], pool["busy"], pool["quiet"]) == (3, 0, 1)
    status, page, _ = run("workers", "--drain", "--timeout", "10s")
    assert status == 0
    assert "3 workers (0 busy), 0 processes (0 busy), quiet" in page
    assert "worker-1" in page
    assert run("workers", "--json", "--processes", "2")[0] == 1
    pool = as_json(run("workers", "--json", "--work", "--count", str(before["workers"])))["pool"]
    assert pool == before


def test_a_waiting_job_is_edited_and_promoted(run: Run) -> None:
    jobs = [run("job", "create", "edited", "p", "--delay", "1h")[1].strip() for _ in range(2)]
    assert run("job", "edit", jobs[0], "--params", "q", "--priority", "3")[:2] == (0, "1 changed\n")
    shown = as_json(run("job", "show", jobs[0], "--json"))
    assert (shown["params"], shown["priority"], shown["reason"]) == ("q", 3, "edited")
    assert shown["history"][0]["by"].startswith("cli-")
    assert run("job", "edit", jobs[0])[::2] == (2, "heroredis: give --params, --priority or both\n")
    status, printed, problem = run("job", "promote", "999999", *jobs)
    assert (status, printed, problem) == (3, "2 changed\n", "heroredis: NOJOB no job with id 999999\n")
    assert [as_json(run("job", "show", job_id, "--json"))["reason"] for job_id in jobs] == ["promoted", "promoted"]
    assert run("job", "cancel", *jobs, jobs[0])[:2] == (1, "2 changed\n")


def test_a_paused_topic_is_seen_before_it_has_jobs(run: Run) -> None:
    assert run("topic", "pause", "empty")[0] == 0
    assert as_json(run("topic", "list", "--json"))["empty"] == {
        "new": 0, "active": 0, "done": 0, "error": 0, "paused": 1}
    assert "empty (paused)" in run("top")[1]
    run("topic", "resume", "empty")
    assert "empty" not in as_json(run("topic", "list", "--json"))


def test_an_address_that_is_none_is_named_without_its_password(capfd: pytest.CaptureFixture[str]) -> None:
    for url in ("redis://u:secret@box:port", "http://u:secret@box", "redis://u:secret@box:99999", "unix://u:secret@"):
        assert main(["job", "list", "--url", url]) == 2
        said = capfd.readouterr().err
        assert "//…@" in said
        assert "secret" not in said


def test_who_is_turned_away_is_told_how_to_come_in(run: Run, server: ServerProcess,
                                                   capfd: pytest.CaptureFixture[str]) -> None:
    with redis.Redis(port=server.port) as operator:
        operator.execute_command("ACL", "SETUSER", "default", "resetpass", ">se,cret")
        try:
            status, _, problem = run("job", "list")
            assert (status, "asks for a password: give --url or HEROREDIS_URL as" in problem) == (4, True)
            where = f"127.0.0.1:{server.port}"
            assert main(["job", "list", "--url", f"redis://:se,cret@{where}"]) == 0
            capfd.readouterr()
            assert main(["job", "list", "--url", f"redis://:wrong@{where}"]) == 4
            assert capfd.readouterr().err == (
                f"heroredis: the server at {where} does not accept this password for the user 'default'\n")
        finally:
            operator.execute_command("ACL", "SETUSER", "default", "nopass")


def test_pages_tail_and_top(run: Run, server: ServerProcess) -> None:
    for number in range(5):
        run("job", "create", "pages", str(number))
    first = as_json(run("job", "list", "--json", "--count", "2", "topic:pages"))
    assert [job["params"] for job in first["jobs"]] == ["4", "3"]
    second = as_json(run("job", "list", "--json", "--count", "2", "--cursor", first["cursor"], "topic:pages"))
    assert [job["params"] for job in second["jobs"]] == ["2", "1"]
    assert len(as_json(run("job", "list", "--json", "--all", "topic:pages"))["jobs"]) == 5
    facts = as_json(run("top", "--json", "--once"))
    assert facts["topics"]["pages"]["new"] == 5
    assert "pages" in run("top")[1]
    follower = subprocess.Popen(
        [sys.executable, "-m", "heroredis", "job", "tail", "--json", "--topic", "followed"], stdout=subprocess.PIPE,
        cwd=ROOT, env={**os.environ, "HEROREDIS_URL": f"redis://127.0.0.1:{server.port}"})
    try:
        assert follower.stdout is not None
        seen = b""
        while not seen:  # it may not listen yet
            run("job", "create", "followed", "x")
            os.set_blocking(follower.stdout.fileno(), False)
            seen = follower.stdout.read() or b""
        assert json.loads(seen.splitlines()[0])["event"] == "created"
    finally:
        follower.kill()
        follower.wait(10)
        if follower.stdout is not None:
            follower.stdout.close()


def test_the_tail_of_a_job_ends_with_its_deletion(run: Run, server: ServerProcess) -> None:
    job_id = as_json(run("job", "create", "--json", "to-be-deleted", "x"))["id"]
    follower = subprocess.Popen([sys.executable, "-m", "heroredis", "job", "tail", str(job_id)], cwd=ROOT,
                                env={**os.environ, "HEROREDIS_URL": f"redis://127.0.0.1:{server.port}"})
    with redis.Redis(port=server.port) as client:
        while not any("b" in one["flags"] for one in client.client_list()):  # it waits for events
            pass
        run("job", "delete", str(job_id))
        assert follower.wait(20) == 0


def test_the_tail_of_a_job_that_has_ended_tells_how(run: Run) -> None:
    job_id = run("job", "create", "broken", "x")[1].strip()
    run("job", "wait", job_id)
    assert re.fullmatch(rf"\S+ \S+ +{job_id}  broken  error dead  by worker-\d\n", run("job", "tail", job_id)[1])
    told = as_json(run("job", "tail", "--json", job_id))
    assert (told["id"], told["state"], told["reason"]) == (int(job_id), "error", "dead")


def test_lines_that_come_while_a_tail_begins_are_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    def line(at: int, text: bytes, **more: object) -> dict[bytes, object]:
        return {b"at": at, b"line": text, b"percent": None, **{name.encode(): value for name, value in more.items()}}

    def event(seq: int, at: int, text: bytes, number: int = 7) -> dict[bytes, object]:
        return line(at, text, seq=seq, event=b"log", id=number, topic=b"", by=b"w")

    end = {b"seq": 9, b"at": 6, b"event": b"completed", b"id": 7, b"topic": b"t", b"by": b"w", b"state": b"done"}
    answers = {"$": [b"4", []], "JOB.GET": {b"state": b"active"},
               "JOB.LOGS": [line(1, b"old"), line(2, b"same"), line(2, b"same"), line(3, b"both")],
               b"4": [b"6", [event(5, 2, b"same"), event(6, 3, b"both")]],
               b"6": [b"9", [event(7, 4, b"new"), event(8, 3, b"both", 8), event(8, 3, b"both"), end]]}

    class Told:
        def call(self, *words: object) -> object:
            return answers[words[1] if words[0] == "JOB.EVENTS" else words[0]]  # type: ignore[index]

    given = argparse.Namespace(id=7, json=True, topic=None)
    assert run_tail(Told(), given) == 0  # type: ignore[arg-type]
    shown = [json.loads(row) for row in capfd.readouterr().out.splitlines()]
    assert [row.get("line", row.get("event")) for row in shown] == [
        "old", "same", "same", "both", "new", "both", "completed"]


class Moments:
    """A link whose server is away at times, and a clock that only its pauses move."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[object, ...]] = []
        self.opened = 0
        self.now_s = 0.0

    def call(self, *words: object) -> object:
        self.asked.append(words)
        answer = self.answers.pop(0) if self.answers else CannotConnect("no server at x")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open_again(self) -> None:
        self.opened += 1

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def patience(self) -> Patience:
        return Patience(self, lambda: self.now_s, self.sleep)  # type: ignore[arg-type]


def test_a_tail_goes_on_from_its_cursor_when_the_server_is_there_again(capfd: pytest.CaptureFixture[str]) -> None:
    event = {b"seq": 5, b"at": 6, b"event": b"created", b"id": 7, b"topic": b"t", b"by": b"w"}
    link = Moments(CannotConnect("gone"), CannotConnect("no server"), Refusal("LOADING wait"), [b"5", [event]],
                   [b"5", []])
    follower = Follower(link.patience(), b"4")
    assert [found["id"] for found in follower.next()] == [7]
    assert follower.next() == []
    assert [words[1] for words in link.asked] == [b"4", b"4", b"4", b"4", b"5"]
    assert (link.opened, link.now_s) == (2, pytest.approx(0.7))
    assert capfd.readouterr().err == "heroredis: gone; waiting for it\n"


def test_a_server_that_stays_away_is_not_waited_for_without_end() -> None:
    link = Moments()
    with pytest.raises(CannotConnect, match="no server at x; waited for 60 s"):
        link.patience().call("JOB.EVENTS", "$")
    assert PATIENCE_S <= link.now_s < PATIENCE_S + 4
    with pytest.raises(Refusal, match="TOOOLD"):
        Moments(Refusal("TOOOLD changes were dropped")).patience().call("JOB.EVENTS", 1)


def test_lines_tell_whose_they_are_where_many_jobs_are_followed() -> None:
    line = {b"at": 6, b"id": 7, b"topic": b"", b"by": b"w", b"event": b"log", b"line": b"said", b"percent": None}
    end = {b"at": 6, b"id": 7, b"topic": b"mail", b"by": b"w", b"event": b"completed", b"state": b"done"}
    plan = {b"at": 6, b"id": 0, b"topic": b"t", b"by": b"ada", b"event": b"schedule", b"line": b"night"}
    link = Moments([b"9", [line, line, end, plan]], {b"topic": b"mail"}, [b"12", [line]], Refusal("NOPERM no"))
    follower = Follower(link.patience(), b"4")
    events = follower.next()
    assert [event["topic"] for event in events] == [b"mail", b"mail", b"mail", b"t"]
    assert len(link.asked) == 2
    assert [event["topic"] for event in follower.next()] == [b""]
    assert [event_text(event).split("  ", 1)[1].lstrip() for event in (events[0], events[3])] == [
        "7  mail  said", "0  t  schedule night  by ada"]


def test_a_tail_and_a_wait_outlive_their_server(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, ["--no-ui", "--no-webdav"]) as server:
        with redis.Redis(unix_socket_path=server.unix_path) as client:
            job_id = client.execute_command("JOB.CREATE", "t", "x")
        followers = [subprocess.Popen(
            [sys.executable, "-m", "heroredis", "job", verb, str(job_id), "--url", f"unix://{server.unix_path}"],
            cwd=ROOT, stdout=subprocess.PIPE) for verb in ("tail", "wait")]
        with redis.Redis(unix_socket_path=server.unix_path) as client:
            while sum("b" in one["flags"] for one in client.client_list()) < 2:
                pass
        server.kill()
        server.start()
        with Link(Place(f"unix://{server.unix_path}")) as link:
            link.call("JOB.COMPLETE", job_id, "the result")
        printed = [follower.communicate(timeout=30)[0] for follower in followers]
        assert [follower.returncode for follower in followers] == [0, 0]
    assert b"t  completed  by cli-" in printed[0]
    assert printed[1] == b"the result\n"


def test_where_it_connects_to(tmp_path: Path) -> None:
    assert default_url({"HEROREDIS_URL": "redis://box:7"}) == "redis://box:7"
    place = Place("redis://ada:s%40y@box:7000")
    assert (place.host, place.port, place.user, place.password, str(place)) == ("box", 7000, "ada", "s@y", "box:7000")
    assert Place("/tmp/x.sock").is_unix
    assert str(Place("box:1")) == "box:1"


def test_tables_and_texts() -> None:
    assert table(("ID", "NAME"), [["7", "a"], ["11", "bb"]]) == "ID  NAME\n 7  a\n11  bb"
    assert text_of(b"a\x1b[2J\n\xff") == "a\\x1b[2J\\n\\xff"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the command prints for each shell, as files."""
    found = {}
    for shell in ("bash", "zsh", "fish"):
        found[shell] = tmp_path_factory.mktemp("completion") / shell
        done = subprocess.run([sys.executable, "-m", "heroredis", "completion", shell], capture_output=True, check=True,
                              cwd=ROOT, timeout=60)
        found[shell].write_bytes(done.stdout)
    return found


COMPLETED = [("heroredis job re", "retry"), ("heroredis worke", "worker workers"), ("heroredis topic pu", "purge"),
             ("heroredis job edit --pr", "--priority"), ("heroredis completion z", "zsh"),
             ("heroredis worker --process-max-j", "--process-max-jobs"), ("heroredis serve --redis-c", "--redis-conf"),
             ("heroredis --webdav-p", "--webdav-port")]


@pytest.mark.parametrize(("typed", "wanted"), COMPLETED)
def test_bash_completes(scripts: dict[str, Path], typed: str, wanted: str) -> None:
    ask = f'COMP_WORDS=({typed}); COMP_CWORD={len(typed.split()) - 1}; _heroredis; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", f"source {scripts['bash']}; {ask}"], capture_output=True, text=True,
                          check=True, timeout=60)
    assert done.stdout.strip() == wanted


@pytest.mark.parametrize(("typed", "wanted"), COMPLETED)
def test_fish_completes(scripts: dict[str, Path], typed: str, wanted: str) -> None:
    done = subprocess.run([need("fish"), "-c", f"source {scripts['fish']}; complete -C '{typed}'"], text=True,
                          capture_output=True, check=True, timeout=60)
    assert sorted(line.partition("\t")[0] for line in done.stdout.splitlines()) == wanted.split()


TYPIST = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; unsetopt zle_bracketed_paste 2>/dev/null; source "$SCRIPT"; print rea""dy'
zpty -r shell seen '*ready*'
zpty -n -w shell "$TYPED"$'\\t'
zpty -r shell seen "*$WANTED*" && print found
zpty -d shell
"""


@pytest.mark.parametrize(("typed", "wanted"), [one for one in COMPLETED if " " not in one[1]])
def test_zsh_completes(scripts: dict[str, Path], typed: str, wanted: str, tmp_path: Path) -> None:
    done = subprocess.run([need("zsh"), "-f", "-c", TYPIST], text=True, capture_output=True, timeout=60, check=False,
                          env={**os.environ, "SCRIPT": str(scripts["zsh"]), "TYPED": typed, "WANTED": wanted,
                               "ZDOTDIR": str(tmp_path), "TERM": "dumb"})
    assert done.stdout.strip().endswith("found"), done
