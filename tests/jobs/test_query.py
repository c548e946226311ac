"""The query language: every form, round trips, errors that point at the place, and whether a job fits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.job import Job
from jobs.query import EVERYTHING, And, Not, Or, Query, Span, Text, Word, Words
from jobs.query_parser import QueryError, parse
from jobs.states import STATES

NOW = 1_700_000_000_000
DAY = 86_400_000


def words(field: str, *values: str) -> Words:
    return Words(field, tuple(Word(value) for value in values))


@pytest.mark.parametrize(("text", "query"), [
    ("", EVERYTHING),
    ("  ", EVERYTHING),
    ("topic:email", words("topic", "email")),
    ("TOPIC=email", words("topic", "email")),
    ("state:new,active", words("state", "new", "active")),
    ("topic:mail*", Words("topic", (Word("mail", True),))),
    ('topic:"mail*"', words("topic", "mail*")),
    ('topic:"a b"*', Words("topic", (Word("a b", True),))),
    ("worker:*", Words("worker", (Word("", True),))),
    ("topic!=a", Not(words("topic", "a"))),
    ("-topic:a", Not(words("topic", "a"))),
    ("not topic:a tag:x", And((Not(words("topic", "a")), words("tag", "x")))),
    ("not (a b)", Not(And((Text("text", "a"), Text("text", "b"))))),
    ("a and b or c", Or((And((Text("text", "a"), Text("text", "b"))), Text("text", "c")))),
    ("a (b or c)", And((Text("text", "a"), Or((Text("text", "b"), Text("text", "c")))))),
    ("id:7", Span("id", 7, 7)),
    ("id:7..9", Span("id", 7, 9)),
    ("id:..9", Span("id", None, 9)),
    ("id:7..", Span("id", 7, None)),
    ("id>7", Span("id", 8, None)),
    ("id:>=7", Span("id", 7, None)),
    ("attempts<3", Span("attempts", None, 2)),
    ("priority<=3", Span("priority", None, 3)),
    ("created>=-2h", Span("created", NOW - 7_200_000, None)),
    ("run:+1m..", Span("run", NOW + 60_000, None)),
    ("ended:-2d..-1d", Span("ended", NOW - 2 * DAY, NOW - DAY)),
    ("started<=now", Span("started", None, NOW)),
    ("ended:yesterday", Span("ended", NOW // DAY * DAY - DAY, NOW // DAY * DAY - 1)),
    ("ended>=Today", Span("ended", NOW // DAY * DAY, None)),
    ("ended:yesterday..today", Span("ended", NOW // DAY * DAY - DAY, NOW // DAY * DAY + DAY - 1)),
    ("created:1970-01-02", Span("created", DAY, 2 * DAY - 1)),
    ("created>1970-01-02", Span("created", 2 * DAY, None)),
    ("created:1970-01-01..1970-01-02", Span("created", 0, 2 * DAY - 1)),
    ("created:1970-01-01T01:00Z", Span("created", 3_600_000, 3_660_000 - 1)),
    ("created:1970-01-01T01:00:00+01:00", Span("created", 0, 999)),
    ("created:1970-01-01T00:00:01.5Z", Span("created", 1500, 1599)),
    ("created:1700000000000..", Span("created", NOW, None)),
    ("duration>5s", Span("duration", 5001, None)),
    ("wait:250..1m", Span("wait", 250, 60_000)),
    ('error:"time out"', Text("error", "time out")),
    ("id:7,9..11", Or((Span("id", 7, 7), Span("id", 9, 11)))),
    ("attempts!=1,2", Not(Or((Span("attempts", 1, 1), Span("attempts", 2, 2))))),
    ('error:late,"time out"', Or((Text("error", "late"), Text("error", "time out")))),
    (r'"say \"hi\" \\"', Text("text", 'say "hi" \\')),
    ("user@example.com", Text("text", "user@example.com")),
])
def test_every_form(text: str, query: Query) -> None:
    assert parse(text, NOW) == query


@pytest.mark.parametrize(("text", "place", "part"), [
    ("sate:new", 0, "did you mean 'state'?"),
    ("topic:a http://x", 8, "there is no field 'http'"),
    ("state:gone", 6, "states are new, active, done, error"),
    ("a or", 4, "the query ends"),
    ("or a", 0, "before 'or'"),
    ("(a b", 0, "never closed"),
    ("a)", 1, "never opened"),
    ("topic:", 6, "a value is expected"),
    ("id:1,x", 5, "no whole number"),
    ("id:1,", 5, "a value is expected"),
    ("id>1,2", 4, "a comma stands between the values of one field"),
    ("a,b", 1, "put text that has one in quotes"),
    ('x "abc', 2, "never closed"),
    ("id:x", 3, "no whole number"),
    ("id:1..x", 6, "no whole number"),
    ("created:soon", 8, "no moment"),
    ("created:2026-13-01", 8, "no moment"),
    ("created:-2h", 8, "created:-2h.."),
    ("duration>5y", 9, "no duration"),
    ("topic>a", 6, "only with :"),
    ("id:..", 3, "at least one end"),
    ("topic:a*b", 6, "a star stands only at the end"),
    ('""', 0, "empty text"),
    ("(" * 60, 41, "levels deep"),
    ("a" * 5000, 4096, "at most 4096"),
])
def test_errors_point_at_the_place(text: str, place: int, part: str) -> None:
    with pytest.raises(QueryError, match=r"^ERR query, character ") as caught:
        parse(text, NOW)
    assert caught.value.place == place
    assert part in caught.value.problem


TEXTS = st.text(min_size=1, max_size=8)
NUMBERS = st.integers(0, 10**13)
TERMS: st.SearchStrategy[Query] = st.one_of(
    st.builds(Words, st.sampled_from(["topic", "reason", "tag", "worker"]),
              st.lists(st.builds(Word, TEXTS, st.booleans()), min_size=1, max_size=3).map(tuple)),
    st.builds(Words, st.just("state"), st.lists(st.sampled_from(STATES).map(Word), min_size=1).map(tuple)),
    st.builds(Span, st.sampled_from(["id", "created", "run", "duration", "wait", "attempts"]), NUMBERS,
              st.none() | NUMBERS),
    st.builds(Text, st.sampled_from(["text", "params", "result", "error"]), TEXTS),
)
QUERIES: st.SearchStrategy[Query] = st.recursive(TERMS, lambda inner: st.one_of(
    inner.map(Not), st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
    st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or)), max_leaves=8)


@given(QUERIES)
@settings(max_examples=300, deadline=None)
def test_what_is_printed_reads_back(query: Query) -> None:
    assert parse(str(query), NOW) == query


@given(st.text(alphabet='ab:()"\\-,.*<>=! notandorid13', max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused_and_stays_itself(text: str) -> None:
    try:
        query = parse(text, NOW)
    except QueryError as error:
        query = parse("")
        place = error.place
    else:
        place = 0
    assert 0 <= place <= len(text)
    assert parse(str(query), NOW) == query


JOB = Job(job_id=7, topic="email", state="error", reason="timeout", params='{"to": "Ädä"}'.encode(), error=b"Too late",
          attempts=3, max_attempts=3, created_at=1000, started_at=3000, ended_at=8000, worker="w-1", tags=("vip", "eu"))


@pytest.mark.parametrize(("text", "fits"), [
    ("", True), ("topic:email", True), ("topic:e", False), ("topic:e*", True), ("state:new,error", True),
    ("tag:eu", True), ("tag:us", False), ("tag:*", True), ("not tag:*", False), ("worker:*", True),
    ("id:7", True), ("id<7", False), ("attempts>=3", True), ("priority:100", True),
    ("created:1000", True), ("created>1000", False), ("run>=0", False), ("run<=now", False), ("ended:7s..", False),
    ("ended:7000..", True), ("duration:5s", True), ("duration>5s", False), ("wait:2s", True), ("wait<2s", False),
    ("ädä", True), ("params:ÄDÄ", True), ("result:ädä", False), ('"TOO LATE"', True), ("error:late", True),
    ("late or nothing", True), ("late nothing", False), ("late not nothing", True),
])
def test_whether_a_job_fits(text: str, fits: bool) -> None:
    if text == "ended:7s..":
        with pytest.raises(QueryError):
            parse(text, NOW)
        return
    assert parse(text, NOW).fits(JOB) is fits
