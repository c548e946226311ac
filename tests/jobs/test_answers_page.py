"""docs/protocol.md against the commands themselves: every refusal that a command gives stands in its section, or in
that of what every command can answer, and every refusal that stands there is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import hiredis
import pytest

from jobs.declared import TABLE
from jobs.errors import TooOld
from jobs.limits import Limits
from tests.jobs.desk import Caller, Desk, as_map

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
REFUSAL = re.compile(r"`((?:ERR|NOJOB|BADSTATE|STALE|REFUSED|TOOOLD)\b[^`]*)`")
GENERAL = "What every command can answer"
BIG = "x" * 2001
FAR = str(1 << 51)


def sections() -> dict[str, str]:
    found = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
    found[GENERAL] = re.search(rf"^## {GENERAL}\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]
    return found


SECTIONS = sections()


def patterns(name: str, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """What a section says, and those whose errors it refers to."""
    yield from REFUSAL.findall(SECTIONS[name])
    for other in re.findall(r"(?:as|errors of) (JOB\.[A-Z]+)", SECTIONS[name]):
        if other not in seen and other in SECTIONS:
            yield from patterns(other, (*seen, name))


def expression(pattern: str) -> re.Pattern[str]:
    """Numbers are any numbers, states any states, … anything."""
    text = re.escape(pattern).replace("…", ".+")
    text = re.sub(r"\d+", r"-?\\d+", text)
    states = re.sub(r"\b(new|active|done|error)\b(?=,\\ it)", "(?:new|active|done|error|ending)", text)
    return re.compile(states, re.DOTALL)


# Job 1 is new, 2 active, 3 done, 4 error; 6 error with a unique key that another job holds; 9 cancelled after it was
# fetched with the token OLD. There is no job 99.
REQUESTS = """
JOB.CREATE | JOB.CREATE t | JOB.CREATE t p NONSENSE | JOB.CREATE t p DELAY x | JOB.CREATE t p DELAY -1
JOB.CREATE t p DELAY | JOB.CREATE t p DELAY 1 DELAY 2 | JOB.CREATE t p DELAY 1 AT 5 | JOB.CREATE t p PRIORITY 256
JOB.CREATE t p RETRY FAR | JOB.CREATE t p DELAY FAR | JOB.CREATE t p AT FAR | JOB.CREATE t p TIMEOUT FAR
JOB.CREATE t p EXPIRE FAR | JOB.CREATE t p UNIQUE k TTL FAR | JOB.CREATE t p IDEMPOTENCY k KEEP FAR
JOB.CREATE t p IDEMPOTENCY k KEEP 0 | JOB.CREATE t p BACKOFF slow | JOB.CREATE t p BACKOFF fixed:x
JOB.CREATE t p TAG EMPTY | JOB.CREATE t p META [1] | JOB.CREATE t p META HUGEMETA | JOB.CREATE t p TTL 5
JOB.CREATE t p KEEP 5 | JOB.CREATE t p UNIQUE EMPTY | JOB.CREATE t p IDEMPOTENCY EMPTY | JOB.CREATE t p UNIQUE LONGKEY
JOB.CREATE t p UNIQUE u | JOB.CREATE t BIG | JOB.CREATE t p AFTER 1 | JOB.CREATE EMPTY p | JOB.CREATE LONGKEY p
JOB.CREATE CONTROL p | JOB.CREATE BYTES p | JOB.CREATE t p BACKOFF BYTES | JOB.CREATE t p BACKOFF LONGSPEC
JOB.MCREATE t | JOB.MCREATE t BIG | JOB.MCREATEX t 2 p | JOB.MCREATEX t 0 | JOB.MCREATEX t 2 p q UNIQUE k
JOB.MCREATEX t 1 BIG | JOB.MCREATEX t 1 p PRIORITY 256 | JOB.MCREATEX t x p | JOB.GET 0 | JOB.GET x | JOB.GET
JOB.HISTORY 99 | JOB.HISTORY 1 COUNT x | JOB.HISTORY 1 NONSENSE | JOB.STATUS 99 done | JOB.STATUS 1 odd
JOB.STATUS 3 active | JOB.STATUS 4 done | JOB.STATUS 3 error | JOB.STATUS 3 new | JOB.STATUS 1 new | JOB.STATUS 6 new
JOB.STATUS 2 active | JOB.FETCH 0 0 t | JOB.FETCH 1001 0 t | JOB.FETCH 1 x t | JOB.FETCH 1 FAR t
JOB.FETCH 1 0 t LEASE 0 | JOB.FETCH 1 0 t LEASE x | JOB.FETCH 1 0 EMPTY | JOB.FETCH 1 0
JOB.FETCH 1 0 t LEASE 5 LEASE 6 | JOB.COMPLETE 99 r | JOB.COMPLETE 4 r | JOB.COMPLETE 3 r
JOB.COMPLETE 2 r TOKEN stale | JOB.COMPLETE 9 r TOKEN OLD | JOB.COMPLETE 2 BIG | JOB.COMPLETE 2 r NONSENSE
JOB.COMPLETE 2 r CPU x | JOB.COMPLETE 2 r TOKEN a TOKEN b | JOB.FAIL 99 e | JOB.FAIL 3 e | JOB.FAIL 2 e TOKEN stale
JOB.FAIL 9 e TOKEN OLD | JOB.FAIL 2 e REASON odd | JOB.FAIL 2 e DEAD RETRY 5 | JOB.FAIL 2 e RETRY x
JOB.FAIL 2 e RETRIES 1000001 | JOB.FAIL 2 e BACKOFF soon
JOB.FAIL 2 e RETRY 5 AT 6 | JOB.SNOOZE 99 5 | JOB.SNOOZE 1 5 | JOB.SNOOZE 2 5 TOKEN stale | JOB.SNOOZE 2 x
JOB.RELEASE 99 | JOB.RELEASE 1 | JOB.RELEASE 2 TOKEN stale | JOB.EXTEND 99 5 | JOB.EXTEND 1 5
JOB.EXTEND 2 5 TOKEN stale | JOB.EXTEND 9 5 TOKEN OLD | JOB.EXTEND 2 0 | JOB.EXTEND 2 x | JOB.PROGRESS 99 5
JOB.PROGRESS 3 5 | JOB.PROGRESS 2 101 | JOB.PROGRESS 2 x | JOB.PROGRESS 2 5 TOKEN stale
JOB.PROGRESS 2 5 word TOKEN stale | JOB.PROGRESS 2 5 a b c | JOB.LOG 99 l | JOB.LOG 3 l | JOB.LOG 2 l TOKEN stale
JOB.LOGS 99 | JOB.LOGS 1 COUNT x | JOB.CANCEL 99 | JOB.CANCEL 3 | JOB.CANCEL 1 a b | JOB.RETRY 99 | JOB.RETRY 3
JOB.RETRY 1 | JOB.RETRY 6 | JOB.DELETE 99 | JOB.DELETE 2 | JOB.EDIT 99 PRIORITY 5 | JOB.EDIT 2 PRIORITY 5 | JOB.EDIT 1
JOB.EDIT 1 PRIORITY 256 | JOB.EDIT 1 PARAMS BIG | JOB.PROMOTE 99 | JOB.PROMOTE 3 | JOB.WAIT 99 0 | JOB.WAIT 1 x
JOB.EVENTS 9999 | JOB.EVENTS x | JOB.EVENTS 0 COUNT 0 | JOB.EVENTS 0 COUNT 10001 | JOB.EVENTS 0 BLOCK FAR
DROPPED JOB.EVENTS 1 | JOB.LIST COUNT 0 | JOB.LIST COUNT 1001 | JOB.LIST STATE odd | JOB.LIST QUERY sate:new
JOB.LIST QUERY ( | JOB.LIST NONSENSE | JOB.LIST CURSOR x | JOB.LIST ASOF x | EXEC JOB.LIST QUERY x
EXEC JOB.BULK retry QUERY x | EXEC JOB.LIST ASOF 5 | JOB.BULK burn QUERY x | JOB.BULK retry | JOB.BULK retry QUERY (
JOB.BULK retry QUERY x NONSENSE | JOB.STATS a b | JOB.STATS a b c | JOB.TOPICS x | JOB.WORKERS x
JOB.POOL WORKERS 100001 | JOB.POOL PROCESSES 1001 | JOB.POOL PROCESSES 1 | JOB.POOL QUIET WORK | JOB.POOL NONSENSE
JOB.POOL WORKERS x | JOB.PAUSE EMPTY | JOB.PAUSE CONTROL | JOB.RESUME EMPTY | JOB.PURGE EMPTY | JOB.PURGE BYTES
JOB.SCHEDULE SET n t p | JOB.SCHEDULE SET n t p CRON nonsense | JOB.SCHEDULE SET n t p EVERY 5
JOB.SCHEDULE SET n t p EVERY 1000 CRON @daily | JOB.SCHEDULE SET n t p CRON @daily TZ Nowhere
JOB.SCHEDULE SET n t p EVERY 1000 MISSED odd | JOB.SCHEDULE SET EMPTY t p EVERY 1000
JOB.SCHEDULE SET n t p EVERY 1000 PRIORITY 256 | JOB.SCHEDULE SET n t p EVERY 1000 BACKOFF slow
JOB.SCHEDULE SET n t p EVERY 1000 START FAR | JOB.SCHEDULE SET n EMPTY p EVERY 1000
JOB.SCHEDULE SET n t BIG EVERY 1000 | JOB.SCHEDULE SET n t p EVERY 1000 META [1] | JOB.SCHEDULE DEL none
JOB.SCHEDULE PAUSE none | JOB.SCHEDULE RESUME none | JOB.SCHEDULE GET | JOB.SCHEDULE LIST x | JOB.SCHEDULE GET BYTES
JOB.HELP x | JOB.COMPLETE 0 r | JOB.CANCEL 0
"""
EACH = [request.strip() for row in REQUESTS.strip().splitlines() for request in row.split("|")]
SPECIAL: dict[str, object] = {
    "EMPTY": "", "BIG": BIG, "FAR": FAR, "LONGKEY": "k" * 600, "CONTROL": "a\nb", "BYTES": b"\xff",
    "HUGEMETA": '{"a": "' + "x" * (1 << 20) + '"}', "LONGSPEC": "list:" + "1," * 3000 + "1"}


ELSEWHERE = {
    "ERR … jobs cannot be made under one idempotency key, give at most 1000000": "takes a million params",
    "BADSTATE job 7 is ending, …": "test_disk.py", "REFUSED narrow the query: it took too long": "takes ten seconds",
    "REFUSED index: …": "test_index.py", "REFUSED the job index is being built again": "between two questions",
    "REFUSED the job index is closed": "test_index.py"}
"""Refusals that other tests are about, or that cost too much."""


class Scene:
    """The jobs that the requests are about."""

    def __init__(self) -> None:
        self.desk = Desk(limits=Limits(params=2000, result=2000))
        self.caller: Caller = self.desk.caller()
        call = self.caller.call
        for number in range(1, 10):
            call("JOB.CREATE", f"t{number}", "p", *(["UNIQUE", "u"] if number == 6 else []))
        call("JOB.FETCH", 1, 0, "t2", "LEASE", 60000)
        call("JOB.COMPLETE", 3, "r")
        call("JOB.FAIL", 4, "e")
        self.tokens = {"OLD": as_map(call("JOB.FETCH", 1, 0, "t9")[0])[b"token"]}
        call("JOB.CANCEL", 9)
        call("JOB.CANCEL", 6)
        call("JOB.CREATE", "t6", "p", "UNIQUE", "u")

    def refusal(self, request: str) -> str | None:
        words = request.split(" ")
        if words[0] == "DROPPED":
            def dropped(since: int) -> Iterator[object]:
                raise TooOld("changes after 5 were dropped, up to 90: begin again at 0")
            self.desk.store.changes = dropped  # type: ignore[method-assign, assignment]
            words = words[1:]
        sent = [self.tokens.get(word, SPECIAL.get(word, word)) for word in words]
        if request == "JOB.CREATE t p UNIQUE u":
            sent[1] = "t6"
        if sent[0] == "EXEC":
            self.caller.call("MULTI")
            self.caller.call(*sent[1:])
            [answer] = self.caller.call("EXEC")
        else:
            answer = self.caller.call(*sent)
        return str(answer) if isinstance(answer, hiredis.ReplyError) else None


def command_of(request: str) -> str:
    words = request.removeprefix("DROPPED ").removeprefix("EXEC ").split(" ")
    return " ".join(words[:2]) if words[0] == "JOB.SCHEDULE" else words[0]


@pytest.fixture(scope="module")
def given() -> dict[str, str]:
    """Each request with its refusal."""
    found = {request: Scene().refusal(request) for request in EACH}
    assert [request for request, refusal in found.items() if refusal is None] == []
    return {request: refusal for request, refusal in found.items() if refusal is not None}


def test_every_refusal_stands_in_the_section_of_its_command(given: dict[str, str]) -> None:
    general = list(patterns(GENERAL))
    strange = [f"{request}: {refusal}" for request, refusal in given.items()
               if not any(expression(pattern).fullmatch(refusal)
                          for pattern in (*patterns(command_of(request)), *general))]
    assert strange == []


def test_every_refusal_that_stands_there_is_given(given: dict[str, str]) -> None:
    for name in (*TABLE, GENERAL):
        told = [refusal for request, refusal in given.items() if name in (GENERAL, command_of(request))]
        for pattern in REFUSAL.findall(SECTIONS[name]):
            if " " in pattern.removesuffix(" …") and pattern not in ELSEWHERE:
                assert any(expression(pattern).fullmatch(refusal) for refusal in told), f"{name}: {pattern}"
